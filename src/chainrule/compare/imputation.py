"""The error of filled cells whose values are known, beside simple ways to fill them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.compare.nearest import Ranks
from chainrule.compare.table import Table, Values

NEIGHBOURS = 5
"""Training rows whose mean, or commonest category, fills a gap."""

AMONG = 10_000
"""Training rows among which they are looked for, at most."""


def hidden_cells(x: NDArray[Any], share: float, seed: int) -> NDArray[np.bool_]:
    """A random ``share`` of the cells of ``x`` ``(N, n)`` that are not empty."""
    chosen: NDArray[np.bool_] = np.random.default_rng(seed).random(x.shape) < share
    return chosen & ~np.isnan(x)


def imputation_errors(
    truth: Table, hidden: NDArray[np.bool_], fills: Mapping[str, Values], train: Table
) -> dict[str, Any]:
    """The errors of each way to fill the hidden cells.

    Args:
        truth: Rows ``(N, n)``.
        hidden: Cells that were removed, and filled.
        fills: The filled rows ``(N, n)`` by the name of the way.
        train: Training rows, whose standard deviations are the units.

    Returns:
        ``rmse``, the root of the mean squared error of numbers, in standard deviations, and ``accuracy``, the share of
        right categories, by name; None where no such cell was hidden.
    """
    numbers, codes = hidden & truth.numeric, hidden & ~truth.numeric
    stds = np.array([np.nanstd(values) if (~np.isnan(values)).any() else 0.0 for values in train.values.T])
    numbers &= stds > 0
    unit = np.broadcast_to(np.where(stds > 0, stds, 1.0), truth.values.shape)
    rmse, accuracy = {}, {}
    for name, filled in fills.items():
        errors = ((filled - truth.values) / unit)[numbers]
        rmse[name] = float(np.sqrt((errors**2).mean())) if len(errors) else None
        accuracy[name] = float((filled == truth.values)[codes].mean()) if codes.any() else None
    return {"rmse": rmse, "accuracy": accuracy}


def filled_by_column(table: Table, train: Table) -> Values:
    """Gaps filled with the mean of the column's numbers, or its commonest category, in ``train``."""
    x = table.values.copy()
    for column in range(x.shape[1]):
        known = train.values[:, column]
        known = known[~np.isnan(known)]
        if len(known):
            x[np.isnan(x[:, column]), column] = _centre(known, bool(table.numeric[column]))
    return x


def filled_by_neighbours(table: Table, train: Table, *, seed: int = 0) -> Values:
    """Gaps filled from the `NEIGHBOURS` training rows that are nearest in the known cells.

    See `chainrule.compare.nearest.nearest_distances` for the distance, which is here the mean over the known cells.
    """
    among, scale = train.some(AMONG, seed), Ranks(train)
    ours, theirs, x = scale(table), scale(among), table.values.copy()
    for row in range(len(x)):
        gaps, known = np.isnan(x[row]), ~np.isnan(x[row])
        apart = np.abs(theirs[:, known] - ours[row, known])
        apart = np.where(scale.numeric[known], apart, apart > 0)
        distances = np.nan_to_num(apart, nan=1.0).sum(axis=1)
        for column in np.flatnonzero(gaps):
            there = np.flatnonzero(~np.isnan(among.values[:, column]))
            if len(there):
                count = min(NEIGHBOURS, len(there))
                nearest = there[np.argpartition(distances[there], count - 1)[:count]]
                x[row, column] = _centre(among.values[nearest, column], bool(table.numeric[column]))
    return x


def _centre(values: Values, numeric: bool) -> float:
    return float(values.mean() if numeric else np.bincount(values.astype(np.int64)).argmax())
