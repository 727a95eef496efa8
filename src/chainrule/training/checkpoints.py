"""Checkpoints that are written completely or not at all, and whose damage is found."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from chainrule.atomic import replacing
from chainrule.hashes import sha256_of

MARK = b"sha256:"
"""The beginning of the comment at the end of a checkpoint; its SHA-256 follows."""

COMMENT = len(MARK) + 64

NO_COMMENT = b"PK\5\6", 22
"""The record at the end of a ZIP archive without a comment, and its length."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The place in a training that a checkpoint was written at, and all that it needs to go on from there.

    Attributes:
        round: The round that had just ended, counted from 0; or the one that it is within.
        done: The steps of that round so far; 0 if it had ended.
        step: The optimiser steps so far.
        round_steps: The steps of a round.
        ended: True if the training ended there.
        minutes: The minutes so far.
        waited: Rounds since the best.
        rows: The rows of the history.
        losses: The sum of the training losses of the round so far, and their number.
        weights: The weights, averaged if the training averages them.
        trained: The weights that it trains, where the others are their average.
        optimiser: The state of the optimiser.
        carried: The states of the lanes of a stream.
        noise: Within a round the states of the generators of random numbers.
    """

    round: int
    done: int
    step: int
    round_steps: int
    ended: bool
    minutes: float
    waited: int
    rows: list[dict[str, float]]
    losses: tuple[float, int]
    weights: dict[str, Any]
    trained: dict[str, Any] | None
    optimiser: dict[str, Any]
    carried: list[Tensor]
    noise: list[Tensor]

    def write(self, path: Path) -> None:
        """Write the file completely or not at all: a full disk or a Ctrl-C leaves the one before."""
        with replacing(path) as temporary:
            torch.save({field.name: getattr(self, field.name) for field in fields(self)}, temporary)
            _seal(temporary)


def _seal(path: Path) -> None:
    """Append the SHA-256 of a checkpoint to it, as the comment of the ZIP archive that it is."""
    with path.open("r+b") as file:
        file.seek(-2, 2)
        file.write(COMMENT.to_bytes(2, "little"))
    digest = sha256_of(path)
    with path.open("ab") as file:
        file.write(MARK + digest.encode())


def _check_seal(path: Path) -> None:
    """Raise ``ValueError`` if a checkpoint differs from what `_seal` saw; older ones have no seal."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - COMMENT))
        end = file.read()
    signature, length = NO_COMMENT
    unsealed = end[-length:].startswith(signature) and end.endswith(b"\0\0")
    if not unsealed and end != MARK + sha256_of(path, size - len(end)).encode():
        raise ValueError(f"{path} is damaged or truncated (other SHA-256): delete the run folder and fit again")


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint, onto the CPU.

    Raises:
        ValueError: If the file is missing or damaged.
    """
    try:
        _check_seal(path)
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return Checkpoint(**(_of_lightning(content) if "loops" in content else content))
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: delete the run folder and fit again") from None
    except Exception as error:  # a damaged file makes torch raise anything
        raise ValueError(f"{path} is damaged or truncated: delete the run folder and fit again") from error


def _of_lightning(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a checkpoint of 2026 and before, when Lightning's loop wrote it, as it is written now."""
    own, callbacks = content["round"], content["callbacks"]
    waited = [state["wait_count"] for name, state in callbacks.items() if name.startswith("Patience")]
    return {
        "round": content["epoch"],
        "done": own.get("done", 0),
        "step": content["global_step"],
        "round_steps": own["steps"],
        "ended": own["ended"],
        "minutes": own["minutes"],
        "waited": sum(waited),
        "rows": callbacks["History"]["rows"],
        "losses": content.get("losses", (0.0, 0)),
        "weights": content["state_dict"],
        "trained": content.get("current_model_state"),
        "optimiser": {"adamw": content["optimizer_states"][0]["state"], "scaler": content.get("MixedPrecision", {})},
        "carried": content["carried"],
        "noise": own.get("noise", []),
    }


class Checkpoints:
    """The checkpoints of a training: the best round in ``best.ckpt`` and the last in ``last.ckpt``.

    Args:
        folder: The folder of both. A run that is moved elsewhere goes on there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """The file of the checkpoint ``name``, best or last."""
        return self.folder / f"{name}.ckpt"

    def read(self, name: str) -> Checkpoint:
        """The checkpoint ``name``, best or last; see `read_checkpoint`."""
        return read_checkpoint(self.path(name))

    def last(self) -> Checkpoint | None:
        """The last checkpoint; None if there is none yet."""
        return self.read("last") if self.path("last").exists() else None
