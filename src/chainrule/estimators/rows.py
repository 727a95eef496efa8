"""Rows of arrays and frames, checked as scikit-learn checks them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from chainrule.data.infer import complete_schema, infer, sketch
from chainrule.data.read.frames import as_polars, is_frame
from chainrule.data.schema import TableSchema

Floats = NDArray[np.float64]

NAME = "X"
"""The rows' name in errors."""
MOST = 30
"""Categories of a column that have an indicator each: its most frequent ones."""


def is_mixed(X: Any) -> bool:
    """True for a frame that has more than numbers."""
    if not is_frame(X):
        return False
    frame = as_polars(X)
    return not all(dtype.is_numeric() for dtype in frame.dtypes)


def numbers(estimator: BaseEstimator, X: Any, *, reset: bool, gaps: bool) -> Floats:
    """Rows of numbers ``(N, n)``; a gap is NaN, and refused unless ``gaps``."""
    finite = "allow-nan" if gaps else True
    least = 2 if reset else 1
    rows: Floats = validate_data(
        estimator, X, dtype=np.float64, ensure_all_finite=finite, ensure_min_samples=least, reset=reset
    )
    return rows


def mixed(estimator: BaseEstimator, X: Any, *, reset: bool) -> polars.DataFrame:
    """The rows of a frame whose columns are those of training."""
    validate_data(estimator, X, skip_check_array=True, reset=reset)
    frame = as_polars(X)
    if len(frame) < 2 and reset:
        raise ValueError(f"fit expects at least 2 rows, got {len(frame)}")
    return frame


def schema_of(frame: polars.DataFrame, rows: Any) -> TableSchema:
    """The schema of a frame, with the statistics of its ``rows``; words among numbers make a column one of categories.

    Raises:
        ValueError: If a column can't be taken, or none is a variable.
    """
    schema, problems = sketch(frame, NAME, rows=rows)
    unread = {column.name: {"kind": "category"} for column in schema.columns if column.kind == "ignore"}
    if problems and all(frame[name].dtype == polars.String for name in unread):
        return complete_schema({"columns": schema.config["columns"] | unread}, frame, rows, NAME)
    return infer(frame, rows, NAME)


class Coding:
    """Rows as numbers without gaps: of a category an indicator for each of its values, of a gap the median.

    Gaps have an indicator where training had some. A last column counts the cells of a row that training never saw,
    other categories, and gaps where there were none, in standard deviations as if one training row had had one.

    Args:
        rows: The training rows ``(N, n)``; a gap is NaN.
        categories: True for columns ``(n,)`` whose numbers are codes of categories.
    """

    def __init__(self, rows: Floats, categories: Sequence[bool]) -> None:
        self.columns = [_Column(values, category) for values, category in zip(rows.T, categories, strict=True)]
        self.new_cell = np.sqrt(len(rows))

    def __call__(self, rows: Floats) -> Floats:
        """The rows as numbers ``(N, m)``."""
        coded, new = zip(*(own.code(values) for own, values in zip(self.columns, rows.T, strict=True)), strict=True)
        return np.column_stack([*coded, self.new_cell * np.sum(new, axis=0)])


class _Column:
    def __init__(self, values: Floats, category: bool) -> None:
        there = values[np.isfinite(values)]
        self.has_gaps = bool(np.isnan(values).any())
        self.median = float(np.median(there)) if len(there) else 0.0
        self.category = category
        self.found, counts = np.unique(there, return_counts=True)
        self.indicated = self.found[np.argsort(-counts, kind="stable")[:MOST]]

    def code(self, values: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """The column as numbers ``(N, k)``, and True where its cell is new ``(N,)``."""
        gap = np.isnan(values)
        new = gap & (not self.has_gaps)
        if self.category:
            coded = (values[:, None] == self.indicated).astype(np.float64)
            new |= ~gap & ~np.isin(values, self.found)
        else:
            coded = np.where(gap, self.median, values)[:, None]
        return (np.column_stack([coded, gap]) if self.has_gaps else coded), new
