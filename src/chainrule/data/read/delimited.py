"""Text tables: ``.csv`` and ``.data`` files, with or without a header line, read block by block."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars
from numpy.typing import NDArray

from chainrule.data.read.values import BLOCK_BYTES, Block, Levels, gather

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
Lines = list[tuple[int, bytes]]


@dataclass(frozen=True)
class Layout:
    """How a text table is written.

    Attributes:
        delimiter: What separates cells; a space stands for any run of spaces.
        header: Whether the first line names the columns.
        names: The columns' names, or their numbers from 1 where there is no header.
    """

    delimiter: str
    header: bool
    names: tuple[str, ...]

    def column(self, index: int) -> str:
        """Column ``index``, counted from 0, as a message calls it."""
        return f"column {index + 1} ({self.names[index][:30]!r})" if self.header else f"column {index + 1}"


def read_delimited(path: Path, levels: int | None = None) -> Levels:
    """The rows of a text table as an array ``(N, columns)`` of integers.

    Cells are separated by commas, semicolons or tabs, whichever the first line has most of, or by spaces.
    The first line is a header if none of its cells is a number, or if it counts four or more columns
    from 0, as pandas names columns that have no names. Empty lines are skipped.

    Raises:
        ValueError: If the file is empty, a row has another number of cells than the first, or a cell is
            not an integer from 0 to ``levels`` - 1; with the line and the column.
    """
    layout = find_layout(path)
    return gather(path, lambda: _blocks(path, layout), levels)


def find_layout(path: Path) -> Layout:
    """How the text table at ``path`` is written, by its first line that is not empty."""
    with path.open("rb") as file:
        line = next((line for line in _without_mark(file) if line.strip()), b"")
    if not line:
        raise ValueError(f"{path}: expected rows of values, got an empty file")
    delimiter = max(",;\t", key=lambda candidate: line.count(candidate.encode()))
    if line.count(delimiter.encode()) == 0 and all(_number(cell) is not None for cell in _cells(line, " ")):
        delimiter = " "
    cells = _cells(line, delimiter)
    header = all(_number(cell) is None for cell in cells) or (len(cells) > 3 and cells == _counted(0, cells))
    if header and len(cells) > 1 and not cells[0]:
        raise ValueError(
            f"{path}: line 1: expected a name for every column, got an empty first one: if it is an index, as pandas "
            "writes it, leave it out"
        )
    return Layout(delimiter, header, tuple(cells if header else _counted(1, cells)))


def _counted(start: int, cells: list[str]) -> list[str]:
    return [str(start + index) for index in range(len(cells))]


def _blocks(path: Path, layout: Layout) -> Iterator[Block]:
    """The rows below the header."""
    for block in _line_blocks(path, skip=int(layout.header)):
        numbers = [number for number, _ in block]
        values = _parse_quickly(block, layout)
        if values is None:
            values = _parse_carefully(path, block, layout)

        def place(row: int, column: int, numbers: list[int] = numbers) -> str:
            return f"line {numbers[row]}, {layout.column(column)}"

        yield Block(values, place)


def _line_blocks(path: Path, skip: int) -> Iterator[Lines]:
    """Lines that are not empty, the first ``skip`` left out, with their numbers from 1."""
    block: Lines = []
    size = 0
    with path.open("rb") as file:
        for number, line in enumerate(_without_mark(file), start=1):
            if not line.strip():
                continue
            if skip > 0:
                skip -= 1
                continue
            block.append((number, line))
            size += len(line)
            if size >= BLOCK_BYTES:
                yield block
                block, size = [], 0
    if block:
        yield block


def _without_mark(file: io.BufferedIOBase | io.BufferedReader) -> Iterator[bytes]:
    for index, line in enumerate(file):
        yield line.removeprefix(BYTE_ORDER_MARK) if index == 0 else line


def _parse_quickly(block: Lines, layout: Layout) -> NDArray[np.float64] | None:
    """The block's numbers, or None where it holds anything that needs a closer look."""
    schema = {f"column {index}": polars.Float64 for index in range(len(layout.names))}
    text = b"".join(line for _, line in block)
    try:
        frame = polars.read_csv(text, has_header=False, separator=layout.delimiter, schema=schema)
    except polars.exceptions.PolarsError:
        return None
    if len(frame) != len(block) or any(frame.null_count().row(0)):
        return None
    return frame.to_numpy()


def _parse_carefully(path: Path, block: Lines, layout: Layout) -> NDArray[np.float64]:
    """The block's numbers, cell by cell, or an error that names the first line and column at fault."""
    rows = []
    for number, line in block:
        cells = _cells(line, layout.delimiter)
        if len(cells) != len(layout.names):
            expected = f"{len(layout.names)} column{'s' * (len(layout.names) != 1)}"
            raise ValueError(f"{path}: line {number}: expected {expected} like the first line, got {len(cells)}")
        values = [_number(cell) for cell in cells]
        if None in values:
            index = values.index(None)
            got = repr(cells[index][:30]) if cells[index] else "an empty cell"
            raise ValueError(f"{path}: line {number}, {layout.column(index)}: expected a number, got {got}")
        rows.append(values)
    return np.array(rows, dtype=np.float64)


def _cells(line: bytes, delimiter: str) -> list[str]:
    text = line.decode("utf-8", errors="replace").strip("\r\n")
    if delimiter == " ":
        return text.split()
    try:
        cells = next(csv.reader([text], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:  # not text at all: let the numbers' reader complain
        cells = text.split(delimiter)
    return [cell.strip() for cell in cells]


def _number(cell: str) -> float | None:
    if "_" in cell:  # Python reads 1_000 as a number; a table does not
        return None
    try:
        return float(cell)
    except ValueError:
        return None
