"""Reads the series of a table: their times, in order and without gaps, and which rows belong to which series."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars
from numpy.typing import NDArray

from chainrule.data.read.column_types import with_type
from chainrule.data.read.layout import FileChoices
from chainrule.data.read.open_table import open_table
from chainrule.data.read.table import cells_of
from chainrule.data.series_clock import on_clock
from chainrule.data.series_frequency import Frequency, Moments, find_frequency
from chainrule.data.series_groups import Groups, check_order, groups_of
from chainrule.data.series_time_columns import find_time_columns
from chainrule.data.series_time_readers import TimeColumns, is_named
from chainrule.data.series_times import Times
from chainrule.words import suggestion

LARGEST = 1e30
"""Larger numbers are too close to the end of single precision."""


@dataclass(frozen=True)
class TimeAxis:
    """The times of a series, which are on a grid.

    Attributes:
        times: The columns of times, and their style.
        frequency: The grid.
        first: The first time of the training data.
    """

    times: Times
    frequency: Frequency
    first: np.datetime64


@dataclass(frozen=True)
class SeriesTable:
    """One or more series, one after another, each in the order of time and with a row for each time of its grid.

    Attributes:
        values: The numbers ``(N,)``, NaN where one is missing.
        ends: Where each series ends, ``(R,)``.
        names: The ``R`` groups; one series is named after its column.
        rows: The other columns of the file, as they are, ``N`` rows; empty cells in rows that the file lacks.
        axis: The times; None if the table has none.
        moments: The time of each row ``(N,)``; None if the table has none.
        notes: What a person should know about how the table was read.
    """

    values: NDArray[np.float64]
    ends: NDArray[np.int64]
    names: list[str]
    rows: polars.DataFrame
    axis: TimeAxis | None = None
    moments: Moments | None = None
    notes: tuple[str, ...] = ()

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each series begins, ``(R,)``."""
        return np.concatenate([[0], self.ends[:-1]]).astype(np.int64)


def read_series(
    path: Path,
    column: str,
    *,
    group: str | None = None,
    known: TimeAxis | None = None,
    choices: FileChoices | None = None,
) -> SeriesTable:
    """The series in a column of a table.

    Args:
        path: The table.
        column: The column of the values.
        group: The column that tells several series apart; None for one series.
        known: The times of earlier values, whose frequency and clock these have; by default they are inferred.
        choices: How a text table is read.

    Raises:
        ValueError: If there is no such column, its cells are no numbers, its times repeat or are irregular, or a time
            is missing.
    """
    opened = open_table(path, choices)
    frame = cells_of(opened).frame
    values = _values(frame, column, group, path)
    try:
        found = find_time_columns(frame, column, group)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    groups = groups_of(frame, group, path)
    others = frame.drop(column)
    if found is None:
        table = _in_sequence(values, others, groups, column, group)
        return replace(table, notes=(*opened.notes, *table.notes))
    found = on_clock(found, groups, "" if known is None else known.times.clock)
    ordered = check_order(frame, found, groups, column, group, path)
    table = _on_grid(values, others, found, ordered, None if known is None else known.frequency, path, column)
    table = replace(table, notes=(*opened.notes, *table.notes))
    if group is None:
        return table
    labels = polars.Series(group, np.repeat(table.names, table.ends - table.starts).tolist(), dtype=polars.String)
    return replace(table, rows=table.rows.with_columns(labels.cast(table.rows[group].dtype)))


def _values(frame: polars.DataFrame, column: str, group: str | None, path: Path) -> NDArray[np.float64]:
    """The values of the column, NaN where a cell is empty."""
    for name in filter(None, (column, group)):
        if name not in frame.columns:
            near = suggestion(name, frame.columns)
            raise ValueError(f"{path}: expected the column {name!r}, got none of this name{near}")
    if group == column:
        raise ValueError(f"{path}: --group expects another column than that of the values, got {group!r}")
    values = _numbers(frame[column], frame, path)
    if len(values) < 2:
        raise ValueError(f"{path}: column {column!r} expects a series, got {len(values)} values")
    return values


def _in_sequence(
    values: NDArray[np.float64], others: polars.DataFrame, groups: Groups, column: str, group: str | None
) -> SeriesTable:
    """The series of a table that has no times, in the sequence of its rows."""
    rows = np.concatenate([own for _, own in groups])
    ends = np.cumsum([len(own) for _, own in groups])
    unread = [name for name in others.columns if name != group and is_named(name) and not _is_numeric(others[name])]
    but = f" (not {unread[0]!r}, such as {str(others[unread[0]][0])[:30]!r})" if unread else ""
    note = f"time: no column of dates or times{but}, so rows are taken as evenly spaced, in their sequence"
    return SeriesTable(values[rows], ends, [name or column for name, _ in groups], others[rows], notes=(note,))


