"""Time series: a column of a table in the order of time, as one long sequence, or one of each group."""

from __future__ import annotations

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
    GaussianMixture,
    Standardised,
    WithMissing,
)
from chainrule.data.audio import check_window
from chainrule.data.codecs import Numbers
from chainrule.data.column import Column
from chainrule.data.dataset import SPLITS, Dataset
from chainrule.data.read.layout import FileChoices
from chainrule.data.schema import TableSchema
from chainrule.data.sentinels import sentinels_in_words
from chainrule.data.series_examples import SeriesExamples, first_values
from chainrule.data.series_frequency import Frequency, Moments
from chainrule.data.series_shape import FEW, column_of_series
from chainrule.data.series_table import SeriesTable, TimeAxis, read_series
from chainrule.data.series_times import Times
from chainrule.signatures import check

WINDOW = 8192
"""Values that count in a training chunk, at most, by default; also the length of a sample."""

SHARES = (0.8, 0.9, 1.0)
"""The shares of a series at which the training, the validation and the test part end."""

LEAST = 10
"""Values of the shortest series that is fitted."""

COMPONENTS = 3
"""Components of the mixture of a value."""


@dataclass(frozen=True)
class SeriesFormat:
    """One or more time series in a column.

    Attributes:
        column: The name, the kind and the range of its values.
        curved: True if their family is on the curve of the column's shape, see `chainrule.data.series_shape`.
        axis: The times; None if the table has none.
        group: The column that tells series apart; None for one series.
    """

    kind: ClassVar[str] = "series"
    key: ClassVar[str] = "series"

    column: Column
    curved: bool = False
    axis: TimeAxis | None = None
    group: str | None = None

    @property
    def levels(self) -> int:
        """0: the values of a series are not levels."""
        return 0

    @property
    def origin(self) -> float:
        """The number that is subtracted from the values of the file."""
        return self.column.codec.origin if isinstance(self.column.codec, Numbers) else 0.0

    @property
    def config(self) -> dict[str, Any]:
        """Plain values that `from_config` takes."""
        own = TableSchema((self.column,)).config | ({"curved": True} if self.curved else {})
        if self.axis is not None:
            frequency = self.axis.frequency
            grid = {"unit": frequency.unit, "count": frequency.count, "first": str(self.axis.first)}
            own |= {"time": self.axis.times.config | grid}
        return own | ({"group": self.group} if self.group is not None else {})

    @classmethod
    def from_config(cls, config: Any) -> SeriesFormat:
        """The format that `config` describes.

        Raises:
            ValueError: If it describes none.
        """
        own = config if isinstance(config, dict) else {}
        curved, time, group = (own.get(name) for name in ("curved", "time", "group"))
        rest = {name: value for name, value in own.items() if name not in ("curved", "time", "group")}
        schema = TableSchema.from_config(rest if isinstance(config, dict) else config)
        if len(schema.columns) != 1:
            raise ValueError(f"series expects one column, got {len(schema.columns)}")
        check(curved, "bool | None", "series.curved")
        check(group, "str | None", "series.group")
        return cls(schema.columns[0], bool(curved), None if time is None else _axis_of(time), group)

    @property
    def categories(self) -> int | None:
        """The number of integers from the least to the greatest, where they are few; else None."""
        span = self.column.high - self.column.low + 1
        return span if self.column.kind == "integer" and span <= FEW else None

    def conditional(self, real: Conditional | None = None) -> Conditional:
        """The family of its values: that of real numbers ``real``, or the usual one."""
        column = self.column
        if column.kind == "integer":
            span = column.high - column.low + 1
            family = Categorical(span) if self.categories else DiscretizedLogisticMixture(span)
            return Standardised(WithMissing(family) if column.missing else family, float(column.low))
        if real is None and self.curved:
            return column.shape.conditional(missing=column.missing, components=COMPONENTS)
        return column.conditional(real or GaussianMixture(COMPONENTS))


def load_series(
    path: Path,
    *,
    series: str,
    group: str | None = None,
    window: int | None = None,
    encoding: str | None = None,
    header: bool | None = None,
) -> Dataset:
    """The values of a column: the first 80 % train, the next tenth validates, and the last one is the test.

    Each part is read given all values before it, as a forecaster would have them. Each group is an example of its own,
    and is split in its own time.

    Args:
        path: A table whose columns have names.
        series: The name of the column.
        group: The column that tells several series apart; by default there is one.
        window: Values that count in a training chunk; by default all, or 8192 where there are more.
        encoding: The encoding of text, by default that of its byte order mark, or UTF-8.
        header: Whether the first line of text names the columns; by default its cells tell.

    Raises:
        ValueError: If there is no such column, it isn't numbers, times repeat or are irregular, or a series is short.
    """
    table = read_series(path, series, group=group, choices=FileChoices(encoding, header))
    _check_values(table, series, group, path)
    lengths = table.ends - table.starts
    window = min(int(lengths.max()), WINDOW) if window is None else check_window(window)
    ends = [(share * lengths).astype(np.int64) for share in SHARES]
    known = np.concatenate([start + np.arange(end) for start, end in zip(table.starts, ends[0], strict=True)])
    column, curved = _column(table.values, series, known, path.name)
    about = SeriesFormat(column, curved, table.axis, group)
    befores = [np.zeros_like(lengths), *ends[:-1]]
    splits = {
        split: SeriesExamples(first_values(table, end.tolist()), window, about.origin, before)
        for split, before, end in zip(SPLITS, befores, ends, strict=True)
    }
    name = path.resolve().name
    several = "" if group is None else f" in {len(lengths)} groups by {group!r}"
    return Dataset(
        name,
        f"{name}: {len(table.values)} values of {series!r} ({column.kind}){several}, in their sequence",
        about,
        splits,
        {
            "path": str(path.resolve()),
            "samples_of_splits": {split: part.num_variables for split, part in splits.items()},
        },
        notes=(*table.notes, *_perhaps_missing(table)),
    )


