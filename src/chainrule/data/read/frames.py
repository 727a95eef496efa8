"""Frames of polars or pandas as data sets, and rows as such frames again. Imports pandas only to give it back."""

from __future__ import annotations

from typing import Any

import polars
from numpy.typing import NDArray

from chainrule.data.dataset import Dataset, split_rows
from chainrule.data.read.described import SchemaChoice, described, schema_of
from chainrule.data.read.table import dataset_of_frame

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
    found = schema_of(described(schema), frame, rows["train"], NAME, text=False)
    like = data.head(0) if _is_pandas(data) else None
    return dataset_of_frame(NAME, frame, rows, found, {"split_seed": seed}, like=like)


def as_polars(data: Any) -> polars.DataFrame:
    """A frame of polars or pandas as one of polars, without pandas' index; NaN is an empty cell.

    Raises:
        ValueError: If two columns of pandas have the same name.
    """
    if isinstance(data, polars.LazyFrame):
        data = data.collect()
    if not isinstance(data, polars.DataFrame):
        names = [str(name) for name in data.columns]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"{NAME}: expected columns of different names, got two {twice[0]!r}: rename one")
        data = polars.DataFrame([_series(name, data.iloc[:, place]) for place, name in enumerate(names)])
    return data.with_columns(polars.selectors.float().fill_nan(None))


def as_pandas(frame: polars.DataFrame, like: Any) -> Any:
    """A frame of polars as one of pandas, with the names and types of the columns of ``like`` that hold the values."""
    import pandas

    before = {str(name): name for name in like.columns}
    columns = {}
    for series in frame:
        own = pandas.Series(series.to_list(), dtype=object)
        name = before.get(series.name, series.name)
        if series.name in before:
            dtype = like[name].dtype
            if dtype == "category":
                own = own.map({str(category): category for category in dtype.categories})
            try:
                own = own.astype(dtype)
            except (TypeError, ValueError):  # gaps in a column of plain integers
                own = own.infer_objects()
        columns[name] = own
    return pandas.DataFrame(columns)


def _is_pandas(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "dtypes") and hasattr(data, "columns")


def _series(name: str, column: Any) -> polars.Series:
    """A column of pandas; a category of any type is its text."""
    kind, text = getattr(column.dtype, "kind", "O"), str(column.dtype)
    if text.startswith("datetime64") and getattr(column.dtype, "tz", None) is not None:
        moments = polars.Series(name, _in_units(column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()))
        moments, zone = moments.dt.replace_time_zone("UTC"), str(column.dtype.tz)
        return moments if zone.startswith("UTC") else moments.dt.convert_time_zone(zone)  # of UTC+02:00 is no name
    if text[0].islower() and kind in "iufbmM" and text != "boolean":
        return polars.Series(name, _in_units(column.to_numpy()))
    values = [None if empty else value for value, empty in zip(column.tolist(), column.isna().tolist(), strict=True)]
    if text == "category":
        texts = [None if value is None else str(value) for value in values]
        return polars.Series(name, texts, dtype=polars.Categorical)
    own = getattr(polars, {"boolean": "Boolean", "string": "String"}.get(text, text), None)
    if isinstance(own, type) and issubclass(own, polars.DataType):
        return polars.Series(name, values, dtype=own)
    return polars.Series(name, values, strict=False)


def _in_units(values: NDArray[Any]) -> NDArray[Any]:
    """Times in seconds as milliseconds, the coarsest unit of polars; other values stay as they are."""
    return values.astype(f"{values.dtype.kind}8[ms]") if values.dtype.str.endswith("[s]") else values
