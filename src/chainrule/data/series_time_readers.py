"""Reads a column of times in any usual style."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import polars
from numpy.typing import NDArray

from chainrule.data.codecs.base import without_gaps
from chainrule.data.codecs.time_formats import TYPES, ZONE, find_time_format
from chainrule.data.read.column_types import with_type
from chainrule.data.series_time_parts import part_of
from chainrule.data.series_times import EPOCHS, Times

NAMES = (
    "date", "datetime", "time", "timestamp", "ds", "day", "week", "month", "quarter", "year", "period", "when", "epoch",
    "season", "yearmonth", "yearmon", "yyyymm", "year_month",
)  # fmt: skip
"""Names of columns that are meant as times."""

YEARS = (1000, 2500)
"""Numbers between these may be years, also in parts such as 1959.25."""

PART_OF_MONTH = 0.13
"""A year in parts is a month if it is within so many months of its beginning, as 1959.08 is of that of February."""

COMPACT = (19_000_101, 21_001_231)
"""Integers between these may be dates such as 20260131."""

LEAST_EPOCH = {"seconds": 10**8, "milliseconds": 10**11, "microseconds": 10**14}
"""The least number that is taken for a time in a unit since 1970. A large number is of the last unit that it may be."""

QUARTERS = {
    "{year}{gap}Q{part}": r"^(?<year>\d{4})(?<gap>[ :\-/]?)[Qq](?<part>[1-4])$",
    "Q{part}{gap}{year}": r"^[Qq](?<part>[1-4])(?<gap>[ \-/]?)(?<year>\d{4})$",
    "{part}Q{gap}{year}": r"^(?<part>[1-4])[Qq](?<gap>[ \-/]?)(?<year>\d{4})$",
}
WEEKS = {"{year}{gap}W{part:02}": r"^(?<year>\d{4})(?<gap>-?)W(?<part>\d{2})$"}
MONTHS = {
    "{year}{gap}M{part:02}": r"^(?<year>\d{4})(?<gap>[ :\-]?)[Mm](?<part>0[1-9]|1[0-2])$",
    "{year}{gap}M{part}": r"^(?<year>\d{4})(?<gap>[ :\-]?)[Mm](?<part>[1-9]|1[0-2])$",
    "{year}{gap}{part:02}": r"^(?<year>\d{4})(?<gap>[.]?)(?<part>0[1-9]|1[0-2])$",
}
QUARTERS_OR_MONTHS = {
    "{year}:{part:02}": r"^(?<year>\d{4}):(?<gap>)(?<part>0[1-9]|1[0-2])$",
    "{year}:{part}": r"^(?<year>\d{4}):(?<gap>)(?<part>[1-9]|1[0-2])$",
}
SEASONS = {
    "{year}{gap}{part:02}": r"^(?<year>\d{4})(?<gap>[/\-–])(?<part>\d\d)$",
    "{year}{gap}{part}": r"^(?<year>\d{4})(?<gap>[/\-–])(?<part>\d{4})$",
}
"""Templates of cells with a year and a number behind it or before it, and the patterns of such cells."""

LEAST_SEASONS = 3
"""Seasons, such as 1990/91, are told from months by so many cells whose second number is the next year's."""

OFFSETS = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2, "EET": 2,
    "EEST": 3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9,
    "AKDT": -8, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip
"""Hours from UTC of names behind times that change in spring and autumn, such as CET and CEST."""

ZONE_NAME = r"\s?([A-Z]{1,4})$"


class TimeColumns(NamedTuple):
    """The times of a table.

    Attributes:
        times: Their columns and their style.
        moments: The times as datetimes, null where a cell is empty.
    """

    times: Times
    moments: polars.Series


Reader = Callable[[polars.Series], TimeColumns | None]


def is_named(name: str) -> bool:
    """True if a column of this name is meant as times."""
    return name.lower() in NAMES or part_of(name) == "year"


def read_times(column: polars.Series) -> TimeColumns | None:
    """A column as times, in the first style that all of its cells have; None if there is none."""
    cells = without_gaps(column, None) if column.dtype == polars.String else column
    there = cells.drop_nulls()
    found = next((found for read in READERS if (found := read(there)) is not None), None) if len(there) else None
    if found is None or len(there) == len(cells):
        return found
    moments = polars.Series(column.name, [None] * len(cells), dtype=polars.Datetime("us"))
    return found._replace(moments=moments.scatter(cells.is_not_null().arg_true(), found.moments))


