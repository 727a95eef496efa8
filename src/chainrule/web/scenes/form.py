"""A row of a table as a form: some cells are filled, one may be known to be empty, and the others are unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars
import torch
from torch import Tensor

from chainrule.data.codecs import Categories
from chainrule.data.codecs.categories import KEPT
from chainrule.data.column import Column
from chainrule.data.schema import TableSchema
from chainrule.kinds.filling import UNORDERED
from chainrule.kinds.table_explain import OTHER, words_of_codes
from chainrule.words import suggestion

LONGEST = 1000
"""Characters of a cell, at most."""


@dataclass(frozen=True)
class Row:
    """A row that is known in part.

    Attributes:
        frame: The row as text, null where a cell is empty or unknown.
        x: The same row encoded, ``(1, n)``; NaN where a cell is empty or unknown, infinite for a value that training
            did not have.
        unknown: True for the unknown cells, ``(1, n)``.
    """

    frame: polars.DataFrame
    x: Tensor
    unknown: Tensor


def read_row(schema: TableSchema, cells: Any, *, unseen: bool = False) -> Row:
    """The row with the ``cells`` that a form has: text by column; ``""`` for a cell that is known to be empty.

    Args:
        schema: The schema of the table.
        cells: The cells; columns that are left out are unknown.
        unseen: True to take values that training did not have.

    Raises:
        ValueError: If a column is unknown, or a cell is no value of its column.
    """
    columns = {column.name: column for column in schema.used}
    texts = _checked(cells, columns)
    for name, text in texts.items():
        if not text and not columns[name].missing:
            raise ValueError(f"{name} expects a value, got an empty cell, and no cell of it was empty in training")
    frame = polars.DataFrame({name: polars.Series([texts.get(name) or None], dtype=polars.String) for name in columns})
    x = torch.from_numpy(schema.encode(frame, "the form", gaps=True, unseen=unseen))
    unknown = torch.tensor([[name not in texts for name in columns]])
    for name, gap in zip(columns, (x.isnan() & ~unknown)[0].tolist(), strict=True):
        if gap and texts[name]:
            raise ValueError(f"{name} expects a value, got {texts[name]!r}, which stands for an empty cell")
    return Row(frame, x, unknown)


def _checked(cells: Any, columns: Mapping[str, Column]) -> dict[str, str]:
    """The cells of a form, whose columns exist."""
    if not isinstance(cells, dict):
        raise ValueError(f"cells expects texts by column, got {type(cells).__name__}")
    for name, text in cells.items():
        if name not in columns:
            raise ValueError(f"cells expects columns of the table, got {name!r}{suggestion(str(name), list(columns))}")
        if not isinstance(text, str) or len(text) > LONGEST:
            raise ValueError(f"cells expects texts of at most {LONGEST} characters, got another for {name!r}")
    return cells


def form_of(schema: TableSchema, x: Tensor) -> dict[str, str]:
    """The cells of a form with the values of a row ``(n,)``: what `read_row` takes.

    An empty cell of a column that was never empty in training is unknown.
    """
    cells = {}
    for column, value in zip(schema.used, x.tolist(), strict=True):
        if value == value:
            cells[column.name] = words_of(column, [value])[0]
        elif column.missing:
            cells[column.name] = ""
    return cells


def unseen_notes(schema: TableSchema, row: Row) -> dict[str, str]:
    """Notes on filled cells whose values training did not have, by column.

    They say the range that training had, and what a word that it did not have is taken for.
    """
    notes = {}
    for column, value in zip(schema.used, row.x[0].tolist(), strict=True):
        text = row.frame[column.name][0]
        if text is None:
            continue
        if column.seen is not None:
            low, high = np.array(column.seen, dtype=np.float32)  # as the values of a row are
            if not low <= value <= high:
                notes[column.name] = f"Not in training; seen: {' to '.join(words_of(column, column.seen))}"
        elif isinstance(column.codec, Categories) and value == column.codec.unseen and text.strip() != OTHER:
            notes[column.name] = _of_category(column.codec, text.strip())
    return notes


def _of_category(codec: Categories, text: str) -> str:
    """The note on a category without a code of its own."""
    if text in codec.rare:
        how = "Rare in training"
    else:
        how = "Rare or not in training" if len(codec.rare) >= KEPT else "Not in training"
    taken = f"; taken for {OTHER!r}, which all such values share" if codec.others else ""
    return f"{how}{taken}"


def words_of(column: Column, values: Any) -> list[str]:
    """Values ``(k,)`` of a column that are there, as a person writes them."""
    numbers = np.asarray(values, dtype=np.float64)
    if column.family in UNORDERED:
        return words_of_codes(column, numbers)
    return column.codec.words(column.shape.within(numbers))


def about_column(column: Column) -> dict[str, Any]:
    """What a form needs to know about a column."""
    about = {"name": column.name, "kind": column.kind, "words": column.words, "missing": column.missing}
    if column.family in UNORDERED:
        codes = range(column.size or 2)
        about["choices"] = words_of(column, list(codes))
    else:
        about["example"] = words_of(column, [np.median([*column.shape.atoms, *column.shape.knots])])[0]
    return about
