"""The shape of a column of numbers, by its training rows: grid, bounds, values that stand out, and a curve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from chainrule.conditionals import Conditional, Curved, Standardised, WithAtoms, WithMissing
from chainrule.signatures import check

Floats = NDArray[np.float64]

DECIMALS = 6
"""Values with more decimals than this are on no grid."""

MOST_CELLS = 2**22
"""The values of a finer grid than this have densities: single precision does not tell its cells apart."""

KNOTS = 128
"""Knots of a curve, at most."""

ROWS_PER_KNOT = 10
"""Rows between two knots, at least."""

LISTED, ROWS_PER_VALUE = 256, 20
"""At most this many different values, with this many rows each on average, are all atoms."""

SHARE, TIMES, NEIGHBOURS = 1e-3, 4.0, 10
"""An atom has at least this share of the rows, and is this many times as frequent as the places of the grid are between
its neighbours on either side; without a grid, as these neighbours are."""

SMOOTH = 20
"""Cells of a standard deviation of smooth numbers, at least."""

LEAST_ROWS = 5
"""Rows that an atom has, at least."""


TYPES = {
    "step": "float", "cells": "bool", "origin": "float", "lower": "float | None", "upper": "float | None",
    "atoms": "Sequence[float]", "knots": "Sequence[float]", "scores": "Sequence[float]",
}  # fmt: skip
"""The types of the values of a shape in a file."""


@dataclass(frozen=True)
class Shape:
    """The shape of a column of numbers: what its training rows have in common.

    Attributes:
        step: All values are ``origin`` plus a multiple of this; 0 if they are on no grid.
        cells: True if the grid is coarse enough for its values to have probabilities.
        origin: A value of the grid.
        lower: A bound that sampled values have below: 0, or a cap, which later values may go beyond; None for none.
        upper: A bound that they have above.
        atoms: Values that are much more frequent than their neighbours, or all if they are few.
        knots: Values through which the curve goes.
        scores: Their normal scores.
    """

    step: float = 0.0
    cells: bool = False
    origin: float = 0.0
    lower: float | None = None
    upper: float | None = None
    atoms: tuple[float, ...] = ()
    knots: tuple[float, ...] = (-1.0, 1.0)
    scores: tuple[float, ...] = (-1.0, 1.0)

    @property
    def config(self) -> dict[str, Any]:
        """Plain values that `from_config` takes."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Shape:
        """The shape that `config` describes.

        Raises:
            ValueError: If it describes none.
        """
        for name, value in config.items():
            if name not in TYPES:
                raise ValueError(f"shape expects {', '.join(TYPES)}, got {name!r}")
            check(value, TYPES[name], f"shape.{name}")
        if config.get("cells") and not config.get("step", 0) > 0:
            raise ValueError(f"shape.step expects a positive number where there are cells, got {config.get('step')}")
        plain: dict[str, Any] = {name: tuple(own) if isinstance(own, list) else own for name, own in config.items()}
        return cls(**plain)

    def conditional(self, *, missing: bool, components: int = 10) -> Conditional:
        """The family of such numbers, in their own units; ``components`` are those of its mixture.

        On a grid of cells the density of a value is the probability of its cell, divided by the step: that of integers
        is their probability. Elsewhere an atom has a probability, which has no unit, and other values a density.
        """
        places = [self._place(value) for value in self.knots]
        half = 0.5 if self.cells else 0.0
        family: Conditional = Curved(
            places,
            self.scores,
            lower=self._place(0.0) - half if self.lower == 0 else None,
            upper=self._place(0.0) + half if self.upper == 0 else None,
            cells=self.cells,
            components=components,
        )
        if self.atoms:
            family = WithAtoms(family, [self._place(value) for value in self.atoms])
        family = WithMissing(family) if missing else family
        return Standardised(family, self.origin, self.step) if self.cells else family

    def _place(self, value: float) -> float:
        """The number of a value's cell; without cells the value itself."""
        return float(round((value - self.origin) / self.step)) if self.cells else value

    def is_smooth(self, deviation: float) -> bool:
        """True if numbers of this standard deviation are as good as any real numbers: without atoms, on no coarse grid.

        A density of others gains nothing but spikes at the values that it has seen.
        """
        return not self.atoms and self.step * SMOOTH <= deviation

    def nearest(self, values: Floats) -> Floats:
        """``values``, each moved to the nearest one on the grid."""
        if not self.step:
            return values
        return (self.origin + np.round((values - self.origin) / self.step) * self.step).round(DECIMALS)

    def within(self, values: Floats) -> Floats:
        """``values`` that were sampled, on the grid and within the bounds."""
        values = self.nearest(values)
        return values if self.lower is None and self.upper is None else np.clip(values, self.lower, self.upper)

    def has_between(self, low: float, high: float) -> bool:
        """True if a sampled value can lie from ``low`` to ``high``, which are of single precision."""
        least = np.float32(-np.inf if self.lower is None else self.lower)
        most = np.float32(np.inf if self.upper is None else self.upper)
        if low == high or low > most or high < least:
            return bool(least <= low and high <= most)
        low, high = max(low, float(least)), min(high, float(most))
        if not self.cells:
            return low < high or (low == high and any(low == np.float32(atom) for atom in self.atoms))
        largest = max((abs(end) for end in (low, high) if np.isfinite(end)), default=0.0)
        slack = 1e-3 + largest * 2**-23 / self.step
        return bool(
            np.floor((high - self.origin) / self.step + slack) >= np.ceil((low - self.origin) / self.step - slack)
        )


