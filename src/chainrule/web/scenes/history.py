"""The known values of one series, with their times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars
from numpy.typing import NDArray

from chainrule.data.series import times_after
from chainrule.data.series_examples import SeriesExamples

BINS = 600
"""Bins of the overview of a long history."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class History:
    """All known values of one series.

    Attributes:
        examples: All series.
        index: The number of this one.
    """

    examples: SeriesExamples
    index: int

    def __len__(self) -> int:
        return int(self.examples.lengths[self.index])

    @property
    def rows(self) -> slice:
        """Its rows in the table."""
        return slice(int(self.examples.starts[self.index]), int(self.examples.ends[self.index]))

    @property
    def levels(self) -> Floats:
        """The values as the model has them, ``(n,)``."""
        levels: Floats = self.examples.levels[self.rows]
        return levels

    @property
    def values(self) -> Floats:
        """The values as the file has them, ``(n,)``."""
        return self.examples.table.values[self.rows]

    def times(self, first: int, stop: int) -> list[str]:
        """The times of some values as the file writes them; their numbers, from 1, where it has none."""
        table = self.examples.table
        if table.axis is None or table.moments is None:
            return [str(number + 1) for number in range(first, stop)]
        return _joined(table.axis.times.write(table.moments[self.rows][first:stop]))

    def times_after(self, origin: int, length: int) -> list[str]:
        """The ``length`` times after the first ``origin`` values."""
        table = self.examples.table
        if table.axis is None or table.moments is None:
            return self.times(origin, origin + length)
        return _joined(times_after(table.axis, table.moments[self.rows][origin - 1], length))

    def frame(self, count: int, column: str) -> polars.DataFrame:
        """The first ``count`` rows of the file."""
        values = polars.Series(column, self.values[:count]).fill_nan(None)
        return self.examples.table.rows[self.rows][:count].with_columns(values)


def _joined(columns: list[polars.Series]) -> list[str]:
    """Times in words, from their columns."""
    return polars.DataFrame(columns).select(polars.concat_str(polars.all(), separator=" ")).to_series().to_list()


def overview(values: Floats) -> dict[str, Any]:
    """The least and the greatest value of bins of equal sizes; None where a bin has none."""
    size = max(1, -(-len(values) // BINS))
    padded = np.concatenate([values, np.full(-len(values) % size, np.nan)]).reshape(-1, size)
    low = np.where(np.isnan(padded), np.inf, padded).min(axis=1)
    high = np.where(np.isnan(padded), -np.inf, padded).max(axis=1)
    return {"size": size, "low": plain(low), "high": plain(high)}


def plain(values: Floats) -> list[float | None]:
    """Numbers that JSON has: None for what is not finite, and seven digits of all others."""
    return [float(f"{value:.7g}") if np.isfinite(value) else None for value in values.tolist()]
