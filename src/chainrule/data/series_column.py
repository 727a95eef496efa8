"""Recognise a time series in a table: a column of times at about equal distances, and one of numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars
from numpy.typing import NDArray

from chainrule.data.read.column_types import with_types
from chainrule.data.read.layout import FileChoices
from chainrule.data.read.open_table import open_table
from chainrule.data.read.table import frame_of
from chainrule.data.read.table_file import SUFFIXES, Table, suffix_of

LEAST = 24
"""A table of fewer rows is not taken for a series."""

YEARS = (1000, 2500)
"""Numbers between these may be years, also in parts such as 1959.25."""

MONTH = r"^\d{4}-\d{2}$"
"""Months without a day."""

EQUAL, WITHIN, LONGEST_GAP = 0.5, 0.15, 5.0
"""Times are evenly spaced if so large a share of their steps differs by at most 15 % from the median, as months and
quarters do, and none is longer than five medians, as there is a weekend and a holiday between working days."""


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

    It is one if it has two columns, one of which are times that increase, evenly spaced, and the other numbers, not
    all the same, without gaps.

    >>> series_column(polars.DataFrame({"year": range(1900, 1950), "flow": [float(i % 7) for i in range(50)]}))
    'flow'
    >>> series_column(polars.DataFrame({"height": [1.7, 1.8] * 20, "weight": [70.0, 80.0] * 20})) is None
    True
    """
    if frame.width != 2 or len(frame) < LEAST:
        return None
    first, second = frame
    for times, values in ((first, second), (second, first)):
        if _are_numbers(values) and _evenly_spaced(_as_times(times)):
            return values.name
    return None


def _are_numbers(values: polars.Series) -> bool:
    return values.dtype.is_numeric() and values.null_count() == 0 and values.n_unique() > 1


def _as_times(column: polars.Series) -> NDArray[np.float64] | None:
    """The column as numbers along time, if it may hold times."""
    if column.null_count():
        return None
    if column.dtype == polars.String and bool(column.str.contains(MONTH).all()):
        column = (column + "-01").str.to_date("%Y-%m-%d", strict=False)
    if column.dtype in (polars.Date, polars.Datetime) and column.null_count() == 0:
        return column.cast(polars.Datetime("us")).cast(polars.Float64).to_numpy()
    if column.dtype.is_numeric() and bool(column.is_between(*YEARS).all()):
        return column.cast(polars.Float64).to_numpy()
    return None


def _evenly_spaced(times: NDArray[np.float64] | None) -> bool:
    if times is None:
        return False
    steps = np.diff(times)
    usual = np.median(steps)
    near = np.abs(steps - usual) <= WITHIN * usual
    return bool(steps.min() > 0 and near.mean() >= EQUAL and steps.max() <= LONGEST_GAP * usual)
