"""Parquet tables, read a slice of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars

from chainrule.data.read.values import BLOCK_BYTES, Block, Levels, gather


def read_parquet(path: Path, levels: int | None = None) -> Levels:
    """The rows of a Parquet file as an array ``(N, columns)`` of integers.

    Raises:
        ValueError: If it is not a Parquet file, has no columns or rows, or a cell is not an integer from
            0 to ``levels`` - 1; with the row (from 1) and the column.
    """
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: expected rows of values, got an empty file")
    try:
        frame = polars.scan_parquet(path)
        schema = frame.collect_schema()
        count = int(frame.select(polars.len()).collect().item())
    except (polars.exceptions.PolarsError, OSError) as error:
        raise _unreadable(path, error) from error
    names = schema.names()
    if not names:
        raise ValueError(f"{path}: expected at least one column, got none")
    for name, kind in schema.items():
        if not (kind.is_integer() or kind.is_float() or kind == polars.Boolean):
            raise ValueError(f"{path}: column {name!r}: expected integers, got {kind}")
    return gather(path, lambda: _blocks(path, frame, names, count), levels)


def _blocks(path: Path, frame: polars.LazyFrame, names: list[str], count: int) -> Iterator[Block]:
    length = max(1, BLOCK_BYTES // (8 * len(names)))
    for start in range(0, count, length):
        try:
            rows = frame.slice(start, length).cast(polars.Float64).collect()
        except (polars.exceptions.PolarsError, OSError) as error:
            raise _unreadable(path, error) from error

        def place(row: int, column: int, start: int = start) -> str:
            return f"row {start + row + 1}, column {names[column]!r}"

        for index, nulls in enumerate(rows.null_count().row(0)):
            if nulls:
                row = int(rows.to_series(index).is_null().arg_max() or 0)
                raise ValueError(f"{path}: {place(row, index)}: expected a number, got an empty cell")
        yield Block(rows.to_numpy(), place)


def _unreadable(path: Path, error: Exception) -> ValueError:
    reason = str(error).partition("\n")[0]
    return ValueError(f"{path}: expected a Parquet file, got one that cannot be read ({reason})")
