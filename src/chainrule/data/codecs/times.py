"""Columns of dates, times, datetimes and durations: a number of units since a moment."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace

import numpy as np
import polars

from chainrule.data.codecs.base import Codec, Numbers64, as_series, dtype_name, dtype_of, filled
from chainrule.data.codecs.durations import find_duration_format, format_durations, parse_durations
from chainrule.data.codecs.time_formats import TimeFormat, find_time_format, standard_format

NANOSECONDS = {
    "days": 86_400 * 10**9,
    "hours": 3600 * 10**9,
    "minutes": 60 * 10**9,
    "seconds": 10**9,
    "milliseconds": 10**6,
    "microseconds": 10**3,
    "nanoseconds": 1,
}
"""The units, the coarsest first."""

DTYPES: dict[str, str] = {"date": "Date", "time": "Time", "datetime": "Datetime(us)", "duration": "Duration(us)"}
"""The types of the columns of a text file, by their kinds."""


@dataclass(frozen=True)
class Times(Codec):
    """A date, a time, a datetime or a duration, as a number of ``unit`` since a moment.

    Attributes:
        as_text: True if a column of text in a typed table holds them.
        format: The format in text, as strftime has it; of durations, ``clock``, ``days`` or ``iso``.
        zone: The time zone behind every time in text, such as ``Z``.
        unit: The coarsest unit that all values are whole multiples of.
        since: The first date or datetime, as ISO 8601; empty for times and durations.
    """

    dtype: str = "Date"
    as_text: bool = False
    format: str = ""
    zone: str = ""
    unit: str = "days"
    since: str = ""

    @property
    def type(self) -> polars.DataType:
        """The type of its times."""
        return dtype_of(self.dtype)

    @property
    def _format(self) -> TimeFormat:
        return TimeFormat(self.format or standard_format(self.type), self.zone)

    @property
    def _step(self) -> int:
        """The ticks of the type in a unit."""
        return max(1, NANOSECONDS[self.unit] // nanoseconds_of(self.type))

    @property
    def _start(self) -> int:
        """The ticks of that moment."""
        if not self.since:
            return 0
        start = polars.Series([datetime.datetime.fromisoformat(self.since)], dtype=polars.Datetime("us"))
        return int(start.to_physical()[0]) * 1000 // nanoseconds_of(self.type)

    @property
    def note(self) -> str:
        """How dates are read, where one might doubt it."""
        return f"read as {self.format}" if self._format.doubtful else ""

    def typed(self, cells: polars.Series) -> polars.Series:
        """Cells as times of the column's type; null where they can't be read."""
        there, dtype = self.present(cells), self.type
        if there.dtype == polars.String:
            if isinstance(dtype, polars.Duration):
                return parse_durations(there, self.format or "iso").cast(dtype)
            return self._format.parse(there, dtype)
        if there.dtype == dtype:
            return there
        moments = (polars.Date, polars.Datetime)
        if there.dtype.base_type() in moments and isinstance(dtype, moments):
            return _moments(there, dtype)
        same = there.dtype.base_type() == dtype.base_type()
        return there.cast(dtype) if same else polars.Series([None], dtype=dtype).new_from_index(0, len(there))

    def read(self, cells: polars.Series) -> polars.Series:
        times, gaps = self.typed(cells), self.present(cells).is_null()
        ticks = times.to_physical().cast(polars.Int64) - self._start
        numbers = (ticks // self._step).cast(polars.Float64) + (ticks % self._step).cast(polars.Float64) / self._step
        chosen = polars.when(gaps).then(None).otherwise(numbers.fill_null(float("nan")))
        return polars.select(chosen.alias(cells.name)).to_series()

    def write(self, numbers: Numbers64) -> polars.Series:
        return self.texts(numbers) if self.as_text else self._times(numbers)

    def texts(self, numbers: Numbers64) -> polars.Series:
        times = self._times(numbers)
        if isinstance(self.type, polars.Duration):
            return filled(format_durations(times, self.format or "iso"), self.gap)
        return filled(self._format.write(times), self.gap)

    def _times(self, numbers: Numbers64) -> polars.Series:
        dtype = self.type
        units = as_series(np.asarray(numbers, np.float64).round()).cast(polars.Int64, strict=False)
        ticks = units * self._step + self._start
        if dtype == polars.Time:
            ticks = ticks.clip(0, NANOSECONDS["days"] - self._step)
        return (ticks.cast(polars.Int32, strict=False) if dtype == polars.Date else ticks).cast(dtype)


def kind_of(codec: Times) -> str:
    """The kind of a column: ``date``, ``time``, ``datetime`` or ``duration``."""
    return type(codec.type).__name__.lower()


def find_times(cells: polars.Series, *, text: bool, format: str | None = None) -> Times | None:
    """The codec of a column of times; None if a cell is no time.

    Args:
        cells: The cells, without gaps: text, or times of a type.
        text: True for the cells of a text file.
        format: The format, if a person gives it.
    """
    if cells.dtype.is_temporal():
        return _with_units(Times(dtype_name(cells.dtype)), cells)
    if cells.dtype != polars.String:
        return None
    found = find_time_format(cells, format)
    if found is not None:
        kind, own = found
        codec = Times(DTYPES[kind], as_text=not text, format=own.format, zone=own.zone)
    elif (duration := find_duration_format(cells)) is not None:
        codec = Times(DTYPES["duration"], as_text=not text, format=duration)
    else:
        return None
    return _with_units(codec, codec.typed(cells))


def _with_units(codec: Times, times: polars.Series) -> Times:
    """The codec with the first moment and the unit of ``times``."""
    if isinstance(times.dtype, polars.Date | polars.Datetime):
        first = times.min()
        assert isinstance(first, datetime.date)
        codec = replace(codec, since=first.isoformat() if times.dtype == polars.Date else _iso(times))
    offsets = times.to_physical().cast(polars.Int64) - codec._start
    tick = nanoseconds_of(times.dtype)
    for unit, nanoseconds in NANOSECONDS.items():
        if nanoseconds >= tick and bool((offsets % (nanoseconds // tick) == 0).all()):
            return replace(codec, unit=unit)
    return replace(codec, unit="nanoseconds")


def _iso(times: polars.Series) -> str:
    """The first of datetimes, in UTC if they have a time zone, down to the microsecond."""
    first = times.dt.replace_time_zone(None) if times.dtype.time_zone is None else times.dt.convert_time_zone("UTC")  # type: ignore[attr-defined]
    moment = first.dt.replace_time_zone(None).dt.cast_time_unit("us").min()
    assert isinstance(moment, datetime.datetime)
    return moment.isoformat()


def _moments(times: polars.Series, dtype: polars.DataType) -> polars.Series:
    """Dates or datetimes as the type of a column, in its time zone."""
    if not isinstance(dtype, polars.Datetime):
        return times.cast(dtype)
    times = times.cast(polars.Datetime(dtype.time_unit)) if times.dtype == polars.Date else times
    zone = times.dtype.time_zone  # type: ignore[attr-defined]
    if zone and dtype.time_zone:
        times = times.dt.convert_time_zone(dtype.time_zone)
    elif zone != dtype.time_zone:
        times = times.dt.replace_time_zone(dtype.time_zone, ambiguous="earliest", non_existent="null")
    return times.dt.cast_time_unit(dtype.time_unit)


def nanoseconds_of(dtype: polars.DataType) -> int:
    """Nanoseconds of a tick of a type."""
    if isinstance(dtype, polars.Datetime | polars.Duration):
        return {"ns": 1, "us": 10**3, "ms": 10**6}[dtype.time_unit]
    return NANOSECONDS["days"] if dtype == polars.Date else 1
