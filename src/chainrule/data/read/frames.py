"""Frames of polars or pandas as data sets, and rows as such frames again. Imports pandas only to give it back."""

from __future__ import annotations

from typing import Any

import polars

from chainrule.data.dataset import Dataset, split_rows
from chainrule.data.read.table import MixedParts, SchemaChoice, dataset_of_frame, described_schema

NAME = "frame"
"""The name of a data set that has no file."""


def is_frame(data: Any) -> bool:
    """True for a frame of polars or pandas."""
    return isinstance(data, polars.DataFrame | polars.LazyFrame) or _is_pandas(data)


def load_frame(data: Any, *, seed: int = 0, schema: SchemaChoice = None) -> Dataset:
    """The rows of a frame as examples, split 80/10/10 at random; see `chainrule.data.read.table.load_table`.

    Raises:
        ValueError: If a column can't be taken; it is named.
    """
    frame = as_polars(data)
    rows = split_rows(len(frame), seed, NAME)
    found = described_schema(schema, MixedParts(frame, [len(frame)], text=False), rows["train"], NAME)
    like = data.head(0) if _is_pandas(data) else None
    return dataset_of_frame(NAME, frame, rows, found, {"split_seed": seed}, like=like)


def as_polars(data: Any) -> polars.DataFrame:
    """A frame of polars or pandas as one of polars, without pandas' index; NaN is an empty cell."""
    if isinstance(data, polars.LazyFrame):
        data = data.collect()
    if not isinstance(data, polars.DataFrame):
        data = polars.DataFrame([_series(str(name), data[name]) for name in data.columns])
    return data.with_columns(polars.selectors.float().fill_nan(None))


def as_pandas(frame: polars.DataFrame, like: Any) -> Any:
    """A frame of polars as one of pandas, with the types of the columns of ``like`` where they hold the values."""
    import pandas

    columns = {}
    for series in frame:
        own = pandas.Series(series.to_list(), dtype=object)
        if series.name in like.columns:
            try:
                own = own.astype(like.dtypes[series.name])
            except (TypeError, ValueError):  # gaps in a column of plain integers
                own = own.infer_objects()
        columns[series.name] = own
    return pandas.DataFrame(columns)


def _is_pandas(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "dtypes") and hasattr(data, "columns")


def _series(name: str, column: Any) -> polars.Series:
    """A column of pandas."""
    kind, text = getattr(column.dtype, "kind", "O"), str(column.dtype)
    if text.startswith("datetime64") and getattr(column.dtype, "tz", None) is not None:
        moments = polars.Series(name, column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy())
        return moments.dt.replace_time_zone("UTC").dt.convert_time_zone(str(column.dtype.tz))
    if text[0].islower() and kind in "iufbmM" and text != "boolean":
        return polars.Series(name, column.to_numpy())
    values = [None if empty else value for value, empty in zip(column.tolist(), column.isna().tolist(), strict=True)]
    if text == "category" and all(isinstance(value, str | None) for value in values):
        return polars.Series(name, values, dtype=polars.Categorical)
    own = getattr(polars, {"boolean": "Boolean", "string": "String"}.get(text, text), None)
    if isinstance(own, type) and issubclass(own, polars.DataType):
        return polars.Series(name, values, dtype=own)
    return polars.Series(name, values, strict=False)
