"""The formats in which text files write dates, times and datetimes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import polars

DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d %b %Y",
    "%d-%b-%Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%b-%y",
    "%Y-%m", "%b %Y", "%b-%d-%Y", "%b-%Y", "%B %Y", "%b-%y",
)  # fmt: skip
"""Formats of dates. Where days and months could both come first, days do, unless that reading is less regular."""

CLOCKS = ("%H:%M:%S%.f", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
"""Formats of times."""

COMPACT = "%Y%m%d"
"""Dates of eight digits, where all are of these years."""
YEARS = (1900, 2100)

ZONE = r"(\s?(?:Z|[A-Z]{3,4}|[+-]\d{2}:?\d{2}))$"
"""A time zone behind a time: Z, UTC, CEST or an offset."""

HEAD = 1000
"""Cells that are looked at to choose among ways of writing the same time."""


@dataclass(frozen=True)
class TimeFormat:
    """The format of a date, a time or a datetime, as strftime has it, and the time zone behind it."""

    format: str
    zone: str = ""

    def parse(self, cells: polars.Series, dtype: polars.DataType) -> polars.Series:
        """Text as times of a type; null where that fails."""
        if self.zone:
            zone = re.escape(self.zone)
            cells = cells.str.extract(rf"^(.*){zone}$")
        pattern = re.sub(r"%S(%\.\d?f)?", "%S%.f", self.format).replace("%-", "%").replace("%:z", "%z")
        if "%d" not in pattern and ("%Y" in pattern or "%y" in pattern):  # months
            cells, pattern = cells + " 01", pattern + " %d"
        target = polars.Datetime("us") if "%z" in pattern else dtype
        if "%z" in pattern:
            cells = cells.str.replace(r"\s?(Z|UTC|GMT)$", "+00:00")
        times = cells.str.strptime(target, pattern, strict=False)  # type: ignore[arg-type]
        if "%z" in pattern:
            times = times.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        if "%Y" in pattern:
            times = polars.select(polars.when(times.dt.year() >= 1000).then(times)).to_series()
        return times.cast(dtype)

    def write(self, times: polars.Series) -> polars.Series:
        """Times as text."""
        utc = times.dtype != polars.Datetime or times.dtype.time_zone is None  # type: ignore[attr-defined]
        texts = times.dt.to_string(self.format.replace("%:z", "+00:00") if utc else self.format)
        return texts + self.zone if self.zone else texts

    @property
    def doubtful(self) -> bool:
        """True if one might read the same cells as other dates, or as numbers."""
        return self.format == COMPACT or bool(re.match(r"%-?[dm][./-]%-?[dm]", self.format))


def standard_format(dtype: polars.DataType) -> str:
    """The format of a type for which a file has none: ISO 8601."""
    if isinstance(dtype, polars.Datetime):
        return "%Y-%m-%dT%H:%M:%S%.f" + ("%:z" if dtype.time_zone else "")
    return "%Y-%m-%d" if dtype == polars.Date else "%H:%M:%S%.f"


def find_time_format(cells: polars.Series, given: str | None = None) -> tuple[str, TimeFormat] | None:
    """The kind and the format of text all of whose cells are dates, times or datetimes; None if they are not.

    Args:
        cells: The cells, without gaps.
        given: The format, if a person gives it.
    """
    if given is None and not cells.head(HEAD).str.contains(r"\d").all():
        return None
    zone = _zone(cells) if given is None else ""
    fitting = [(kind, own) for kind, own in _candidates(cells.head(1), zone, given) if _fits(kind, own, cells)]
    if not fitting:
        return None
    kind, chosen = fitting[0]
    if len(fitting) > 1 and chosen.doubtful:
        chosen = min((own for _, own in fitting), key=lambda own: _irregularity(own.parse(cells, TYPES[kind])))
    return kind, _as_written(chosen, cells.head(HEAD), TYPES[kind])


TYPES: dict[str, polars.DataType] = {"date": polars.Date(), "time": polars.Time(), "datetime": polars.Datetime("us")}


def _candidates(first: polars.Series, zone: str, given: str | None) -> Iterator[tuple[str, TimeFormat]]:
    """The formats in which the first cell is a date, a time or a datetime."""
    if given is not None:
        has = [any(part in given for part in own) for own in (("%Y", "%y"), ("%H", "%I"))]
        yield ("datetime" if all(has) else "date" if has[0] else "time"), TimeFormat(given)
        return
    dates = (*DATES, COMPACT) if first.str.contains(r"^\d{8}$").any() else DATES
    formats = [("date", TimeFormat(date)) for date in dates] + [("time", TimeFormat(clock)) for clock in CLOCKS]
    formats += [
        ("datetime", TimeFormat(f"{date}{gap}{clock}", zone.replace("%:z", "")))
        for date in DATES
        for gap in " T"
        for clock in CLOCKS
    ]
    if zone == "%:z":
        formats = [(kind, TimeFormat(own.format + zone)) for kind, own in formats if kind == "datetime"]
    for kind, own in formats:
        if own.parse(first, TYPES[kind]).null_count() == 0:
            yield kind, own


def _fits(kind: str, own: TimeFormat, cells: polars.Series) -> bool:
    times = own.parse(cells, TYPES[kind])
    if times.null_count():
        return False
    return own.format != COMPACT or bool(times.dt.year().is_between(*YEARS).all())


def _zone(cells: polars.Series) -> str:
    """The time zone behind all cells; ``%:z`` where they differ, and empty where one has none."""
    head = cells.head(HEAD)
    if head.str.extract(ZONE).null_count() or not head.str.contains(r"\d:\d\d").all():
        return ""
    zones = cells.str.extract(ZONE)
    return str(zones[0]) if zones.n_unique() == 1 else "%:z"


def _irregularity(times: polars.Series) -> tuple[bool, int]:
    """Less for dates that are sorted, and for those on fewer days of the month."""
    return (not times.is_sorted(), times.dt.day().n_unique())


def _as_written(own: TimeFormat, cells: polars.Series, dtype: polars.DataType) -> TimeFormat:
    """The variant that gives most cells back as they were: with or without zeros, and with their decimals."""
    times = own.parse(cells, dtype)
    formats = [own.format, re.sub(r"%([dmHI])", r"%-\1", own.format), re.sub(r"%([HI])", r"%-\1", own.format)]
    decimals = ("", "%.3f", "%.6f", "%.9f", "%.f") if "%.f" in own.format else ("%.f",)
    variants = [TimeFormat(form.replace("%.f", part), own.zone) for form in formats for part in decimals]

    def faithful(variant: TimeFormat) -> tuple[int, int]:
        texts = variant.write(times)
        return int((variant.parse(texts, dtype) == times).sum()), int((texts == cells).sum())

    return max(variants, key=faithful)
