"""Surprisal: how unexpected each variable is, given those before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chainrule.abilities import components_of
from chainrule.model import AutoregressiveModel
from chainrule.sequence import SequenceModel
from chainrule.walk import PIECE


def surprisals(model: AutoregressiveModel, x: Tensor, context: Tensor | None = None) -> Tensor:
    """-log p(x_t | x_<t) in nats, ``(B, *event_shape)``, of every variable of examples.

    Raises:
        ValueError: If the examples or the context don't fit the model, or it has no conditionals.
    """
    if len(components_of(model)) > 1:
        raise ValueError(f"surprisals expects a model of one order, got {type(model).__name__} over several")
    x = model.check(x.to(model.device))
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            return -model(x, model.check_context(context, len(x))).log_prob(x)
    finally:
        model.train(training)


def stream_surprisals(model: SequenceModel, pieces: Iterable[Any], context: Tensor | None = None) -> Iterator[Tensor]:
    """-log p(x_t | x_<t) in nats of one long sequence that is read piece by piece.

    The state is carried from piece to piece, so that each variable is given all of those before it.

    Args:
        model: A model of sequences of any length.
        pieces: The sequence in order, cut anywhere: tensors or arrays ``(m,)``.
        context: What it is conditioned on: a class ``(1,)``.

    Yields:
        The nats of every piece, float64 ``(m,)`` on the CPU.

    Raises:
        ValueError: If the model does not take sequences of any length, or a value is not of its conditional.
    """
    if not model.any_length:
        raise ValueError(f"expected a model of sequences of any length, got one of events {model.event_shape}")
    training, previous = model.training, None
    state = model.start(1, model.check_context(context, 1))
    for piece in pieces:
        nats = []
        values = piece if isinstance(piece, Tensor) else torch.from_numpy(np.array(piece, dtype=np.float32))
        model.eval()
        for part in values.split(PIECE):
            x = model.check(part.unsqueeze(0).to(model.device))
            with torch.no_grad():
                distribution, state = model.advance(state, previous, x)
                previous = x[:, -1]
                nats.append(-distribution.log_prob(x)[0].double().cpu())
        model.train(training)
        yield torch.cat(nats)
