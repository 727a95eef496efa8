"""What the columns of a table are: numbers, categories and gaps, and how they become variables and are written back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import polars
from numpy.typing import NDArray

from chainrule.conditionals import (
    Bernoulli,
    Categorical,
    Columns,
    Conditional,
    DiscretizedLogisticMixture,
    GaussianMixture,
    Standardised,
    WithMissing,
)
from chainrule.data.dataset import nearest

KINDS = ("real", "integer", "category", "boolean", "ignore")
MAX_CATEGORIES = 1000
MAX_RANGE = 65_536
"""Integers that span more than this are taken as real numbers."""
HINT = "; leave it out by kind: ignore in a --schema"
EXACT = 2**24
"""Integers below this are exact in single precision, which examples are computed in."""
LARGEST = 1e30
"""Real numbers beyond this, and deviations below one over it, are too close to the ends of single precision."""
FEW = 32
"""Integers that span no more than this get a probability each; more, a mixture of logistics."""

Values = NDArray[np.float32]


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: As the file has it.
        kind: ``real``, ``integer``, ``category``, ``boolean``, or ``ignore`` to leave it out.
        missing: Whether cells may be empty; that one is, is then a value too.
        mean: Of a real column, that of the training rows.
        std: Of a real column, the standard deviation of the training rows.
        low: Of integers, the least.
        high: Of integers, the greatest.
        categories: Of categories, all of them, sorted.
    """

    name: str
    kind: str
    missing: bool = False
    mean: float = 0.0
    std: float = 1.0
    low: int = 0
    high: int = 1
    categories: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What its values are."""
        said = {
            "real": f"mean {self.mean:.6g}, standard deviation {self.std:.6g}",
            "integer": f"{self.low} to {self.high}",
            "category": f"{len(self.categories)}: {', '.join([*self.categories[:4], '...'][: len(self.categories)])}",
        }.get(self.kind, "")
        return said + ("; may be missing" if self.missing else "")

    def conditional(self, real: Conditional) -> Conditional:
        """The family of its values, of real ones ``real``, in its own units."""
        span = self.high - self.low + 1
        family: Conditional = Bernoulli()
        if self.kind == "real":
            family = real
        elif self.kind == "category":
            family = Categorical(len(self.categories))
        elif self.kind == "integer":
            family = Categorical(span) if span <= FEW else DiscretizedLogisticMixture(span)
        family = WithMissing(family) if self.missing else family
        if self.kind == "real":
            return Standardised(family, self.mean, self.std)
        return Standardised(family, float(self.low)) if self.kind == "integer" else family


@dataclass(frozen=True)
class TableSchema:
    """The columns of a table, in their sequence.

    Attributes:
        columns: All of them, those that are left out too.
    """

    columns: tuple[Column, ...]

    @property
    def used(self) -> list[Column]:
        """The columns that are variables."""
        return [column for column in self.columns if column.kind != "ignore"]

    @property
    def config(self) -> dict[str, Any]:
        """Plain values that `from_config` takes: of each column what its kind needs."""
        needed = {"real": ("mean", "std"), "integer": ("low", "high"), "category": ("categories",)}
        columns = {}
        for column in self.columns:
            own = {name: getattr(column, name) for name in ("kind", "missing", *needed.get(column.kind, ()))}
            columns[column.name] = own | ({"categories": list(column.categories)} if column.categories else {})
        return {"columns": columns}

    @classmethod
    def from_config(cls, config: Any) -> TableSchema:
        """The schema that `config` wrote, or that a person edited.

        Raises:
            ValueError: If it is no mapping of columns, or one is of an unknown kind.
        """
        if not isinstance(config, dict) or not isinstance(config.get("columns"), dict):
            raise ValueError("a schema expects a mapping 'columns' of names to kinds, got something else")
        schema = cls(tuple(Column(str(name), **_said(name, own)) for name, own in config["columns"].items()))
        if not schema.used:
            raise ValueError("a schema expects at least one column that is not ignored, got none")
        return schema

    def conditional(self, real: Conditional | None = None) -> Columns:
        """The joint family of a row; of real columns ``real``, by default a mixture of ten Gaussians."""
        return Columns([column.conditional(real or GaussianMixture()) for column in self.used])

    def independent_nats(self, train: Values, test: Values) -> float:
        """Mean NLL, in nats, of rows ``test`` when columns are independent, each by its values in ``train``.

        Real ones are Gaussian; others, and gaps, have their frequencies by Laplace's rule.
        """
        total = np.zeros(len(test))
        for column, before, values in zip(self.used, train.T, test.T, strict=True):
            gap, there = np.isnan(values), before[~np.isnan(before)]
            if column.missing:
                share = (len(before) - len(there) + 1) / (len(before) + 2)
                total += np.where(gap, -math.log(share), -math.log(1 - share))
            if column.kind == "real":
                nats = ((values - column.mean) / column.std) ** 2 / 2 + math.log(column.std * math.sqrt(2 * math.pi))
            else:
                size = {"integer": column.high - column.low + 1, "category": len(column.categories)}.get(column.kind, 2)
                counts = np.bincount((there - column.low).astype(np.int64), minlength=size) + 1
                nats = -np.log(counts / counts.sum())[np.where(gap, column.low, values).astype(np.int64) - column.low]
            total += np.where(gap, 0.0, nats)
        return float(total.mean())

    def __str__(self) -> str:
        width = max(len(column.name) for column in self.columns)
        return "\n".join(f"{column.name:{width}}  {column.kind:8}  {column.words}" for column in self.columns)

    def encode(self, frame: polars.DataFrame, where: str, *, gaps: bool = False, unseen: bool = False) -> Values:
        """The rows of ``frame`` as ``(N, n)``; columns are found by their names.

        Args:
            frame: With all columns, in any sequence; others are left out.
            where: What the frame is called in an error.
            gaps: Whether columns and cells may be missing though none were in training: they are to be filled.
            unseen: Whether categories and integers that were not in training are taken, as infinity.

        Raises:
            ValueError: If a column is missing, or a cell has no value of its column; it is named.
        """
        arrays = []
        if not {column.name for column in self.used} & set(frame.columns):
            names = ", ".join(column.name for column in self.used[:4])
            raise ValueError(f"{where}: expected columns of the schema ({names}, ...), got none of them")
        for column in self.used:
            if column.name not in frame.columns:
                if not gaps:
                    near = nearest(column.name, frame.columns)
                    raise ValueError(f"{where}: expected the column {column.name!r}, got none of this name{near}")
                arrays.append(np.full(len(frame), np.nan))
                continue
            arrays.append(_encode(frame[column.name], column, where, gaps, unseen))
        return np.stack(arrays, axis=1).astype(np.float32)

    def decode(self, x: NDArray[Any]) -> polars.DataFrame:
        """A frame with the values of rows ``(N, n)``, with the names and types of the table."""
        series = [_decode(values, column) for values, column in zip(x.T, self.used, strict=True)]
        return polars.DataFrame(series)


def infer(frame: polars.DataFrame, rows: Sequence[int] | NDArray[Any], where: str) -> TableSchema:
    """The schema of ``frame``: kinds, categories, ranges and gaps of all rows, means and deviations of ``rows``.

    Raises:
        ValueError: If a column has one value only or none, too many categories, or holds dates; it is named.
    """
    return TableSchema(tuple(_infer(series, rows, where) for series in frame))


def complete_schema(told: Any, frame: polars.DataFrame, rows: Any, where: str) -> TableSchema:
    """The schema that a person wrote, as `TableSchema.config`, with what was left out of it as ``frame`` has it.

    Raises:
        ValueError: If it is no schema, or its columns are not those of ``frame``.
    """
    columns = []
    for column in TableSchema.from_config(told).columns:
        if column.name not in frame.columns:
            near = nearest(column.name, frame.columns)
            raise ValueError(f"{where}: expected the schema's column {column.name!r}, got none of this name{near}")
        if column.kind != "ignore":
            found = _infer(frame[column.name], rows, where, kind=column.kind)
            column = replace(found, **_said(column.name, told["columns"][column.name]))  # what is said, counts
        columns.append(column)
    return TableSchema(tuple(columns))


def sketch(frame: polars.DataFrame, where: str) -> tuple[TableSchema, list[str]]:
    """The schema of all rows of ``frame``, and why columns that can't be taken are ignored."""
    columns, reasons = [], []
    for series in frame:
        try:
            columns.append(_infer(series, np.arange(len(series)), where))
        except ValueError as error:
            columns.append(Column(series.name, "ignore"))
            reasons.append(str(error).replace(HINT, ""))
    return TableSchema(tuple(columns)), reasons


