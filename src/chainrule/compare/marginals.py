"""The values of one column of real rows beside those of sampled rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.compare.table import Table, Values

BINS = 30
"""Intervals of the histogram of a column of numbers, at most."""

BARS = 12
"""Values that have a bar of their own, at most; the others share one."""

TAIL = 0.005
"""Share of the real values beyond each end of a histogram; they are counted in its outer intervals."""

OTHERS = "(all others)"


def marginals(real: Table, sampled: Table) -> list[dict[str, Any]]:
    """A record of each column, of plain values.

    Each has ``name``, ``kind`` (number or category), ``gaps`` (the share of empty cells), ``difference`` (see
    `difference`), ``commonest`` (the most frequent real value and its shares), and a picture: ``labels`` with
    ``shares`` of bars, or ``edges`` with ``shares`` of a histogram. Numbers have ``mean``, ``std``, ``low`` and
    ``high`` too. Every figure but ``difference`` is a pair, of real and of sampled rows.
    """
    records = []
    for column, name in enumerate(real.names):
        pair = (real.values[:, column], sampled.values[:, column])
        there = tuple(values[~np.isnan(values)] for values in pair)
        numeric = real.categories[column] is None
        record: dict[str, Any] = {
            "name": name,
            "kind": "number" if numeric else "category",
            "gaps": [float(np.isnan(values).mean()) for values in pair],
            "difference": difference(*there, numeric=numeric),
        }
        if all(map(len, there)):
            record |= _moments(real, column, there) if numeric else {}
            record |= _picture(real, column, *there)
        records.append(record)
    return records


def difference(real: Values, sampled: Values, *, numeric: bool) -> float | None:
    """The largest difference of two distribution functions; of categories half the sum of the differences of shares.

    0 is best and 1 worst. None if one of them has no values.

    >>> difference(np.array([1.0, 2.0]), np.array([2.0, 3.0]), numeric=True)
    0.5
    """
    if not len(real) or not len(sampled):
        return None
    grid = np.unique(np.concatenate([real, sampled]))
    if numeric:
        below = [np.searchsorted(np.sort(values), grid, "right") / len(values) for values in (real, sampled)]
        return float(np.abs(below[0] - below[1]).max())
    return float(np.abs(_shares(real, grid) - _shares(sampled, grid)).sum() / 2)


def _shares(values: Values, grid: Values) -> Values:
    """The share of each value of the sorted ``grid``, which has all of them."""
    return np.bincount(np.searchsorted(grid, values), minlength=len(grid)) / len(values)


def _moments(table: Table, column: int, there: tuple[Values, ...]) -> dict[str, list[str]]:
    """Mean, standard deviation and range, as text: times have no numbers."""
    found = {"mean": [values.mean() for values in there], "low": [values.min() for values in there]}
    found["high"] = [values.max() for values in there]
    moments = {name: [table.text(column, value) for value in values] for name, values in found.items()}
    if not table.types[column].is_temporal():
        moments["std"] = [f"{values.std():.6g}" for values in there]
    return moments


def _picture(table: Table, column: int, real: Values, sampled: Values) -> dict[str, Any]:
    """Bars of the most frequent values, or a histogram; and the commonest real value."""
    grid = np.unique(np.concatenate([real, sampled]))
    shares = np.stack([_shares(real, grid), _shares(sampled, grid)])
    first = int(shares[0].argmax())
    commonest = {"value": table.text(column, grid[first]), "shares": shares[:, first].tolist()}
    if table.categories[column] is None and len(grid) > BARS:
        low, high = np.quantile(real, [TAIL, 1 - TAIL])
        # A range of width 0, where almost all values are one, is widened to what there is.
        low, high = (low, high) if low < high else (grid[0], grid[-1])
        edges = np.linspace(low, high, BINS + 1)
        counts = [np.histogram(values.clip(low, high), edges)[0] / len(values) for values in (real, sampled)]
        texts = [table.text(column, edge) for edge in edges]
        return {"commonest": commonest, "edges": texts, "shares": [each.tolist() for each in counts]}
    chosen = np.argsort(-shares.sum(axis=0), kind="stable")[:BARS]
    chosen = np.sort(chosen) if table.categories[column] is None else chosen
    labels = [table.text(column, grid[index]) for index in chosen]
    bars = shares[:, chosen]
    if len(grid) > BARS:
        labels, bars = [*labels, OTHERS], np.column_stack([bars, 1 - bars.sum(axis=1)])
    return {"commonest": commonest, "labels": labels, "shares": bars.tolist()}
