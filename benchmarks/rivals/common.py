"""The splits of a data set as a rival reads them, the CPU time that it has, and the loop that fits its networks."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

PATIENCE = 8
"""Checks without a better validation figure after which a network is fitted no longer."""
WARMUP = 100
CHECKS = 40
"""Checks of a validation figure that the time allows for, at most; they take at most a tenth of it."""


@dataclass(frozen=True)
class Data:
    """The splits that `export` wrote.

    Attributes:
        name: The name of the set.
        about: What `export.describe` found out.
        arrays: Arrays by split, and by ``split_ends`` where each document or recording ends.
    """

    name: str
    about: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(repr=False)

    @classmethod
    def read(cls, work: Path, name: str) -> Data:
        with np.load(work / f"{name}.npz") as file:
            return cls(name, json.loads(str(file["about"])), {key: file[key] for key in file.files if key != "about"})

    @property
    def kind(self) -> str:
        return self.about["kind"]

    @property
    def train(self) -> np.ndarray:
        return self.arrays["train"]

    @property
    def valid(self) -> np.ndarray:
        return self.arrays["valid"]

    @property
    def test(self) -> np.ndarray:
        return self.arrays["test"]

    @cached_property
    def values(self) -> np.ndarray:
        """The values that occur in the file, of data whose variables are levels."""
        return np.unique(np.concatenate([np.unique(self.arrays[split]) for split in ("train", "valid", "test")]))

    def symbols(self, split: str) -> Tensor:
        """The places in `values` of all variables of a split, int64."""
        return torch.from_numpy(np.searchsorted(self.values, self.arrays[split]).astype(np.int64))

    def documents(self, split: str) -> tuple[Tensor, Tensor]:
        """Documents as rows ``(N, longest)`` that end with the last value of theirs, and which symbols count."""
        ends, symbols = self.arrays[f"{split}_ends"], self.symbols(split)
        lengths = torch.from_numpy(np.diff(ends, prepend=0))
        longest = int(max(np.diff(self.arrays[f"{part}_ends"], prepend=0).max() for part in ("train", "valid", "test")))
        counted = torch.arange(longest) < lengths[:, None]
        rows = torch.zeros(counted.shape, dtype=torch.long)
        rows[counted] = symbols
        return rows, counted


class Clock:
    """CPU time of this process, which ends after some minutes."""

    def __init__(self, minutes: float) -> None:
        self.minutes = minutes
        self._started = time.process_time()

    @property
    def seconds(self) -> float:
        return time.process_time() - self._started

    @property
    def share(self) -> float:
        """The share of the minutes that is over."""
        return self.seconds / (60 * self.minutes)


def fit(
    module: nn.Module,
    loss: Callable[[], Tensor],
    valid: Callable[[], float],
    clock: Clock,
    *,
    rate: float,
    weight_decay: float = 0.01,
    steps: float = math.inf,
) -> dict[str, Any]:
    """Minimise ``loss`` by AdamW and keep the weights of the best validation figure.

    The rate rises over `WARMUP` steps and falls to a tenth by a cosine, over ``steps`` or over what the clock leaves.

    Args:
        module: What is fitted.
        loss: The loss of a random batch.
        valid: The validation NLL of the weights as they are.
        clock: Ends the fit.
        rate: The highest rate.
        weight_decay: That of matrices.
        steps: Ends the fit as well.
    """
    matrices = [weight for weight in module.parameters() if weight.dim() > 1]
    others = [weight for weight in module.parameters() if weight.dim() < 2]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99))
    best, weights, step, since, best_step = math.inf, None, 0, 0, 0
    due = 1 / CHECKS
    while True:
        over = clock.share >= 1 or step >= steps
        if over or clock.share >= due:
            began = clock.share
            module.eval()
            with torch.inference_mode():
                found = valid()
            module.train()
            due = clock.share + max(1 / CHECKS, 10 * (clock.share - began))
            if found < best:
                best, weights, since, best_step = found, copy.deepcopy(module.state_dict()), 0, step
            else:
                since += 1
            if over or since >= PATIENCE:
                break
        progress = max(step / steps, min(clock.share, 1.0))
        scale = min((step + 1) / WARMUP, 1.0) * (0.1 + 0.45 * (1 + math.cos(math.pi * progress)))
        for group in optimiser.param_groups:
            group["lr"] = rate * scale
        optimiser.zero_grad()
        loss().backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
        step += 1
    module.load_state_dict(weights)
    module.eval()
    parameters = sum(weight.numel() for weight in module.parameters())
    return {"valid_nats": best, "steps": step, "best_step": best_step, "parameters": parameters}


def rounds(nats: Callable[[Tensor], Tensor], rows: Tensor, size: int) -> float:
    """The mean over all rows of ``nats (k,)`` of ``size`` rows at a time."""
    with torch.inference_mode():
        return float(sum(nats(part).double().sum() for part in rows.split(size)) / len(rows))
