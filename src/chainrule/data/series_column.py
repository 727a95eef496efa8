"""Recognise a time series in a table: a column of times at about equal distances, and one of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars

from chainrule.data.read.column_types import with_types
from chainrule.data.read.layout import FileChoices
from chainrule.data.read.open_table import open_table
from chainrule.data.read.table import frame_of
from chainrule.data.read.table_file import SUFFIXES, Table, suffix_of
from chainrule.data.series_clock import on_clock
from chainrule.data.series_frequency import find_frequency
from chainrule.data.series_time_columns import find_time_columns
from chainrule.data.series_time_parts import part_of
from chainrule.data.series_time_readers import is_named

LEAST = 24
"""A table of fewer rows is not taken for a series."""


def series_column_of(path: Path, encoding: str | None = None, header: bool | None = None) -> str | None:
    """The numeric column of the file of a time series; None for any other file. See `series_column`.

    Raises:
        ValueError: If it is a table of so few columns that can't be read.
    """
    if suffix_of(path) not in SUFFIXES or not path.is_file():
        return None
    table = open_table(path, FileChoices(encoding, header))
    if not 1 <= len(_candidates(table.names)) <= 2 or not (table.fits or _begins_as_series(table)):
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

    It is one if it has a column of numbers, not all the same, and all others make up times of one frequency that
    increase: one column, or several that are named as parts of a time. Values may be missing, and so may times.

    >>> series_column(polars.DataFrame({"year": range(1900, 1950), "flow": [float(i % 7) for i in range(50)]}))
    'flow'
    >>> series_column(polars.DataFrame({"height": [1.7, 1.8] * 20, "weight": [70.0, 80.0] * 20})) is None
    True
    """
    if len(frame) < LEAST:
        return None
    numbers = [name for name in _candidates(frame.columns) if frame[name].dtype.is_numeric()]
    if frame.width > 2 and len(numbers) > 1:
        return None
    for name in numbers:
        if frame[name].drop_nulls().n_unique() > 1 and _are_evenly_spaced(frame, name):
            return name
    return None


def _candidates(names: Sequence[str]) -> Sequence[str]:
    """The columns that may be the values, or dates: both of two, or those that are not named as a part of a time."""
    return names if len(names) == 2 else [name for name in names if not (is_named(name) or part_of(name))]


def _are_evenly_spaced(frame: polars.DataFrame, but: str) -> bool:
    """True if all other columns than ``but`` make up times that are on a grid and increase."""
    try:
        found = find_time_columns(frame, but)
    except ValueError:
        return False
    if found is None or found.moments.null_count() or len(found.times.columns) != frame.width - 1:
        return False
    moments = on_clock(found, [(None, np.arange(len(frame)))]).moments.to_numpy()
    return bool((np.diff(moments).astype(np.int64) > 0).all()) and find_frequency([moments]) is not None