def _read_dates(cells: polars.Series) -> TimeColumns | None:
    """Dates and datetimes, typed or in text; of those with changing time zones, in UTC or on the clock.

    Midnights are evenly spaced on the clock, and hours in UTC.
    """
    name, dtype = cells.name, cells.dtype
    if dtype in (polars.Date, polars.Datetime):
        wall = cells.dt.replace_time_zone(None) if dtype == polars.Datetime else cells
        if wall.n_unique() < cells.n_unique():  # the hour that comes twice in autumn
            wall = cells.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return TimeColumns(Times((name,), dtype=str(dtype.base_type())), wall.cast(polars.Datetime("us")))
    if dtype.is_integer() and cells.is_between(*COMPACT).all():
        cells = cells.cast(polars.String)
    if cells.dtype == polars.String:
        cells = _with_offsets(cells)
    found = find_time_format(cells) if cells.dtype == polars.String else None
    if found is None or found[0] == "time":
        return None
    kind, own = found
    times = Times((name,), "dates", own.format, own.zone, "Date" if kind == "date" else "Datetime")
    read = TimeColumns(times, own.parse(cells, TYPES[kind]).cast(polars.Datetime("us")).alias(name))
    on_clock = _read_dates(cells.str.replace(ZONE, "")) if own.format.endswith("%:z") else None
    if on_clock is None or on_clock.moments.n_unique() < read.moments.n_unique():
        return read
    return min(on_clock, read, key=lambda times: times.moments.diff().n_unique())


def _with_offsets(cells: polars.Series) -> polars.Series:
    """Times with offsets in place of names of time zones, if these differ and all are known."""
    zones = cells.str.extract(ZONE_NAME)
    if zones.null_count() or zones.n_unique() == 1 or not zones.is_in(list(OFFSETS)).all():
        return cells
    offsets = zones.replace_strict({name: f"{hours:+03}:00" for name, hours in OFFSETS.items()})
    return (cells.str.replace(ZONE_NAME, "") + offsets).alias(cells.name)


def _read_quarters(cells: polars.Series) -> TimeColumns | None:
    """Quarters such as 1949Q1, 1949-Q1, Q1 1949 and, where all of 1 to 4 follow each other, 1949:1."""
    found = _matched(cells, QUARTERS)
    if found is None:
        found = _matched(cells, QUARTERS_OR_MONTHS)
        if found is None or not _are_quarters(found[1]["part"].to_numpy()):
            return None
    return _of_months(cells.name, "quarters", found, 3)


def _are_quarters(parts: NDArray[np.int64]) -> bool:
    """True if numbers are 1 to 4, and at least once 4 is followed by 1, or 1 by 4 where times fall."""
    ends = (parts[:-1] - parts[1:])[np.abs(np.diff(parts)) == 3]
    return bool(parts.max() == 4) and len(ends) > 0


def _read_months(cells: polars.Series) -> TimeColumns | None:
    """Months such as 1949M1, 1949:12, 1949.01 and 194901; the last two if they are named as times, or in steps."""
    if cells.dtype.is_integer():
        cells = cells.cast(polars.String)
    found = _matched(cells, QUARTERS_OR_MONTHS | MONTHS)
    if found is None:
        return None
    template, parts = found
    months = 12 * parts["year"].to_numpy() + parts["part"].to_numpy()
    steps = np.diff(months)
    if "M" in template:
        known = True
    elif "}:{" in template:
        known = int(parts["part"].to_numpy().max()) > 4
    else:
        known = is_named(cells.name) or (len(steps) > 1 and steps[0] > 0 and bool((steps == steps[0]).all()))
    known = known and bool(parts["year"].is_between(*YEARS).all())
    return _of_months(cells.name, "months", found, 1) if known else None


