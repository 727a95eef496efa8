"""The times of a series: which columns hold them, in which style, and how new times are written in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars

from chainrule.data.codecs.time_formats import TimeFormat
from chainrule.data.series_frequency import Moments
from chainrule.signatures import check

STYLES = ("dates", "quarters", "weeks", "years", "decimal years", "epochs", "parts")

EPOCHS = {"seconds": 10**6, "milliseconds": 10**3, "microseconds": 1}
"""The microseconds of each unit since 1970."""

_TYPES = {"columns": "Sequence[str]"} | dict.fromkeys(("style", "format", "zone", "dtype"), "str")


@dataclass(frozen=True)
class Times:
    """The way in which the cells of the columns of times are written.

    Attributes:
        columns: Their names: one, or a year, its month or quarter, and a day.
        style: One of `STYLES`; ``dates`` may have a time of day, and ``parts`` have a column each.
        format: Of dates, the format as strftime has it, empty for a type; of quarters and weeks, with ``{year}`` and
            ``{part}``; of epochs, their unit; of parts, the format of the names of months, if they have some.
        zone: The time zone behind every time in text.
        dtype: ``Date``, or ``Datetime`` for dates with a time of day.

    >>> Times(("when",), "quarters", "{year}Q{part}").write(np.array(["1959-04-01"], "datetime64[us]"))[0].to_list()
    ['1959Q2']
    """

    columns: tuple[str, ...]
    style: str = "dates"
    format: str = ""
    zone: str = ""
    dtype: str = "Date"

    def __post_init__(self) -> None:
        if self.style not in STYLES or not self.columns:
            raise ValueError(f"times expect columns in a style of {', '.join(STYLES)}, got {self.style!r}")

    @property
    def config(self) -> dict[str, Any]:
        """Plain values that `from_config` takes."""
        return asdict(self) | {"columns": list(self.columns)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Times:
        """The times that `config` describes.

        Raises:
            ValueError: If it describes none.
        """
        for name, annotation in _TYPES.items():
            check(config.get(name), annotation, f"time.{name}")
        return cls(**{name: config[name] for name in _TYPES} | {"columns": tuple(config["columns"])})

    @property
    def name(self) -> str:
        """The columns, as a message names them."""
        return " and ".join(map(repr, self.columns))

    def write(self, moments: Moments) -> list[polars.Series]:
        """The cells of times ``(N,)``, a column each."""
        times = polars.Series(self.columns[0], moments.astype("datetime64[us]"))
        years, months = times.dt.year().cast(polars.Int64), times.dt.month().cast(polars.Int64)
        if self.style == "dates":
            return [self._dates(times)]
        if self.style == "quarters":
            return [self._filled(years, (months + 2) // 3)]
        if self.style == "weeks":
            return [self._filled(times.dt.iso_year(), times.dt.week())]
        if self.style == "years":
            return [years]
        if self.style == "decimal years":
            return [(years + (months - 1) / 12).round(4)]
        if self.style == "epochs":
            return [times.to_physical() // EPOCHS[self.format]]
        return self._parts(times)

    def words(self, moment: np.datetime64) -> str:
        """A time, as the file writes it."""
        return " ".join(str(cells[0]) for cells in self.write(np.array([moment])))

    def _dates(self, times: polars.Series) -> polars.Series:
        times = times.cast(polars.Date) if self.dtype == "Date" else times
        return TimeFormat(self.format, self.zone).write(times) if self.format else times

    def _filled(self, years: polars.Series, parts: polars.Series) -> polars.Series:
        pairs = zip(years.to_list(), parts.to_list(), strict=True)
        return polars.Series(self.columns[0], [self.format.format(year=year, part=part) for year, part in pairs])

    def _parts(self, times: polars.Series) -> list[polars.Series]:
        months = times.dt.month().cast(polars.Int64)
        finer = (months + 2) // 3 if self.columns[1].lower() == "quarter" else months
        cells = [times.dt.year().cast(polars.Int64), times.dt.to_string(self.format) if self.format else finer]
        cells.append(times.dt.day().cast(polars.Int64))
        return [own.alias(name) for own, name in zip(cells, self.columns, strict=False)]
