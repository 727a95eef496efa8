"""Cells of a column as numbers, and numbers as cells."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars
from numpy.typing import NDArray

from chainrule.data.column import Column


def encode_cells(
    series: polars.Series, column: Column, where: str, gaps: bool = False, unseen: bool = False
) -> NDArray[np.float64]:
    """The cells of a column as numbers; see `TableSchema.encode`."""
    label = f"{where}: column {column.name!r}"
    if column.kind == "category":
        index = {category: number for number, category in enumerate(column.categories)}
        texts = as_texts(series)
        codes = texts.replace_strict(index, default=math.inf, return_dtype=polars.Float64)
        codes = polars.select(polars.when(texts.is_null()).then(None).otherwise(codes)).to_series()
    else:
        codes = series.cast(polars.Float64, strict=False)
        if codes.null_count() > series.null_count():
            place = int((codes.is_null() & series.is_not_null()).arg_max() or 0)
            raise ValueError(f"{label}, row {place + 1}: expected a number, got {str(series[place])[:30]!r}")
    array = codes.fill_null(math.nan).to_numpy().astype(np.float64)
    wrong = _wrong(array, column)
    outside = wrong & (column.kind == "category")
    array = np.where(outside & unseen, np.inf, array)
    wrong &= ~(outside & unseen)
    if not (column.missing or gaps):
        wrong |= np.isnan(array)
    if wrong.any():
        row = int(np.argmax(wrong))
        got = "an empty cell" if np.isnan(array[row]) else repr(series[row])
        raise ValueError(f"{label}, row {row + 1}: expected {_expected(column)}, got {got}")
    return array


def as_texts(series: polars.Series) -> polars.Series:
    """Cells as the text of a category: 1.0 is 1, whatever the type that a file's numbers were read as."""
    if series.dtype.is_float() and bool((series.drop_nulls() == series.drop_nulls().floor()).all()):
        series = series.cast(polars.Int64)
    return series.cast(polars.String)


def _wrong(array: NDArray[np.float64], column: Column) -> NDArray[np.bool_]:
    """True at the cells that are neither empty nor a value of the column."""
    there = ~np.isnan(array)
    if column.kind == "integer":
        return there & ~(np.isfinite(array) & (array == np.floor(array)))
    if column.kind == "boolean":
        return there & (array != 0) & (array != 1)
    with np.errstate(over="ignore"):
        return there & ~np.isfinite(array.astype(np.float32))


def _expected(column: Column) -> str:
    return {
        "integer": "an integer",
        "category": f"one of its {len(column.categories)} categories in training",
        "boolean": "true or false",
    }.get(column.kind, "a finite number")


def decode_cells(values: NDArray[Any], column: Column) -> polars.Series:
    """The cells that numbers stand for."""
    cells: list[Any]
    if column.kind == "category":
        cells = [None if np.isnan(value) else column.categories[int(value)] for value in values]
        return polars.Series(column.name, cells, dtype=polars.String)
    if column.kind in ("real", "integer"):
        values = column.shape.within(values.astype(np.float64))
    series = polars.Series(column.name, values.astype(np.float64)).fill_nan(None)
    kind = {"integer": polars.Int64, "boolean": polars.Boolean}.get(column.kind, polars.Float64)
    if kind == polars.Float64 and not column.shape.step:  # the shortest decimals that single precision reads as these
        return polars.Series(column.name, values.astype(np.float32).astype(str).astype(np.float64)).fill_nan(None)
    return series.cast(kind)
