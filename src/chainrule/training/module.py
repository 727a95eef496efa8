"""What Lightning needs to know of a model and of its data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from chainrule.abilities import validation_loss
from chainrule.model import Model
from chainrule.sequence import end_symbol_of
from chainrule.training.processes import mean_of_all, processes

Data = Dataset[Any] | Tensor
"""Examples ``(N, *event_shape)``: a tensor, or a data set that gives a batch for a list of indices."""

Batch = tuple[Tensor, Tensor | None]
"""Examples ``(B, *event_shape)`` and their classes ``(B,)``, if there are classes."""


class TrainingError(RuntimeError):
    """Training can't go on, for example because the loss is no longer a number."""


class MaximumLikelihood(lightning.LightningModule):
    """Minimises the mean of the model's loss, in nats per example, by AdamW.

    Args:
        model: The model to train, in place.
        learning_rate: The highest learning rate.
        weight_decay: Decoupled weight decay of the weights; biases are left alone.
        schedule: ``"constant"``, ``"cosine"`` or ``"linear"`` (both to zero).
        warmup: Optimiser steps during which the learning rate rises from zero.
        total_steps: Optimiser steps of the whole training.
        compile: Whether the model's loss is compiled.
        perturb: Share of the values that are replaced before each step, see `perturbed`.
    """

    def __init__(
        self,
        model: Model,
        *,
        learning_rate: float,
        weight_decay: float,
        schedule: str,
        warmup: int,
        total_steps: int,
        compile: bool = False,
        perturb: float = 0.0,
    ) -> None:
        super().__init__()
        self.model = model
        self.perturb = perturb
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.warmup = warmup
        self.total_steps = total_steps
        # Two shapes at most: the last batch of an epoch may be smaller.
        self._loss = torch.compile(model.loss, dynamic=False) if compile else model.loss

    def losses(self, batch: Batch, batch_index: int) -> Tensor:
        """What is minimised the mean of, ``(k,)``."""
        return self._loss(*batch)

    def validation_losses(self, batch: Batch, batch_index: int) -> Tensor:
        """What the epoch to keep is chosen by the mean of, ``(k,)``."""
        return validation_loss(self.model, *batch)

    def training_step(self, batch: Any, batch_index: int) -> Tensor:
        if self.perturb:
            x, *rest = batch
            batch = (perturbed(x, self.perturb, self.model.conditional.values, end_symbol_of(self.model)), *rest)
        losses = self.losses(batch, batch_index)
        mean, count = mean_of_all(losses.detach())
        if not math.isfinite(mean):
            raise TrainingError(
                f"the loss became {mean} at step {self.global_step}: "
                f"lower the learning rate (now {self.learning_rate:g}) or clip gradients; earlier checkpoints are kept"
            )
        self.log("train_nats", mean, on_step=False, on_epoch=True, batch_size=count)
        # Gradients are averaged over the processes, whose parts of a batch may differ in size.
        return losses.sum() * (processes()[1] / count)

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        mean, count = mean_of_all(self.validation_losses(batch, batch_index))
        self.log("valid_nats", mean, batch_size=count)

    def configure_optimizers(self) -> Any:
        weights = [parameter for parameter in self.model.parameters() if parameter.dim() > 1]
        biases = [parameter for parameter in self.model.parameters() if parameter.dim() <= 1]
        groups = [{"params": weights, "weight_decay": self.weight_decay}, {"params": biases, "weight_decay": 0.0}]
        # A fused step would unscale the gradients of mixed precision by itself, too late to clip them.
        fused = "mixed" not in str(self.trainer.precision)
        optimizer = torch.optim.AdamW(groups, lr=self.learning_rate, fused=fused)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _rate(self, step: int) -> float:
        """The share of the highest learning rate at an optimiser step."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        progress = min((step - self.warmup) / max(self.total_steps - self.warmup, 1), 1.0)
        if self.schedule == "cosine":
            return 0.5 * (1 + math.cos(math.pi * progress))
        return 1 - progress if self.schedule == "linear" else 1.0


def perturbed(x: Tensor, share: float, values: Tensor | None, end: int | None = None) -> Tensor:
    """``x`` ``(B, ...)`` with a share of its values, chosen at random, replaced by values drawn at random.

    Drawn from the listed ``values``, each as probable (that which was there among them), or, where there are none, from
    the same variable of the other examples. The draws are torch's global generator's. The value ``end``, that of the
    end of an example, neither comes nor goes.
    """
    chosen = (torch.rand(x.shape) < share).to(x.device)
    if values is None:
        drawn = x.gather(0, torch.rand(x.shape).argsort(0).to(x.device))
    else:
        values = values if end is None else values[values != end]
        drawn = values[torch.randint(len(values), x.shape)].to(device=x.device, dtype=x.dtype)
    return torch.where(chosen if end is None else chosen & (x != end), drawn, x)


class Batches(Sampler[list[int]]):
    """Index lists of the batches of an epoch; the shuffle depends on nothing but the seed and the epoch.

    Lightning calls `set_epoch`, so that a resumed training sees the batches it would have seen. Of several
    processes each gets its part of every batch: together they see the batches that one process would.
    """

    def __init__(self, count: int, batch_size: int, seed: int | None) -> None:
        self.count, self.batch_size, self.seed, self.epoch = count, batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return math.ceil(self.count / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        if self.seed is None:
            indices = torch.arange(self.count)
        else:
            generator = torch.Generator().manual_seed(epoch_seed(self.seed, self.epoch))
            indices = torch.randperm(self.count, generator=generator)
        rank, world = processes()
        return (batch[rank::world].tolist() for batch in indices.split(self.batch_size))


def epoch_seed(seed: int, epoch: int) -> int:
    """A seed of its own for every epoch of a seeded training."""
    return (seed * 1_000_003 + epoch) % 2**63


def loader(data: Data, context: Tensor | None, batch_size: int, seed: int | None = None) -> DataLoader[Any]:
    """Whole batches of ``data`` and its classes, shuffled where a seed is given: one indexing each, no collation."""
    examples = Contextual(data, context)
    batches = Batches(len(examples), batch_size, seed)
    # A generator of its own, because a loader draws from the global one whenever it is started.
    return DataLoader(examples, sampler=batches, batch_size=None, generator=torch.Generator())


class Contextual(Dataset[Batch]):
    """Examples beside what they are conditioned on, as a data set that gives a batch for a list of indices."""

    def __init__(self, data: Data, context: Tensor | None) -> None:
        self.data, self.context = data, context

    def __len__(self) -> int:
        return len(self.data)  # type: ignore[arg-type]

    def __getitem__(self, index: Any) -> Batch:
        return self.data[index], None if self.context is None else self.context[index]
