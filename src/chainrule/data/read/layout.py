"""The layout of a text table: its delimiter, its header, the names of its columns, and where its rows begin."""

from __future__ import annotations

import csv
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

from chainrule.data.read.delimiter import DELIMITERS, cells_of, find_delimiter, parse
from chainrule.data.read.header import is_number, names_columns
from chainrule.data.read.table_file import check_columns
from chainrule.data.read.text_file import TextFile

UNNAMED = "column_"
"""What columns without a name are called, followed by their number from 1."""

INDEX = ("", "Unnamed: 0")
"""The names of an index that pandas or R wrote with a table; the second after it was read and written once more."""

FILE_CHOICES = ("encoding", "header")
"""The choices of `chainrule.data.load` that are about text tables."""

LINES, FEW_LINES = 1000, 100
"""Lines at the beginning of a file by which its header, and its delimiter, is found."""


@dataclass(frozen=True)
class FileChoices:
    """What a person says about a text table; None where the file is to tell.

    Attributes:
        encoding: The encoding of a file without a byte order mark; UTF-8 by default.
        header: True if the first line names the columns.
        names: Columns that the file is known to have, as those of a run.
    """

    encoding: str | None = None
    header: bool | None = None
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Mapping[str, Any], names: Iterable[str] = ()) -> FileChoices:
        """The choices among the settings of a run, for a file that is known to have the columns ``names``."""
        return cls(**{name: settings.get(name) for name in FILE_CHOICES}, names=tuple(names))


@dataclass(frozen=True)
class Layout:
    """The layout of a text table.

    Attributes:
        delimiter: The separator of cells; `SPACE` stands for any run of spaces.
        quoted: True if cells may be in quotation marks, which are else part of them.
        header: True if a line names the columns.
        names: The columns' names, all different.
        indices: The place of each column among the cells of a line, from 0.
        width: The number of cells of a line.
        skip: The number of lines before the first row of values; None if there are no rows.
        index: True if the first column, by its name, may number the rows.
        notes: What a person should know about the names.
    """

    delimiter: str
    quoted: bool
    header: bool
    names: tuple[str, ...]
    indices: tuple[int, ...]
    width: int
    skip: int | None
    index: bool
    notes: tuple[str, ...]

    def column(self, index: int) -> str:
        """The name of column ``index``, counted from 0, in a message."""
        number = f"column {self.indices[index] + 1}"
        return f"{number} ({self.names[index][:30]!r})" if self.header else number


def find_layout(text: TextFile, choices: FileChoices) -> Layout:
    """The layout of a text table, by its first lines.

    Comments before the table, which begin with #, are skipped. Cells are separated by the delimiter by which all rows
    have the same number of cells. `names_columns` decides whether the first line is a header, unless ``choices`` do;
    where there is none, the last comment may be. A header that is one cell short, as R writes it, has no name for the
    first column. Columns without a name that are empty, after the last delimiter of each line, are left out.

    Raises:
        ValueError: If the file is empty, has too many columns, or a quoted cell does not end as it should.
    """
    head = _read_head(text)
    delimiter = head.delimiter or find_delimiter(head.lines[:FEW_LINES], text.literal_quotes)
    quoted = not (text.literal_quotes and delimiter == "\t")
    rows = list(_rows(text, parse(head.lines, delimiter, quoted=quoted), head.before, whole=head.whole))
    if not rows:
        raise ValueError(f"{text.path}: line {head.before + 1}: expected a quoted cell to end within {LINES} lines")
    named = partial(_named, delimiter, quoted)
    (line, first), body = rows[0], [cells for _, cells in rows[1:]]
    check_columns(text.path, len(first))
    width = Counter(map(len, body)).most_common(1)[0][0] if len(body) > 1 else len(first)
    names: list[str] = first
    if width == len(first) + 1 and names_columns(["", *first], body) is not False and choices.header is not False:
        names = [*first, ""] if all(not cells[-1] for cells in body) else ["", *first]
    header, notes = _has_header(names, body, choices)
    if choices.header is None and head.comment is not None and not (header and not notes):
        described = cells_of(head.comment, delimiter, quoted=quoted)
        known = names_columns(described, [first, *body]) or (header and delimiter == "\t")
        if len(described) == len(first) > 1 and known:
            notes = ["its columns are named by its last comment"]
            return named(described, True, [first, *body], head.before, notes)
    if header:
        return named(names, True, body, line if body else None, notes)
    return named([""] * len(first), False, [first, *body], head.before, notes)


def _has_header(names: list[str], body: list[list[str]], choices: FileChoices) -> tuple[bool, list[str]]:
    """Whether the first line is a header, and what to say about it."""
    last = f" to {UNNAMED}{len(names)}" if len(names) > 1 else ""
    unnamed = f"it has no header: its columns are called {UNNAMED}1{last}"
    header = choices.header
    if header is None and choices.names:
        if 2 * len(set(names) & set(choices.names)) >= len(names):
            header = True
        elif all(name.startswith(UNNAMED) for name in choices.names):
            header = False
    if header is None and not body:
        header = not any(map(is_number, names))
    if header is None and (header := names_columns(names, body)) is None:
        return True, ["its first line is taken for a header (if it is none, say --header no)"]
    return header, [] if header else [unnamed]


