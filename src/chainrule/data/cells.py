"""Cells of a column as the numbers of an example, and what is wrong with a cell."""

from __future__ import annotations

import numpy as np
import polars
from numpy.typing import NDArray

from chainrule.data.codecs import Booleans, Times
from chainrule.data.column import Column

FARTHEST = 1e9
"""Reals are held within so many standard deviations of their mean, and integers within so many times their range, so
that extreme ones score finite and very low."""


def encode_cells(
    series: polars.Series, column: Column, where: str, gaps: bool = False, unseen: bool = False
) -> NDArray[np.float64]:
    """The cells of a column as numbers; see `TableSchema.encode`."""
    numbers = column.codec.read(series)
    unreadable = numbers.is_nan().fill_null(False).to_numpy()
    array = numbers.fill_null(np.nan).to_numpy().astype(np.float64)
    outside = np.isinf(array)  # categories that training did not have
    array = np.where(outside & unseen, np.inf, array)
    wrong = unreadable | (outside & (not unseen)) | _fractional(array, column)
    if not (column.missing or gaps):
        wrong |= np.isnan(array)
    if wrong.any():
        row = int(np.argmax(wrong))
        got = "an empty cell" if np.isnan(array[row]) and not unreadable[row] else repr(series[row])[:60]
        more = f", and {int(wrong.sum()) - 1} more like it" if wrong.sum() > 1 else ""
        expected = _expected(column, readable=not unreadable[row])
        advice = ": correct it, or fit with a --schema of kind: category" if column.family == "boolean" else ""
        raise ValueError(
            f"{where}: column {column.name!r}, row {row + 1}: expected {expected}, got {got}{more}{advice}"
        )
    if column.family == "real":
        reach = FARTHEST * column.std
        array = column.shape.nearest(array.clip(column.mean - reach, column.mean + reach))
    elif column.family == "integer":
        reach = FARTHEST * (column.high - column.low)
        array = array.clip(column.low - reach, column.high + reach)
    return array


def _fractional(array: NDArray[np.float64], column: Column) -> NDArray[np.bool_]:
    """True at values between the integers of a column that has only such."""
    whole = column.family in ("integer", "boolean", "category") and np.isfinite(array)
    return whole & (array != np.floor(array))


def _expected(column: Column, *, readable: bool) -> str:
    if isinstance(column.codec, Times) and not readable:
        written = f" as {column.codec.format}" if column.codec.format else ""
        return f"a {column.kind}{written}"
    if isinstance(column.codec, Booleans):
        return " or ".join(column.codec.true_false)
    return {
        "integer": "an integer",
        "category": f"one of its {len(column.categories)} categories in training",
    }.get(column.family, "a finite number" if readable else "a number")


def fill_cells(known: polars.Series, column: Column, numbers: NDArray[np.float64]) -> polars.Series:
    """Cells whose gaps are filled with ``numbers``; all others stay as they are.

    Their type stays too, unless it can't hold what fills a gap, as a type of integers no fraction.
    """
    codec = column.codec
    gaps = codec.present(known).is_null()
    if not gaps.any():
        return known
    own = codec.texts(numbers) if known.dtype == polars.String else codec.write(numbers)
    if known.dtype != own.dtype:
        needed = own.filter(gaps)
        back = needed.cast(known.dtype, strict=False).cast(own.dtype, strict=False)
        if back.equals(needed) or (known.dtype.is_float() and own.dtype.is_float()):
            own = own.cast(known.dtype, strict=False)
        else:
            known = known.cast(own.dtype, strict=False)
    return polars.select(polars.when(gaps).then(own).otherwise(known).alias(column.name)).to_series()
