"""The layout of a text table: its delimiter, its header, and the lines that its rows stand on."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SPACE = " "
"""The delimiter that stands for any run of spaces."""


HEAD = 4096
"""Bytes that tell a text from other files."""


@dataclass(frozen=True)
class Layout:
    """The layout of a text table.

    Attributes:
        delimiter: The separator of cells; `SPACE` stands for any run of spaces.
        header: True if the first line names the columns.
        names: The columns' names, or their numbers from 1 where there is no header.
        skip: The number of lines before the first row of values; None if there are no rows.
    """

    delimiter: str
    header: bool
    names: tuple[str, ...]
    skip: int | None

    def column(self, index: int) -> str:
        """The name of column ``index``, counted from 0, in a message."""
        return f"column {index + 1} ({self.names[index][:30]!r})" if self.header else f"column {index + 1}"


def find_layout(path: Path) -> Layout:
    """The layout of the text table at ``path``, by its first line that is not empty.

    Cells are separated by commas, semicolons or tabs, whichever the line has most of, or by spaces. The line is a
    header if none of its cells is a number, or if it counts four or more columns from 0, as pandas names columns
    that have no names.

    Raises:
        ValueError: If the file is empty or no text, or the first of several columns has no name.
    """
    _check_text(path)
    lines = _lines(path)
    number, line = next(lines, (0, ""))
    if number == 0:
        raise ValueError(f"{path}: expected rows of values, got an empty file")
    delimiter = max(",;\t", key=line.count)
    if line.count(delimiter) == 0 and all(_is_number(cell) for cell in line.split()):
        delimiter = SPACE
    cells = _cells(line, delimiter)
    header = not any(_is_number(cell) for cell in cells) or (len(cells) > 3 and cells == _numbers(0, len(cells)))
    if header and len(cells) > 1 and not cells[0]:
        raise ValueError(
            f"{path}: line 1: expected a name for every column, got an empty first one: if it is an index, as pandas "
            "writes it, leave it out"
        )
    first = next(lines, (None, ""))[0] if header else number
    names = cells if header else _numbers(1, len(cells))
    return Layout(delimiter, header, tuple(names), None if first is None else first - 1)


def rows_with_lines(path: Path, layout: Layout) -> Iterator[tuple[int, list[str] | None]]:
    """The line number (from 1) and the cells of every row, as Python's csv module has them; None for an empty line.

    Slow: for errors, and to tell an empty line from a row of empty cells.

    Raises:
        ValueError: If the csv module can't read the file.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        for _ in range(layout.skip or 0):
            file.readline()
        if layout.delimiter == SPACE:
            for number, line in enumerate(file, start=1):
                yield (layout.skip or 0) + number, line.split() or None
            return
        reader = csv.reader(file, delimiter=layout.delimiter)
        try:
            for cells in reader:
                empty = not cells or (len(cells) == 1 and cells[0].isspace())
                yield (layout.skip or 0) + reader.line_num, None if empty else [cell.strip() for cell in cells]
        except csv.Error as error:
            number = (layout.skip or 0) + reader.line_num
            raise ValueError(f"{path}: line {number}: expected a row of a table, got another ({error})") from error


def locate(path: Path, layout: Layout, row: int) -> tuple[int, list[str]]:
    """The line number and the cells of row ``row``, counted from 0 without empty lines."""
    rows = ((number, cells) for number, cells in rows_with_lines(path, layout) if cells is not None)
    return next(found for index, found in enumerate(rows) if index == row)


def empty_lines(path: Path, layout: Layout) -> set[int]:
    """The rows, counted from 0, that are empty lines.

    Raises:
        ValueError: If a row has another number of cells than the first line; with its line.
    """
    empty = set()
    for index, (number, cells) in enumerate(rows_with_lines(path, layout)):
        if cells is None:
            empty.add(index)
        elif len(cells) != len(layout.names):
            raise wrong_width(path, layout, number, len(cells))
    return empty


def wrong_width(path: Path, layout: Layout, line: int, width: int) -> ValueError:
    """The error that says that a line has another number of cells than the first."""
    expected = f"{len(layout.names)} column{'s' * (len(layout.names) != 1)}"
    return ValueError(f"{path}: line {line}: expected {expected} like the first line, got {width}")


def _check_text(path: Path) -> None:
    """Raise ``ValueError`` if the file begins with other bytes than those of text."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # a character may end after the head
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ValueError(f"{path}: expected a table as text in UTF-8, got other bytes")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not empty, with their numbers from 1."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, line.strip("\r\n")


def _numbers(start: int, count: int) -> list[str]:
    return [str(start + index) for index in range(count)]


def _cells(line: str, delimiter: str) -> list[str]:
    if delimiter == SPACE:
        return line.split()
    try:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:  # not text at all: let the reader of the table complain
        cells = line.split(delimiter)
    return [cell.strip() for cell in cells]


def _is_number(cell: str) -> bool:
    if "_" in cell:  # Python reads 1_000 as a number; a table does not
        return False
    try:
        float(cell)
    except ValueError:
        return False
    return True