def _named(
    delimiter: str,
    quoted: bool,
    names: list[str],
    header: bool,
    rows: list[list[str]],
    skip: int | None,
    notes: Iterable[str],
) -> Layout:
    """The layout with names for all columns, without those that are empty after the last delimiter."""
    width, count = len(names), len(names)
    while rows and count > 1 and not names[count - 1] and not any(cells[count - 1 :] != [""] for cells in rows):
        rows, count = [cells[: count - 1] for cells in rows], count - 1
    if all(len(name) > 2 and name[0] == name[-1] == "'" for name in names):  # as Weka and some old programs write names
        names = [name[1:-1] for name in names]
    unique, more = _unique(names[:count])
    notes = [*notes, *(more if header else [])]
    if delimiter != ",":
        notes.insert(0, f"cells are separated by {DELIMITERS.get(delimiter, repr(delimiter))}")
    index = header and count > 1 and names[0] in INDEX
    return Layout(delimiter, quoted, header, tuple(unique), tuple(range(count)), width, skip, index, tuple(notes))


def _unique(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Different names for all columns, and what to say about those that are changed."""
    found: dict[str, None] = {}
    taken, numbers = set(names), defaultdict[str, Iterator[int]](lambda: itertools.count(2))
    notes = []
    for index, name in enumerate(names):
        wanted = name or f"{UNNAMED}{index + 1}"
        own = wanted
        while own in found or (own != wanted and own in taken):
            own = f"{wanted}_{next(numbers[wanted])}"
        found[own] = None
        if own != name:
            notes.append(f"column {index + 1}, {f'a second {name!r}' if name else 'without a name'}, is called {own!r}")
    return list(found), notes if len(notes) < 4 else [*notes[:2], f"{len(notes) - 2} more columns have new names"]


@dataclass(frozen=True)
class _Head:
    """The beginning of a table: its lines, those before them, the last comment, and whether they are the whole file."""

    lines: list[str]
    before: int
    comment: str | None
    delimiter: str | None
    whole: bool


def _read_head(text: TextFile) -> _Head:
    """The first lines of a table, after comments, empty lines and the ``sep=`` of a spreadsheet.

    Raises:
        ValueError: If the file has no other lines.
    """
    with text.open() as file:
        head = _head_of(file, comments=True)
    if not head.lines and head.comment is not None:  # the cells themselves begin with #
        with text.open() as file:
            head = _head_of(file, comments=False)
    if not head.lines:
        raise ValueError(f"{text.path}: expected rows of values, got an empty file")
    return head


def _head_of(file: IO[str], *, comments: bool) -> _Head:
    before, comment, delimiter = 0, None, None
    for line in file:
        stripped = line.strip("\r\n")
        if stripped.lower().startswith("sep=") and len(stripped) == 5:
            delimiter = stripped[-1]
        elif comments and stripped.startswith("#"):
            comment = stripped.lstrip("#").strip()
        elif stripped.strip():
            lines = [line, *itertools.islice(file, LINES)]
            return _Head(lines, before, comment, delimiter, whole=len(lines) <= LINES)
        before += 1
    return _Head([], before, comment, delimiter, whole=True)


def _rows(
    text: TextFile, parsed: Iterator[tuple[int, list[str] | None]], before: int, *, whole: bool
) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, with their last lines' numbers; if not ``whole``, the last may be incomplete."""
    rows = _located(text, parsed, before, whole=whole)
    return ((number, cells) for number, cells in rows if cells is not None)


def _located(
    text: TextFile, rows: Iterator[tuple[int, Any]], before: int, *, whole: bool = True
) -> Iterator[tuple[int, Any]]:
    """Rows with their line numbers in the file; an error of the csv module with its line."""
    number = before
    try:
        for line, cells in rows:
            number = before + line
            yield number, cells
    except csv.Error as error:
        place = f"{text.path}: line {number + 1}"
        if "unexpected end of data" not in str(error):
            raise ValueError(f"{place}: expected a row of a table, got another ({error})") from error
        if whole:
            raise ValueError(f"{place}: expected a quoted cell to end, got the end of the file") from error


def rows_with_lines(text: TextFile, layout: Layout) -> Iterator[tuple[int, list[str] | None]]:
    """The line number (from 1) and the cells of every row, as Python's csv module has them; None for an empty line.

    Slow: for errors, for quotes that polars does not read, and to tell an empty line from a row of empty cells.

    Raises:
        ValueError: If the csv module can't read the file.
    """
    skip = layout.skip or 0
    with text.open() as file:
        for _ in range(skip):
            file.readline()
        yield from _located(text, parse(file, layout.delimiter, quoted=layout.quoted), skip)
