"""The rows of a text table as Python's csv module reads them: slowly, with their lines, for what polars can't tell."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from chainrule.data.read.layout import Layout, rows_with_lines
from chainrule.data.read.text_file import TextFile

NAMED = 5
"""Faults that a message names, at most."""


def locate(text: TextFile, layout: Layout, row: int) -> tuple[int, list[str]]:
    """The line number and the cells of row ``row``, counted from 0 without empty lines."""
    rows = ((number, cells) for number, cells in rows_with_lines(text, layout) if cells is not None)
    return next(found for index, found in enumerate(rows) if index == row)


def empty_lines(text: TextFile, layout: Layout) -> set[int]:
    """The rows, counted from 0, that are empty lines.

    Raises:
        ValueError: If rows have another number of cells than the first line; with their lines.
    """
    empty = set()
    wrong = []
    for index, (number, cells) in enumerate(rows_with_lines(text, layout)):
        if cells is None:
            empty.add(index)
        elif len(cells) != layout.width:
            wrong.append((number, len(cells)))
    if wrong:
        raise _wrong_width(text, layout, wrong, index + 1 - len(empty))
    return empty


def beyond_names(text: TextFile, layout: Layout) -> ValueError:
    """The error that says that a line has a cell after the last column, where most have none."""
    last = layout.indices[-1]
    rows = rows_with_lines(text, layout)
    line, cell = next((line, "".join(cells[last + 1 :])) for line, cells in rows if cells and any(cells[last + 1 :]))
    return ValueError(f"{text.path}: line {line}: expected no cell after column {last + 1}, got {cell[:30]!r}")


def rewritten(text: TextFile, layout: Layout) -> bytes:
    """The rows without empty lines, separated by commas, with quotes as polars reads them.

    Raises:
        ValueError: If rows have another number of cells than the first line; with their lines.
    """
    empty_lines(text, layout)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(_rows(text, layout))
    return out.getvalue().encode()


def _rows(text: TextFile, layout: Layout) -> Iterator[list[str]]:
    return (cells for _, cells in rows_with_lines(text, layout) if cells is not None)


def _wrong_width(text: TextFile, layout: Layout, wrong: list[tuple[int, int]], rows: int) -> ValueError:
    widths = {width for _, width in wrong}
    if len(wrong) == rows - (not layout.header) > 1 and len(widths) == 1:
        return ValueError(
            f"{text.path}: expected a first line of {widths.pop()} columns like all others, got {layout.width}: "
            "leave it out if it is no header"
        )
    expected = f"{layout.width} column{'s' * (layout.width != 1)} like the first line"
    (line, width), *more = wrong[:NAMED]
    others = "".join(f"; line {line}: got {width}" for line, width in more)
    rest = f"; and {len(wrong) - NAMED} more lines" if len(wrong) > NAMED else ""
    return ValueError(f"{text.path}: line {line}: expected {expected}, got {width}{others}{rest}")
