"""Surprisal: how unexpected each variable is, given those before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.abilities import components_of
from chainrule.batch import Batch, as_source
from chainrule.conditionals import Conditional
from chainrule.model import AutoregressiveModel, State
from chainrule.sequence import SequenceModel, history_of, sequence_model
from chainrule.tasks.batches import evaluation_mode, rows_of_batch
from chainrule.walk import CHUNK

Measure = Callable[[Distribution, Tensor], Tensor]
"""Computes numbers of variables, from their conditionals and their values ``(B, k)``."""

COMPARED = 2**22
"""Probabilities that are compared at once."""


def surprisals(model: AutoregressiveModel, x: Tensor, context: Tensor | None = None) -> Tensor:
    """-log p(x_t | x_<t) in nats, ``(B, *event_shape)``, of every variable of examples.

    Raises:
        ValueError: If the examples or the context don't fit the model, or it has no conditionals.
    """
    if len(components_of(model)) > 1:
        raise ValueError(f"surprisals expects a model of one order, got {type(model).__name__} over several")
    x = model.check(x.to(model.device))
    with evaluation_mode(model), torch.no_grad():
        return -model(x, model.check_context(context, len(x))).log_prob(x)


def surprisals_in_order(
    model: AutoregressiveModel, examples: Any, *, context: Tensor | None = None, batch_size: int = 256
) -> Iterator[tuple[int, Tensor]]:
    """-log p(x_t | x_<t) in nats of every variable of examples of any form, each once, given all of its past.

    Args:
        model: Any model of the contract.
        examples: A tensor or an array ``(N, *event_shape)``, or a split of a data set, which may be larger than memory.
        context: What each example is conditioned on: classes ``(N,)``.
        batch_size: Examples per parallel pass; fewer where they are large.

    Yields:
        The index of an example and its nats, float64 on the CPU: of the shape of the event; of a sequence ``(k,)``,
        where a long one comes in several chunks, one after the other. Padding is left out.

    Raises:
        ValueError: If the examples or the context don't fit the model, or it has no conditionals.
    """
    source = as_source(examples)
    sequence = None
    history = history_of(model, ragged=source.ragged)
    size = rows_of_batch(batch_size, model) if history is None else batch_size
    for batch in source.in_order(size, history=history, context=context):
        if batch.continues is None:
            nats = surprisals(model, batch.x, batch.context).double().cpu()
        else:
            sequence = sequence or CarriedSurprisals(sequence_model(model))
            nats = sequence(batch)
        for i, (item, row) in enumerate(zip(batch.item.tolist(), nats, strict=True)):
            yield item, row if batch.counted is None else row[batch.counted[i]]


class CarriedSurprisals:
    """-log p(x_t | x_<t) of chunks of sequences, whose state is carried from batch to batch.

    Args:
        model: A model of sequences of any length.
        measure: What is computed of each variable, from the conditionals and the values ``(B, k)``; by default its
            surprisal.

    Raises:
        ValueError: If the model does not take sequences of any length.
    """

    def __init__(self, model: SequenceModel, measure: Measure | None = None) -> None:
        if not model.any_length:
            raise ValueError(f"expected a model of sequences of any length, got one of events {model.event_shape}")
        self.model, self.measure = model, measure or _surprisal
        self._state: State = None
        self._previous: Tensor | None = None

    def __call__(self, batch: Batch) -> Tensor:
        """The nats of the variables of the next batch, float64 ``(B, k)`` on the CPU, or what is measured.

        Raises:
            ValueError: If a value is not one of the conditional's, or the context does not fit.
        """
        model, nats = self.model, []
        with evaluation_mode(model), torch.no_grad():
            if not batch.continues:
                count = len(batch.x)
                self._state, self._previous = model.start(count, model.check_context(batch.context, count)), None
            for values in batch.x.split(CHUNK, dim=1):
                x = model.check(values.to(model.device))
                distribution, self._state = model.advance(self._state, self._previous, x)
                self._previous = x[:, -1]
                nats.append(self.measure(distribution, x).double().cpu())
        return torch.cat(nats, dim=1)


def stream_surprisals(
    model: SequenceModel, chunks: Iterable[Any], context: Tensor | None = None, measure: Measure | None = None
) -> Iterator[Tensor]:
    """-log p(x_t | x_<t) in nats of one long sequence that is read chunk by chunk.

    The state is carried from chunk to chunk, so that each variable is given all of those before it.

    Args:
        model: A model of sequences of any length.
        chunks: The sequence in order, cut anywhere: tensors or arrays ``(m,)``.
        context: What it is conditioned on: a class ``(1,)``.
        measure: As of `CarriedSurprisals`.

    Yields:
        The nats of every chunk, float64 ``(m,)`` on the CPU, or what is measured.

    Raises:
        ValueError: If the model does not take sequences of any length, or a value is not of its conditional.
    """
    carried, item = CarriedSurprisals(model, measure), torch.zeros(1, dtype=torch.long)
    for i, chunk in enumerate(chunks):
        values = chunk if isinstance(chunk, Tensor) else torch.from_numpy(np.array(chunk, dtype=np.float32))
        yield carried(Batch(values[None], context, item, continues=i > 0))[0]


def surprisals_and_tails(conditional: Conditional) -> Measure:
    """A measure of listed values: -log p(x_t | x_<t) and -log of its tail probability, in nats, ``(B, k, 2)``.

    The tail probability is that of all values that are at most as probable as x_t. Where many values are possible, a
    value may have a small p that surprises nobody; its tail probability is large then.

    Raises:
        ValueError: If the values can't be listed.
    """
    values = conditional.values
    if values is None:
        raise ValueError(f"tails expects values that can be listed, got {conditional}")

    def measure(distribution: Distribution, x: Tensor) -> Tensor:
        log_probs = conditional.log_probs(distribution).flatten(0, -2)
        places = torch.searchsorted(values.to(x), x.flatten().contiguous()).unsqueeze(1)
        found = []
        rows = max(1, COMPARED // log_probs.shape[1])
        for each, place in zip(log_probs.split(rows), places.split(rows), strict=True):
            own = each.gather(1, place)
            tails = each.double().masked_fill(each > own, -torch.inf).logsumexp(1)
            found.append(torch.stack([-own.squeeze(1).double(), -tails.clamp(max=0.0)], dim=1))
        return torch.cat(found).unflatten(0, x.shape)

    return measure


def _surprisal(distribution: Distribution, x: Tensor) -> Tensor:
    nats: Tensor = -distribution.log_prob(x)
    return nats
