"""Finds the columns of times of a table, and reads them in any usual style."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import polars

from chainrule.data.codecs.base import without_gaps
from chainrule.data.codecs.time_formats import TYPES, ZONE, find_time_format
from chainrule.data.read.column_types import with_type
from chainrule.data.series_time_parts import add_part, chains, part_of
from chainrule.data.series_times import EPOCHS, Times

NAMES = (
    "date", "datetime", "time", "timestamp", "ds", "day", "week", "month", "quarter", "year", "period", "when", "epoch",
)  # fmt: skip
"""Names of columns that are meant as times."""

DATES = ("date", "datetime", "timestamp")
"""Names of columns that hold nothing else."""

YEARS = (1000, 2500)
"""Numbers between these may be years, also in parts such as 1959.25."""

PART_OF_MONTH = 0.13
"""A year in parts is a month if it is within so many months of its beginning, as 1959.08 is of that of February."""

COMPACT = (19_000_101, 21_001_231)
"""Integers between these may be dates such as 20260131."""

LEAST_EPOCH = {"seconds": 10**8, "milliseconds": 10**11, "microseconds": 10**14}
"""The least number that is taken for a time in a unit since 1970. A large number is of the last unit that it may be."""

QUARTERS = {"{year}{gap}Q{part}": r"^(?<year>\d{4})(?<gap>[ \-/]?)[Qq](?<part>[1-4])$",
            "Q{part}{gap}{year}": r"^[Qq](?<part>[1-4])(?<gap>[ \-/]?)(?<year>\d{4})$"}  # fmt: skip
WEEKS = {"{year}{gap}W{part:02}": r"^(?<year>\d{4})(?<gap>-?)W(?<part>\d{2})$"}

MEANT = 0.5
"""A column is meant as times, if its name says so and so large a share of its cells are."""


class TimeColumns(NamedTuple):
    """The times of a table.

    Attributes:
        times: Their columns and their style.
        moments: The times as datetimes, null where a cell is empty.
    """

    times: Times
    moments: polars.Series


Reader = Callable[[polars.Series], TimeColumns | None]


def find_time_columns(frame: polars.DataFrame, but: str, group: str | None = None) -> TimeColumns | None:
    """The times of a table; None if it has none.

    Of several columns of times that with a name such as ``date`` counts, or else the first. Where its times repeat
    within a series, the rest of each may be in columns of its own, such as the hour.

    Args:
        frame: The table, as text or typed.
        but: The column of the values, which are no times.
        group: The column that tells several series apart; None for one series.

    Raises:
        ValueError: If a column is named as times, and one of its cells is none.
    """
    others = [column for column in frame if column.name not in (but, group)]
    all_found = [times for column in others if (times := read_times(column)) is not None]
    named = [times for times in all_found if _named(times.times.columns[0])]
    if not named:
        for column in others:
            _refuse_stray(column)
    found = next(iter([*named, *all_found]), None)
    return None if found is None else _with_parts(found, others, None if group is None else frame[group])


def _named(name: str) -> bool:
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
    """Dates and datetimes, typed or in text; of those with changing time zones, the time on the clock."""
    name, dtype = cells.name, cells.dtype
    if dtype in (polars.Date, polars.Datetime):
        wall = cells.dt.replace_time_zone(None) if dtype == polars.Datetime else cells
        if wall.n_unique() < cells.n_unique():  # the hour that comes twice in autumn
            wall = cells.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return TimeColumns(Times((name,), dtype=str(dtype.base_type())), wall.cast(polars.Datetime("us")))
    if dtype.is_integer() and cells.is_between(*COMPACT).all():
        cells = cells.cast(polars.String)
    found = find_time_format(cells) if cells.dtype == polars.String else None
    if found is None or found[0] == "time":
        return None
    kind, own = found
    if own.format.endswith("%:z"):
        on_clock = _read_dates(cells.str.replace(ZONE, ""))
        if on_clock is not None and on_clock.moments.n_unique() == cells.n_unique():
            return on_clock
    times = Times((name,), "dates", own.format, own.zone, "Date" if kind == "date" else "Datetime")
    return TimeColumns(times, own.parse(cells, TYPES[kind]).cast(polars.Datetime("us")).alias(name))


def _read_quarters(cells: polars.Series) -> TimeColumns | None:
    """Quarters such as 1949Q1, 1949-Q1 and Q1 1949."""
    found = _matched(cells, QUARTERS)
    if found is None:
        return None
    template, parts = found
    months = parts.select(polars.date("year", 3 * polars.col("part") - 2, 1).cast(polars.Datetime("us")))
    return TimeColumns(Times((cells.name,), "quarters", template), months.to_series().alias(cells.name))


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


READERS: tuple[Reader, ...] = (_read_dates, _read_quarters, _read_weeks, _read_years, _read_epochs)


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
    if _named(numbers.name):
        return True
    steps = np.diff(numbers.cast(polars.Float64).to_numpy())
    return bool(len(steps) > 1 and steps.min() > 0 and np.allclose(steps, np.median(steps), rtol=0.1))


def _with_parts(found: TimeColumns, others: Sequence[polars.Series], group: polars.Series | None) -> TimeColumns:
    """The times with those parts, in columns of their own, by which fewest of them repeat."""
    level = _level(found)
    if level is None or found.moments.null_count() or _distinct(found, group) == len(found.moments):
        return found
    columns: dict[str, list[polars.Series]] = {}
    for column in others:
        if column.name != found.times.columns[0]:
            columns.setdefault(part_of(column.name) or "", []).append(column)
    clocks = [*columns.get("hour", []), *columns.get("", [])]
    clock = next((own for own in clocks if add_part(found.moments.to_numpy(), "clock", own) is not None), None)
    by_part = {part: own[0] for part, own in columns.items() if part} | ({} if clock is None else {"clock": clock})
    tried = [found, *(_joined(found, chain, by_part) for chain in chains(level) if by_part.keys() >= set(chain))]
    return max(filter(None, tried), key=lambda times: _distinct(times, group))


def _level(found: TimeColumns) -> str | None:
    """What a column of times tells, ``year``, ``month`` or ``day``, if parts may follow it."""
    times = found.times
    if times.style != "dates":
        return "year" if times.style == "years" else None
    if times.format and not re.search("%-?d", times.format):
        return "month"
    moments = found.moments
    return "day" if bool((moments.dt.truncate("1d") == moments).all()) else None


def _distinct(found: TimeColumns, group: polars.Series | None) -> int:
    """The number of times that differ, each series' own."""
    return (
        found.moments.n_unique()
        if group is None
        else polars.DataFrame(
            [
                found.moments.alias(
                    "",
                ),
                group,
            ]
        ).n_unique()
    )


