"""The files of tables, ``.csv``, ``.data`` and ``.parquet``, read by polars, a number of rows at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import polars

from chainrule.data.read.layout import SPACE, empty_lines, find_layout, locate, rows_with_lines, wrong_width
from chainrule.data.read.levels import CHUNK_BYTES, Chunk

SUFFIXES = (".csv", ".data", ".parquet")


class Table(ABC):
    """The file of a table.

    Attributes:
        path: The file.
        names: The names of the columns, or their numbers from 1.
        named: True if the file names its columns.
    """

    path: Path
    names: tuple[str, ...]
    named: bool

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
            ValueError: If the columns have no names, or two of them one name.
        """
        if not self.named:
            raise ValueError(f"{self.path}: expected a first line that names the columns, got values")
        twice = [name for name in self.names if self.names.count(name) > 1]
        if twice:
            raise ValueError(f"{self.path}: expected columns of different names, got {twice[0]!r} twice")
        if not chunks:
            raise ValueError(f"{self.path}: expected rows of values, found none")
        cells = polars.concat(chunks)
        cells.columns = list(self.names)
        return cells.with_columns(polars.selectors.float().fill_nan(None))

    @property
    def rows_of_levels(self) -> int:
        """The number of rows that take about `CHUNK_BYTES` as float64."""
        return max(1, CHUNK_BYTES // (8 * len(self.names)))


class TextTable(Table):
    """A ``.csv`` or ``.data`` file; see `find_layout` for its delimiters and its header. Empty lines are skipped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.layout = find_layout(path)
        self.names, self.named = self.layout.names, self.layout.header

    def chunks(self, rows: int) -> Iterator[polars.DataFrame]:
        if self.layout.skip is None:
            return
        first = 0
        try:
            for chunk in self._collected(rows):
                yield self._split(chunk) if self.layout.delimiter == SPACE else self._without_empty(chunk, first)
                first += len(chunk)
        except (polars.exceptions.PolarsError, OSError) as error:
            raise self._unreadable(error) from error

    def _collected(self, rows: int) -> Iterator[polars.DataFrame]:
        if self.path.stat().st_size > CHUNK_BYTES:
            return self._scan().collect_batches(chunk_size=rows)
        return iter([self._scan().collect()])  # streams start slowly

    def _scan(self) -> polars.LazyFrame:
        """The cells as text, all empty for an empty line; for a table delimited by spaces, whole lines."""
        spaces = self.layout.delimiter == SPACE
        return polars.scan_csv(
            self.path,
            has_header=False,
            skip_lines=self.layout.skip or 0,
            separator="\x01" if spaces else self.layout.delimiter,
            quote_char=None if spaces else '"',
            schema={str(index): polars.String for index in range(1 if spaces else len(self.names))},
        )

    def _split(self, lines: polars.DataFrame) -> polars.DataFrame:
        """The cells of lines that spaces delimit."""
        cells = lines["0"].str.strip_chars().str.replace_all(r"\s+", SPACE)
        cells = cells.filter(cells.fill_null("") != "").str.split(SPACE)
        if not (cells.list.len() == len(self.names)).all():
            empty_lines(self.path, self.layout)  # names the line at fault
        return polars.DataFrame({str(index): cells.list.get(index) for index in range(len(self.names))})

    def _without_empty(self, chunk: polars.DataFrame, first: int) -> polars.DataFrame:
        """A chunk without empty lines, which polars reads as rows of empty cells."""
        last = chunk.to_series(-1)
        if len(self.names) > 1 and last.null_count() == 0:
            return chunk
        if len(self.names) == 1 and not (last.is_null() | (last.str.strip_chars() == "")).any():
            return chunk
        kept = [first + row not in self._empty_lines for row in range(len(chunk))]
        return chunk.filter(polars.Series(kept, dtype=polars.Boolean))

    @cached_property
    def _empty_lines(self) -> set[int]:
        return empty_lines(self.path, self.layout)

    def _unreadable(self, error: Exception) -> ValueError:
        for number, cells in rows_with_lines(self.path, self.layout):
            if cells is not None and len(cells) != len(self.names):
                return wrong_width(self.path, self.layout, number, len(cells))
        return _unreadable(self.path, "a table", error)

    def as_numbers(self, chunk: polars.DataFrame) -> polars.DataFrame:
        missing = chunk.null_count()
        for kind in (polars.UInt16, polars.Float64):  # most tables of numbers are tables of levels
            numbers = chunk.select(polars.all().cast(kind, strict=False))
            if numbers.null_count().equals(missing):
                return numbers
        return chunk.select(polars.all().str.strip_chars().cast(polars.Float64, strict=False))

    def place(self, row: int, column: int) -> str:
        line, _ = locate(self.path, self.layout, row)
        return f"line {line}, {self.layout.column(column)}"

    def not_a_number(self, row: int, column: int) -> ValueError:
        line, cells = locate(self.path, self.layout, row)
        got = repr(cells[column][:30]) if cells[column] else "an empty cell"
        return ValueError(f"{self.path}: line {line}, {self.layout.column(column)}: expected a number, got {got}")


class ParquetTable(Table):
    """A Parquet file, whose columns have names and types.

    Raises:
        ValueError: If it cannot be read, or has no columns.
    """

    named = True

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.stat().st_size == 0:
            raise ValueError(f"{path}: expected rows of values, got an empty file")
        try:
            self._scan = polars.scan_parquet(path)
            self.schema = self._scan.collect_schema()
        except (polars.exceptions.PolarsError, OSError) as error:
            raise _unreadable(path, "a Parquet file", error) from error
        self.names = tuple(self.schema.names())
        if not self.names:
            raise ValueError(f"{path}: expected at least one column, got none")

    def chunks(self, rows: int) -> Iterator[polars.DataFrame]:
        try:
            for chunk in self._scan.collect_batches(chunk_size=rows):
                yield chunk.rename({name: str(index) for index, name in enumerate(self.names)})
        except (polars.exceptions.PolarsError, OSError) as error:
            raise _unreadable(self.path, "a Parquet file", error) from error

    def number_chunks(self) -> Iterator[Chunk]:
        for name, kind in self.schema.items():
            if not _is_plain_number(kind):
                raise ValueError(f"{self.path}: column {name!r}: expected integers, got {kind}")
        yield from super().number_chunks()

    def as_numbers(self, chunk: polars.DataFrame) -> polars.DataFrame:
        plain = [kind if _is_plain_number(kind) else None for kind in chunk.dtypes]
        return chunk.select(
            polars.col(str(index)).cast(polars.Float64) if kind else polars.lit(None, polars.Float64).alias(str(index))
            for index, kind in enumerate(plain)
        )

    def place(self, row: int, column: int) -> str:
        return f"row {row + 1}, column {self.names[column]!r}"

    def not_a_number(self, row: int, column: int) -> ValueError:
        return ValueError(f"{self.path}: {self.place(row, column)}: expected a number, got an empty cell")


def _is_plain_number(kind: polars.DataType) -> bool:
    return kind.is_integer() or kind.is_float() or kind == polars.Boolean


def _unreadable(path: Path, what: str, error: Exception) -> ValueError:
    reason = str(error).partition("\n")[0]
    return ValueError(f"{path}: expected {what}, got one that cannot be read ({reason})")


def open_table(path: Path) -> Table:
    """The table in a file.

    Raises:
        ValueError: If it has another suffix, can't be read, or is empty.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path}: expected a table ({' '.join(SUFFIXES)}), got the suffix {path.suffix!r}")
    return ParquetTable(path) if path.suffix.lower() == ".parquet" else TextTable(path)
