"""The contract of the files of tables, which are read by polars, a number of rows at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars

from chainrule.data.read.levels import CHUNK_BYTES, Chunk
from chainrule.data.read.memory import check_fits

SUFFIXES = (".csv", ".tsv", ".tab", ".data", ".csv.gz", ".tsv.gz", ".data.gz", ".parquet")

LARGE = 5e6
"""Cells of a table from which on it is not held in memory; see `chainrule.data.read.large`. Its splits depend on the
side of this that it is on, so another number would mix the splits of runs that were fitted before."""


MOST_COLUMNS = 100_000
"""Columns of a table, at most: each is looked at by itself, and a model of more would take days."""


def check_columns(path: Path, count: int) -> None:
    """Raise ``ValueError`` if a table has more than `MOST_COLUMNS` columns."""
    if count > MOST_COLUMNS:
        raise ValueError(
            f"{path}: expected at most {MOST_COLUMNS:,} columns, got {count:,}: leave some out, or turn the table if "
            "its rows are what should be columns"
        )


def suffix_of(path: Path) -> str:
    """The suffix of a file in lower case, with the one before ``.gz``.

    >>> suffix_of(Path("people.CSV")), suffix_of(Path("people.csv.gz"))
    ('.csv', '.csv.gz')
    """
    suffixes = path.suffixes[-2:] if path.suffix.lower() == ".gz" else path.suffixes[-1:]
    return "".join(suffixes).lower()


ROWS_AT_ONCE, CELLS_AT_ONCE = 100_000, 2_000_000
"""Rows of such a table that are read at once, at most, and their cells."""


class Table(ABC):
    """The file of a table.

    Attributes:
        path: The file.
        names: The names of the columns, all different.
        types: Their types.
        notes: What a person should know about how the file is read.
    """

    path: Path
    names: tuple[str, ...]
    types: polars.Schema
    notes: tuple[str, ...] = ()

    @property
    def is_text(self) -> bool:
        """True if its cells are text, as those of a text file are."""
        return False

    @abstractmethod
    def chunks(self, rows: int) -> Iterator[polars.DataFrame]:
        """The rows as they are in the file, about ``rows`` at a time; the columns are called 0, 1, ...

        Raises:
            ValueError: If the file can't be read.
        """

    @abstractmethod
    def as_numbers(self, chunk: polars.DataFrame) -> polars.DataFrame:
        """The cells of a chunk as uint16 or float64; null where they are no numbers."""

    @abstractmethod
    def place(self, row: int, column: int) -> str:
        """The place of a cell, counted from 0, in the words of a message."""

    @abstractmethod
    def not_a_number(self, row: int, column: int) -> ValueError:
        """The error that says that a cell is no number."""

    def number_chunks(self) -> Iterator[Chunk]:
        """All rows as chunks of numbers.

        Raises:
            ValueError: If a cell is no number; with its place.
        """
        first = 0
        for cells in self.chunks(self.rows_of_levels):
            numbers = self.as_numbers(cells)
            missing = [(column.is_null().arg_max() or 0, i) for i, column in enumerate(numbers) if column.null_count()]
            if missing:
                row, index = min(missing)
                raise self.not_a_number(first + row, index)

            def place(row: int, column: int, first: int = first) -> str:
                return self.place(first + row, column)

            yield Chunk(numbers.to_numpy(), place)
            first += len(cells)

    def frame(self, chunks: Sequence[polars.DataFrame]) -> polars.DataFrame:
        """Chunks as one frame, with the names of the columns, and NaN as a missing cell.

        Raises:
            ValueError: If there are no rows.
        """
        if not chunks:
            raise ValueError(f"{self.path}: expected rows of values, found none")
        cells = polars.concat(chunks)
        cells.columns = list(self.names)
        return cells.with_columns(polars.selectors.float().fill_nan(None))

    def whole(self, rows: int) -> list[polars.DataFrame]:
        """All chunks, to be held in memory.

        Raises:
            ValueError: If the file can't be read, or does not fit into memory.
        """
        self.check_fits()
        return list(self.chunks(rows))

    def check_fits(self) -> None:
        """Raise ``ValueError`` if its cells do not fit into memory."""
        check_fits(self.path, "its cells", self.least_bytes)

    @property
    def least_bytes(self) -> int:
        """The least number of bytes that its cells take in memory."""
        return self.path.stat().st_size

    @property
    @abstractmethod
    def most_rows(self) -> int:
        """The number of rows, or a number that is not below it, known without a look at them."""

    @property
    def all_alike(self) -> bool:
        """True if it is known without reading them that all rows are the same."""
        return False

    @property
    def fits(self) -> bool:
        """True if the table is small enough to be held in memory."""
        return self.most_rows * len(self.names) <= LARGE

    @property
    def rows_at_once(self) -> int:
        """Rows that are read at once of a table that does not fit."""
        return max(1, min(ROWS_AT_ONCE, CELLS_AT_ONCE // len(self.names)))

    @property
    def is_streamed(self) -> bool:
        """True if the file is read a chunk at a time."""
        return self.path.stat().st_size > CHUNK_BYTES

    @property
    def rows_of_levels(self) -> int:
        """The number of rows that take about `CHUNK_BYTES` as float64."""
        return max(1, CHUNK_BYTES // (8 * len(self.names)))
