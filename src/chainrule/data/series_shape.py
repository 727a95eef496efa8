"""The column of a series: the statistics of its values, and the curve on which few of them have a family."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars
from numpy.typing import NDArray
from scipy.special import ndtri

from chainrule.data.codecs import Numbers
from chainrule.data.column import Column
from chainrule.data.infer import number_column
from chainrule.data.shape import LEAST_ROWS, Shape

FEW = 32
"""Integers that span at most this many values get a probability each; others are on a curve or a line."""

EXACT = 2**53
"""Whole numbers below this are exact in double precision, and are written without decimals."""

KNOTS = 8
"""Knots of the curve of a series at most: its values depend on each other, and tell less of their distribution."""


def column_of_series(values: NDArray[np.float64], name: str, known: NDArray[np.int64]) -> tuple[Column, bool]:
    """The column of the numbers ``(N,)`` of a series, and whether their family is on the curve of its shape.

    It is, where values have a bound that is near, such as precipitation, or are on a coarse grid, such as counts. Of
    others, such as temperatures, it is a mixture on the line of all real numbers.

    Args:
        values: All values, NaN where one is missing.
        name: The column's name.
        known: The places of the training values, whose statistics count.

    Raises:
        ValueError: If values are all the same, or not finite.
    """
    cells = polars.Series(name, values).fill_nan(None)
    known_values = values[~np.isnan(values)]
    if ((known_values == known_values.round()) & (np.abs(known_values) < EXACT)).all():
        cells = cells.cast(polars.Int64)
    column = number_column(cells, known)
    if column.kind == "integer" and column.high - column.low < FEW:
        return column, False
    there = column.codec.read(cells.gather(known)).drop_nulls().to_numpy()
    if column.kind == "integer":
        std = max(float(there.std()), 1e-6)
        column = replace(column, kind="real", mean=float(there.mean()), std=std, low=0, high=1)
    shape, curved = _shape(column, there)
    return replace(column, shape=shape), curved


def _shape(column: Column, values: NDArray[np.float64]) -> tuple[Shape, bool]:
    """The shape of a series, and whether its values have a family on its curve."""
    shape = column.shape
    unique, counts = np.unique(values, return_counts=True)
    lower = shape.lower if shape.lower != 0 or unique[0] < column.std else None
    upper = shape.upper if shape.upper != 0 or -unique[-1] < column.std else None
    origin = isinstance(column.codec, Numbers) and column.codec.origin
    if lower is None and not origin and unique[0] >= 0 and unique[0] < column.std:
        lower = 0.0  # a zero that is a knot of a density
    line = replace(shape, atoms=(), lower=lower, upper=upper, scores=(-1.0, 1.0))
    line = replace(line, knots=(column.mean - column.std, column.mean + column.std))
    if lower is None and upper is None:
        return line, shape.cells and not line.is_smooth(column.std)
    if shape.cells:
        knots, scores = _curve(unique, counts)
        return replace(line, knots=tuple(knots), scores=tuple(scores)), True
    inside = (unique != lower) & (unique != upper)
    knots, scores = _curve(unique[inside], counts[inside])
    atoms = tuple(unique[~inside & (counts >= LEAST_ROWS)].tolist())
    rest = counts[~inside].sum() - counts[np.isin(unique, atoms)].sum()
    return replace(line, atoms=atoms, knots=tuple(knots), scores=tuple(scores)), not rest


def _curve(unique: NDArray[np.float64], counts: NDArray[np.int64]) -> tuple[list[float], list[float]]:
    """Knots at about evenly spaced normal scores, and their scores."""
    ends = np.cumsum(counts)
    scores = ndtri((ends - counts / 2) / ends[-1])
    wanted = np.searchsorted(scores, np.linspace(scores[0], scores[-1], KNOTS)).clip(0, len(unique) - 1)
    places = np.unique(wanted)
    return unique[places].tolist(), scores[places].tolist()
