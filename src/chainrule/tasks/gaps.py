"""Rows with unknown cells, each with its own: fill them, or score the cells that are known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chainrule.model import AutoregressiveModel
from chainrule.tasks.complete import completion
from chainrule.tasks.evaluate import log_prob
from chainrule.tasks.marginal import marginal


def fill(
    model: AutoregressiveModel,
    x: Tensor,
    *,
    draws: int = 1,
    particles: int = 16,
    seed: int | None = None,
    context: Tensor | None = None,
    **settings: Any,
) -> tuple[Tensor, dict[str, int]]:
    """Fill the gaps of rows by draws from p(gaps | known cells); also count the rows of each method.

    Rows with the same gaps are drawn together; see `chainrule.tasks.complete.completion` for when that is exact. A
    drawn value is never missing, even where the model knows missing values.

    Args:
        model: Any model of rows ``(n,)``.
        x: Rows ``(N, n)`` with NaN where a cell is unknown.
        draws: Completions D of each row.
        particles: See `chainrule.complete`.
        seed: The same seed gives the same completions.
        context: Classes ``(N,)``.
        settings: Temperature and the like, as of `chainrule.complete`.

    Returns:
        ``(D, N, n)`` without gaps, and the number of rows by method.
    """
    if draws < 1:
        raise ValueError(f"draws expects at least 1, got {draws}")
    filled = x.repeat(draws, 1, 1)
    methods: dict[str, int] = {}
    for missing, rows in _alike(x.isnan()):
        if not bool(missing.any()):
            continue
        # Each pattern has a seed of its own, independent of the other rows.
        own = None if seed is None else np.random.SeedSequence([seed, *missing.int().tolist()]).generate_state(1)
        done = completion(
            model, x[rows].nan_to_num().repeat(draws, 1), ~missing, particles=particles,
            seed=None if own is None else int(own[0]),
            context=None if context is None else context[rows].repeat(draws), **settings,
        )  # fmt: skip
        filled[:, rows] = done.x.cpu().unflatten(0, (draws, -1))
        methods[done.method] = methods.get(done.method, 0) + len(rows)
    return filled, methods


def _alike(unknown: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Each pattern ``(n,)`` of unknown cells ``(N, n)``, and the indices of the rows that have it."""
    patterns, which = torch.unique(unknown, dim=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        yield pattern, (which == number).nonzero().squeeze(1)


def known_log_prob(
    model: AutoregressiveModel,
    x: Tensor,
    unknown: Tensor,
    *,
    seed: int | None = None,
    context: Tensor | None = None,
    batch_size: int = 4096,
) -> tuple[Tensor, int]:
    """Log p of each row's known cells, whatever the others, ``(N,)`` float64 nats; and the number of estimates.

    Args:
        model: Any model of rows ``(n,)``.
        x: Rows ``(N, n)``.
        unknown: The unknown cells, booleans ``(N, n)``; the values of ``x`` there are ignored.
        seed: The seed of the estimates; see `chainrule.marginal`, which says when it is exact.
        context: Classes ``(N,)``.
        batch_size: Rows of a pass.
    """
    if not bool(unknown.any()):
        return log_prob(model, x, context=context, batch_size=batch_size).double(), 0
    result = torch.empty(len(x), dtype=torch.float64)
    estimates = 0
    for missing, rows in _alike(unknown):
        own = None if context is None else context[rows]
        if bool(missing.any()):
            found = marginal(model, x[rows].masked_fill(missing, 0.0), ~missing, seed=seed, context=own)
            result[rows] = found.log_prob.double().cpu()
            estimates += 0 if found.exact else len(rows)
        else:
            result[rows] = log_prob(model, x[rows], context=own, batch_size=batch_size).double()
    return result, estimates
