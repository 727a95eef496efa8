"""The steps of a training: AdamW, the schedule of its learning rate, and the moving average of the weights."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from chainrule.training.adamw import AdamW
from chainrule.training.precision import scaler_of
from chainrule.training.settings import Training


class Schedule:
    """The learning rate at every step, as a share of the highest.

    Args:
        settings: The settings of the training.
        total_steps: Optimiser steps of the whole training.
        begun: The step at which the schedule begins: where an earlier training had ended.
    """

    def __init__(self, settings: Training, total_steps: int, begun: int = 0) -> None:
        self.settings, self.begun = settings, begun
        self.total_steps = self.most_steps = total_steps

    def ends_at(self, step: int) -> None:
        """Let the learning rate fall to its end at ``step``, or at the last step of the budget if that is earlier."""
        self.total_steps = min(self.most_steps, step)

    def share(self, step: int) -> float:
        """The share of the highest learning rate at a step, counted from 0.

        >>> Schedule(Training(schedule="linear", warmup=2), total_steps=12).share(7)
        0.5
        """
        warmup, schedule = self.settings.warmup, self.settings.schedule
        if step < warmup:
            return (step + 1) / warmup
        first = max(warmup, self.begun)
        progress = min((step - first) / max(self.total_steps - first, 1), 1.0)
        if schedule == "cosine":
            return 0.5 * (1 + math.cos(math.pi * progress))
        return 1 - progress if schedule == "linear" else 1.0


class Optimiser:
    """Takes the steps of a training, and counts them.

    Args:
        model: The model whose weights it changes, where they are to stay.
        settings: The settings of the training.
        schedule: The learning rate.
    """

    def __init__(self, model: nn.Module, settings: Training, schedule: Schedule) -> None:
        self.settings, self.schedule, self.steps = settings, schedule, 0
        matrices = [weight for weight in model.parameters() if weight.dim() > 1]
        biases = [weight for weight in model.parameters() if weight.dim() <= 1]
        self._weights = matrices + biases
        self._adamw = AdamW([(matrices, settings.weight_decay), (biases, 0.0)])
        self._scaler = scaler_of(settings.precision, self._weights[0].device.type)
        self.average = None if settings.averaging is None else Average(self._weights, settings.averaging)

    def step(self, loss: Tensor) -> None:
        """Take a step against the gradient of ``loss``."""
        adamw, scaler, limit = self._adamw, self._scaler, self.settings.gradient_clip
        adamw.zero_grad()
        (loss if scaler is None else scaler.scale(loss)).backward()
        if scaler is not None:
            scaler.unscale_(adamw)  # type: ignore[arg-type]
        if limit is not None:
            nn.utils.clip_grad_norm_(self._weights, limit)
        adamw.rate = self.settings.learning_rate * self.schedule.share(self.steps)
        if scaler is None:
            adamw.step()
        else:
            scaler.step(adamw)  # type: ignore[arg-type]  # it needs no more of an optimizer than we have
            scaler.update()
        self.steps += 1
        if self.average is not None:
            self.average.update()

    def averaged(self) -> contextlib.AbstractContextManager[None]:
        """The context in which the model has the average of its weights, if there is one."""
        return contextlib.nullcontext() if self.average is None else self.average.in_place()

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps beside the weights."""
        scaler = {} if self._scaler is None else self._scaler.state_dict()
        return {"adamw": self._adamw.state_dict(), "scaler": scaler}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state that `state_dict` gave."""
        self._adamw.load_state_dict(state["adamw"])
        if self._scaler is not None:
            self._scaler.load_state_dict(state["scaler"])


class Average:
    """The exponential moving average of weights, over the steps.

    Args:
        weights: The weights.
        decay: The share of the average that a step keeps.
    """

    def __init__(self, weights: Sequence[Tensor], decay: float) -> None:
        self._weights, self._means = list(weights), [weight.detach().clone() for weight in weights]
        self._move, self._begun = get_ema_multi_avg_fn(decay), False

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the weights; the first time it becomes equal to them."""
        if self._begun:
            self._move(self._means, self._weights, None)
            return
        for mean, weight in zip(self._means, self._weights, strict=True):
            mean.copy_(weight)
        self._begun = True

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Exchange the weights for their average, and back at the end."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        for mean, weight in zip(self._means, self._weights, strict=True):
            before = weight.clone()
            weight.copy_(mean)
            mean.copy_(before)
