"""The cost of a training before it begins: its memory, and the time of a step."""

from __future__ import annotations

import operator
import time
import warnings
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.devices import available_memory, check_device, precision_on
from chainrule.model import Model
from chainrule.training.budget import budget_of
from chainrule.training.loader import Data, Loader, Loaders, loaders_of
from chainrule.training.module import MaximumLikelihood
from chainrule.training.precision import arithmetic
from chainrule.training.settings import Training

COPIES = 4
"""Numbers that a training holds for each parameter: itself, its gradient, and two means of AdamW."""

TEMPORARY = 1.5
"""A step needs about this many times the memory of the tensors that it saves for its gradients."""

SHARE = 0.8
"""The share of the free memory that a training may take."""

TIMED_STEPS, TIMED_SECONDS = 3, 2.0
"""At most this many steps are timed, and no further one after this many seconds."""


@dataclass(frozen=True)
class Cost:
    """The cost of a training.

    Attributes:
        parameters: Trainable numbers.
        batch_size: Rows of a step: those that were asked for, or fewer if these would not fit into memory.
        memory: Bytes that the parameters and a step take, about.
        step_seconds: Seconds of a step.
        steps: Steps, at most.
        limit: Minutes, at most; None for no limit.
    """

    parameters: int
    batch_size: int
    memory: int
    step_seconds: float
    steps: int
    limit: float | None

    @property
    def minutes(self) -> float:
        """Minutes of the training, at most, about."""
        needed = self.steps * self.step_seconds / 60
        return needed if self.limit is None else min(needed, self.limit)

    def as_dict(self) -> dict[str, Any]:
        """The attributes, and the minutes, as plain values."""
        return asdict(self) | {"minutes": self.minutes}

    def __str__(self) -> str:
        return (
            f"{self.parameters:,} parameters, about {self.memory / 2**20:,.0f} MB of memory, "
            f"{1e3 * self.step_seconds:,.2f} ms a step of {self.batch_size}: up to {self.steps:,} steps, "
            f"{self.minutes:.1f} minutes"
        )


def cost_of(model: Model, train: Data, *, train_context: Tensor | None = None, **settings: Any) -> Cost:
    """The cost of ``fit(model, train, ..., **settings)``; a few steps are timed, and no weight is changed.

    Raises:
        ValueError: As `fit`.
    """
    training = Training.of(settings)
    device = check_device(training.device)
    training = replace(training, precision=precision_on(device, training.precision, model))
    contexts = (train_context, train_context)
    loader, _ = loaders_of(model, (train, train), contexts, training)
    size, memory = fitting_batch(model, loader, training, device)
    training = replace(training, batch_size=size)
    loader, _ = loaders_of(model, (train, train), contexts, training)
    seconds = seconds_of_a_step(model, loader, training, device)
    budget = budget_of(training, loader.epoch_steps)
    parameters = model.num_parameters
    return Cost(parameters, size, memory, seconds, budget.steps, training.minutes)


def fitting_loaders(model: Model, loaders: Loaders, training: Training, device: str) -> tuple[Loaders, Training]:
    """The same batches, or smaller ones where a step would not fit into memory."""
    train, valid = loaders
    size, _ = fitting_batch(model, train, training, device)
    if size >= train.size:
        return loaders, training
    warnings.warn(f"a step of {train.size} rows would not fit into memory: it has {size}", stacklevel=3)
    smaller = replace(training, batch_size=size)
    contexts = train.context, valid.context
    return loaders_of(model, (train.examples, valid.examples), contexts, smaller), smaller  # type: ignore[arg-type]


def fitting_batch(model: Model, loader: Loader, training: Training, device: str) -> tuple[int, int]:
    """The most rows of a step, up to those that ``loader`` reads, that fit into the free memory, and their bytes.

    The tensors that a step saves for its gradients are counted for one row and for two; they grow by the row.

    Raises:
        ValueError: If not even one row fits.
    """
    parameters = sum(parameter.numel() for parameter in model.parameters())
    fixed = parameters * (COPIES + (training.averaging is not None)) * 4
    batch = next(iter(loader))
    # Of a batch of one row the second is that row again.
    pairs = [torch.arange(rows).clamp(max=len(batch.x) - 1) for rows in (1, 2)]
    one, two = (_saved_bytes(model, training, batch.map(operator.itemgetter(pair))) for pair in pairs)
    row = max(two - one, 1)
    rows, free = len(batch.x), SHARE * available_memory(device)
    fits = int((free - fixed - TEMPORARY * (one - row)) / (TEMPORARY * row))
    if fits < 1:
        needed = (fixed + TEMPORARY * one) / 2**30
        raise ValueError(
            f"training expects {needed:.1f} GB of memory for one example of {model.num_variables:,} variables and "
            f"{parameters:,} parameters, got {free / 2**30:.1f} GB that are free: choose a smaller model or smaller "
            "examples"
        )
    size = loader.size if rows <= fits else max(1, fits * loader.size // rows)
    return size, int(fixed + TEMPORARY * (one + (min(rows, fits) - 1) * row))


def seconds_of_a_step(model: Model, loader: Loader, training: Training, device: str) -> float:
    """The time of a step on the first batches of ``loader``; nothing of it is kept.

    The first step, which is slower, counts only if there is no other.
    """
    module = MaximumLikelihood(model.to(device), replace(training, compile=False))
    module.train()
    times: list[float] = []
    with torch.random.fork_rng(devices=[]), _arithmetic(training, device):
        for batch in loader:
            started = time.monotonic()
            module.losses(batch.map(lambda part: part.to(device))).mean().backward()
            if device == "cuda":
                torch.cuda.synchronize()
            times.append(time.monotonic() - started)
            if len(times) > TIMED_STEPS or sum(times) > TIMED_SECONDS:
                break
    model.zero_grad(set_to_none=True)
    return min(times[1:] or times)


def _saved_bytes(model: Model, training: Training, batch: Batch) -> int:
    """The bytes of the tensors that a step on ``batch`` saves for its gradients, each storage once."""
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    seen: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    module = MaximumLikelihood(model, replace(training, compile=False))
    device = str(model.device.type)
    saving = torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
    with torch.random.fork_rng(devices=[]), _arithmetic(training, device), saving:
        losses = module.losses(batch.map(lambda part: part.to(device)))
    del losses
    return sum(seen.values())


def _arithmetic(training: Training, device: str) -> Any:
    """The arithmetic of a mixed precision; a double one is timed and measured in single."""
    return arithmetic("32-true" if training.precision == "64-true" else training.precision, device)
