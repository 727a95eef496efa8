"""Tables as data sets: rows of levels, or columns of numbers, categories and gaps.

A text table is read once, as text. What it holds is then decided from all of its cells: levels, where every cell is a
small integer, else columns whose cells a schema reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars

from chainrule.data.dataset import Dataset, split_rows
from chainrule.data.examples import ArrayExamples, Examples, Rows
from chainrule.data.read.column_types import with_types
from chainrule.data.read.described import SchemaChoice, described, known_names, schema_of
from chainrule.data.read.large import LargeTable, stored_rows
from chainrule.data.read.layout import FileChoices
from chainrule.data.read.levels import Levels, dataset_of_levels, gather
from chainrule.data.read.open_table import open_table, open_tables
from chainrule.data.read.part import ROWS, Part
from chainrule.data.read.several import SeveralTables, check_columns, common_types
from chainrule.data.read.table_file import Table
from chainrule.data.schema import TableSchema


@dataclass(frozen=True)
class MixedParts:
    """The rows of the files of one table, whose columns hold numbers, categories and gaps.

    Attributes:
        frame: The rows of all files, one file after another.
        counts: The number of rows of each file.
        text: True if all cells are text, as text files have them.
    """

    frame: polars.DataFrame
    counts: Sequence[int]
    text: bool

    @property
    def rows(self) -> list[Rows]:
        """The rows of ``frame`` that each file has."""
        ends = np.cumsum(self.counts)
        return [np.arange(end - count, end) for count, end in zip(self.counts, ends, strict=True)]


def load_table(
    path: Path,
    *,
    seed: int = 0,
    levels: int | None = None,
    schema: SchemaChoice = None,
    encoding: str | None = None,
    header: bool | None = None,
) -> Dataset:
    """The rows of a file as examples, split 80/10/10 at random.

    Args:
        path: A table.
        seed: Seed of the split.
        levels: The number of values of every column; by default the largest value + 1.
        schema: The kinds of the columns. By default it is inferred where a cell is no level.
        encoding: The encoding of text, by default that of its byte order mark, or UTF-8.
        header: Whether the first line of text names the columns; by default its cells tell.

    Raises:
        ValueError: If the file can't be read, or a column can't be taken; it is named.
    """
    description = described(schema)
    (table,) = tables = open_tables([path], FileChoices(encoding, header, known_names(description)))
    origin = {"path": str(path.resolve()), "split_seed": seed}
    if not table.fits and levels is None and (description is not None or not Part(table).holds_levels()):
        return _large(path.resolve().name, LargeTable(table, seed), description, origin)
    content = _read(tables, levels, description)
    if isinstance(content, MixedParts):
        rows = split_rows(len(content.frame), seed, str(path))
        found = schema_of(description, content.frame, rows["train"], path.name, text=content.text)
        return _noted(dataset_of_frame(path.resolve().name, content.frame, rows, found, origin), tables)
    (array,) = content
    rows = split_rows(len(array), seed, str(path))
    return _noted(dataset_of_levels(path, dict.fromkeys(rows, array), rows, levels, {"split_seed": seed}), tables)


def load_tables(
    folder: Path,
    files: Mapping[str, Path],
    *,
    levels: int | None = None,
    schema: SchemaChoice = None,
    encoding: str | None = None,
    header: bool | None = None,
) -> Dataset:
    """The rows of three files, ``train``, ``valid`` and ``test``, as the splits of a data set; see `load_table`.

    Kinds, categories and ranges of columns are those of all files; means and deviations those of ``train``.
    """
    description = described(schema)
    tables = open_tables(list(files.values()), FileChoices(encoding, header, known_names(description)))
    origin = {"path": str(folder.resolve())}
    if not all(table.fits for table in tables) and levels is None:
        together = SeveralTables(folder, tables)
        if description is not None or not Part(together).holds_levels():
            return _large(folder.resolve().name, LargeTable(together, 0, list(files)), description, origin)
    content = _read(tables, levels, description)
    if not isinstance(content, MixedParts):
        arrays = dict(zip(files, content, strict=True))
        return _noted(dataset_of_levels(folder, arrays, dict.fromkeys(files), levels, {}, files), tables)
    rows = dict(zip(files, content.rows, strict=True))
    name = folder.resolve().name
    found = schema_of(description, content.frame, rows["train"], name, text=content.text)
    return _noted(dataset_of_frame(name, content.frame, rows, found, origin), tables)


def _noted(dataset: Dataset, tables: Sequence[Table]) -> Dataset:
    """The data set with what a person should know about how its files were read."""
    return replace(dataset, description="; ".join([dataset.description, *tables[0].notes]))


def _large(name: str, rows: LargeTable, description: Any, origin: dict[str, Any]) -> Dataset:
    """The data set of a table that does not fit into memory."""
    notes: tuple[str, ...] = ()
    if isinstance(description, TableSchema):
        schema = description
    else:
        schema, note = rows.schema(
            lambda some: schema_of(description, some.frame, some.rows, name, text=some.text, known=some.known)
        )
        notes = (note,)
    dataset = dataset_of_examples(name, schema, rows.examples(schema), origin)
    return _noted(replace(dataset, notes=(*dataset.notes, *notes)), [rows.table])


def dataset_of_examples(
    name: str, schema: TableSchema, splits: Mapping[str, Examples], origin: dict[str, Any], like: Any = None
) -> Dataset:
    """The data set of rows that are encoded; see `dataset_of_frame`."""
    kinds = [column.kind for column in schema.used]
    counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    count = sum(len(examples) for examples in splits.values())
    description = f"{name}: {count} rows of {len(kinds)} columns ({counted}), in the file's units"
    return Dataset(name, description, schema, splits, origin, notes=tuple(schema.notes), like=like)


def dataset_of_frame(
    name: str,
    frame: polars.DataFrame,
    rows: Mapping[str, Rows],
    schema: TableSchema,
    origin: dict[str, Any],
    like: Any = None,
) -> Dataset:
    """The data set of a frame whose rows are split as ``rows`` say; ``like`` is the frame of pandas that it was."""
    x = schema.encode(frame, name)
    splits = {split: ArrayExamples(x, (x.shape[1],), np.asarray(own)) for split, own in rows.items()}
    return dataset_of_examples(name, schema, splits, origin, like)


def read_levels(path: Path, levels: int | None = None, choices: FileChoices | None = None) -> Levels:
    """The rows of a table as an array ``(N, columns)`` of integers.

    Raises:
        ValueError: If the file is empty, a row has another number of cells than the first, or a cell is not an
            integer from 0 to ``levels`` - 1; with the line or row and the column.
    """
    return gather(path, open_table(path, choices).number_chunks(), levels)


def read_cells(path: Path, choices: FileChoices | None = None) -> MixedParts:
    """All rows of a table as they are: text, or columns of the file's types.

    Args:
        path: The table.
        choices: How a text table is read.

    Raises:
        ValueError: If it can't be read, or has no rows.
    """
    return cells_of(open_table(path, choices))


def cells_of(table: Table) -> MixedParts:
    """All rows of a table that is open; see `read_cells`."""
    return _gathered([table], [table.whole(ROWS)])


def read_frame(path: Path, choices: FileChoices | None = None) -> polars.DataFrame:
    """All rows of a table, in columns of the types that all of their cells have; see `read_cells`."""
    return frame_of(open_table(path, choices))


def frame_of(table: Table) -> polars.DataFrame:
    """All rows of a table that is open; see `read_frame`."""
    cells = cells_of(table)
    return with_types(cells.frame) if cells.text else cells.frame


def chunks_of(
    path: Path, schema: TableSchema, rows: int = ROWS, choices: FileChoices | None = None
) -> Iterator[polars.DataFrame]:
    """The rows of a table of a known schema, as they are, about ``rows`` at a time.

    Raises:
        ValueError: If it can't be read, or has no rows.
    """
    table = open_table(path, replace(choices or FileChoices(), names=known_names(schema)))
    return _chunks(table, rows if table.fits else min(rows, table.rows_at_once))


def _chunks(table: Table, rows: int) -> Iterator[polars.DataFrame]:
    """The rows of a table, ``rows`` at a time."""
    chunk = None
    for chunk in table.chunks(rows):
        yield table.frame([chunk])
    if chunk is None:
        table.frame([])


def read_all(path: Path, schema: TableSchema, choices: FileChoices | None = None) -> tuple[Examples, None]:
    """All rows of a file as examples of a known schema.

    Raises:
        ValueError: If it can't be read, or a cell has no value of its column; it is named.
    """
    table = open_table(path, replace(choices or FileChoices(), names=known_names(schema)))
    if not table.fits:
        return stored_rows(table, schema), None
    x = np.concatenate([schema.encode(chunk, path.name) for chunk in _chunks(table, ROWS)])
    return ArrayExamples(x, (x.shape[1],)), None


def read_tables(tables: Sequence[Table]) -> list[Levels] | MixedParts:
    """The rows of the files of one table: an array of levels ``(N, columns)`` of each if all cells are, else mixed.

    Raises:
        ValueError: If a file can't be read, or their columns differ.
    """
    parts = [Part(table) for table in tables]
    if all(part.holds_levels() for part in parts):
        return [part.gathered.array() for part in parts]
    return _gathered(tables, [part.cells() for part in parts])


def _read(tables: Sequence[Table], levels: int | None, schema: Any) -> list[Levels] | MixedParts:
    """The rows of the files of one table, read by ``levels`` or by the described ``schema``."""
    if schema is None:
        if levels is None:
            return read_tables(tables)
        return [gather(table.path, table.number_chunks(), levels) for table in tables]
    if levels is not None:
        raise ValueError(f"expected no levels with a schema, which says which values a column has, got {levels}")
    return _gathered(tables, [table.whole(ROWS) for table in tables])


def _gathered(tables: Sequence[Table], chunks: Sequence[Sequence[polars.DataFrame]]) -> MixedParts:
    """The cells of the files of one table, one file after another."""
    frames = [table.frame(own) for table, own in zip(tables, chunks, strict=True)]
    for table, frame in zip(tables, frames, strict=True):
        check_columns(table, frame.columns, tables)
    ordered = [frame.select(tables[0].names) for frame in frames]
    text = all(table.is_text for table in tables)
    if not text:
        typed = [with_types(frame) if table.is_text else frame for table, frame in zip(tables, ordered, strict=True)]
        types = common_types([frame.schema for frame in typed], tables)
        ordered = [frame.cast(types) for frame in typed]
    return MixedParts(polars.concat(ordered), [len(frame) for frame in frames], text)