TYPES: dict[str, Any] = {
    "kind": str, "missing": bool, "mean": (int, float), "std": (int, float), "low": int, "high": int,
    "categories": (list, tuple),
}  # fmt: skip
"""What a schema may say of a column."""


def _said(name: Any, own: Any) -> dict[str, Any]:
    """What is said of a column, checked."""
    own = {"kind": own} if isinstance(own, str) else own
    if not isinstance(own, dict) or own.get("kind") not in KINDS:
        got = own.get("kind") if isinstance(own, dict) else own
        raise ValueError(f"column {name!r} expects a kind of {', '.join(KINDS)}, got {got!r}")
    for key, value in own.items():
        if key not in TYPES:
            raise ValueError(f"column {name!r} expects {', '.join(TYPES)}, got {key!r}")
        wrong = isinstance(value, bool) and TYPES[key] is not bool
        if wrong or not isinstance(value, TYPES[key]):
            raise ValueError(f"column {name!r}: {key} expects another kind of value, got {value!r}")
    if own.get("low", 0) >= own.get("high", math.inf) or own.get("std", 1) <= 0:
        raise ValueError(f"column {name!r} expects low < high and a positive std, got {own}")
    return own | ({"categories": tuple(map(str, own["categories"]))} if "categories" in own else {})


