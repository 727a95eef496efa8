"""The types of a text table's columns, decided from all of their cells."""

from __future__ import annotations

from collections.abc import Collection

import polars

EMPTY = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"]
"""Cells of a text table that are missing."""

CODE = r"^\s*[-+]?0\d+\s*$"
"""Numbers that begin with zeros, such as postal codes: a column that has one stays text."""

_DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%d-%m-%Y", "%d/%m/%Y")
_HOURS = ("%H:%M:%S%.f", "%H:%M")
_ZONES = ("", "Z", "%z")
_TIMES = tuple(f"{day}{gap}{hour}{zone}" for day in _DAYS for gap in " T" for hour in _HOURS for zone in _ZONES)


def with_types(cells: polars.DataFrame, texts: Collection[str] | None) -> polars.DataFrame:
    """Convert each column of text to integers, floats, booleans or dates, if all of its cells are such.

    Args:
        cells: The table as it is written, all columns text.
        texts: Columns that stay text, though they look like numbers; None for those that hold a `CODE`.
    """
    return cells.select(with_type(column, texts) for column in cells)


def with_type(column: polars.Series, texts: Collection[str] | None) -> polars.Series:
    """Convert one column of text; see `with_types`. Empty cells are null."""
    stripped = column.str.strip_chars()
    column, stripped = _without(column, stripped), _without(stripped, stripped)
    if len(there := stripped.drop_nulls()) == 0:
        return column
    if column.name in texts if texts is not None else there.str.contains(CODE).any():
        return column
    for kind in (polars.Int64, polars.Float64):
        numbers = stripped.cast(kind, strict=False)
        if numbers.null_count() == stripped.null_count():
            return numbers
    lowered = stripped.str.to_lowercase()
    if lowered.drop_nulls().is_in(["true", "false"]).all():
        return lowered == "true"
    return _as_dates(column, stripped, there.head(1))


def _without(column: polars.Series, stripped: polars.Series) -> polars.Series:
    """``column`` with null where the cell is `EMPTY`."""
    return polars.select(polars.when(stripped.is_in(EMPTY).not_()).then(column).alias(column.name)).to_series()


def _as_dates(column: polars.Series, stripped: polars.Series, first: polars.Series) -> polars.Series:
    """Convert a column to dates or times in the format of its first cell; return it unchanged if that fails."""
    for kind, formats in ((polars.Date, _DAYS), (polars.Datetime, _TIMES)):
        for pattern in formats:
            if first.str.strptime(kind, pattern, strict=False).null_count() == 0:
                dates = stripped.str.strptime(kind, pattern, strict=False)
                return dates if dates.null_count() == stripped.null_count() else column
    return column
