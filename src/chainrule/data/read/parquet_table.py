"""Parquet files as tables."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import polars

from chainrule.data.read.levels import Chunk
from chainrule.data.read.parquet_pages import check_pages
from chainrule.data.read.table_file import Table, check_columns
from chainrule.foreign import decoding, each_decoded, stderr_held_back

BYTES: dict[Any, int] = {
    **dict.fromkeys((polars.Float64, polars.Int64, polars.UInt64, polars.Datetime, polars.Duration, polars.Time), 8),
    **dict.fromkeys((polars.Float32, polars.Int32, polars.UInt32, polars.Date), 4),
    polars.String: 16,
}
"""Bytes of a cell in memory of some types; of others at least one."""


class ParquetTable(Table):
    """A Parquet file, whose columns have names and types.

    Raises:
        ValueError: If it cannot be read, or has no columns or too many.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.stat().st_size == 0:
            raise ValueError(f"{path}: expected rows of values, got an empty file")
        with decoding(path, "a Parquet file"), stderr_held_back():
            check_pages(path)
            self._scan = polars.scan_parquet(path)
            self.types = self._scan.collect_schema()
        self.names = tuple(self.types.names())
        if not self.names:
            raise ValueError(f"{path}: expected at least one column, got none")
        check_columns(path, len(self.names))

    @cached_property
    def most_rows(self) -> int:
        with decoding(self.path, "a Parquet file"), stderr_held_back():
            return int(self._scan.select(polars.len()).collect().item())

    @property
    def all_alike(self) -> bool:
        if any(kind.is_nested() for kind in self.types.dtypes()):
            return False
        with decoding(self.path, "a Parquet file"), stderr_held_back():
            first = self._scan.head(1).collect().row(0, named=True)
            other = polars.any_horizontal(polars.col(name).ne_missing(polars.lit(cell)) for name, cell in first.items())
            return self._scan.filter(other).head(1).collect(engine="streaming").is_empty()

    @property
    def least_bytes(self) -> int:
        return self.most_rows * sum(BYTES.get(kind, 1) for kind in self.types.dtypes())

    def chunks(self, rows: int) -> Iterator[polars.DataFrame]:
        def read() -> Iterator[polars.DataFrame]:
            expected, given = self.most_rows, 0
            for chunk in self._scan.collect_batches(chunk_size=rows):
                given += len(chunk)
                yield chunk
            if given != expected:  # a thread of polars that fails may end its stream without an error
                raise ValueError(f"it ends after {given:,} of {expected:,} rows")

        for chunk in each_decoded(self.path, "a Parquet file", read):
            yield chunk.rename({name: str(index) for index, name in enumerate(self.names)})

    def number_chunks(self) -> Iterator[Chunk]:
        for name, kind in self.types.items():
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
