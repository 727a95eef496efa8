"""Text files as tables of text cells, read by polars."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import polars

from chainrule.data.read.delimiter import SPACE
from chainrule.data.read.layout import FileChoices, Layout, find_layout
from chainrule.data.read.rows_of_text import beyond_names, empty_lines, locate, rewritten
from chainrule.data.read.table_file import Table
from chainrule.data.read.text_file import UTF8, TextFile
from chainrule.foreign import UndecodableError, each_decoded

INDEX_ROWS = 100_000
"""Rows that are read at once to see whether a column numbers them."""


class TextTable(Table):
    """A text file; see `find_layout` for its delimiters, its header and its names. Empty lines are skipped.

    A first column without a name that numbers the rows is left out.

    Args:
        path: The file.
        choices: What a person says about it.

    Raises:
        ValueError: If the file is empty, or no text in its encoding.
    """

    def __init__(self, path: Path, choices: FileChoices) -> None:
        self.path = path
        self.text = TextFile(path, choices.encoding)
        self._rewritten: bytes | None = None
        self.layout = find_layout(self.text, choices)
        if (self.text.odd_quotes and self.layout.quoted) or (self.text.quotes and self.layout.delimiter == SPACE):
            self._rewritten = rewritten(self.text, self.layout)
        self.names = self.layout.names
        if self.layout.index and self._numbers_rows():
            self.layout = _without_first(self.layout)
        encoding = () if self.text.encoding in UTF8 else (f"its encoding is {self.text.encoding}",)
        self.names, self.notes = self.layout.names, (*encoding, *self.text.notes, *self.layout.notes)
        self.types = polars.Schema(dict.fromkeys(self.names, polars.String))

    @property
    def is_text(self) -> bool:
        return True

    def chunks(self, rows: int) -> Iterator[polars.DataFrame]:
        if self.layout.skip is None:
            return
        first = given = 0
        try:
            for chunk in self._collected(rows, 0):
                cells = self._cells(chunk, first)
                yield cells
                first, given = first + len(chunk), given + len(cells)
            return
        except UndecodableError:
            if self._rewritten is not None:
                raise
        self._rewritten = rewritten(self.text, self.layout)  # says what is wrong, if Python can't read the rows either
        for chunk in self._collected(rows, given):
            yield self._kept(chunk)

    def _collected(self, rows: int, first: int) -> Iterator[polars.DataFrame]:
        """The rows from row ``first`` on, as polars reads them."""

        def read() -> Iterator[polars.DataFrame]:
            scan = self._scan().slice(first) if first else self._scan()
            return (
                scan.collect_batches(chunk_size=rows) if self.is_streamed else iter([scan.collect()])
            )  # streams start slowly

        return each_decoded(self.path, "a table", read)

    @property
    def _as_lines(self) -> bool:
        """True if polars reads whole lines, which spaces delimit."""
        return self.layout.delimiter == SPACE and self._rewritten is None

    def _scan(self) -> polars.LazyFrame:
        """The cells as text, all empty for an empty line; for a table delimited by spaces, whole lines."""
        clean = self._rewritten is not None
        return polars.scan_csv(
            self.text.source if self._rewritten is None else self._rewritten,
            has_header=False,
            skip_lines=0 if clean else self.layout.skip or 0,
            separator="\x01" if self._as_lines else "," if clean else self.layout.delimiter,
            quote_char=None if self._as_lines or not (clean or self.layout.quoted) else '"',
            schema={str(index): polars.String for index in range(1 if self._as_lines else self.layout.width)},
        )

    def _cells(self, chunk: polars.DataFrame, first: int) -> polars.DataFrame:
        """The cells of the rows of a chunk, whose first row is row ``first``."""
        if self._as_lines:
            chunk = self._split(chunk)
        elif self._rewritten is None:
            chunk = self._without_empty(chunk, first)
        return self._kept(chunk)

    def _kept(self, chunk: polars.DataFrame) -> polars.DataFrame:
        """The cells of the columns of the layout.

        Raises:
            ValueError: If a cell of a column that seemed to be empty is not.
        """
        last = self.layout.indices[-1]
        if any((chunk[index].fill_null("") != "").any() for index in chunk.columns[last + 1 :]):
            raise beyond_names(self.text, self.layout)
        kept = chunk.select(str(index) for index in self.layout.indices)
        return kept.rename({str(index): str(number) for number, index in enumerate(self.layout.indices)})

    def _split(self, lines: polars.DataFrame) -> polars.DataFrame:
        """The cells of lines that spaces delimit."""
        cells = lines["0"].str.strip_chars().str.replace_all(r"\s+", SPACE)
        cells = cells.filter(cells.fill_null("") != "").str.split(SPACE)
        if not (cells.list.len() == self.layout.width).all():
            empty_lines(self.text, self.layout)  # names the lines at fault
        return polars.DataFrame({str(index): cells.list.get(index) for index in range(self.layout.width)})

    def _without_empty(self, chunk: polars.DataFrame, first: int) -> polars.DataFrame:
        """A chunk without empty lines, which polars reads as rows of empty cells."""
        last = chunk.to_series(-1)
        if self.layout.width > 1 and last.null_count() == 0:
            return chunk
        if self.layout.width == 1 and not (last.is_null() | (last.str.strip_chars() == "")).any():
            return chunk
        kept = [first + row not in self._empty_lines for row in range(len(chunk))]
        return chunk.filter(polars.Series(kept, dtype=polars.Boolean))

    @cached_property
    def _empty_lines(self) -> set[int]:
        return empty_lines(self.text, self.layout)

    @property
    def most_rows(self) -> int:
        return self.text.lines

    def _numbers_rows(self) -> bool:
        """True if the first column holds whole numbers, all different; of a table that does not fit, ascending."""
        kept, last = [polars.Series(dtype=polars.Int64)], -math.inf
        try:
            for chunk in self.chunks(INDEX_ROWS):
                numbers = chunk["0"].cast(polars.Int64, strict=False)
                if numbers.null_count():
                    return False
                if self.fits:
                    kept.append(numbers)
                elif int(numbers[0]) <= last or not (numbers.diff().drop_nulls() > 0).all():
                    return False
                last = int(numbers[-1])
        except ValueError:
            return False  # reported where the rows are asked for
        numbers = polars.concat(kept)
        return last > -math.inf and numbers.n_unique() == len(numbers)

    def as_numbers(self, chunk: polars.DataFrame) -> polars.DataFrame:
        missing = chunk.null_count()
        for kind in (polars.UInt16, polars.Float64):  # most tables of numbers are tables of levels
            numbers = chunk.select(polars.all().cast(kind, strict=False))
            if numbers.null_count().equals(missing):
                return numbers
        return chunk.select(polars.all().str.strip_chars().cast(polars.Float64, strict=False))

    def place(self, row: int, column: int) -> str:
        line, _ = locate(self.text, self.layout, row)
        return f"line {line}, {self.layout.column(column)}"

    def not_a_number(self, row: int, column: int) -> ValueError:
        line, cells = locate(self.text, self.layout, row)
        cell = cells[self.layout.indices[column]]
        got = repr(cell[:30]) if cell else "an empty cell"
        return ValueError(f"{self.path}: line {line}, {self.layout.column(column)}: expected a number, got {got}")


def _without_first(layout: Layout) -> Layout:
    """``layout`` without its first column, which numbers the rows."""
    notes = tuple(note for note in layout.notes if not note.startswith("column 1,"))
    return replace(
        layout,
        names=layout.names[1:],
        indices=layout.indices[1:],
        notes=(*notes, "its first column numbers the rows, and is left out"),
    )