def _infer(series: polars.Series, rows: Any, where: str, kind: str | None = None) -> Column:
    name, missing = series.name, bool(series.null_count())
    there = series.drop_nulls()
    told = f"{where}: column {name!r}"
    hint = HINT
    if len(there) == 0:
        raise ValueError(f"{told} expects values, got empty cells only{hint}")
    if kind is None:
        kind = _kind(there, told, hint)
    if kind == "boolean":
        _not_constant(there.n_unique(), told, hint, str(there[0]))
        return Column(name, kind, missing)
    if kind == "category":
        categories = tuple(_texts(there).unique().sort().to_list())
        if len(categories) > MAX_CATEGORIES:
            raise ValueError(
                f"{told} expects at most {MAX_CATEGORIES:,} categories, got {len(categories):,}, such as "
                f"{categories[0][:30]!r}{hint}"
            )
        _not_constant(len(categories), told, hint, categories[0])
        return Column(name, kind, missing, categories=categories)
    numbers = there.cast(polars.Float64, strict=False)
    if numbers.null_count():
        raise ValueError(f"{told} expects numbers, as the schema says {kind}, got {there[numbers.is_null()][0]!r}")
    if not bool(numbers.is_finite().all()):
        place = int(numbers.is_finite().not_().arg_max() or 0)
        raise ValueError(f"{told} expects finite numbers, got {numbers[place]}")
    low, high = float(numbers.min()), float(numbers.max())  # type: ignore[arg-type]
    _not_constant(int(low != high) + 1, told, hint, f"{low:g}")
    if kind == "integer":
        if high - low >= MAX_RANGE or max(abs(low), abs(high)) >= EXACT or bool((numbers != numbers.floor()).any()):
            raise ValueError(
                f"{told} expects integers below {EXACT:,} that span less than {MAX_RANGE:,}, got {low:.10g} to "
                f"{high:.10g}: let its kind be real, or subtract a constant"
            )
        return Column(name, kind, missing, low=int(low), high=int(high))
    chosen = series[np.asarray(rows)].drop_nulls().cast(polars.Float64)
    std = float(chosen.std(ddof=0) or 0.0) if len(chosen) else 0.0  # type: ignore[arg-type]
    if std == 0:
        raise ValueError(f"{told} expects more than one value in its training rows, got one{hint}")
    mean = float(chosen.mean())  # type: ignore[arg-type]
    if max(abs(low), abs(high)) > LARGEST or std < 1 / LARGEST:
        raise ValueError(
            f"{told} expects numbers up to {LARGEST:g} with a standard deviation of at least {1 / LARGEST:g}, got "
            f"{low:.3g} to {high:.3g} with {std:.3g}: scale it first"
        )
    if max(abs(low), abs(high)) / EXACT > 1e-3 * std:
        raise ValueError(
            f"{told} expects numbers that single precision tells apart, got {low:.10g} to {high:.10g} with a standard "
            f"deviation of {std:.3g}: subtract a constant first"
        )
    return Column(name, kind, missing, mean=mean, std=std)


