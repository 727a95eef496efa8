"""Forecasts: draw the values that follow a known sequence."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from chainrule.model import AutoregressiveModel
from chainrule.sequence import sequence_model
from chainrule.state import select
from chainrule.tasks.progress import counted
from chainrule.tasks.sample import draw_on, drawer, drawing, read


def forecast(
    model: AutoregressiveModel, past: Tensor, n: int, length: int, *, seed: int | None = None, **choices: Any
) -> Tensor:
    """Draw ``n`` continuations ``(n, length)`` of a sequence ``(k,)``, which is read once for all of them.

    The draws are exact, and those of `sample` with the ``prefix`` ``past``, up to rounding.

    Args:
        model: A model of sequences of any length.
        past: The known values, at least one.
        n: The number of continuations.
        length: The number of values to draw.
        seed: See `sample`.
        choices: ``temperature``, ``top_k``, ``top_p`` and ``greedy`` of `sample`.

    Raises:
        ValueError: If the model takes no sequences of any length, or a number is below 1.
    """
    for name, number in {"n": n, "length": length, "past": len(past)}.items():
        if number < 1:
            raise ValueError(f"{name} expects at least 1, got {number}")
    sequences, choose = sequence_model(model), drawer(model, **choices)
    known = past.to(device=model.device, dtype=model.dtype)[None]
    model.conditional.check(known)
    with drawing(model, seed), counted(length) as count:
        state, last = read(sequences, sequences.start(1), known)
        assert last is not None
        state, previous = select(state, torch.zeros(n, dtype=torch.long, device=model.device), 1), last.expand(n)
        return draw_on(sequences, state, previous, length, choose, count).clone()
