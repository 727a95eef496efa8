"""Schemas of tables: the kinds of columns, which become variables of an example and are written back exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import polars
import torch
from numpy.typing import NDArray

from chainrule.conditionals import Columns, Conditional
from chainrule.data.cells import encode_cells, fill_cells
from chainrule.data.codecs import CODECS
from chainrule.data.codecs.base import dtype_of, without_gaps, words_of_gaps
from chainrule.data.column import KINDS, Column
from chainrule.data.shape import Shape
from chainrule.signatures import fits
from chainrule.words import in_one_line, suggestion

Values = NDArray[np.float32]

TOGETHER = 10_000
"""Numbers whose probability is computed at once."""

EXAMPLES = 3
"""Cells that are shown of each column."""


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
        return [column for column in self.columns if column.modelled]

    @property
    def notes(self) -> list[str]:
        """What became of columns where that may surprise, a line each."""
        return [f"{column.name}: {column.note}" for column in self.columns if column.note]

    @property
    def config(self) -> dict[str, Any]:
        """Plain values that `from_config` takes: for each column the values that its kind needs."""
        return {"columns": {column.name: column.config for column in self.columns}}

    @classmethod
    def from_config(cls, config: Any) -> TableSchema:
        """The schema that `config` wrote, or that a person edited.

        Raises:
            ValueError: If it is no mapping of columns, or one is of an unknown kind.
        """
        if not isinstance(config, dict) or not isinstance(config.get("columns"), dict):
            raise ValueError("a schema expects a mapping 'columns' of names to kinds, got something else")
        columns = [column_of(str(name), checked_arguments(name, own)) for name, own in config["columns"].items()]
        schema = cls(tuple(columns))
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
            if column.family == "integer":
                family = column.shape.conditional(missing=False)
                distribution = family.distribution(family.initial_parameters(torch.from_numpy(there)))
                some = torch.from_numpy(np.where(gap, there[0], values)).split(TOGETHER)
                nats = -torch.cat([distribution.log_prob(part) for part in some]).numpy()
            elif column.family == "real":
                nats = ((values - column.mean) / column.std) ** 2 / 2 + math.log(column.std * math.sqrt(2 * math.pi))
            else:
                counts = np.bincount(there.astype(np.int64), minlength=column.size or 2) + 1
                nats = -np.log(counts / counts.sum())[np.where(gap, 0, values).astype(np.int64)]
            total += np.where(gap, 0.0, nats)
        return float(total.mean())

    def __str__(self) -> str:
        return "\n".join(self.lines)

    @property
    def lines(self) -> list[str]:
        """The schema in words, a line for each column."""
        names, kinds = (max(len(getattr(column, of)) for column in self.columns) for of in ("name", "kind"))
        kinds = max(kinds, 8)
        rows = [f"{column.name:{names}}  {column.kind:{kinds}}  {column.words}" for column in self.columns]
        return [row.replace("\n", r"\n") for row in rows]

    def with_examples(self, frame: polars.DataFrame) -> str:
        """The schema in words, a line for each column, with its first cells in ``frame`` and its words for a gap."""
        lines = []
        for line, column in zip(self.lines, self.columns, strict=True):
            cells, gaps = frame[column.name].drop_nulls(), []
            if cells.dtype == polars.String:
                gaps = words_of_gaps(cells, column.codec.gaps)
                cells = without_gaps(cells, column.codec.gaps).drop_nulls()
            shown = [str(cell)[:30] for cell in cells.head(100).unique(maintain_order=True).to_list()][:EXAMPLES]
            parts = ["as in " + ", ".join(shown)] if shown else []
            parts += [f"read as empty: {' '.join(gaps)}"] if gaps else []
            lines.append(f"{line}  ({'; '.join(parts)})" if parts else line)
        return "\n".join(lines)

    def encode(self, frame: polars.DataFrame, where: str, *, gaps: bool = False, unseen: bool = False) -> Values:
        """The rows of ``frame`` as ``(N, n)``; columns are found by their names.

        Args:
            frame: With all columns, in any sequence; others are left out. Cells are text, as a file has them, or typed.
            where: The frame's name in an error.
            gaps: True if columns and cells may be missing that never were in training, because they are to be filled.
            unseen: True to encode categories and integers that were not in training as infinity.

        Raises:
            ValueError: If columns are missing, or cells have no value of their column; all of them are named.
        """
        arrays, problems = [], []
        if not {column.name for column in self.used} & set(frame.columns):
            names = ", ".join(column.name for column in self.used[:4])
            raise ValueError(f"{where}: expected columns of the schema ({names}, ...), got none of them")
        for column in self.used:
            array = np.full(len(frame), np.nan)
            try:
                if column.name in frame.columns:
                    array = encode_cells(frame[column.name], column, where, gaps, unseen)
                elif not gaps:
                    near = suggestion(column.name, frame.columns)
                    raise ValueError(f"{where}: expected the column {column.name!r}, got none of this name{near}")
            except ValueError as error:
                problems.append(str(error))
            arrays.append(array)
        if problems:
            raise ValueError(in_one_line(problems, f"{where}: "))
        return np.stack(arrays, axis=1).astype(np.float32)

    def decode(self, x: NDArray[Any], *, text: bool = False) -> polars.DataFrame:
        """A frame with the values of rows ``(N, n)``, with the names and types of the table.

        Identifiers are new ones, constants are written again, and ignored columns are left out.

        Args:
            x: The rows.
            text: True for cells as the text file of the table has them, in its formats.
        """
        values, series = iter(x.T), []
        for column in self.columns:
            if column.kind == "ignore":
                continue
            own = next(values).astype(np.float64) if column.modelled else np.zeros(len(x))
            own = column.shape.within(own) if column.family in ("real", "integer") else own
            cells = column.codec.texts(own) if text else column.codec.write(own)
            series.append(cells.rename(column.name))
        return polars.DataFrame(series)

    def is_text(self, frame: polars.DataFrame) -> bool:
        """True if all cells of ``frame`` are text, as those of a text file are."""
        return all(dtype == polars.String for dtype in frame.dtypes)

    def fill(self, frame: polars.DataFrame, x: NDArray[Any]) -> polars.DataFrame:
        """``frame`` with its gaps filled from rows ``(N, n)``, and the variables that it lacks; all else stays."""
        text = self.is_text(frame)
        columns = []
        for column, values in zip(self.used, x.T, strict=True):
            if column.name in frame.columns:
                columns.append(fill_cells(frame[column.name], column, values))
            else:
                own = column.codec.texts(values) if text else column.codec.write(values)
                columns.append(own.rename(column.name))
        return frame.with_columns(columns)


TYPES: dict[str, str] = {
    "kind": "str", "missing": "bool", "whole": "bool", "mean": "float", "std": "float", "low": "int", "high": "int",
    "shape": "dict", "note": "str",
}  # fmt: skip
"""The values that each column of a schema may have, beside those of its codec, and their types."""

OF_CODECS = {name: annotation for codec in CODECS.values() for name, annotation in codec.types().items()}
"""The values of all codecs. Those of another kind's are allowed, and left out, so that a person can change a kind."""

