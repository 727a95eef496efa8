"""The loss of a training: the negative log-likelihood of batches of any form."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from chainrule.abilities import validation_loss
from chainrule.batch import Batch
from chainrule.model import Model, State
from chainrule.sequence import end_symbol_of, reads_streams, sequence_model
from chainrule.state import detach, tensors_of, with_tensors
from chainrule.training.settings import Training


class MaximumLikelihood(nn.Module):
    """The losses of a model: per example, or per variable of sequences read chunk by chunk.

    Args:
        model: The model to train, in place.
        settings: The settings of the training.
    """

    def __init__(self, model: Model, settings: Training) -> None:
        super().__init__()
        self.model, self.settings = model, settings
        self._carried: tuple[State, Tensor] | None = None
        self._loaded: list[Tensor] = []
        self._loss, self._surprisals = model.loss, self._parallel_surprisals
        if settings.compile:
            # Whole examples of one length come in two shapes at most: the last batch of an epoch may be smaller.
            self._loss = torch.compile(self._loss, dynamic=model.any_length)
            self._surprisals = torch.compile(self._surprisals, dynamic=True)

    def forward(self, batch: Batch) -> Tensor:
        """The `losses` of a batch of training, some of whose values are replaced where the settings say so."""
        if share := self.settings.perturb:
            x = perturbed(batch.x, share, self.model.conditional.values, end_symbol_of(self.model))
            batch = batch._replace(x=x)
        return self.losses(batch)

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

    @contextlib.contextmanager
    def other_states(self) -> Iterator[None]:
        """The context of a validation: it has states of its own, and may come within an epoch of training."""
        before = self._carried
        try:
            yield
        finally:
            self._carried = before

    @property
    def carried(self) -> list[Tensor]:
        """The states of the lanes of a stream after the last batch, for a checkpoint; empty if none are carried."""
        return [] if self._carried is None else tensors_of(self._carried)

    def carry_on(self, carried: list[Tensor]) -> None:
        """Begin the next batch with the states of a checkpoint."""
        self._loaded = carried


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
