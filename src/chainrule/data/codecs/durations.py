"""Durations in text: ``1:30:00``, pandas' ``2 days 01:30:00``, and ISO 8601's ``P2DT1H30M``."""

from __future__ import annotations

import polars

MICROSECONDS = (86_400 * 10**6, 3600 * 10**6, 60 * 10**6, 10**6)
"""Those of a day, an hour, a minute and a second."""

PATTERNS = {
    "clock": r"^(?P<sign>[-+]?)(?P<h>\d+):(?P<m>[0-5]\d):(?P<s>[0-5]\d(?:\.\d+)?)$",
    "short clock": r"^(?P<sign>[-+]?)(?P<h>\d+):(?P<m>[0-5]\d)$",
    "days": r"^(?P<dsign>[-+]?)(?P<d>\d+) days?(?:,? (?P<sign>[-+]?)(?P<h>\d+):(?P<m>\d\d):(?P<s>\d\d(?:\.\d+)?))?$",
    "iso": r"^(?P<sign>[-+]?)P(?:(?P<d>\d+)D)?(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?$",
}
"""The formats of durations, by their names."""


def find_duration_format(cells: polars.Series) -> str | None:
    """The name of the format in which all cells are durations; None if there is none."""
    for name, pattern in PATTERNS.items():
        if cells.head(1).str.contains(pattern).all() and cells.str.contains(pattern).all():
            return name
    return None


def parse_durations(cells: polars.Series, name: str) -> polars.Series:
    """Text as durations, in microseconds; null where that fails.

    >>> parse_durations(polars.Series(["26:00:01", "-0:00:30"]), "clock").dt.total_seconds().to_list()
    [93601, -30]
    """
    parts = cells.str.extract_groups(PATTERNS[name]).struct.unnest()
    negative = {own: polars.col(own).fill_null("") == "-" for own in ("sign", "dsign") if own in parts.columns}
    terms = [
        (polars.col(own).cast(polars.Float64).fill_null(0.0) * size).round().cast(polars.Int64)
        for own, size in zip("dhms", MICROSECONDS, strict=True)
        if own in parts.columns
    ]
    if name == "days":  # -1 days +23:00:00 is minus one hour, and a day without a clock has a sign of its own
        days = polars.when(negative["dsign"]).then(-terms[0]).otherwise(terms[0])
        rest = polars.sum_horizontal(terms[1:])
        total = days + polars.when(negative["sign"]).then(-rest).otherwise(rest)
    else:
        rest = polars.sum_horizontal(terms)
        total = polars.when(negative["sign"]).then(-rest).otherwise(rest)
    there = (
        polars.col("h" if name != "days" else "d").is_not_null()
        if name != "iso"
        else polars.lit(cells).str.contains(PATTERNS[name])
    )
    return parts.select(polars.when(there).then(total).cast(polars.Duration("us")).alias(cells.name)).to_series()


def format_durations(times: polars.Series, name: str) -> polars.Series:
    """Durations as text.

    >>> import datetime
    >>> format_durations(polars.Series([datetime.timedelta(hours=26, seconds=1)]), "days").to_list()
    ['1 days 02:00:01']
    """
    written = [None if one is None else _words(one, name) for one in times.dt.total_microseconds().to_list()]
    return polars.Series(written, dtype=polars.String)


def _words(microseconds: int, name: str) -> str:
    if name == "days":
        days, rest = divmod(microseconds, MICROSECONDS[0])
        sign = "+" if days < 0 else ""
        return f"{days} days {sign}{_clock(rest, 2)}"
    sign, rest = ("-" if microseconds < 0 else ""), abs(microseconds)
    if name == "iso":
        days, rest = divmod(rest, MICROSECONDS[0])
        hours, rest = divmod(rest, MICROSECONDS[1])
        minutes, rest = divmod(rest, MICROSECONDS[2])
        seconds = f"{rest / 10**6:.6f}".rstrip("0").rstrip(".")
        clock = "".join(f"{part}{letter}" for part, letter in ((hours, "H"), (minutes, "M")) if part)
        clock += f"{seconds}S" if rest else ""
        day = f"{days}D" if days else ""
        return f"{sign}P{day}{'T' + clock if clock else ''}" if day or clock else "PT0S"
    clock = _clock(rest, 1)
    return sign + (clock.rpartition(":")[0] if name == "short clock" else clock)


def _clock(microseconds: int, digits: int) -> str:
    seconds, rest = divmod(microseconds, 10**6)
    decimals = f".{rest:06d}".rstrip("0") if rest else ""
    return f"{seconds // 3600:0{digits}d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{decimals}"
