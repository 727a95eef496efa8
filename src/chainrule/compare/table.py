"""Frames as arrays of doubles, coded alike so that they can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """The cells of a frame.

    Attributes:
        names: The names of the n columns.
        types: Their types in the frame.
        categories: The categories of each column, the most frequent first; None for a column of numbers or times.
        values: Numbers, times in the frame's own units, or positions among the categories ``(N, n)``; NaN for a gap.
    """

    names: tuple[str, ...]
    types: tuple[polars.DataType, ...]
    categories: tuple[tuple[str, ...] | None, ...]
    values: Values

    def __len__(self) -> int:
        return len(self.values)

    @property
    def numeric(self) -> NDArray[np.bool_]:
        """True for columns of numbers and times ``(n,)``."""
        return np.array([categories is None for categories in self.categories])

    def rows(self, chosen: NDArray[np.int64]) -> Table:
        """The rows at ``chosen``."""
        return replace(self, values=self.values[chosen])

    def columns(self, chosen: NDArray[np.int64]) -> Table:
        """The columns at ``chosen``."""
        parts = ([own[i] for i in chosen.tolist()] for own in (self.names, self.types, self.categories))
        names, types, categories = map(tuple, parts)
        return Table(names, types, categories, self.values[:, chosen])

    def some(self, count: int, seed: int) -> Table:
        """``count`` rows chosen at random, in a random sequence; all of them if there are no more."""
        return self.rows(np.random.default_rng(seed).permutation(len(self))[:count])

    def text(self, column: int, value: float) -> str:
        """A value of a column as a person writes it.

        >>> found = tables({"real": polars.DataFrame({"day": ["Monday", "Friday"], "x": [1.5, 2.0]})})
        >>> found["real"].text(0, 1.0), found["real"].text(1, 1.5)
        ('Monday', '1.5')
        """
        categories, kind = self.categories[column], self.types[column]
        if categories is not None:
            return categories[int(value)]
        if kind.is_temporal():
            return str(polars.Series([round(value)]).cast(kind)[0])
        return f"{value:.6g}"


def tables(frames: Mapping[str, polars.DataFrame]) -> dict[str, Table]:
    """Code frames with the same columns alike, each under its name.

    A column is of numbers if it has numbers or times in every frame. All else becomes categories, by its text.

    Raises:
        ValueError: If a frame lacks a column of the first, or a frame has no rows.
    """
    first = next(iter(frames.values()))
    for name, frame in frames.items():
        missing = [column for column in first.columns if column not in frame.columns]
        if missing or not len(frame):
            got = f"none named {missing[0]!r}" if missing else "no rows"
            raise ValueError(f"{name}: expected rows with the columns {', '.join(first.columns[:4])}, ..., got {got}")
    arrays: dict[str, list[Values]] = {name: [] for name in frames}
    categories: list[tuple[str, ...] | None] = []
    for column in first.columns:
        parts = {name: frame[column] for name, frame in frames.items()}
        if all(part.dtype.is_numeric() or part.dtype.is_temporal() for part in parts.values()):
            categories.append(None)
            for name, part in parts.items():
                arrays[name].append(_numbers(part))
            continue
        texts = {name: part.cast(polars.String) for name, part in parts.items()}
        counts = polars.concat([text.alias("text") for text in texts.values()]).drop_nulls().value_counts(name="count")
        known = counts.sort("count", "text", descending=[True, False])["text"]
        index = {text: code for code, text in enumerate(known)}
        categories.append(tuple(index))
        for name, text in texts.items():
            codes = text.replace_strict(index, default=None, return_dtype=polars.Float64)
            arrays[name].append(codes.fill_null(np.nan).to_numpy())
    names, types = tuple(first.columns), tuple(first.dtypes)
    return {name: Table(names, types, tuple(categories), np.column_stack(own)) for name, own in arrays.items()}


def _numbers(series: polars.Series) -> Values:
    series = series.to_physical() if series.dtype.is_temporal() else series
    values = series.cast(polars.Float64).fill_null(np.nan).to_numpy()
    return np.where(np.isfinite(values), values, np.nan)