def _numbers(cells: polars.Series, frame: polars.DataFrame, path: Path) -> NDArray[np.float64]:
    """The values, NaN where a cell is empty."""
    typed = with_type(cells) if cells.dtype == polars.String else cells
    if typed.dtype.is_numeric() or typed.dtype == polars.Null:
        values = np.array(typed.cast(polars.Float64).fill_null(np.nan))
        far = ~np.isnan(values) & (np.abs(values) > LARGEST)
        if not far.any():
            return values
        got = _cell(typed, int(far.argmax()))
        raise ValueError(
            f"{path}: column {cells.name!r} expects numbers up to {LARGEST:g}, got {got}: correct it, or empty its cell"
        )
    got, advice = str(typed.dtype), ""
    if typed.dtype == polars.String:
        numbers = typed.cast(polars.Float64, strict=False)
        strays = typed.is_not_null() & (numbers.is_null() | numbers.is_infinite() | numbers.is_nan())
        got = _cell(typed, int(strays.arg_true()[0])) if strays.any() else "empty cells only"
        if 0 < strays.sum() < typed.count() / 2:
            advice = ": correct it, or empty its cell"
    numeric = [name for name in frame.columns if _is_numeric(frame[name])]
    others = f"; columns of numbers: {', '.join(numeric[:6])}" if numeric else ""
    raise ValueError(f"{path}: column {cells.name!r} expects numbers, got {got}{advice or others}")


def _is_numeric(cells: polars.Series) -> bool:
    first = cells.head(1000)
    return (with_type(first) if first.dtype == polars.String else first).dtype.is_numeric()


def _cell(cells: polars.Series, row: int) -> str:
    """A cell and its row in words."""
    return f"{str(cells[row])[:30]!r} in row {row + 1:,}"


def _on_grid(
    values: NDArray[np.float64],
    others: polars.DataFrame,
    found: TimeColumns,
    groups: Groups,
    known: Frequency | None,
    path: Path,
    column: str,
) -> SeriesTable:
    """The series with a row for each time of the grid."""
    moments, times = found.moments.to_numpy(), found.times
    parts = [moments[rows] for _, rows in groups]
    frequency = known or find_frequency([part for part in parts if len(part) > 1] or parts)
    if frequency is None:
        steps = np.concatenate([np.diff(part) for part in parts])
        raise ValueError(
            f"{path}: expected times of one frequency in {times.name}, got steps from {_days(steps.min())} to "
            f"{_days(steps.max())}: resample to a frequency first, such as the mean of each day or hour"
        )
    rows, grid, ends = [], [], []
    for (name, own), part in zip(groups, parts, strict=True):
        places = frequency.places(part, part[0])
        beside = np.flatnonzero((places != np.round(places)) | (np.diff(places, prepend=-1) <= 0))
        if len(beside):
            of = f" of {name!r}" if name else ""
            raise ValueError(
                f"{path}: expected {frequency.words} times in {times.name}, got {times.words(part[beside[0]])}{of} "
                f"after {times.words(part[max(beside[0] - 1, 0)])}: resample to this frequency first"
            )
        filled = np.full(int(places[-1]) + 1, -1)
        filled[places.astype(np.int64)] = own
        rows.append(filled)
        grid.append(np.concatenate([part[:1], frequency.moments(part[0], len(filled) - 1)]))
        grid[-1][filled >= 0] = part
        ends.append(len(filled))
    every, all_moments = np.concatenate(rows), np.concatenate(grid)
    frame = _with_times(others, every, times, all_moments)
    values = np.where(every >= 0, values[every], np.nan)
    names = [name or column for name, _ in groups]
    axis = TimeAxis(times, frequency, all_moments[0])
    notes = (_said(axis, all_moments, values, every),)
    return SeriesTable(values, np.cumsum(ends), names, frame, axis, all_moments, notes)


def _with_times(others: polars.DataFrame, rows: NDArray[np.int64], times: Times, moments: Moments) -> polars.DataFrame:
    """The rows of a table; those that it lacks, of index -1, have a time and empty cells."""
    lacks = rows < 0
    frame = others[np.where(lacks, 0, rows)]
    if not lacks.any():
        return frame
    gap = polars.Series(lacks)
    frame = frame.with_columns(polars.when(~gap).then(polars.all()))
    for cells in times.write(moments):
        own = cells.cast(others[cells.name].dtype, strict=False)
        frame = frame.with_columns(polars.when(gap).then(own).otherwise(polars.col(cells.name)).alias(cells.name))
    return frame


def _said(axis: TimeAxis, moments: Moments, values: NDArray[np.float64], rows: NDArray[np.int64]) -> str:
    """The times in a line."""
    first, last = axis.times.words(moments.min()), axis.times.words(moments.max())
    plural = "s" if len(axis.times.columns) > 1 else ""
    line = f"time: column{plural} {axis.times.name}, {axis.frequency.words} from {first} to {last}"
    if axis.times.clock:
        line += f", on the clock of {axis.times.clock}, as an hour comes twice where it is put back"
    lacking, empty = int((rows < 0).sum()), int(np.isnan(values).sum())
    if not empty:
        return line
    return f"{line}; missing values: {empty:,} of {len(values):,}, {lacking:,} of them times without a row"


def _days(step: np.timedelta64) -> str:
    """A step in words."""
    seconds = step.astype("timedelta64[us]").astype(np.int64) / 1e6
    for name, size in {"days": 86_400, "hours": 3600, "minutes": 60}.items():
        if seconds >= size:
            return f"{seconds / size:.4g} {name}"
    return f"{seconds:.4g} seconds"
