"""The one LightningModule: maximum likelihood on batches of any form."""

from __future__ import annotations

import math
from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor

from chainrule.abilities import validation_loss
from chainrule.batch import Batch
from chainrule.errors import TrainingError
from chainrule.model import Model, State
from chainrule.sequence import end_symbol_of, reads_streams, sequence_model
from chainrule.state import detach, tensors_of, with_tensors
from chainrule.training.processes import mean_of_all, processes
from chainrule.training.settings import Training


class MaximumLikelihood(lightning.LightningModule):
    """Minimises the mean loss of the model by AdamW: per example, or per variable of sequences read chunk by chunk.

    Args:
        model: The model to train, in place.
        settings: The settings of the training.
        total_steps: Optimiser steps of the whole training.
        begun: The step at which the schedule of the learning rate begins: where an earlier training had ended.
    """

    def __init__(self, model: Model, settings: Training, total_steps: int, begun: int = 0) -> None:
        super().__init__()
        self.model, self.settings = model, settings
        self.total_steps = self.most_steps = total_steps
        self.begun = begun
        self._carried: tuple[State, Tensor] | None = None
        self._set_aside: tuple[State, Tensor] | None = None
        self._loaded: list[Tensor] = []
        self._sum, self._count = 0.0, 0
        self._loss, self._surprisals = model.loss, self._parallel_surprisals
        if settings.compile:
            # Whole examples of one length come in two shapes at most: the last batch of an epoch may be smaller.
            self._loss = torch.compile(self._loss, dynamic=model.any_length)
            self._surprisals = torch.compile(self._surprisals, dynamic=True)

    def losses(self, batch: Batch) -> Tensor:
        """The losses whose mean is minimised: of each example ``(B,)``, or of each variable that counts ``(k,)``."""
        if batch.continues is not None:
            return self._sequence_losses(batch)
        if batch.counted is None or bool(batch.counted[:, 0].all()) or not reads_streams(self.model):
            return self._loss(batch.x, batch.context)
        # Pieces of long documents begin with their past, which does not count.
        x = self.model.check(batch.x)
        nats = self._surprisals(x, self.model.check_context(batch.context, len(x)))
        return nats.masked_fill(~batch.counted, 0.0).sum(1)

    def validation_losses(self, batch: Batch) -> Tensor:
        """The losses by whose mean the weights to keep are chosen; shaped as `losses`."""
        if batch.continues is None:
            return validation_loss(self.model, batch.x, batch.context)
        return self._sequence_losses(batch)

    def _sequence_losses(self, batch: Batch) -> Tensor:
        """-log p(x_t | x_<t) in nats of the variables that count, ``(k,)``.

        Chunks that bring their history are one parallel pass. For other chunks the state is carried from batch to
        batch, and gradients go back only to the beginning of a chunk (truncated back-propagation).
        """
        model = sequence_model(self.model)
        x = model.check(batch.x)
        context = model.check_context(batch.context, len(x))
        if batch.counted is not None:
            return self._surprisals(x, context)[batch.counted]
        state, previous = model.start(len(x), context), None
        if batch.continues and self._carried is not None:
            state, previous = self._carried
        elif batch.continues and self._loaded:
            state, previous = with_tensors(state, self._loaded[:-1]), self._loaded[-1]
        distribution, state = model.advance(state, previous, x)
        self._carried = detach(state), x[:, -1]
        return -distribution.log_prob(x).flatten()

    def _parallel_surprisals(self, x: Tensor, context: Tensor | None) -> Tensor:
        nats: Tensor = -self.model(x, context).log_prob(x)
        return nats

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        settings = self.settings
        if settings.perturb:
            x = perturbed(batch.x, settings.perturb, self.model.conditional.values, end_symbol_of(self.model))
            batch = batch._replace(x=x)
        losses = self.losses(batch)
        mean, count = mean_of_all(losses.detach())
        if not math.isfinite(mean):
            raise self._error(f"the loss became {mean}")
        # Lightning's own log takes a quarter of a small model's step.
        self._sum, self._count = self._sum + mean * count, self._count + count
        # Gradients are averaged over the processes, whose parts of a batch may differ in size.
        return losses.sum() * (processes()[1] / count)

    @property
    def train_nats(self) -> float:
        """The mean of the losses of the round so far."""
        return self._sum / self._count

    def on_train_epoch_start(self) -> None:
        self._sum, self._count = 0.0, 0

    def on_validation_start(self) -> None:
        # A validation within an epoch has states of its own.
        self._set_aside = self._carried

    def on_validation_end(self) -> None:
        self._carried = self._set_aside

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the states of the lanes of a stream, as a round may end within an epoch, and the losses of the round."""
        alone = processes()[1] == 1  # several processes begin their lanes anew
        checkpoint["carried"] = [] if self._carried is None or not alone else tensors_of(self._carried)
        checkpoint["losses"] = self._sum, self._count

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._loaded = checkpoint["carried"]
        self._sum, self._count = checkpoint.get("losses", (0.0, 0))

    def ends_at(self, step: int) -> None:
        """Let the learning rate fall to its end at ``step``, or at the last step of the budget if that is earlier."""
        self.total_steps = min(self.most_steps, step)

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        mean, count = mean_of_all(self.validation_losses(batch))
        if math.isnan(mean):  # it may be infinite, where a value that training never saw has no probability yet
            raise self._error("the validation loss is no number")
        self.log("valid_nats", mean, batch_size=count)

    def _error(self, what: str) -> TrainingError:
        rate = self.settings.learning_rate
        return TrainingError(
            f"{what} at step {self.global_step}: lower the learning rate (now {rate:g}) or clip gradients"
        )

    def configure_optimizers(self) -> Any:
        settings = self.settings
        weights = [parameter for parameter in self.model.parameters() if parameter.dim() > 1]
        biases = [parameter for parameter in self.model.parameters() if parameter.dim() <= 1]
        groups = [{"params": weights, "weight_decay": settings.weight_decay}, {"params": biases, "weight_decay": 0.0}]
        # A fused step would unscale the gradients of mixed precision by itself, too late to clip them.
        fused = "mixed" not in str(self.trainer.precision)
        optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate, fused=fused)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _rate(self, step: int) -> float:
        """The share of the highest learning rate at an optimiser step."""
        warmup, schedule = self.settings.warmup, self.settings.schedule
        if step < warmup:
            return (step + 1) / warmup
        first = max(warmup, self.begun)
        progress = min((step - first) / max(self.total_steps - first, 1), 1.0)
        if schedule == "cosine":
            return 0.5 * (1 + math.cos(math.pi * progress))
        return 1 - progress if schedule == "linear" else 1.0


def perturbed(x: Tensor, share: float, values: Tensor | None, end: int | None = None) -> Tensor:
    """``x`` ``(B, ...)`` with a share of its values, chosen at random, replaced by values drawn at random.

    Each is drawn uniformly from the listed ``values``, the one that it replaces included, or, where none are listed,
    from the same variable of the batch's examples. The draws are torch's global generator's. The end symbol ``end`` is
    neither replaced nor drawn.
    """
    chosen = (torch.rand(x.shape) < share).to(x.device)
    if values is None:
        drawn = x.gather(0, torch.rand(x.shape).argsort(0).to(x.device))
    else:
        values = values if end is None else values[values != end]
        drawn = values[torch.randint(len(values), x.shape)].to(device=x.device, dtype=x.dtype)
    return torch.where(chosen if end is None else chosen & (x != end), drawn, x)
