"""Parts of a time in columns of their own, such as the hour beside the date: how they are read and written."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import polars

from chainrule.data.codecs.base import without_gaps
from chainrule.data.codecs.time_formats import TimeFormat, find_time_format
from chainrule.data.series_frequency import Moments

WORDS = {
    "year": ("year", "years", "yr", "yyyy"),
    "quarter": ("quarter", "qtr"),
    "month": ("month", "months", "mon", "mnth", "monthname", "monthofyear"),
    "week": ("week", "wk", "isoweek", "weekofyear", "weeknumber"),
    "day": ("day", "dayofmonth", "mday", "dd"),
    "day of year": ("dayofyear", "doy", "yday", "jday", "julianday"),
    "hour": ("hour", "hours", "hr", "hh", "h", "hourofday", "hourending", "time", "hhmm", "hrmn"),
    "minute": ("minute", "minutes", "mi"),
    "second": ("second", "seconds", "sec"),
}
"""The names of columns that hold a part of a time, in small letters and without anything else."""

RANGES = {
    "quarter": (1, 4), "month": (1, 12), "week": (1, 53), "day": (1, 31), "day of year": (1, 366), "hour": (0, 24),
    "minute": (0, 59), "second": (0, 59),
}  # fmt: skip

DATES: dict[str, tuple[tuple[str, ...], ...]] = {
    "year": (("month", "day"), ("day of year",), ("month",), ("quarter",), ("week",)),
    "month": (("day",),),
    "day": ((),),
}
"""The parts that may follow a column of years, of months or of days."""

CLOCKS: tuple[tuple[str, ...], ...] = ((), ("clock",), ("hour",), ("hour", "minute"), ("hour", "minute", "second"))
"""The parts that may follow a day."""

DAY_IS_KNOWN = ("day", "day of year")

LIKE = {(0, 23): "hour", (1, 24): "hour", (1, 12): "month", (1, 4): "quarter", (1, 52): "week", (1, 53): "week"}
"""Ranges that are all filled by a part of a time."""


def part_of(name: str) -> str | None:
    """The part of a time that a column of this name holds.

    >>> part_of("Hour of Day"), part_of("city")
    ('hour', None)
    """
    letters = re.sub(r"[^a-z]", "", name.lower())
    return next((part for part, words in WORDS.items() if letters in words), None)


def chains(level: str) -> list[tuple[str, ...]]:
    """The sequences of parts that may follow ``level``: ``year``, ``month`` or ``day``; the shortest first."""
    found: list[tuple[str, ...]] = []
    for date in DATES[level]:
        known = level == "day" or date[-1] in DAY_IS_KNOWN
        found += [date + clock for clock in CLOCKS] if known else [date]
    return sorted(filter(None, found), key=len)


def add_part(moments: Moments, part: str, cells: polars.Series) -> tuple[str, Moments] | None:
    """The style of the cells ``(N,)`` of a part, and times that have it, too; None if the cells are no such part.

    Args:
        moments: The times as far as they are known: the beginnings of years, months, days or hours.
        part: One of `RANGES`, or ``clock`` for cells such as 12:30.
        cells: The cells, without gaps.
    """
    if cells.dtype == polars.String:
        cells = without_gaps(cells, None)
    if cells.null_count():
        return None
    if part == "clock":
        return _add_clock(moments, cells)
    style, numbers = part, _whole(cells)
    if cells.dtype == polars.String:
        if numbers is None and part == "month":
            style = f"month {'%b' if bool((cells.str.len_chars() == 3).all()) else '%B'}"
            numbers = _whole(_names_of_months(cells, style[-2:]))
        elif part in STRFTIME and bool(cells.str.contains(r"^\d\d$").all()) and cells.str.contains("^0").any():
            style = f"{part} {STRFTIME[part]}"
    if numbers is None:
        return None
    low, high = int(numbers.min()), int(numbers.max())
    least, most = RANGES[part]
    if part == "hour" and high >= 100:
        padded = cells.dtype == polars.String and bool((cells.str.len_chars() == 4).all())
        return _add_hours_and_minutes(moments, numbers, "clock %H%M" if padded else "hours and minutes")
    if low < least or high > most or (part == "hour" and (low, high) == (0, 24)):
        return None
    if part == "hour" and high == most:
        style, numbers = "hour from 1", numbers - 1
    later = _later(moments, part, numbers)
    return None if later is None else (style, later)


STRFTIME = {"month": "%m", "day": "%d", "day of year": "%j", "hour": "%H", "minute": "%M", "second": "%S"}
"""The format of a part that is text with leading zeros."""


def write_part(style: str, times: polars.Series) -> polars.Series:
    """The cells of a part of times, in a style that `add_part` found.

    >>> write_part("month %b", polars.Series(["2020-02-29"]).str.to_datetime()).to_list()
    ['Feb']
    """
    part, _, format = style.partition(" %")
    if format:
        return TimeFormat("%" + format).write(times)
    if part == "clock":
        return times.dt.time()
    clock = times.dt
    numbers = {
        "quarter": clock.quarter, "month": clock.month, "week": clock.week, "day": clock.day,
        "day of year": clock.ordinal_day, "hour": clock.hour, "minute": clock.minute, "second": clock.second,
    }  # fmt: skip
    if style == "hour from 1":
        return clock.hour().cast(polars.Int64) + 1
    if style == "hours and minutes":
        return clock.hour().cast(polars.Int64) * 100 + clock.minute().cast(polars.Int64)
    return numbers[style]().cast(polars.Int64)


def like_part(cells: polars.Series) -> str | None:
    """The part of a time that whole numbers may be, as they are all those of its range, such as 0 to 23."""
    numbers = _whole(cells.drop_nulls())
    if numbers is None or len(numbers) == 0:
        return None
    unique = np.unique(numbers)
    part = LIKE.get((int(unique[0]), int(unique[-1])))
    return part if len(unique) == unique[-1] - unique[0] + 1 else None


def _whole(cells: polars.Series) -> Any:
    """The cells as whole numbers; None if one is none."""
    if not (cells.dtype == polars.String or cells.dtype.is_numeric()):
        return None
    numbers = cells.cast(polars.Float64, strict=False)
    if numbers.null_count() or not (numbers == numbers.round()).all():
        return None
    return numbers.cast(polars.Int64, strict=False).to_numpy()


def _names_of_months(cells: polars.Series, format: str) -> polars.Series:
    """The numbers of months of their names; null where a cell is none."""
    return (cells + " 1 2000").str.strptime(polars.Date, f"{format} %d %Y", strict=False).dt.month()


def _later(moments: Moments, part: str, numbers: Any) -> Moments | None:
    """The times with a part that has these numbers; None if one is in another month or year than it should be."""
    sizes = {"hour": "h", "minute": "m", "second": "s"}
    if part in sizes:
        return np.asarray(moments + numbers.astype(f"timedelta64[{sizes[part]}]"))
    if part in ("month", "quarter"):
        months = moments.astype("datetime64[M]") + (numbers - 1) * (3 if part == "quarter" else 1)
        return np.asarray(months.astype("datetime64[us]"))
    days, whole = moments.astype("datetime64[D]"), "datetime64[M]" if part == "day" else "datetime64[Y]"
    if part == "week":  # the first has January 4; each is in the year of its Thursday
        fourth = days + 3
        mondays = fourth - (fourth.astype(np.int64) + 3) % 7 + 7 * (numbers - 1)
        within, days = mondays + 3, mondays
    else:
        within = days = days + (numbers - 1)
    same = within.astype(whole) == moments.astype(whole)
    return np.asarray(days.astype("datetime64[us]")) if same.all() else None


def _add_hours_and_minutes(moments: Moments, numbers: Any, style: str) -> tuple[str, Moments] | None:
    """Times on the clock without a colon, such as 0, 30, 100 and 2330."""
    hours, minutes = numbers // 100, numbers % 100
    if numbers.min() < 0 or hours.max() > 23 or minutes.max() > 59:
        return None
    steps = (hours * 60 + minutes).astype("timedelta64[m]")
    return style, np.asarray(moments + steps)


def _add_clock(moments: Moments, cells: polars.Series) -> tuple[str, Moments] | None:
    """Times on the clock, typed or in text; 24:00 is the next midnight."""
    if cells.dtype == polars.Time:
        return "clock", np.asarray(moments + (cells.to_physical().to_numpy() // 1000).astype("timedelta64[us]"))
    if cells.dtype != polars.String:
        return None
    next_day = cells.str.starts_with("24:00").to_numpy()
    cells = cells.str.replace("^24:00", "00:00")
    found = find_time_format(cells)
    if found is None or found[0] != "time":
        return None
    steps = found[1].parse(cells, polars.Time()).to_physical().to_numpy() // 1000
    days = next_day.astype("timedelta64[D]")
    return f"clock {found[1].format}", np.asarray(moments + days + steps.astype("timedelta64[us]"))
