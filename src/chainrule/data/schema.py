"""Schemas of tables: the kinds of columns, which become variables of an example and are written back exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars
import torch
from numpy.typing import NDArray

from chainrule.conditionals import Columns, Conditional
from chainrule.data.cells import decode_cells, encode_cells
from chainrule.data.column import KINDS, Column
from chainrule.data.shape import Shape
from chainrule.words import suggestion

Values = NDArray[np.float32]


@dataclass(frozen=True)
class TableSchema:
    """The columns of a table, in their order.

    Attributes:
        columns: All columns, with those that are left out.
    """

    kind: ClassVar[str] = "table"
    key: ClassVar[str] = "schema"

    columns: tuple[Column, ...]

    @property
    def levels(self) -> int:
        """0: the values of columns are not levels."""
        return 0

    @property
    def used(self) -> list[Column]:
        """The columns that are variables."""
        return [column for column in self.columns if column.kind != "ignore"]

    @property
    def texts(self) -> list[str]:
        """The columns whose cells are read as text, though they may look like numbers."""
        return [column.name for column in self.used if column.kind == "category"]

    @property
    def config(self) -> dict[str, Any]:
        """Plain values that `from_config` takes: for each column the values that its kind needs."""
        needed = {"real": ("mean", "std", "shape"), "integer": ("low", "high", "shape"), "category": ("categories",)}
        columns = {}
        for column in self.columns:
            own = {name: getattr(column, name) for name in ("kind", "missing", *needed.get(column.kind, ()))}
            own |= {"shape": column.shape.config} if "shape" in own else {}
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
        schema = cls(
            tuple(Column(str(name), **checked_arguments(name, own)) for name, own in config["columns"].items())
        )
        if not schema.used:
            raise ValueError("a schema expects at least one column that is not ignored, got none")
        return schema

    def conditional(self, real: Conditional | None = None) -> Columns:
        """The joint family of a row; ``real`` is another one than usual of real columns."""
        return Columns([column.conditional(real) for column in self.used])

    def independent_nats(self, train: Values, test: Values) -> float:
        """Mean NLL, in nats, of rows ``test`` if columns are independent and each is fitted to ``train``.

        Real ones are Gaussian, integers start as their family does; others, and gaps, have their frequencies by
        Laplace's rule.
        """
        total = np.zeros(len(test))
        for column, before, values in zip(self.used, train.T, test.T, strict=True):
            gap, there = np.isnan(values), before[~np.isnan(before)]
            if column.missing:
                share = (len(before) - len(there) + 1) / (len(before) + 2)
                total += np.where(gap, -math.log(share), -math.log(1 - share))
            if column.kind == "integer":
                family = column.shape.conditional(missing=False)
                start = family.initial_parameters(torch.from_numpy(there))
                nats = -family.distribution(start).log_prob(torch.from_numpy(np.where(gap, there[0], values))).numpy()
            elif column.kind == "real":
                nats = ((values - column.mean) / column.std) ** 2 / 2 + math.log(column.std * math.sqrt(2 * math.pi))
            else:
                size = len(column.categories) if column.kind == "category" else 2
                counts = np.bincount(there.astype(np.int64), minlength=size) + 1
                nats = -np.log(counts / counts.sum())[np.where(gap, 0, values).astype(np.int64)]
            total += np.where(gap, 0.0, nats)
        return float(total.mean())

    def __str__(self) -> str:
        width = max(len(column.name) for column in self.columns)
        return "\n".join(f"{column.name:{width}}  {column.kind:8}  {column.words}" for column in self.columns)

    def encode(self, frame: polars.DataFrame, where: str, *, gaps: bool = False, unseen: bool = False) -> Values:
        """The rows of ``frame`` as ``(N, n)``; columns are found by their names.

        Args:
            frame: With all columns, in any sequence; others are left out.
            where: The frame's name in an error.
            gaps: True if columns and cells may be missing that never were in training, because they are to be filled.
            unseen: True to encode categories and integers that were not in training as infinity.

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
                    near = suggestion(column.name, frame.columns)
                    raise ValueError(f"{where}: expected the column {column.name!r}, got none of this name{near}")
                arrays.append(np.full(len(frame), np.nan))
                continue
            arrays.append(encode_cells(frame[column.name], column, where, gaps, unseen))
        return np.stack(arrays, axis=1).astype(np.float32)

    def decode(self, x: NDArray[Any]) -> polars.DataFrame:
        """A frame with the values of rows ``(N, n)``, with the names and types of the table."""
        series = [decode_cells(values, column) for values, column in zip(x.T, self.used, strict=True)]
        return polars.DataFrame(series)


TYPES: dict[str, Any] = {
    "kind": str, "missing": bool, "mean": (int, float), "std": (int, float), "low": int, "high": int,
    "shape": dict, "categories": (list, tuple),
}  # fmt: skip
"""The arguments of a column that a schema may have, and their types."""


def checked_arguments(name: Any, own: Any) -> dict[str, Any]:
    """The arguments of a column in a schema that a person wrote, checked."""
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
    shape = {"shape": Shape.from_config(own["shape"])} if "shape" in own else {}
    return own | shape | ({"categories": tuple(map(str, own["categories"]))} if "categories" in own else {})
