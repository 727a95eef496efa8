"""Rows of a table as they come, line by line, such as those of ``tail -f``; and cells that pass beside scores."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import Any

import polars

from chainrule.data.read.delimiter import cells_of, find_delimiter
from chainrule.data.read.layout import UNNAMED
from chainrule.words import suggestion


def frames_of(batches: Iterator[list[str]], names: Sequence[str], *, header: bool | None) -> Iterator[polars.DataFrame]:
    """The rows of delimited text, as cells of text, as soon as their lines are there. Empty lines are skipped.

    Args:
        batches: Lines, as many at once as are there.
        names: The columns of the run, which the first line names, in any sequence and among others.
        header: False if no line names them; by default, if they have no names of their own.

    Raises:
        ValueError: If the first line does not name them, or a row has another number of cells; with its line.
    """
    header = not all(name.startswith(UNNAMED) for name in names) if header is None else header
    found = None if header else list(names)
    delimiter, number, pending = None, 0, ""
    for lines in batches:
        rows = []
        for line in lines:
            number += 1
            pending += line
            if pending.count('"') % 2:  # a quoted cell goes on in the next line
                continue
            text, pending = pending.rstrip("\r\n"), ""
            if not text.strip():
                continue
            delimiter = delimiter or find_delimiter([text], literal_quotes=False)
            cells = _cells(text, delimiter, number)
            if found is None:
                found = _named(cells, names)
            elif len(cells) != len(found):
                raise ValueError(f"line {number}: expected {len(found)} cells, got {len(cells)}: {text[:60]!r}")
            else:
                rows.append(cells)
        if rows and found is not None:
            yield polars.DataFrame(rows, schema=dict.fromkeys(found, polars.String), orient="row")
    if pending:
        raise ValueError(f"line {number}: expected a quoted cell to end, got the end of the input")


def kept_cells(frame: polars.DataFrame, names: Sequence[str]) -> dict[str, list[Any]]:
    """The cells of the columns ``names``; dates and times as text.

    Raises:
        ValueError: If there is no such column.
    """
    for name in names:
        if name not in frame.columns:
            raise ValueError(
                f"--keep expects columns of the data ({', '.join(frame.columns[:5])}, ...), got {name!r}"
                f"{suggestion(name, frame.columns)}"
            )
    cells = frame.select(names).with_columns(polars.selectors.temporal().cast(polars.String))
    return cells.to_dict(as_series=False)


def _cells(text: str, delimiter: str, number: int) -> list[str]:
    try:
        return cells_of(text, delimiter)
    except csv.Error as error:
        raise ValueError(f"line {number}: expected cells of a table, got others ({error})") from None


def _named(cells: list[str], names: Sequence[str]) -> list[str]:
    """The columns that the first line names."""
    for name in names:
        if name not in cells:
            raise ValueError(
                f"line 1: expected the names of the columns ({', '.join(names[:4])}, ...), got none named {name!r}"
                f"{suggestion(name, cells)}"
            )
    if len(set(cells)) < len(cells):
        raise ValueError(f"line 1: expected different names of columns, got {', '.join(cells)[:80]}")
    return cells
