"""Infers the schema of a table from its content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import polars
from numpy.typing import NDArray

from chainrule.data.cells import FARTHEST
from chainrule.data.codecs import CODECS, Categories, Codec, Numbers, Times, Unmodelled
from chainrule.data.codecs.find import Whole, find_codec, find_codec_of_kind
from chainrule.data.codecs.numbers import EXACT
from chainrule.data.column import Column
from chainrule.data.schema import TableSchema, checked_arguments, column_of
from chainrule.data.sentinels import sentinels, sentinels_in_words
from chainrule.data.shape import shape_of
from chainrule.words import in_one_line, suggestion

MAX_RANGE = 65_536
"""Integers that span more than this are taken as real numbers."""
LARGEST = 1e30
"""Larger real numbers, and standard deviations below its inverse, are too close to the ends of single precision."""
HINT = "; leave it out by kind: ignore in a --schema"
OUT = "; to model it all the same, name its kind in a --schema, such as columns: {{{!r}: {{kind: category}}}}"

Rows = Sequence[int] | NDArray[Any]
Known = Mapping[str, Whole]


def infer(
    frame: polars.DataFrame, rows: Rows, where: str, *, text: bool = False, known: Known | None = None
) -> TableSchema:
    """The schema of ``frame``: kinds, categories, ranges and gaps of all rows, means and deviations of ``rows``.

    Args:
        frame: The cells, typed or as a text file has them.
        rows: The training rows.
        where: The frame's name in an error.
        text: True for the cells of a text file, whose types are those that they fit.
        known: What is known of all cells of each column, where ``frame`` has only some of them.

    Raises:
        ValueError: If cells can't be read as what most of their column are; all such columns are named.
    """
    schema, problems = sketch(frame, where, rows=rows, text=text, known=known)
    if problems:
        raise ValueError(in_one_line(problems, f"{where}: ") + HINT)
    if not schema.used:
        out = next((OUT.format(column.name) for column in schema.columns if column.kind == "identifier"), "")
        notes = "; ".join(schema.notes)[:300]
        raise ValueError(f"{where}: expected a column that is a variable, got none: {notes}{out}")
    return schema


def sketch(
    frame: polars.DataFrame, where: str, *, rows: Rows | None = None, text: bool = False, known: Known | None = None
) -> tuple[TableSchema, list[str]]:
    """The schema of ``frame``, by default of all its rows, and the reasons for which columns can't be read.

    Such columns are ignored in it.
    """
    chosen = np.arange(len(frame)) if rows is None else np.asarray(rows)
    columns, problems = [], []
    for series in frame:
        try:
            columns.append(_infer(series, chosen, text=text, whole=(known or {}).get(series.name)))
        except ValueError as error:
            columns.append(Column(series.name, "ignore", note=str(error)))
            problems.append(f"{where}: column {series.name!r} {error}")
    return TableSchema(tuple(columns)), problems


def complete_schema(
    written: Any, frame: polars.DataFrame, rows: Any, where: str, *, text: bool = False, known: Known | None = None
) -> TableSchema:
    """The schema that a person wrote, in the form of `TableSchema.config`, completed from ``frame``.

    Raises:
        ValueError: If it is no schema, or its columns are not those of ``frame``.
    """
    columns, problems = [], []
    for column in TableSchema.from_config(written).columns:
        own = checked_arguments(column.name, written["columns"][column.name])
        own = {key: value for key, value in own.items() if key not in ("dtype", "note")}  # these follow from the cells
        try:
            if column.name not in frame.columns:
                near = suggestion(column.name, frame.columns)
                raise ValueError(f"{where}: expected the schema's column {column.name!r}, got none of this name{near}")
            if column.kind != "ignore":
                whole = (known or {}).get(column.name)
                column = _described(frame[column.name], rows, own, where, text=text, whole=whole)
        except ValueError as error:
            problems.append(str(error))
        columns.append(column)
    if problems:
        raise ValueError(in_one_line(problems, f"{where}: "))
    return TableSchema(tuple(columns))


def number_column(series: polars.Series, rows: Rows) -> Column:
    """The column of numbers without gaps, whatever else they might be, as those of a time series.

    Raises:
        ValueError: If they are all the same.
    """
    codec = find_codec_of_kind(series, np.asarray(rows), "real", {}, text=False)
    return _with_statistics(Column(series.name, "real", codec=codec), series, rows)


def _described(
    series: polars.Series, rows: Any, own: dict[str, Any], where: str, *, text: bool, whole: Whole | None
) -> Column:
    """A column as a person describes it; what they leave out is found in its cells."""
    kind = own["kind"]
    names = {field.name for field in fields(CODECS[kind])}
    try:
        if kind == "category" and "categories" in own:
            found: Codec = Categories(**{key: value for key, value in own.items() if key in names})
        else:
            found = find_codec_of_kind(series, rows, kind, own, text=text, whole=whole)
        codec = replace(found, **{key: value for key, value in own.items() if key in names})
        column = Column(series.name, kind, codec=codec, note=codec.note)
        column = _with_statistics(column, series, rows, fixed=True)
    except ValueError as error:
        raise ValueError(f"{where}: column {series.name!r} {error}") from None
    return column_of(series.name, column.config | own)  # the person's schema wins


def _infer(series: polars.Series, rows: NDArray[Any], *, text: bool, whole: Whole | None) -> Column:
    kind, codec, note = find_codec(series, rows, text=text, whole=whole)
    column = _with_statistics(Column(series.name, kind, codec=codec, note=note), series, rows)
    if isinstance(codec, Numbers):
        column = replace(column, note="; ".join(filter(None, (note, _perhaps_missing(codec, series)))))
    return column


def _perhaps_missing(codec: Numbers, series: polars.Series) -> str:
    """A note on numbers that may stand for an empty cell, such as -999."""
    numbers = codec.read(series).fill_null(np.nan).to_numpy()
    found = sentinels(numbers)
    if not found:
        return ""
    cells = ", ".join(map(repr, codec.words(np.array([number for number, _ in found]))))
    advice = f"if {cells} is an empty cell, write a --schema with gaps: [{cells}]"
    return f"{sentinels_in_words(numbers + codec.origin)}; {advice}"


def _with_statistics(column: Column, series: polars.Series, rows: Any, *, fixed: bool = False) -> Column:
    """The column with the statistics of its cells; ``fixed`` if its kind may not become another one."""
    if isinstance(column.codec, Unmodelled):
        return column
    numbers = column.codec.read(series)
    column = replace(column, missing=bool(numbers.null_count()))
    if column.family not in ("real", "integer"):
        return column
    there = numbers.drop_nulls()
    low, high = float(there.min()), float(there.max())  # type: ignore[arg-type]
    span = high - low < MAX_RANGE and max(abs(low), abs(high)) < EXACT
    exact = span and bool((there == there.floor()).all())
    if low == high:
        raise ValueError(f"expects at least two values, got {column.codec.words(np.array([low]))[0]!r} only{HINT}")
    if column.kind == "integer" and fixed and not exact:
        raise ValueError(
            f"expects integers below {EXACT:,} that span less than {MAX_RANGE:,}, got {low:.10g} to {high:.10g}: "
            "let its kind be real"
        )
    whole = exact if not fixed or isinstance(column.codec, Times) else column.kind == "integer"
    if isinstance(column.codec, Times):
        column = replace(column, whole=whole)
    else:
        column = replace(column, kind="integer" if whole else "real")
    train = numbers.gather(np.asarray(rows)).drop_nulls().to_numpy()
    if not whole:
        mean, std = _moments(train, there.to_numpy())
        column = replace(column, mean=mean, std=std)
        reach = FARTHEST * std
        train = train[np.abs(train - mean) <= reach]
    shape = shape_of(train if len(np.unique(train)) > 1 else there.to_numpy())
    if isinstance(column.codec, Numbers) and column.codec.origin:  # zero is no bound: it is the origin
        shape = replace(shape, lower=shape.lower or None, upper=shape.upper or None)
    return replace(column, low=int(low), high=int(high), shape=shape) if whole else replace(column, shape=shape)


def _moments(train: NDArray[np.float64], all_rows: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard deviation of the training rows, of all rows where those have one value only.

    Extreme values, such as -1e300 among ordinary ones, are left out.
    """
    for values in (train, all_rows):
        if len(values) == 0:
            continue
        low, centre, high = np.percentile(values, (1, 50, 99))
        reach = FARTHEST * max(high - low, 1 / LARGEST) if high > low else LARGEST
        with np.errstate(over="ignore"):
            near = values[np.abs(values - centre) <= reach]
        mean, std = float(near.mean()), float(near.std())
        if std > 0:
            break
    if abs(mean) > LARGEST or not 1 / LARGEST <= std <= LARGEST:
        raise ValueError(
            f"expects numbers up to {LARGEST:g} with a standard deviation of at least {1 / LARGEST:g}, got a mean of "
            f"{mean:.3g} with {std:.3g}: scale it first"
        )
    return mean, std
