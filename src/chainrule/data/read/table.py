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
from chainrule.data.infer import complete_schema, infer
from chainrule.data.read.column_types import with_types
from chainrule.data.read.extract import Extract
from chainrule.data.read.large import LargeTable, stored_rows
from chainrule.data.read.layout import FileChoices
from chainrule.data.read.levels import Levels, dataset_of_levels, gather
from chainrule.data.read.open_table import open_table, open_tables
from chainrule.data.read.part import ROWS, Part
from chainrule.data.read.several import SeveralTables, check_columns, common_types
from chainrule.data.read.table_file import Table
from chainrule.data.schema import TableSchema
from chainrule.yaml_file import read_yaml

INFER = "infer"

SchemaChoice = str | dict[str, Any] | TableSchema | None
"""The columns as a person describes them, in a YAML file or a mapping; or the whole schema, of a run."""


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
    described = _described(schema)
    (table,) = tables = open_tables([path], FileChoices(encoding, header, _names(described)))
    origin = {"path": str(path.resolve()), "split_seed": seed}
    if not table.fits and levels is None and (described is not None or not Part(table).holds_levels()):
        return _large(path.resolve().name, LargeTable(table, seed), described, origin)
    content = _read(tables, levels, described)
    if isinstance(content, MixedParts):
        rows = split_rows(len(content.frame), seed, str(path))
        found = _schema(described, content, rows["train"], path.name)
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
    described = _described(schema)
    tables = open_tables(list(files.values()), FileChoices(encoding, header, _names(described)))
    origin = {"path": str(folder.resolve())}
    if not all(table.fits for table in tables) and levels is None:
        together = SeveralTables(folder, tables)
        if described is not None or not Part(together).holds_levels():
            return _large(folder.resolve().name, LargeTable(together, 0, list(files)), described, origin)
    content = _read(tables, levels, described)
    if not isinstance(content, MixedParts):
        arrays = dict(zip(files, content, strict=True))
        return _noted(dataset_of_levels(folder, arrays, dict.fromkeys(files), levels, {}, files), tables)
    rows = dict(zip(files, content.rows, strict=True))
    name = folder.resolve().name
    found = _schema(described, content, rows["train"], name)
    return _noted(dataset_of_frame(name, content.frame, rows, found, origin), tables)


def _noted(dataset: Dataset, tables: Sequence[Table]) -> Dataset:
    """The data set with what a person should know about how its files were read."""
    return replace(dataset, description="; ".join([dataset.description, *tables[0].notes]))


def _large(name: str, rows: LargeTable, described: Any, origin: dict[str, Any]) -> Dataset:
    """The data set of a table that does not fit into memory."""
    notes: tuple[str, ...] = ()
    if isinstance(described, TableSchema):
        schema = described
    else:
        schema, note = rows.schema(lambda some: _schema_of_extract(described, some, name))
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
    table = open_table(path, replace(choices or FileChoices(), names=_names(schema)))
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
    table = open_table(path, replace(choices or FileChoices(), names=_names(schema)))
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


def described_schema(choice: SchemaChoice, content: MixedParts, rows: Rows, where: str) -> TableSchema:
    """The schema of ``content`` by a person's choice; see `load_table`."""
    return _schema(_described(choice), content, rows, where)


def _schema_of_extract(described: Any, some: Extract, where: str) -> TableSchema:
    """The schema of a table by rows that stand for all; see `_schema`."""
    if described is None or described == INFER:
        return infer(some.frame, some.rows, where, text=some.text, known=some.known)
    return complete_schema(described, some.frame, some.rows, where, text=some.text, known=some.known)


def _schema(described: Any, content: MixedParts, rows: Rows, where: str) -> TableSchema:
    """The schema of ``content`` by its description; the rows complete what the description leaves out."""
    if isinstance(described, TableSchema):
        return described
    if described is None or described == INFER:
        return infer(content.frame, rows, where, text=content.text)
    return complete_schema(described, content.frame, rows, where, text=content.text)


def _names(described: Any) -> tuple[str, ...]:
    """The columns that a file is known to have, by the schema of a run."""
    return tuple(column.name for column in described.columns) if isinstance(described, TableSchema) else ()


def _described(choice: SchemaChoice) -> Any:
    """The description of the columns, read from its file if it is in one; other choices stay as they are."""
    if choice == INFER or not isinstance(choice, str):
        return choice
    path = Path(choice)
    try:
        written = read_yaml(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"schema expects a YAML file or {INFER!r}, found no {path}") from None
    try:
        TableSchema.from_config(written)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return written