def _joined(found: TimeColumns, parts: Sequence[str], columns: dict[str, polars.Series]) -> TimeColumns | None:
    """The times with these parts; None if the cells of one are no such part."""
    moments, styles = found.moments.to_numpy(), []
    for part in parts:
        added = add_part(moments, part, columns[part])
        if added is None:
            return None
        style, moments = added
        styles.append(style)
    names = (*found.times.columns, *(columns[part].name for part in parts))
    times = replace(found.times, columns=names, parts=tuple(styles))
    return TimeColumns(times, polars.Series(names[0], moments.astype("datetime64[us]")))


def _refuse_stray(column: polars.Series) -> None:
    """Raise ``ValueError`` if a column of text is named as times or dates, and not all of its cells are."""
    if column.dtype != polars.String or column.name.lower() not in NAMES:
        return
    there = column.drop_nulls()
    for first in there.head(3):
        found = find_time_format(polars.Series([first]))
        if found is None:
            continue
        stray = there.filter(found[1].parse(there, TYPES[found[0]]).is_null())
        if 0 < len(stray) < MEANT * len(there):
            row = int((column == stray[0]).arg_true()[0]) + 1
            raise ValueError(
                f"column {column.name!r} expects times as {found[1].format}, as most of its cells are, "
                f"got {stray[0][:30]!r} in row {row:,}: correct it, or leave out its row"
            )
    if len(there) and column.name.lower() in DATES:
        raise ValueError(
            f"column {column.name!r} expects dates or times, got {there[0][:30]!r}, whose format is unknown: write it "
            "as 2020-01-31 or 2020-01-31 12:30, or name the column otherwise"
        )
