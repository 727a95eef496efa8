"""Time series: a column of a table, whose rows are in the order of time, as one long sequence."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars
from numpy.typing import NDArray
from torch import Tensor

from chainrule.conditionals import (
    Categorical,
    Conditional,
    DiscretizedLogisticMixture,
    Standardised,
    WithMissing,
)
from chainrule.data.audio import check_window
from chainrule.data.codecs import Numbers
from chainrule.data.column import Column
from chainrule.data.dataset import Dataset
from chainrule.data.infer import number_column
from chainrule.data.read.layout import FileChoices
from chainrule.data.read.table import read_frame
from chainrule.data.recordings import Recordings
from chainrule.data.schema import TableSchema
from chainrule.words import suggestion

WINDOW = 8192
"""Values that count in a training chunk, at most, by default; also the length of a sample."""

SHARES = (0.8, 0.9)
"""The shares of a series at which the training part and the validation part end."""

LEAST = 10

FEW = 32
"""Integers that span at most this many values get a probability each; others a mixture of logistics."""


@dataclass(frozen=True)
class SeriesFormat:
    """A time series.

    Attributes:
        column: The name, the kind and the range of its values.
    """

    kind: ClassVar[str] = "series"
    key: ClassVar[str] = "series"

    column: Column

    @property
    def levels(self) -> int:
        """0: the values of a series are not levels."""
        return 0

    @property
    def origin(self) -> float:
        """The number that is subtracted from the values of the file."""
        return _origin(self.column)

    @property
    def config(self) -> dict[str, Any]:
        """Plain values that `from_config` takes."""
        return TableSchema((self.column,)).config

    @property
    def categories(self) -> int | None:
        """The number of integers from the least to the greatest, where they are few; else None."""
        span = self.column.high - self.column.low + 1
        return span if self.column.kind == "integer" and span <= FEW else None

    def conditional(self, real: Conditional) -> Conditional:
        """The family of its values; ``real`` is that of real numbers."""
        if self.column.kind != "integer":
            return self.column.conditional(real)
        span = self.column.high - self.column.low + 1
        family = Categorical(span) if self.categories else DiscretizedLogisticMixture(span)
        return Standardised(WithMissing(family) if self.column.missing else family, float(self.column.low))

    @classmethod
    def from_config(cls, config: Any) -> SeriesFormat:
        """The format that `config` describes.

        Raises:
            ValueError: If it describes none.
        """
        schema = TableSchema.from_config(config)
        if len(schema.columns) != 1:
            raise ValueError(f"series expects one column, got {len(schema.columns)}")
        return cls(schema.columns[0])


def load_series(
    path: Path,
    *,
    series: str,
    window: int | None = None,
    encoding: str | None = None,
    header: bool | None = None,
) -> Dataset:
    """The values of a column: the first 80 % train, the next tenth validates, and the last one is the test.

    Each part is read given all values before it, as a forecaster would have them.

    Args:
        path: A table whose columns have names.
        series: The name of the column.
        window: Values that count in a training chunk; by default all, or 8192 where there are more.
        encoding: The encoding of text, by default that of its byte order mark, or UTF-8.
        header: Whether the first line of text names the columns; by default its cells tell.

    Raises:
        ValueError: If there is no such column, or it isn't numbers without gaps in the sequence of time.
    """
    values = read_values(path, series, choices=FileChoices(encoding, header))
    window = min(len(values), WINDOW) if window is None else check_window(window)
    ends = [0, *(int(share * len(values)) for share in SHARES), len(values)]
    about = _column(values, series, ends[1], path.name)
    values = values - _origin(about)
    splits = {
        split: _recording(values[:end], split, window, before)
        for split, (before, end) in zip(("train", "valid", "test"), itertools.pairwise(ends), strict=True)
    }
    name = path.resolve().name
    return Dataset(
        name,
        f"{name}: {len(values)} values of {series!r} ({about.kind}), in their sequence",
        SeriesFormat(about),
        splits,
        {
            "path": str(path.resolve()),
            "samples_of_splits": {split: part.num_variables for split, part in splits.items()},
        },
    )


def read_values(
    path: Path, column: str, about: Column | None = None, choices: FileChoices | None = None
) -> NDArray[np.float64]:
    """The numbers of a column ``(N,)``, which must be values of ``about``, if that is given.

    Raises:
        ValueError: If there is no such column, it has gaps or other values, or a column of dates is not sorted.
    """
    frame = read_frame(path, choices=choices)
    if column not in frame.columns:
        raise ValueError(
            f"{path}: expected the column {column!r}, got none of this name{suggestion(column, frame.columns)}"
        )
    for series in frame:
        if series.dtype.is_temporal() and not series.is_sorted():
            raise ValueError(f"{path}: expected rows in the sequence of time, got {series.name!r} unsorted")
    values = frame[column]
    if not values.dtype.is_numeric():
        raise ValueError(f"{path}: column {column!r} expects numbers, got {values.dtype}")
    if values.null_count():
        row = int(values.is_null().arg_max() or 0)
        raise ValueError(f"{path}: column {column!r}, row {row + 1}: expected a number, got an empty cell")
    if about is not None:
        TableSchema((about,)).encode(frame, path.name)  # refuses values that the run's series can't have
    if len(values) < LEAST:
        raise ValueError(f"{path}: column {column!r} expects at least {LEAST} values, got {len(values)}")
    return np.array(values.cast(polars.Float64))


def read_all(path: Path, series: SeriesFormat, choices: FileChoices | None = None) -> tuple[Recordings, None]:
    """All values of a file in the format ``series``, as one sequence.

    Raises:
        ValueError: If there is no such column, it has gaps or other values, or a column of dates is not sorted.
    """
    column = series.column
    values = read_values(path, column.name, column, choices) - series.origin
    if column.kind == "integer" and not ((values >= column.low) & (values <= column.high)).all():
        raise ValueError(f"{path}: column {column.name!r}: expected an integer from {column.words}")
    return _recording(values, path.name, WINDOW), None


def _column(values: NDArray[np.float64], name: str, known: int, where: str) -> Column:
    """The column of a series, with the statistics of its first ``known`` values."""
    try:
        return number_column(polars.Series(name, values), np.arange(known))
    except ValueError as error:
        raise ValueError(f"{where}: column {name!r} {error}") from None


def _origin(column: Column) -> float:
    """The number that is subtracted from the values of a series."""
    return column.codec.origin if isinstance(column.codec, Numbers) else 0.0


def _recording(values: NDArray[np.float64], name: str, window: int, before: int = 0) -> Recordings:
    return Recordings(values, np.array([len(values)]), [name], window, float(values[0]), before)


def draws_frame(x: Tensor, column: Column) -> polars.DataFrame:
    """A frame with a column for each sampled series ``(n, T)``."""
    return polars.DataFrame({f"{column.name} {i + 1}": column.codec.write(row) for i, row in enumerate(x.numpy())})
