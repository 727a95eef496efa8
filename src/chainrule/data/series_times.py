"""The times of a series: which columns hold them, in which style, and how new times are written in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars

from chainrule.data.codecs.time_formats import TimeFormat
from chainrule.data.series_frequency import Moments
from chainrule.data.series_time_parts import write_part
from chainrule.signatures import check

STYLES = ("dates", "seasons", "quarters", "months", "weeks", "years", "decimal years", "epochs")

EPOCHS = {"seconds": 10**6, "milliseconds": 10**3, "microseconds": 1}
"""The microseconds of each unit since 1970."""

_TYPES = {"columns": "Sequence[str]"} | dict.fromkeys(("style", "format", "zone", "dtype"), "str")


@dataclass(frozen=True)
class Times:
    """The way in which the cells of the columns of times are written.

    Attributes:
        columns: Their names: one, or a year or date and the columns of its ``parts``.
        style: The style of the first column, one of `STYLES`; ``dates`` may have a time of day.
        format: Of dates, the format as strftime has it, empty for a type; of seasons, quarters, months and weeks, with
            ``{year}`` and ``{part}``; of epochs, their unit.
        zone: The time zone behind every time in text.
        dtype: ``Date``, or ``Datetime`` for dates with a time of day.
        parts: The styles of the other columns, such as ``hour``, see `chainrule.data.series_time_parts`.
        clock: The time zone on whose clock the cells are, where moments are in UTC: an hour comes twice in autumn.

    >>> Times(("when",), "quarters", "{year}Q{part}").write(np.array(["1959-04-01"], "datetime64[us]"))[0].to_list()
    ['1959Q2']
    """

    columns: tuple[str, ...]
    style: str = "dates"
    format: str = ""
    zone: str = ""
    dtype: str = "Date"
    parts: tuple[str, ...] = ()
    clock: str = ""

    def __post_init__(self) -> None:
        if self.style not in STYLES or len(self.columns) != 1 + len(self.parts):
            raise ValueError(f"times expect columns in a style of {', '.join(STYLES)}, got {self.style!r}")

    @property
    def config(self) -> dict[str, Any]:
        """Plain values that `from_config` takes."""
        own = asdict(self) | {"columns": list(self.columns), "parts": list(self.parts)}
        return {name: value for name, value in own.items() if value or name in _TYPES}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Times:
        """The times that `config` describes.

        Raises:
            ValueError: If it describes none.
        """
        for name, annotation in _TYPES.items():
            check(config.get(name), annotation, f"time.{name}")
        own = dict(config)
        if own["style"] == "parts":  # as early versions wrote a year and its month or quarter
            month = f"month {own['format']}".strip()
            finer = ["quarter" if own["columns"][1].lower() == "quarter" else month, "day"][: len(own["columns"]) - 1]
            own |= {"style": "years", "format": "", "parts": finer}
        parts, clock = own.get("parts", []), own.get("clock", "")
        check(parts, "Sequence[str]", "time.parts")
        check(clock, "str", "time.clock")
        columns = tuple(own["columns"])
        return cls(**{name: own[name] for name in _TYPES} | {"columns": columns, "parts": tuple(parts), "clock": clock})

    @property
    def name(self) -> str:
        """The columns, as a message names them."""
        *first, last = map(repr, self.columns)
        return f"{', '.join(first)} and {last}" if first else last

    def write(self, moments: Moments) -> list[polars.Series]:
        """The cells of times ``(N,)``, a column each."""
        times = polars.Series(self.columns[0], moments.astype("datetime64[us]"))
        if self.clock:
            times = times.dt.replace_time_zone("UTC").dt.convert_time_zone(self.clock).dt.replace_time_zone(None)
        parts = [write_part(part, times).alias(name) for part, name in zip(self.parts, self.columns[1:], strict=True)]
        return [self._first(times), *parts]

    def _first(self, times: polars.Series) -> polars.Series:
        """The cells of the first column."""
        years, months = times.dt.year().cast(polars.Int64), times.dt.month().cast(polars.Int64)
        if self.style == "dates":
            return self._dates(times)
        if self.style == "quarters":
            return self._filled(years, (months + 2) // 3)
        if self.style == "months":
            return self._filled(years, months)
        if self.style == "seasons":
            return self._filled(years, (years + 1) % 100 if "02" in self.format else years + 1)
        if self.style == "weeks":
            return self._filled(times.dt.iso_year(), times.dt.week())
        if self.style == "years":
            return times.dt.iso_year().cast(polars.Int64) if "week" in self.parts else years
        if self.style == "decimal years":
            return (years + (months - 1) / 12).round(4)
        return times.to_physical() // EPOCHS[self.format]

    def words(self, moment: np.datetime64) -> str:
        """A time, as the file writes it."""
        return " ".join(str(cells[0]) for cells in self.write(np.array([moment])))

    def _dates(self, times: polars.Series) -> polars.Series:
        times = times.cast(polars.Date) if self.dtype == "Date" else times
        return TimeFormat(self.format, self.zone).write(times) if self.format else times

    def _filled(self, years: polars.Series, parts: polars.Series) -> polars.Series:
        pairs = zip(years.to_list(), parts.to_list(), strict=True)
        return polars.Series(self.columns[0], [self.format.format(year=year, part=part) for year, part in pairs])
