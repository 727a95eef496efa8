"""Recognise a time series in a table: a column of times at about equal distances, and one of numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars

from chainrule.data.read.column_types import with_types
from chainrule.data.read.layout import FileChoices
from chainrule.data.read.open_table import open_table
from chainrule.data.read.table import frame_of
from chainrule.data.read.table_file import SUFFIXES, Table, suffix_of
from chainrule.data.series_frequency import find_frequency
from chainrule.data.series_time_readers import read_times

LEAST = 24
"""A table of fewer rows is not taken for a series."""


def series_column_of(path: Path, encoding: str | None = None, header: bool | None = None) -> str | None:
    """The numeric column of the file of a time series; None for any other file. See `series_column`.

    Raises:
        ValueError: If it is a table of two columns that can't be read.
    """
    if suffix_of(path) not in SUFFIXES or not path.is_file():
        return None
    table = open_table(path, FileChoices(encoding, header))
    if len(table.names) != 2 or not (table.fits or _begins_as_series(table)):
        return None
    return series_column(frame_of(table))


def _begins_as_series(table: Table) -> bool:
    """True if the first rows of a table are a time series: else not all rows need to be held in memory."""
    first = next(table.chunks(table.rows_at_once), None)
    if first is None:
        return False
    rows = table.frame([first])
    return series_column(with_types(rows) if table.is_text else rows) is not None


def series_column(frame: polars.DataFrame) -> str | None:
    """The name of the numeric column, if the table is a time series; else None.

    It is one if it has two columns, one of which are times of one frequency that increase, and the other numbers, not
    all the same. Times may be missing, and so may numbers.

    >>> series_column(polars.DataFrame({"year": range(1900, 1950), "flow": [float(i % 7) for i in range(50)]}))
    'flow'
    >>> series_column(polars.DataFrame({"height": [1.7, 1.8] * 20, "weight": [70.0, 80.0] * 20})) is None
    True
    """
    if frame.width != 2 or len(frame) < LEAST:
        return None
    first, second = frame
    for times, values in ((first, second), (second, first)):
        if values.dtype.is_numeric() and values.drop_nulls().n_unique() > 1 and _are_evenly_spaced(times):
            return values.name
    return None


def _are_evenly_spaced(times: polars.Series) -> bool:
    found = read_times(times)
    if found is None or found.moments.null_count():
        return False
    moments = found.moments.to_numpy()
    return bool((np.diff(moments).astype(np.int64) > 0).all()) and find_frequency([moments]) is not None
