"""Columns of numbers: integers, reals and decimals, in any notation."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import polars

from chainrule.data.codecs.base import Codec, Numbers64, as_series, dtype_name, dtype_of, filled
from chainrule.data.codecs.notation import Notation, find_notation

CODE = r"^[-+]?0\d+$"
"""Numbers that begin with zeros, such as postal codes: a column that has one is no column of numbers."""

EXACT = 2**24
"""Integers below this are exact in single precision, which examples are computed in."""

MOST_DECIMALS = 9
"""Numbers with more decimals are written with those that single precision has."""

NOTATION = tuple(field.name for field in fields(Notation))
"""The values of a codec that say how a text file writes numbers."""

APART = 1e-4
"""The largest error of single precision, in standard deviations, before an origin is subtracted."""


@dataclass(frozen=True)
class Numbers(Codec):
    """Numbers less an ``origin``, written with their decimals and in their notation.

    Attributes:
        decimals: The most decimals that a cell has; None for as many as single precision has.
        least: The fewest decimals that a cell has.
        decimal: The decimal mark of a text file.
        thousands: The separator of thousands of a text file; empty for none.
        prefix: Text before the digits, such as ``$``.
        suffix: Text behind them, such as ``%``.
        parentheses: Where negative numbers of a text file have parentheses: ``outside`` of the prefix, or ``inside``.
        origin: The number that is subtracted, so that single precision tells the values apart.
    """

    decimals: int | None = None
    least: int = 0
    decimal: str = "."
    thousands: str = ""
    prefix: str = ""
    suffix: str = ""
    parentheses: str = ""
    origin: float = 0

    @property
    def notation(self) -> Notation:
        """The way in which a text file writes them."""
        return Notation(self.decimal, self.thousands, self.prefix, self.suffix, self.parentheses)

    @property
    def note(self) -> str:
        """A note on how the numbers of a text file are read, where one might doubt it."""
        notation = Notation(self.decimal, self.thousands, parentheses=self.parentheses)
        if notation.plain:
            return ""
        number = "-1234.5" if self.parentheses else "1234.5"
        return f"numbers are read as in {notation.dress(polars.Series([number]))[0]} for {number}"

    def read(self, cells: polars.Series) -> polars.Series:
        there = self.present(cells)
        if there.dtype == polars.String:
            there, gaps = self._parsed(there), there.is_null()
        else:
            gaps = there.is_null()
        if there.dtype.is_integer() and self.origin:
            there = there.cast(polars.Int128) - polars.Series([int(self.origin)], dtype=polars.Int128)
            numbers = there.cast(polars.Float64)
        elif there.dtype.is_numeric() or there.dtype == polars.Boolean:
            numbers = there.cast(polars.Float64) - float(self.origin)
        else:
            numbers = polars.Series([math.nan], dtype=polars.Float64).new_from_index(0, len(there))
        wrong = (
            polars.when(gaps).then(None).otherwise(polars.when(numbers.is_finite()).then(numbers).otherwise(math.nan))
        )
        return polars.select(wrong.alias(cells.name)).to_series()

    def _parsed(self, there: polars.Series) -> polars.Series:
        """Text as integers if all of it is, else as Float64."""
        for notation in dict.fromkeys((self.notation, Notation())):
            plain = notation.strip(there)
            for dtype in (polars.Int64, polars.Float64):
                numbers = plain.cast(dtype, strict=False)
                if numbers.null_count() == there.null_count():
                    return numbers
        return self.notation.strip(there).cast(polars.Float64, strict=False)

    def typed(self, cells: polars.Series) -> polars.Series:
        """Cells as numbers of the column's own type, without rounding; null where they can't be read."""
        there = self.present(cells)
        there = self._parsed(there) if there.dtype == polars.String else there
        return there if there.dtype.is_numeric() else there.cast(polars.Float64, strict=False)

    def write(self, numbers: Numbers64) -> polars.Series:
        dtype = dtype_of(self.dtype or ("Int64" if self.decimals == 0 else "Float64"))
        if dtype == polars.String:
            return self.texts(numbers)
        if isinstance(dtype, polars.Decimal):
            return as_series(self._rounded(numbers)).cast(dtype, strict=False)
        if not dtype.is_integer():
            return as_series(self._rounded(numbers)).cast(dtype)
        whole = self._whole(numbers)
        low, high = (polars.select(end).item() for end in (dtype.min(), dtype.max()))  # type: ignore[attr-defined]
        return whole.clip(low, high).cast(dtype)

    def texts(self, numbers: Numbers64) -> polars.Series:
        values = as_series(self._rounded(numbers))
        if self.decimals == 0:
            texts = self._whole(numbers).cast(polars.String)
        elif self.decimals is None:
            texts = values.cast(polars.String)
            texts = texts if self.least else texts.str.strip_suffix(".0")
        else:
            exact = values.cast(polars.Decimal(38, self.decimals), strict=False).cast(polars.String)
            texts = exact.str.replace(rf"^(.*\.\d{{{self.least}}}\d*?)0+$", "${1}").str.strip_chars_end(".")
        return filled(self.notation.dress(texts), self.gap)

    def _whole(self, numbers: Numbers64) -> polars.Series:
        """Integers in the file's own units, exactly."""
        whole = as_series(numbers).round().cast(polars.Int128, strict=False)
        return whole + polars.Series([int(self.origin)], dtype=polars.Int128)

    def _rounded(self, numbers: Numbers64) -> Numbers64:
        """Numbers in the file's own units, with the decimals of the file or those that single precision has."""
        if self.decimals is not None:
            return np.round(np.asarray(numbers, np.float64) + self.origin, self.decimals)
        with np.errstate(over="ignore"):
            shortest: Numbers64 = np.asarray(numbers).astype(np.float32).astype(str).astype(np.float64)
        return shortest + self.origin