def _kind(there: polars.Series, told: str, hint: str) -> Literal["real", "integer", "category", "boolean"]:
    """What kind of values a column has."""
    if there.dtype == polars.Boolean:
        return "boolean"
    if there.dtype.is_temporal():
        raise ValueError(
            f"{told} expects numbers, categories or booleans, got {there.dtype}{hint}, or make it a number"
        )
    if there.dtype in (polars.String, polars.Categorical, polars.Enum):
        numbers = there.cast(polars.String).cast(polars.Float64, strict=False)
        if 0 < numbers.null_count() < len(there) / 2:
            odd = there.filter(numbers.is_null())[0]
            raise ValueError(f"{told} expects numbers, as most of its cells are, got {str(odd)[:30]!r}")
        return "category"
    if not there.dtype.is_numeric():
        raise ValueError(f"{told} expects numbers, categories or booleans, got {there.dtype}{hint}")
    there = there.cast(polars.Float64)
    if not bool((there == there.floor()).all()):
        return "real"
    low, high = float(there.min()), float(there.max())  # type: ignore[arg-type]
    return "integer" if high - low < MAX_RANGE and max(abs(low), abs(high)) < EXACT else "real"


def _not_constant(count: int, told: str, hint: str, value: str) -> None:
    if count < 2:
        raise ValueError(f"{told} expects at least two values, got {value!r} only{hint}")


def _encode(series: polars.Series, column: Column, where: str, gaps: bool, unseen: bool) -> NDArray[np.float64]:
    """The cells of a column as numbers."""
    told = f"{where}: column {column.name!r}"
    if column.kind == "category":
        index = {category: number for number, category in enumerate(column.categories)}
        texts = _texts(series)
        codes = texts.replace_strict(index, default=math.inf, return_dtype=polars.Float64)
        codes = polars.select(polars.when(texts.is_null()).then(None).otherwise(codes)).to_series()
    else:
        codes = series.cast(polars.Float64, strict=False)
        if codes.null_count() > series.null_count():
            place = int((codes.is_null() & series.is_not_null()).arg_max() or 0)
            raise ValueError(f"{told}, row {place + 1}: expected a number, got {str(series[place])[:30]!r}")
    array = codes.fill_null(math.nan).to_numpy().astype(np.float64)
    wrong = _wrong(array, column)
    outside = wrong & np.isfinite(array) if column.kind == "integer" else wrong & (column.kind == "category")
    array = np.where(outside & unseen, np.inf, array)
    wrong &= ~(outside & unseen)
    if not (column.missing or gaps):
        wrong |= np.isnan(array)
    if wrong.any():
        row = int(np.argmax(wrong))
        got = "an empty cell" if np.isnan(array[row]) else repr(series[row])
        raise ValueError(f"{told}, row {row + 1}: expected {_expected(column)}, got {got}")
    return array


def _texts(series: polars.Series) -> polars.Series:
    """Cells as the text of a category: 1.0 is 1, whatever the type that a file's numbers were read as."""
    if series.dtype.is_float() and bool((series.drop_nulls() == series.drop_nulls().floor()).all()):
        series = series.cast(polars.Int64)
    return series.cast(polars.String)


def _wrong(array: NDArray[np.float64], column: Column) -> NDArray[np.bool_]:
    """Which cells, but for empty ones, are no values of the column."""
    there = ~np.isnan(array)
    if column.kind == "integer":
        return there & ((array < column.low) | (array > column.high) | (array != np.floor(array)))
    if column.kind == "boolean":
        return there & (array != 0) & (array != 1)
    with np.errstate(over="ignore"):
        return there & ~np.isfinite(array.astype(np.float32))


def _expected(column: Column) -> str:
    return {
        "integer": f"an integer from {column.low} to {column.high}, as in training",
        "category": f"one of its {len(column.categories)} categories in training",
        "boolean": "true or false",
    }.get(column.kind, "a finite number")


def _decode(values: NDArray[Any], column: Column) -> polars.Series:
    """The cells that numbers stand for."""
    cells: list[Any]
    if column.kind == "category":
        cells = [None if np.isnan(value) else column.categories[int(value)] for value in values]
        return polars.Series(column.name, cells, dtype=polars.String)
    series = polars.Series(column.name, values.astype(np.float64)).fill_nan(None)
    kind = {"integer": polars.Int64, "boolean": polars.Boolean}.get(column.kind, polars.Float64)
    if kind == polars.Float64:  # the shortest decimals that single precision reads as these
        return polars.Series(column.name, values.astype(np.float32).astype(str).astype(np.float64)).fill_nan(None)
    return series.cast(kind)
