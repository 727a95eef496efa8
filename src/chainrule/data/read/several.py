"""Several files as one table: the rows of all, one file after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars

from chainrule.data.read.table_file import Table
from chainrule.words import suggestion


class SeveralTables(Table):
    """The files of one table, all text or all Parquet, with the same columns in any sequence.

    Args:
        path: Their folder, or the pattern of their names.
        tables: The files, of which the first names the columns.

    Raises:
        ValueError: If they are of different formats, or one has other columns or types; it is named.
    """

    def __init__(self, path: Path, tables: Sequence[Table]) -> None:
        first = tables[0]
        self.path, self.names, self.tables = path, first.names, tables
        self.notes = (*first.notes, f"{len(tables)} files")
        for table in tables:
            if table.is_text != first.is_text:
                raise ValueError(f"{path}: expected files of one format, got {first.path.name} and {table.path.name}")
            check_columns(table, table.names, tables)
        self.types = common_types([table.types for table in tables], tables)

    @property
    def is_text(self) -> bool:
        return self.tables[0].is_text

    @property
    def most_rows(self) -> int:
        return sum(table.most_rows for table in self.tables)

    @property
    def least_bytes(self) -> int:
        return sum(table.least_bytes for table in self.tables)

    def chunks(self, rows: int) -> Iterator[polars.DataFrame]:
        return (chunk for _, chunk in self.numbered_chunks(rows))

    def numbered_chunks(self, rows: int) -> Iterator[tuple[int, polars.DataFrame]]:
        """The chunks of all files, each with the number of its file, from 0 on."""
        for number, table in enumerate(self.tables):
            for chunk in table.chunks(rows):
                yield number, self._aligned(table, chunk)

    def _aligned(self, table: Table, chunk: polars.DataFrame) -> polars.DataFrame:
        """A chunk of a file with the columns in the sequence of the first file's, of the types of all."""
        chunk = chunk.rename(dict(zip(chunk.columns, table.names, strict=True))).select(self.names)
        chunk = chunk.cast(self.types)
        return chunk.rename({name: str(index) for index, name in enumerate(self.names)})

    def as_numbers(self, chunk: polars.DataFrame) -> polars.DataFrame:
        return self.tables[0].as_numbers(chunk)

    def place(self, row: int, column: int) -> str:
        return f"row {row + 1} of all files, column {self.names[column]!r}"

    def not_a_number(self, row: int, column: int) -> ValueError:
        return ValueError(f"{self.path}: {self.place(row, column)}: expected a number, got something else")


def check_columns(table: Table, columns: Sequence[str], tables: Sequence[Table]) -> None:
    """Raise ``ValueError`` unless ``columns`` of ``table`` are those of the first of ``tables``, in any sequence."""
    first = tables[0]
    for name in (*first.names, *columns):
        if name not in columns:
            near = suggestion(name, columns)
            raise ValueError(f"{table.path}: expected the column {name!r} of {first.path.name}, got none{near}")
        if name not in first.names:
            raise ValueError(f"{table.path}: expected the columns of {first.path.name}, got {name!r} also")


def common_types(schemas: Sequence[polars.Schema], tables: Sequence[Table]) -> polars.Schema:
    """The types that hold the cells of all files; numbers may be of different ones.

    Raises:
        ValueError: If others are of different types; the file is named.
    """
    first = schemas[0]
    for table, schema in zip(tables, schemas, strict=True):
        for name, own in schema.items():
            plain = all(kind.is_numeric() for kind in (own, first[name])) or polars.Null in (own, first[name])
            if own != first[name] and not plain:
                expected = f"expected {first[name]} as in {tables[0].path.name}, got {own}"
                raise ValueError(f"{table.path}: column {name!r}: {expected}")
    empty = [polars.DataFrame(schema=schema).select(first.names()) for schema in schemas]
    return polars.concat(empty, how="vertical_relaxed").schema