def shape_of(values: Floats) -> Shape:
    """The shape of a column, from the values ``(N,)`` of training rows that are not missing.

    Raises:
        ValueError: If there are less than two different values.
    """
    unique, counts = np.unique(values, return_counts=True)
    if len(unique) < 2:
        raise ValueError(f"a column of numbers expects two or more different values, got {len(unique)}")
    step = grid_of(unique)
    cells = step > 0 and float(unique[-1] - unique[0]) < MOST_CELLS * step
    chosen = _atoms(unique, counts, step)
    lower, upper = _bounds(unique, counts, chosen)
    knots, scores = _curve(unique[~chosen], counts[~chosen])
    if len(knots) < 2:
        knots, scores = _curve(unique, counts)
    return Shape(
        step=step,
        cells=cells,
        origin=float(unique[0]) if step else 0.0,
        lower=_beyond(lower, knots[0], cells, -1),
        upper=_beyond(upper, knots[-1], cells, 1),
        atoms=tuple(unique[chosen].tolist()),
        knots=tuple(knots.tolist()),
        scores=tuple(scores.tolist()),
    )


def grid_of(unique: Floats) -> float:
    """The step of the coarsest grid that all values are on, 0 if there is none.

    >>> grid_of(np.array([0.5, 2.0, 3.0])), grid_of(np.array([0.0, 10.0, 30.0])), grid_of(np.array([0.0, np.pi]))
    (0.5, 1.0, 0.0)
    """
    for decimals in range(DECIMALS + 1):
        scaled = unique * 10.0**decimals
        numbers = np.round(scaled)
        if np.abs(numbers).max() > 2**53:
            return 0.0
        if np.allclose(scaled, numbers, rtol=1e-12, atol=1e-6):
            if decimals == 0:
                return 1.0  # a price of 15 may follow those of 10 and 20
            divisor = int(np.gcd.reduce((numbers - numbers[0]).astype(np.int64)))
            return float(divisor / 10**decimals)
    return 0.0


def _atoms(unique: Floats, counts: NDArray[np.int64], step: float) -> NDArray[np.bool_]:
    """True for the values that are atoms."""
    rows = counts.sum()
    if len(unique) <= LISTED and rows >= ROWS_PER_VALUE * len(unique):
        return counts >= LEAST_ROWS
    place = np.arange(len(unique))
    first, last = (place - NEIGHBOURS).clip(0), (place + NEIGHBOURS).clip(max=len(unique) - 1)
    ends = np.concatenate([[0], np.cumsum(counts)])
    others = (unique[last] - unique[first]) / step if step else last - first
    usual = (ends[last + 1] - ends[first] - counts) / others
    chosen = (counts >= max(SHARE * rows, LEAST_ROWS)) & (counts > TIMES * usual)
    if chosen.sum() > LISTED:
        chosen &= counts >= np.sort(counts[chosen])[-LISTED]
    return chosen


def _bounds(unique: Floats, counts: NDArray[np.int64], chosen: NDArray[np.bool_]) -> tuple[float | None, float | None]:
    """The bounds of the values: 0 if none is below, and an end at which values gather."""
    lower = 0.0 if unique[0] >= 0 else float(unique[0]) if chosen[0] and _gathers(counts) else None
    upper = 0.0 if unique[-1] <= 0 else float(unique[-1]) if chosen[-1] and _gathers(counts[::-1]) else None
    return lower, upper


def _gathers(counts: NDArray[np.int64]) -> bool:
    """True if the first value has more rows than each of those that follow."""
    return bool(counts[0] > counts[1 : 1 + NEIGHBOURS].max(initial=0) * TIMES / 2)


def _curve(unique: Floats, counts: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Knots and their normal scores; evenly spaced in scores, as far as there are rows enough between them."""
    if len(unique) < 2:
        return unique, np.zeros(len(unique))
    ends = np.cumsum(counts)
    scores = ndtri((ends - counts / 2) / ends[-1])
    most = max(2, min(KNOTS, int(ends[-1]) // ROWS_PER_KNOT))
    wanted = np.searchsorted(scores, np.linspace(scores[0], scores[-1], most))
    places = [0]
    for place in np.unique(wanted.clip(0, len(unique) - 1)):
        if ends[place] - ends[places[-1]] >= ROWS_PER_KNOT:
            places.append(int(place))
    if places[-1] != len(unique) - 1:
        if len(places) > 1 and ends[-1] - ends[places[-1]] < ROWS_PER_KNOT:
            places.pop()
        places.append(len(unique) - 1)
    return unique[places], scores[places]


def _beyond(bound: float | None, knot: float, cells: bool, side: int) -> float | None:
    """``bound``, if it is beyond the outer knot; the bound of a cell that is the knot will do."""
    if bound is None or (bound - knot) * side > 0 or (cells and bound == knot):
        return bound
    return None