def read_all(path: Path, series: SeriesFormat, choices: FileChoices | None = None) -> tuple[SeriesExamples, None]:
    """All values of a file in the format ``series``, as one sequence, or one of each group.

    Raises:
        ValueError: If there is no such column, it has other values than the run's, or times of another frequency.
    """
    column, frequency = series.column, None if series.axis is None else series.axis.frequency
    table = read_series(path, column.name, group=series.group, known=series.axis, choices=choices)
    if series.axis is not None and table.axis is None:
        names = series.axis.times.name
        raise ValueError(f"{path}: expected {series.axis.frequency.words} times, as in {names}, got no column of times")
    there = table.values[~np.isnan(table.values)]
    if frequency is not None and len(there) < len(table.values) / 2:
        share = 1 - len(there) / len(table.values)
        raise ValueError(
            f"{path}: expected {frequency.words} times, as the run was fitted on, got others: {share:.0%} are missing"
        )
    if len(there) < len(table.values) and not column.missing:
        place = int(np.isnan(table.values).argmax())
        where = f"row {place + 1:,}"
        if table.axis is not None and table.moments is not None:
            where = table.axis.times.words(table.moments[place])
        raise ValueError(
            f"{path}: column {column.name!r}, {where}: expected a number, got a gap, and the run was fitted on a "
            "series without any: fill it, or fit on a series with gaps"
        )
    TableSchema((column,)).encode(polars.DataFrame({column.name: there}), path.name)  # refuses other values
    low, high = column.low + series.origin, column.high + series.origin
    if column.kind == "integer" and not ((there >= low) & (there <= high)).all():
        raise ValueError(f"{path}: column {column.name!r}: expected an integer from {column.words}")
    return SeriesExamples(table, WINDOW, series.origin), None


def times_after(axis: TimeAxis, last: np.datetime64, count: int) -> list[polars.Series]:
    """The cells of the ``count`` times after ``last``, a column each."""
    return axis.times.write(axis.frequency.moments(last, count))


def samples_frame(x: Tensor, series: SeriesFormat) -> polars.DataFrame:
    """A frame with a column for each sampled series ``(n, T)``, beside the times, which begin as the data do."""
    columns: list[polars.Series] = []
    if series.axis is not None:
        first = np.array([series.axis.first])
        moments: Moments = np.concatenate([first, series.axis.frequency.moments(first[0], x.shape[1] - 1)])
        columns = series.axis.times.write(moments)
    column = series.column
    for i, row in enumerate(x.double().numpy()):
        columns.append(column.codec.write(column.shape.within(row)).alias(f"{column.name} {i + 1}"))
    return polars.DataFrame(columns)


def _check_values(table: SeriesTable, column: str, group: str | None, path: Path) -> None:
    """Raise ``ValueError`` if a series is too short to be fitted and tested, or all values are the same."""
    for name, start, end in zip(table.names, table.starts, table.ends, strict=True):
        count = int((~np.isnan(table.values[start:end])).sum())
        if count < LEAST:
            what = f"column {name!r}" if group is None else f"the group {name!r} of {group!r}"
            rest = "" if group is None else ": leave out its rows"
            raise ValueError(f"{path}: {what} expects at least {LEAST} values, got {count}{rest}")
    there = table.values[~np.isnan(table.values)]
    if (there == there[0]).all():
        raise ValueError(
            f"{path}: column {column!r} expects values that differ, got {there[0]:.10g} in all {len(there):,} cells: "
            "there is nothing to learn; take another column by --series"
        )


def _perhaps_missing(table: SeriesTable) -> list[str]:
    """A note on numbers that may stand for a missing value."""
    words = sentinels_in_words(table.values)
    return [f"{words}: if one stands for a missing value, empty its cells"] if words else []


def _column(values: NDArray[np.float64], name: str, known: NDArray[np.int64], where: str) -> tuple[Column, bool]:
    """The column of a series, with the statistics of its training values."""
    try:
        return column_of_series(values, name, known)
    except ValueError as error:
        raise ValueError(f"{where}: column {name!r} {error}") from None


def _axis_of(config: Any) -> TimeAxis:
    """The times that `SeriesFormat.config` describes."""
    if not isinstance(config, dict):
        raise ValueError(f"series.time expects an object, got {config!r}")
    for name, annotation in {"unit": "str", "count": "int", "first": "str"}.items():
        check(config.get(name), annotation, f"series.time.{name}")
    try:
        first = np.datetime64(config["first"], "us")
    except ValueError:
        raise ValueError(f"series.time.first expects a time, got {config['first']!r}") from None
    return TimeAxis(Times.from_config(config), Frequency(config["unit"], config["count"]), first)
