"""The frequency of a time series: the grid of times on which its values are, and which of them are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Moments = NDArray[np.datetime64]
"""Times ``(N,)`` in microseconds."""

MONTHS, WORKING_DAYS, MICROSECONDS = "months", "working days", "microseconds"

UNITS = {
    "week": 7 * 86_400_000_000,
    "day": 86_400_000_000,
    "hour": 3_600_000_000,
    "minute": 60_000_000,
    "second": 1_000_000,
    "millisecond": 1_000,
    "microsecond": 1,
}
"""Units of time in microseconds, the longest first."""
DAY = UNITS["day"]

WORDS = {
    (MONTHS, 1): "monthly", (MONTHS, 3): "quarterly", (MONTHS, 12): "yearly", (WORKING_DAYS, 1): "on working days",
    (MICROSECONDS, 7 * DAY): "weekly", (MICROSECONDS, DAY): "daily", (MICROSECONDS, UNITS["hour"]): "hourly",
}  # fmt: skip

MOST_MISSING = 0.5
"""Times are irregular where a larger share of those of the grid is missing."""

MONTH_DAYS, MONTH_WITHIN = 30.44, 6.0
"""Days of a month on other days of the month, such as the last working day, are within so many days of these."""

YEAR_DAYS = 365.25


@dataclass(frozen=True)
class Frequency:
    """The grid of the times of a series.

    Attributes:
        unit: ``months``, ``working days`` (Monday to Friday) or ``microseconds``.
        count: The units from one time to the next.
    """

    unit: str
    count: int

    def __post_init__(self) -> None:
        if self.unit not in (MONTHS, WORKING_DAYS, MICROSECONDS) or self.count < 1:
            raise ValueError(f"a frequency expects months, working days or microseconds, got {self.count} {self.unit}")

    @property
    def words(self) -> str:
        """The frequency in words.

        >>> Frequency("months", 3).words, Frequency("microseconds", 600_000_000).words
        ('quarterly', 'every 10 minutes')
        """
        if (self.unit, self.count) in WORDS:
            return WORDS[self.unit, self.count]
        if self.unit != MICROSECONDS:
            return f"every {self.count} {self.unit}"
        name, size = next((name, size) for name, size in UNITS.items() if self.count % size == 0)
        return f"every {name}" if self.count == size else f"every {self.count // size} {name}s"

    def places(self, moments: Moments, first: np.datetime64) -> NDArray[np.float64]:
        """The places of times ``(N,)`` on the grid that begins at ``first``; those beside it are no integers."""
        if self.unit == MONTHS:
            return np.asarray((_months(moments) - _months(np.array([first]))) / self.count)
        if self.unit == WORKING_DAYS:
            days = moments.astype("datetime64[D]")
            counted = np.busday_count(first.astype("datetime64[D]"), days).astype(np.float64)
            return np.where(np.is_busday(days), counted, np.nan)
        return np.asarray((moments - first).astype(np.int64) / self.count)

    def moments(self, last: np.datetime64, count: int) -> Moments:
        """The ``count`` times after ``last`` on the grid, ``(count,)``.

        >>> Frequency("months", 1).moments(np.datetime64("2020-01-31", "us"), 2).astype("datetime64[D]").tolist()
        [datetime.date(2020, 2, 29), datetime.date(2020, 3, 31)]
        """
        steps = np.arange(1, count + 1)
        if self.unit == MONTHS:
            return _in_months(last, steps * self.count)
        if self.unit == WORKING_DAYS:
            day = last.astype("datetime64[D]")
            return np.busday_offset(day, steps, roll="backward").astype("datetime64[us]") + (last - day)
        return np.asarray(last + (steps * self.count).astype("timedelta64[us]"))

    @property
    def periods(self) -> tuple[float, ...]:
        """The natural cycles in steps of the grid, the shortest first: the day, the week, the year.

        >>> Frequency("months", 1).periods, Frequency("microseconds", 3_600_000_000).periods
        ((12.0,), (24.0, 168.0, 8766.0))
        """
        cycles: tuple[float, ...]
        if self.unit == MONTHS:
            cycles = (12 / self.count,)
        elif self.unit == WORKING_DAYS:
            cycles = (5.0, YEAR_DAYS * 5 / 7)
        else:
            cycles = tuple(days * DAY / self.count for days in (1, 7, YEAR_DAYS))
        return tuple(period for period in cycles if period > 2)


def find_frequency(parts: Sequence[Moments]) -> Frequency | None:
    """The frequency of one or more series; None if their times are on no grid, or most of it is missing.

    Args:
        parts: The times of each series, strictly increasing, at least two.

    >>> weekly = np.datetime64("2020-01-03", "us") + 7 * np.arange(9).astype("timedelta64[D]")
    >>> find_frequency([np.delete(weekly, 4)]).words
    'weekly'
    """
    for find in (_same_day_of_months, _working_days, _usual_step, _once_a_month, _common_step):
        found = find(parts)
        if found is not None and _covered(found, parts):
            return found
    return None


def _covered(frequency: Frequency, parts: Sequence[Moments]) -> bool:
    spans = [frequency.places(moments[-1:], moments[0])[0] + 1 for moments in parts]
    return sum(map(len, parts)) >= (1 - MOST_MISSING) * sum(spans)


def _same_day_of_months(parts: Sequence[Moments]) -> Frequency | None:
    """Months, quarters or years: all times are on the same day of a month, or on its last, at the same time of day."""
    every = np.concatenate(parts)
    days, ends = _days(every), _days(every) == _lengths(every)
    same = len(np.unique(days)) == 1 or ends.all()
    return _of_months(parts) if same and _same_clock(every) else None


def _once_a_month(parts: Sequence[Moments]) -> Frequency | None:
    """Months whose days differ a little, such as the last working day of each."""
    for moments in parts:
        months, days = np.diff(_months(moments)), np.diff(moments).astype(np.int64) / DAY
        if not ((months > 0) & (np.abs(days - months * MONTH_DAYS) <= MONTH_WITHIN)).all():
            return None
    return _of_months(parts) if _same_clock(np.concatenate(parts)) else None


def _of_months(parts: Sequence[Moments]) -> Frequency | None:
    steps = np.concatenate([np.diff(_months(moments)) for moments in parts])
    return Frequency(MONTHS, int(np.gcd.reduce(steps))) if len(steps) and steps.min() > 0 else None


def _working_days(parts: Sequence[Moments]) -> Frequency | None:
    """Monday to Friday, where the weekend is seen to be left out."""
    every, steps = np.concatenate(parts), _steps(parts)
    weekdays = np.is_busday(every.astype("datetime64[D]")).all()
    usual = weekdays and _mode(steps) == DAY and bool((steps % DAY == 0).all()) and bool((steps == 3 * DAY).any())
    return Frequency(WORKING_DAYS, 1) if usual else None


def _usual_step(parts: Sequence[Moments]) -> Frequency | None:
    """The most frequent step, if all others are multiples of it."""
    steps = _steps(parts)
    usual = _mode(steps)
    return Frequency(MICROSECONDS, usual) if (steps % usual == 0).all() else None


def _common_step(parts: Sequence[Moments]) -> Frequency | None:
    """The largest step that all others are multiples of."""
    return Frequency(MICROSECONDS, int(np.gcd.reduce(_steps(parts))))


def _steps(parts: Sequence[Moments]) -> NDArray[np.int64]:
    return np.concatenate([np.diff(moments).astype(np.int64) for moments in parts])


def _mode(steps: NDArray[np.int64]) -> int:
    values, counts = np.unique(steps, return_counts=True)
    return int(values[counts.argmax()])


def _months(moments: Moments) -> NDArray[np.int64]:
    return moments.astype("datetime64[M]").astype(np.int64)


def _days(moments: Moments) -> NDArray[np.int64]:
    """The days of the month, from 1."""
    return (moments.astype("datetime64[D]") - moments.astype("datetime64[M]")).astype(np.int64) + 1


def _lengths(moments: Moments) -> NDArray[np.int64]:
    """The days that each month has."""
    months = moments.astype("datetime64[M]")
    return ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)


def _same_clock(moments: Moments) -> bool:
    return len(np.unique(moments - moments.astype("datetime64[D]"))) == 1


def _in_months(moment: np.datetime64, months: NDArray[Any]) -> Moments:
    """``moment`` so many months later, on the same day, or on the last: if it is the last, or the month is short."""
    start = np.array([moment])
    later = (start.astype("datetime64[M]") + months).astype("datetime64[us]")
    day, lengths = _days(start), _lengths(later)
    day = np.where(day == _lengths(start), lengths, np.minimum(day, lengths))
    return np.asarray(later + (day - 1).astype("timedelta64[D]") + (moment - moment.astype("datetime64[D]")))
