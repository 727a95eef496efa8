"""Forecasts: draw the values that follow a known sequence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from chainrule.choices import Choose
from chainrule.model import AutoregressiveModel
from chainrule.sequence import SequenceModel, sequence_model
from chainrule.state import State, select
from chainrule.tasks.progress import counted
from chainrule.tasks.sample import draw_on, drawer, drawing, read

SECONDS = 0.2
"""Seconds between two calls of ``watch``, at most, unless a step takes longer."""


def forecast(
    model: AutoregressiveModel,
    past: Tensor,
    n: int,
    length: int,
    *,
    seed: int | None = None,
    watch: Callable[[], None] | None = None,
    **choices: Any,
) -> Tensor:
    """Draw ``n`` continuations ``(n, length)`` of a sequence ``(k,)``, which is read once for all of them.

    The draws are exact, and those of `sample` with the ``prefix`` ``past``, up to rounding.

    Args:
        model: A model of sequences of any length.
        past: The known values, at least one.
        n: The number of continuations.
        length: The number of values to draw.
        seed: See `sample`.
        watch: Called from time to time while values are read and drawn. The draws stay the same, if it leaves torch's
            generators as they are.
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
        state, last = read(sequences, sequences.start(1), known, watch)
        assert last is not None
        state, previous = select(state, torch.zeros(n, dtype=torch.long, device=model.device), 1), last.expand(n)
        if watch is None:
            return draw_on(sequences, state, previous, length, choose, count).clone()
        return torch.cat(list(_watched(sequences, state, previous, length, choose, watch)), dim=1).clone()


def _watched(
    model: SequenceModel, state: State, previous: Tensor, steps: int, choose: Choose | None, watch: Callable[[], None]
) -> Iterator[Tensor]:
    """The next values ``(B, steps)``, in pieces; each has a cost of its own, so they grow while they are drawn fast."""
    size = 1
    while steps > 0:
        began = time.monotonic()
        values, state = model.draw(state, previous, min(size, steps), choose)
        previous, steps = values[:, -1], steps - values.shape[1]
        yield values
        if time.monotonic() - began < SECONDS / 2:
            size *= 2
        watch()