def find_numbers(
    cells: polars.Series, *, text: bool, codes: bool = False, given: dict[str, Any] | None = None
) -> Numbers | None:
    """The codec of a column of numbers; None if a cell is no number.

    Args:
        cells: The cells, without gaps: text, or numbers of a type.
        text: True for the cells of a text file, whose type is the one that they fit.
        codes: True to take numbers that begin with zeros as numbers.
        given: Values that a person wrote into the schema.
    """
    if cells.dtype != polars.String:
        return _of_type(cells)
    if not codes and cells.str.contains(CODE).any():
        return None
    most: int | None
    own = {key: value for key, value in (given or {}).items() if key in NOTATION}
    codec = Numbers(**own) if own else Numbers()
    numbers = codec._parsed(cells)
    if numbers.null_count() and not own:
        notation = find_notation(cells)
        if notation is None:
            return None
        codec = Numbers(**asdict(notation))
        numbers = codec._parsed(cells)
    if numbers.null_count() or (numbers.dtype.is_float() and not numbers.is_finite().all()):
        return None
    if numbers.dtype.is_integer():
        most, least = 0, 0
    else:
        most, least = _decimals_written(codec.notation.strip(cells), numbers)
    dtype = "String" if not text else ("Int64" if most == least == 0 else "Float64")
    return replace(codec, dtype=dtype, decimals=most, least=least, origin=_origin(numbers))


def _of_type(cells: polars.Series) -> Numbers | None:
    """The codec of numbers of a type."""
    dtype, name = cells.dtype, dtype_name(cells.dtype)
    if isinstance(dtype, polars.Decimal):
        return Numbers(name, decimals=dtype.scale, least=dtype.scale, origin=_origin(cells.cast(polars.Float64)))
    if dtype.is_integer() or dtype == polars.Boolean:
        return Numbers(name, decimals=0, origin=_origin(cells.cast(polars.Int128)))
    if not (dtype.is_float() and bool(cells.is_finite().all())):
        return None
    return Numbers(name, decimals=_decimals_of(cells), least=1, origin=_origin(cells.cast(polars.Float64)))


def _decimals_written(plain: polars.Series, numbers: polars.Series) -> tuple[int | None, int]:
    """The most and the fewest decimals of numbers as a text file writes them."""
    if plain.str.contains("[eE]").any():
        most = _decimals_of(numbers)
        return most, 0
    digits = plain.str.extract(r"\.(\d*)$").str.len_chars().fill_null(0)
    most, least = int(digits.max()), int(digits.min())  # type: ignore[arg-type]
    return (most, least) if most <= MOST_DECIMALS else (None, min(least, 1))


def _decimals_of(numbers: polars.Series) -> int | None:
    """The fewest decimals that all numbers have at most; None for many, as of measurements."""
    values = numbers.to_numpy()
    for decimals in range(MOST_DECIMALS + 1):
        part = values[: 1000 if decimals < MOST_DECIMALS else None]
        if np.array_equal(np.round(part, decimals), part) and np.array_equal(np.round(values, decimals), values):
            return decimals
    return None


def _origin(numbers: polars.Series) -> float:
    """A number near all values, if single precision does not tell them apart otherwise; else 0."""
    low: Any = numbers.min()
    high: Any = numbers.max()
    largest, span = float(max(abs(low), abs(high))), float(high - low)
    if span == 0 or largest < EXACT / 1e4:
        return 0
    deviation = float(numbers.cast(polars.Float64).std(ddof=0) or 0.0)  # type: ignore[arg-type]
    whole = numbers.dtype.is_integer() and largest >= EXACT > span
    if not whole and largest / EXACT <= APART * deviation:
        return 0
    if numbers.dtype.is_integer():
        return int(low)
    step = 10.0 ** math.floor(math.log10(span))
    return math.floor(float(low) / step) * step