def _of_months(name: str, style: str, found: tuple[str, polars.DataFrame], size: int) -> TimeColumns:
    """The times of years and of parts of ``size`` months."""
    month = size * (polars.col("part") - 1) + 1
    moments = found[1].select(polars.date("year", month, 1).cast(polars.Datetime("us"))).to_series()
    return TimeColumns(Times((name,), style, found[0]), moments.alias(name))


def _read_seasons(cells: polars.Series) -> TimeColumns | None:
    """Seasons such as 1990/91, by the years in which they begin."""
    found = _matched(cells, SEASONS)
    if found is None or found[1].n_unique() < LEAST_SEASONS:
        return None
    following = found[1]["year"] + 1
    if not (found[1]["part"] == (following if "02" not in found[0] else following % 100)).all():
        return None
    return _of_months(cells.name, "seasons", (found[0], found[1].with_columns(part=1)), 1)


def _read_weeks(cells: polars.Series) -> TimeColumns | None:
    """Weeks as ISO 8601 has them, such as 2020-W05, by their Mondays."""
    found = _matched(cells, WEEKS)
    if found is None:
        return None
    fourth = polars.date("year", 1, 4)  # is always in the first week
    monday = fourth + polars.duration(days=7 * (polars.col("part") - 1) - (fourth.dt.weekday().cast(polars.Int64) - 1))
    moments = found[1].select(monday.cast(polars.Datetime("us"))).to_series()
    return TimeColumns(Times((cells.name,), "weeks", found[0]), moments.alias(cells.name))


def _read_years(cells: polars.Series) -> TimeColumns | None:
    """Years, and years in parts that are months, such as 1959.25."""
    numbers = _numbers(cells)
    if numbers is None or not numbers.is_between(*YEARS).all() or not _meant(numbers):
        return None
    months = numbers.cast(polars.Float64) * 12
    if not ((months - months.round()).abs() <= PART_OF_MONTH).all():
        return None
    whole = bool((months.round() % 12 == 0).all())
    since = months.round().cast(polars.Int64).to_numpy() - 1970 * 12
    moments = since.astype("datetime64[M]").astype("datetime64[us]")
    return TimeColumns(Times((cells.name,), "years" if whole else "decimal years"), polars.Series(cells.name, moments))


def _read_epochs(cells: polars.Series) -> TimeColumns | None:
    """Seconds, milliseconds or microseconds since 1970."""
    numbers = _numbers(cells)
    least = None if numbers is None or not _meant(numbers) else float(numbers.cast(polars.Float64).min() or 0.0)  # type: ignore[arg-type]
    unit = None if least is None else next((u for u, low in reversed(LEAST_EPOCH.items()) if least >= low), None)
    if numbers is None or unit is None:
        return None
    moments = (numbers.cast(polars.Float64) * EPOCHS[unit]).round().cast(polars.Int64).cast(polars.Datetime("us"))
    return TimeColumns(Times((cells.name,), "epochs", unit), moments.alias(cells.name))


READERS: tuple[Reader, ...] = (
    _read_seasons, _read_dates, _read_quarters, _read_months, _read_weeks, _read_years, _read_epochs,
)  # fmt: skip


def _matched(cells: polars.Series, patterns: dict[str, str]) -> tuple[str, polars.DataFrame] | None:
    """The template that all cells have, filled but for ``{year}`` and ``{part}``, and these as integers."""
    if cells.dtype != polars.String:
        return None
    for template, pattern in patterns.items():
        groups = cells.str.extract_groups(pattern).struct.unnest()
        if groups["year"].null_count() == 0:
            filled = template.replace("{gap}", str(groups["gap"][0] or ""))
            return filled, groups.select(polars.col("year", "part").cast(polars.Int64))
    return None


def _numbers(cells: polars.Series) -> polars.Series | None:
    """The cells as numbers, if all of them are."""
    typed = with_type(cells) if cells.dtype == polars.String else cells
    return typed if typed.dtype.is_numeric() and typed.null_count() == 0 else None


def _meant(numbers: polars.Series) -> bool:
    """True if the name says that numbers are times, or if they go up in about equal steps."""
    if is_named(numbers.name):
        return True
    steps = np.diff(numbers.cast(polars.Float64).to_numpy())
    return bool(len(steps) > 1 and steps.min() > 0 and np.allclose(steps, np.median(steps), rtol=0.1))
