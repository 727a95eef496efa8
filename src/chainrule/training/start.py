"""Where a training starts: at the frequencies of the training values."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from chainrule.abilities import counting, validation_loss
from chainrule.batch import Batch
from chainrule.model import Model
from chainrule.sequence import sequence_model
from chainrule.training.loader import Loader
from chainrule.training.module import MaximumLikelihood
from chainrule.training.settings import Training

EXAMPLES, VALUES = 20_000, 2_000_000
"""Frequencies are those of about so many training examples, or values, at most."""

COUNTED = 256
"""Examples that are counted at once."""

TRIED = 20_000
"""The values of the examples on which the model is compared with the frequencies: few, since they cost two passes."""


def start(model: Model, loader: Loader) -> None:
    """Count what is counted, and set the output of ``model`` to the frequencies of the training values."""
    start_at_frequencies(model, loader)
    if (part := counting(model)) is not None:
        examples = loader.examples.in_order(COUNTED, history=loader.history, context=loader.context)
        part.count((batch.x, batch.context) for batch in examples)


@torch.no_grad()
def start_at_frequencies(model: Model, loader: Loader) -> None:
    """Set the output of ``model`` to the frequencies of training values, unless it already does better.

    It does so where a training goes on from weights that were trained before.
    """
    some = _first(next(iter(loader)))
    training, before = model.training, copy.deepcopy(model.state_dict())
    model.eval()
    loss = _loss(model, some)
    model.start_at(_values(loader))
    if loss < _loss(model, some):
        model.load_state_dict(before)
    model.train(training)


def _values(loader: Loader) -> Tensor:
    """Examples ``(N, *event_shape)`` of an epoch's first batches, or, for a model of any length, values ``(M,)``."""
    parts: list[Tensor] = []
    examples = values = 0
    for batch in loader:
        x = batch.x
        if loader.history is not None:
            x = x.flatten() if batch.counted is None else x[batch.counted]
        parts.append(x)
        examples, values = examples + len(batch.x), values + x.numel()
        if examples >= EXAMPLES or values >= VALUES:
            break
    return torch.cat(parts)


def _first(batch: Batch) -> Batch:
    """The first rows of a batch."""
    rows = max(1, TRIED // batch.x[0].numel())
    context, counted = (None if part is None else part[:rows] for part in (batch.context, batch.counted))
    return batch._replace(x=batch.x[:rows], context=context, counted=counted)


def _loss(model: Model, batch: Batch) -> float:
    """The mean loss of the examples, or of the variables of a sequence that count."""
    x, context = batch.x.to(model.device), batch.context
    if batch.continues is None:
        return validation_loss(model, x, context).mean().item()
    model = sequence_model(model)
    log_probs: Tensor = model(model.check(x), model.check_context(context, len(x))).log_prob(x)
    return -(log_probs if batch.counted is None else log_probs[batch.counted]).mean().item()


@dataclass(frozen=True)
class Start:
    """The weights before the first step, and their mean validation NLL: on few examples nothing may be better."""

    weights: dict[str, Tensor]
    nats: float

    @classmethod
    def of(cls, model: Model, training: Training, loader: Loader) -> Start:
        """The start of a training of ``model``."""
        weights = {name: value.detach().clone() for name, value in model.state_dict().items()}
        with torch.random.fork_rng(devices=[]):
            nats = valid_nats(model.eval(), training, loader)
        model.train()
        return cls(weights, nats)


@torch.no_grad()
def valid_nats(model: Model, training: Training, loader: Loader) -> float:
    """The mean validation NLL, or loss, of a model as it is."""
    module = MaximumLikelihood(model, training)
    losses = [module.validation_losses(batch.map(lambda part: part.to(model.device))) for batch in loader]
    return torch.cat(losses).double().mean().item()
