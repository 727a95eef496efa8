"""The delimiter of a text table, and the cells of its lines."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from chainrule.data.read.header import is_number

SPACE = " "
"""The delimiter that stands for any run of spaces and tabs."""

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", SPACE: "spaces"}
"""The delimiters that are looked for, and their names in a message."""


def find_delimiter(lines: Sequence[str], literal_quotes: bool) -> str:
    """The delimiter by which all rows have as many cells, two or more; else the first line's most frequent one."""
    widths: dict[str, list[int]] = {}
    for delimiter in DELIMITERS:
        counts = widths[delimiter] = []
        try:
            for _, cells in parse(lines, delimiter, quoted=not (literal_quotes and delimiter == "\t")):
                counts.extend([] if cells is None else [len(cells)])
        except csv.Error as error:
            if "unexpected end of data" not in str(error):  # the lines may end within a quoted cell
                counts.clear()
    for delimiter in "\t;|,":
        if len(set(widths[delimiter])) == 1 and widths[delimiter][0] > 1:
            return delimiter
    first = lines[0]
    likely = max(",;\t|", key=first.count)
    if first.count(likely):
        return likely
    counts = widths[SPACE] or [1]
    body = set(counts[1:] or counts)
    if len(body) == 1 and body != {1} and counts[0] in (*body, max(2, max(body) - 1)) and _has_numbers(lines):
        return SPACE
    return ","


def _has_numbers(lines: Sequence[str]) -> bool:
    """True if a column of a table that is separated by spaces holds numbers only."""
    rows = [cells for _, cells in parse(lines, SPACE) if cells is not None]
    return any(all(map(is_number, column)) for column in zip(*(rows[1:] or rows), strict=True))


def parse(lines: Iterable[str], delimiter: str, *, quoted: bool = True) -> Iterator[tuple[int, list[str] | None]]:
    """The line number, from 1, and the cells of every row; None for an empty line.

    Raises:
        csv.Error: If a quoted cell does not end, or goes on after its end.
    """
    if delimiter == SPACE:
        for number, line in enumerate(lines, start=1):
            yield number, cells_of(line, SPACE) or None
        return
    filled = (line if line.strip(" \r\n") else "\n" for line in lines)
    reader = csv.reader(filled, delimiter=delimiter, skipinitialspace=True, strict=True, quoting=_quoting(quoted))
    for cells in reader:
        yield reader.line_num, [cell.strip() for cell in cells] or None


def _quoting(quoted: bool) -> Literal[0, 3]:
    return csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE


def cells_of(line: str, delimiter: str, *, quoted: bool = True) -> list[str]:
    """The cells of one line."""
    if delimiter == SPACE and '"' not in line:
        return line.split()
    line = " ".join(line.split("\t")).strip() if delimiter == SPACE else line
    rows = csv.reader([line], delimiter=delimiter, skipinitialspace=True, quoting=_quoting(quoted))
    return [cell.strip() for cell in next(rows, [])]
