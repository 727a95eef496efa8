"""The series of one split as examples, with the rows of the file that their values are from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars
from numpy.typing import NDArray

from chainrule.data.examples import Rows
from chainrule.data.recordings import Recordings
from chainrule.data.series_table import SeriesTable


class SeriesExamples(Recordings):
    """Series of any lengths, each with the values before its split as its past.

    Args:
        table: The series, all of whose values are read.
        window: Values that count in a training chunk, at most.
        origin: The number that is subtracted from the values of the file.
        before: The number of values at the beginning of each that are only the past of the others, ``(R,)``.
    """

    def __init__(self, table: SeriesTable, window: int, origin: float = 0.0, before: int | Rows = 0) -> None:
        values = table.values - origin
        there = values[~np.isnan(values)]
        padding = float(there[0]) if len(there) else 0.0
        super().__init__(values, table.ends, table.names, window, padding, before)
        self.table = table

    @property
    def rows(self) -> polars.DataFrame:
        """The other columns of the file at the values that count, one series after another."""
        return self.table.rows[self._counted]

    @property
    def series(self) -> NDArray[np.int64]:
        """The number of the series that each value that counts belongs to, from 0."""
        return np.repeat(np.arange(len(self)), self.sizes)

    @property
    def _counted(self) -> Rows:
        spans = zip(self.starts + self.before, self.ends, strict=True)
        return np.concatenate([np.arange(start, stop) for start, stop in spans])


def first_values(table: SeriesTable, counts: Sequence[int]) -> SeriesTable:
    """The first ``counts`` ``(R,)`` values of each series of a table."""
    rows = np.concatenate(
        [np.arange(start, start + count) for start, count in zip(table.starts.tolist(), counts, strict=True)]
    )
    moments = None if table.moments is None else table.moments[rows]
    return replace(
        table, values=table.values[rows], ends=np.cumsum(counts), rows=table.rows[rows], moments=moments, notes=()
    )
