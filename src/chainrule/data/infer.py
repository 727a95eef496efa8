"""Infers the schema of a table from its content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import polars
from numpy.typing import NDArray

from chainrule.data.cells import as_texts
from chainrule.data.column import Column
from chainrule.data.schema import TableSchema, checked_arguments
from chainrule.data.shape import shape_of
from chainrule.words import suggestion

MAX_CATEGORIES = 1000
MAX_RANGE = 65_536
"""Integers that span more than this are taken as real numbers."""
EXACT = 2**24
"""Integers below this are exact in single precision, which examples are computed in."""
LARGEST = 1e30
"""Larger real numbers, and standard deviations below its inverse, are too close to the ends of single precision."""
HINT = "; leave it out by kind: ignore in a --schema"


def infer(frame: polars.DataFrame, rows: Sequence[int] | NDArray[Any], where: str) -> TableSchema:
    """The schema of ``frame``: kinds, categories, ranges and gaps of all rows, means and deviations of ``rows``.

    Raises:
        ValueError: If a column has one value only or none, too many categories, or holds dates; it is named.
    """
    return TableSchema(tuple(_infer(series, rows, where) for series in frame))


def complete_schema(written: Any, frame: polars.DataFrame, rows: Any, where: str) -> TableSchema:
    """The schema that a person wrote, in the form of `TableSchema.config`, completed from ``frame``.

    Raises:
        ValueError: If it is no schema, or its columns are not those of ``frame``.
    """
    columns = []
    for column in TableSchema.from_config(written).columns:
        if column.name not in frame.columns:
            near = suggestion(column.name, frame.columns)
            raise ValueError(f"{where}: expected the schema's column {column.name!r}, got none of this name{near}")
        if column.kind != "ignore":
            found = _infer(frame[column.name], rows, where, kind=column.kind)
            own = checked_arguments(column.name, written["columns"][column.name])
            column = replace(found, **own)  # the person's schema wins
        columns.append(column)
    return TableSchema(tuple(columns))


def sketch(frame: polars.DataFrame, where: str) -> tuple[TableSchema, list[str]]:
    """The schema of all rows of ``frame``, and the reasons for which columns are ignored."""
    columns, reasons = [], []
    for series in frame:
        try:
            columns.append(_infer(series, np.arange(len(series)), where))
        except ValueError as error:
            columns.append(Column(series.name, "ignore"))
            reasons.append(str(error).replace(HINT, ""))
    return TableSchema(tuple(columns)), reasons


def _infer(series: polars.Series, rows: Any, where: str, kind: str | None = None) -> Column:
    name, missing = series.name, bool(series.null_count())
    there = series.drop_nulls()
    label = f"{where}: column {name!r}"
    if len(there) == 0:
        raise ValueError(f"{label} expects values, got empty cells only{HINT}")
    if kind is None:
        kind = _kind(there, label)
    if kind == "boolean":
        _not_constant(there.n_unique(), label, str(there[0]))
        return Column(name, kind, missing)
    if kind == "category":
        categories = tuple(as_texts(there).unique().sort().to_list())
        if len(categories) > MAX_CATEGORIES:
            raise ValueError(
                f"{label} expects at most {MAX_CATEGORIES:,} categories, got {len(categories):,}, such as "
                f"{categories[0][:30]!r}{HINT}"
            )
        _not_constant(len(categories), label, categories[0])
        return Column(name, kind, missing, categories=categories)
    low, high = _ends(there, kind, label)
    chosen = series[np.asarray(rows)].drop_nulls()
    shape = shape_of((chosen if chosen.n_unique() > 1 else there).cast(polars.Float64).to_numpy())
    if kind == "integer":
        return Column(name, kind, missing, low=int(low), high=int(high), shape=shape)
    mean, std = _units(chosen, low, high, label)
    return Column(name, kind, missing, mean=mean, std=std, shape=shape)


def _ends(there: polars.Series, kind: str, label: str) -> tuple[float, float]:
    """The least and the greatest number of a column; refuses numbers that can't be computed with."""
    numbers = there.cast(polars.Float64, strict=False)
    if numbers.null_count():
        raise ValueError(f"{label} expects numbers, as the schema says {kind}, got {there[numbers.is_null()][0]!r}")
    if not bool(numbers.is_finite().all()):
        place = int(numbers.is_finite().not_().arg_max() or 0)
        raise ValueError(f"{label} expects finite numbers, got {numbers[place]}")
    low, high = float(numbers.min()), float(numbers.max())  # type: ignore[arg-type]
    _not_constant(int(low != high) + 1, label, f"{low:g}")
    exact = high - low < MAX_RANGE and max(abs(low), abs(high)) < EXACT and bool((numbers == numbers.floor()).all())
    if kind == "integer" and not exact:
        raise ValueError(
            f"{label} expects integers below {EXACT:,} that span less than {MAX_RANGE:,}, got {low:.10g} to "
            f"{high:.10g}: let its kind be real, or subtract a constant"
        )
    return low, high


def _units(chosen: polars.Series, low: float, high: float, label: str) -> tuple[float, float]:
    """Mean and standard deviation of the training rows, of a column whose numbers are between ``low`` and ``high``."""
    chosen = chosen.cast(polars.Float64)
    std = float(chosen.std(ddof=0) or 0.0) if len(chosen) else 0.0  # type: ignore[arg-type]
    if std == 0:
        raise ValueError(f"{label} expects more than one value in its training rows, got one{HINT}")
    mean = float(chosen.mean())  # type: ignore[arg-type]
    if max(abs(low), abs(high)) > LARGEST or std < 1 / LARGEST:
        raise ValueError(
            f"{label} expects numbers up to {LARGEST:g} with a standard deviation of at least {1 / LARGEST:g}, got "
            f"{low:.3g} to {high:.3g} with {std:.3g}: scale it first"
        )
    if max(abs(low), abs(high)) / EXACT > 1e-3 * std:
        raise ValueError(
            f"{label} expects numbers that single precision tells apart, got {low:.10g} to {high:.10g} with a standard "
            f"deviation of {std:.3g}: subtract a constant first"
        )
    return mean, std


def _kind(there: polars.Series, label: str) -> Literal["real", "integer", "category", "boolean"]:
    """The kind of a column's values."""
    if there.dtype == polars.Boolean:
        return "boolean"
    if there.dtype.is_temporal():
        raise ValueError(
            f"{label} expects numbers, categories or booleans, got {there.dtype}{HINT}, or make it a number"
        )
    if there.dtype in (polars.String, polars.Categorical, polars.Enum):
        numbers = there.cast(polars.String).cast(polars.Float64, strict=False)
        if 0 < numbers.null_count() < len(there) / 2:
            odd = there.filter(numbers.is_null())[0]
            raise ValueError(f"{label} expects numbers, as most of its cells are, got {str(odd)[:30]!r}")
        return "category"
    if not there.dtype.is_numeric():
        raise ValueError(f"{label} expects numbers, categories or booleans, got {there.dtype}{HINT}")
    there = there.cast(polars.Float64)
    if not bool((there == there.floor()).all()):
        return "real"
    low, high = float(there.min()), float(there.max())  # type: ignore[arg-type]
    return "integer" if high - low < MAX_RANGE and max(abs(low), abs(high)) < EXACT else "real"


def _not_constant(count: int, label: str, value: str) -> None:
    if count < 2:
        raise ValueError(f"{label} expects at least two values, got {value!r} only{HINT}")
