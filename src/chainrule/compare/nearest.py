"""Distances between rows, and sampled rows that come too close to training rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from chainrule.compare.table import Table, Values

ROWS = 2_000
"""Rows whose nearest training row is looked for, at most."""

AMONG = 20_000
"""Training rows among which it is looked for, at most."""

CHUNK = 100
"""Rows whose distances to all others are held in memory at once."""


@dataclass(frozen=True)
class Privacy:
    """The closeness of sampled rows to training rows, beside rows that were held out; each pair is (sampled, held out).

    Attributes:
        copies: The share of rows that equal a training row in every cell.
        copies_stderr: The standard error of the difference of the two shares, if they were one.
        nearest: The median distance to the nearest training row; see `nearest_distances`.
        nearest_low: The distance that 5 % of rows stay below.
        closer: The share of sampled rows whose nearest training row is closer than the nearest of as many held-out
            rows, where a tie counts half; 0.5 if training rows are as far away as others.
        closer_stderr: Its standard error, about: sqrt(variance / rows + 1 / 4m) for m rows of each sort to be close to.
        rows: The number of sampled and of held-out rows whose nearest row was looked for.
        among: The number of training rows among which it was.
    """

    copies: tuple[float, float]
    copies_stderr: float
    nearest: tuple[float, float]
    nearest_low: tuple[float, float]
    closer: float
    closer_stderr: float
    rows: tuple[int, int]
    among: int


def privacy(train: Table, held_out: Table, sampled: Table, *, seed: int = 0) -> Privacy:
    """The closeness of ``sampled`` rows to ``train``, beside that of ``held_out`` rows, all coded alike."""
    some = [table.some(ROWS, seed) for table in (sampled, held_out)]
    among = train.some(AMONG, seed)
    scale = Ranks(train)
    distances = [nearest_distances(table, among, scale) for table in some]
    fair = min(len(among), len(held_out), AMONG)
    to_train, to_others = (nearest_distances(some[0], table.some(fair, seed), scale) for table in (among, held_out))
    closer = np.where(to_train < to_others, 1.0, np.where(to_train == to_others, 0.5, 0.0))
    medians, lows = ([float(np.quantile(each, level)) for each in distances] for level in (0.5, 0.05))
    copies = (copied(sampled, train), copied(held_out, train))
    together = (copies[0] * len(sampled) + copies[1] * len(held_out)) / (len(sampled) + len(held_out))
    return Privacy(
        copies=copies,
        copies_stderr=math.sqrt(together * (1 - together) * (1 / len(sampled) + 1 / len(held_out))),
        nearest=(medians[0], medians[1]),
        nearest_low=(lows[0], lows[1]),
        closer=float(closer.mean()),
        closer_stderr=math.sqrt(closer.var() / len(closer) + 1 / (4 * fair)),
        rows=(len(some[0]), len(some[1])),
        among=len(among),
    )


def copied(table: Table, train: Table) -> float:
    """The share of rows of ``table`` that equal a row of ``train`` in every cell; gaps are equal."""
    ours, theirs = (polars.from_numpy(each.values) for each in (table, train))
    return ours.join(theirs.unique(), on=ours.columns, how="semi", nulls_equal=True).height / len(table)


class Ranks:
    """Numbers as their ranks among those of ``table``, from 0 to 1, so that no column counts more than another."""

    def __init__(self, table: Table) -> None:
        self.numeric = table.numeric
        self._sorted = [np.sort(values[~np.isnan(values)]) for values in table.values.T]

    def __call__(self, table: Table) -> Values:
        """The values ``(N, n)`` with numbers as the middle of their ranks; categories and gaps stay as they are."""
        x = table.values.copy()
        for column in np.flatnonzero(self.numeric):
            known = self._sorted[column]
            ends = [np.searchsorted(known, x[:, column], side) for side in ("left", "right")]
            x[:, column] = np.where(np.isnan(x[:, column]), np.nan, (ends[0] + ends[1]) / (2 * max(len(known), 1)))
        return x


def nearest_distances(table: Table, among: Table, scale: Ranks) -> Values:
    """The distance ``(N,)`` of each row to the nearest of ``among``, from 0 (equal) to 1 (different in every column).

    It is the mean over the columns: two numbers have the difference of their ranks, two categories 0 if they are equal,
    else 1. A gap and a number have between 0.5 and 1, a gap and a category 1, two gaps 0.
    """
    ours, theirs = (_parts(scale(each), scale.numeric) for each in (table, among))
    nearest = []
    for start in range(0, len(table), CHUNK):
        numbers, codes = (each[start : start + CHUNK] for each in ours)
        total = np.zeros((len(numbers), len(among)))
        if numbers.shape[1]:
            total += cdist(numbers, theirs[0], "cityblock")
        if codes.shape[1]:
            total += cdist(codes, theirs[1], "hamming") * codes.shape[1]
        nearest.append(total.min(axis=1))
    return np.concatenate(nearest) / len(table.names)


def _parts(x: Values, numeric: NDArray[np.bool_]) -> tuple[Values, Values]:
    """Numbers with columns for their gaps, and codes that are equal or not."""
    numbers, codes = x[:, numeric], x[:, ~numeric]
    gaps = np.isnan(numbers)
    return np.column_stack([np.where(gaps, 0.5, numbers), gaps / 2]), np.where(np.isnan(codes), -1.0, codes)