PYTHON: dict[str, Any] = {
    "str": str, "bool": bool, "int": int, "dict": dict, "float": (int, float),
    "int | None": int, "str | None": (str, type(None)),
    "tuple[str, ...]": (list, tuple), "tuple[str, ...] | None": (list, tuple),
}  # fmt: skip


def checked_arguments(name: Any, own: Any) -> dict[str, Any]:
    """The values of a column in a schema that a person wrote, checked.

    Raises:
        ValueError: If one is unknown or of another type.
    """
    own = {"kind": own} if isinstance(own, str) else own
    if not isinstance(own, dict) or own.get("kind") not in KINDS:
        got = own.get("kind") if isinstance(own, dict) else own
        raise ValueError(f"column {name!r} expects a kind of {', '.join(KINDS)}, got {got!r}")
    types = OF_CODECS | TYPES | CODECS[own["kind"]].types()
    for key, value in own.items():
        if key not in types:
            known = ", ".join(TYPES | CODECS[own["kind"]].types())
            raise ValueError(f"column {name!r} expects {known}, got {key!r}")
        wrong = isinstance(value, bool) and types[key] != "bool"
        wrong |= isinstance(value, int | float) and not fits(value, "bool | float")  # too long for a number
        if wrong or not isinstance(value, PYTHON[types[key]]):
            raise ValueError(f"column {name!r}: {key} expects another kind of value, got {value!r}")
        if isinstance(value, list | tuple) and any(isinstance(item, bool) for item in value):
            raise ValueError(
                f"column {name!r}: {key} expects words, got {value!r}: put yes, no, true and false in quotes"
            )
    if own.get("low", 0) >= own.get("high", math.inf) or own.get("std", 1) <= 0:
        raise ValueError(f"column {name!r} expects low < high and a positive std, got {own}")
    if own.get("dtype") and own["dtype"] not in ("Enum", "Null"):
        dtype_of(own["dtype"])
    return {key: tuple(map(str, value)) if isinstance(value, list | tuple) else value for key, value in own.items()}


def column_of(name: str, own: dict[str, Any]) -> Column:
    """The column of checked values: those of its codec, and its own."""
    codec = CODECS[own["kind"]]
    own = {key: tuple(value) if isinstance(value, list) else value for key, value in own.items()}
    names = {field.name for field in fields(codec)}
    inner = {key: value for key, value in own.items() if key in names}
    outer = {key: value for key, value in own.items() if key in TYPES}
    if "shape" in outer:
        outer["shape"] = Shape.from_config(outer["shape"])
    usual = Column(name, own["kind"]).codec
    return Column(name, codec=type(usual)(**(usual.config | inner)), **outer)
