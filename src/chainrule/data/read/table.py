"""Tables as data sets: rows of levels, or columns of numbers, categories and gaps.

A text table is read once, as text. What it holds is then decided from all of its cells: levels, where every cell is a
small integer, else columns whose cells a schema reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars

from chainrule.data.dataset import Dataset, split_rows
from chainrule.data.examples import ArrayExamples, Rows
from chainrule.data.infer import complete_schema, infer
from chainrule.data.read.column_types import with_types
from chainrule.data.read.levels import SPILL_BYTES, Gathered, Levels, are_levels, dataset_of_levels, gather
from chainrule.data.read.table_file import Table, TextTable, open_table
from chainrule.data.schema import TableSchema
from chainrule.words import suggestion
from chainrule.yaml_file import read_yaml

ROWS = 100_000
"""Rows of a large file that are read at once."""

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


def load_table(path: Path, *, seed: int = 0, levels: int | None = None, schema: SchemaChoice = None) -> Dataset:
    """The rows of a file as examples, split 80/10/10 at random.

    Args:
        path: A table.
        seed: Seed of the split.
        levels: The number of values of every column; by default the largest value + 1.
        schema: The kinds of the columns. By default it is inferred where columns have names and a cell is no level.

    Raises:
        ValueError: If the file can't be read, or a column can't be taken; it is named.
    """
    described = _described(schema)
    content = _read([path], levels, described)
    if isinstance(content, MixedParts):
        rows = split_rows(len(content.frame), seed, str(path))
        origin = {"path": str(path.resolve()), "split_seed": seed}
        found = _schema(described, content, rows["train"], path.name)
        return dataset_of_frame(path.resolve().name, content.frame, rows, found, origin)
    (array,) = content
    rows = split_rows(len(array), seed, str(path))
    return dataset_of_levels(path, dict.fromkeys(rows, array), rows, levels, {"split_seed": seed})


def load_tables(
    folder: Path, files: Mapping[str, Path], *, levels: int | None = None, schema: SchemaChoice = None
) -> Dataset:
    """The rows of three files, ``train``, ``valid`` and ``test``, as the splits of a data set; see `load_table`.

    Kinds, categories and ranges of columns are those of all files; means and deviations those of ``train``.
    """
    described = _described(schema)
    content = _read(list(files.values()), levels, described)
    if not isinstance(content, MixedParts):
        arrays = dict(zip(files, content, strict=True))
        return dataset_of_levels(folder, arrays, dict.fromkeys(files), levels, {}, files)
    rows = dict(zip(files, content.rows, strict=True))
    name = folder.resolve().name
    found = _schema(described, content, rows["train"], name)
    return dataset_of_frame(name, content.frame, rows, found, {"path": str(folder.resolve())})


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
    kinds = [column.kind for column in schema.used]
    counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    description = f"{name}: {len(frame)} rows of {len(kinds)} columns ({counted}), in the file's units"
    return Dataset(name, description, schema, splits, origin, notes=tuple(schema.notes), like=like)


def read_levels(path: Path, levels: int | None = None) -> Levels:
    """The rows of a table as an array ``(N, columns)`` of integers.

    Raises:
        ValueError: If the file is empty, a row has another number of cells than the first, or a cell is not an
            integer from 0 to ``levels`` - 1; with the line or row and the column.
    """
    return gather(path, open_table(path).number_chunks(), levels)


def read_cells(path: Path) -> MixedParts:
    """All rows of a table whose columns have names, as they are: text, or columns of the file's types.

    Raises:
        ValueError: If it can't be read, has no rows, or two columns have one name.
    """
    table = open_table(path)
    return _gathered([table], [list(table.chunks(ROWS))])


def read_frame(path: Path) -> polars.DataFrame:
    """All rows of a table whose columns have names, in columns of the types that all of their cells have.

    Raises:
        ValueError: If it can't be read, has no rows, or two columns have one name.
    """
    cells = read_cells(path)
    return with_types(cells.frame) if cells.text else cells.frame


def chunks_of(path: Path, rows: int = ROWS) -> Iterator[polars.DataFrame]:
    """The rows of a table as they are, text or columns of the file's types, about ``rows`` at a time.

    Raises:
        ValueError: If it can't be read, has no rows, or two columns have one name.
    """
    table = open_table(path)
    chunk = None
    for chunk in table.chunks(rows):
        yield table.frame([chunk])
    if chunk is None:
        table.frame([])


def read_all(path: Path, schema: TableSchema) -> tuple[ArrayExamples, None]:
    """All rows of a file as examples of a known schema.

    Raises:
        ValueError: If it can't be read, or a cell has no value of its column; it is named.
    """
    x = np.concatenate([schema.encode(chunk, path.name) for chunk in chunks_of(path)])
    return ArrayExamples(x, (x.shape[1],)), None


def read_tables(paths: Sequence[Path]) -> list[Levels] | MixedParts:
    """The rows of the files of one table: an array of levels ``(N, columns)`` of each if all cells are, else mixed.

    Files whose columns have no names must hold levels.

    Raises:
        ValueError: If a file can't be read, or their columns differ.
    """
    parts = [_Part(open_table(path)) for path in paths]
    if not all(part.table.named for part in parts):
        return [read_levels(path) for path in paths]
    if all(part.holds_levels() for part in parts):
        return [part.gathered.array() for part in parts]
    return _gathered([part.table for part in parts], [part.cells() for part in parts])


class _Part:
    """A file that is read once: as levels while all cells are levels. The rows read so far are kept as text.

    It is read a second time only if the first `SPILL_BYTES` are levels and a later cell is not.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.gathered = Gathered(table.path)
        self._chunks = table.chunks(table.rows_of_levels)
        self._kept: list[polars.DataFrame] = []
        self._size = 0

    def holds_levels(self) -> bool:
        """True if all cells are levels; stops reading at the first that is not."""
        for cells in self._chunks:
            self._size += int(cells.estimated_size())
            self._kept.append(cells)
            if self._size > SPILL_BYTES:
                self._kept.clear()
            numbers = self.table.as_numbers(cells)
            values = numbers.to_numpy()
            if any(numbers.null_count().row(0)) or not are_levels(values):
                return False
            self.gathered.add(values, int(values.max(initial=0)))
        return True

    def cells(self) -> list[polars.DataFrame]:
        """All rows as they are written."""
        return list(self.table.chunks(ROWS)) if self._size > SPILL_BYTES else [*self._kept, *self._chunks]


def _read(paths: Sequence[Path], levels: int | None, schema: Any) -> list[Levels] | MixedParts:
    """The rows of the files of one table, read by ``levels`` or by the described ``schema``."""
    if schema is None:
        return read_tables(paths) if levels is None else [read_levels(path, levels) for path in paths]
    if levels is not None:
        raise ValueError(f"expected no levels with a schema, which says which values a column has, got {levels}")
    tables = [open_table(path) for path in paths]
    return _gathered(tables, [list(table.chunks(ROWS)) for table in tables])


def _gathered(tables: Sequence[Table], chunks: Sequence[Sequence[polars.DataFrame]]) -> MixedParts:
    """The cells of the files of one table, one file after another."""
    frames = [table.frame(own) for table, own in zip(tables, chunks, strict=True)]
    names = frames[0].columns
    for table, frame in zip(tables, frames, strict=True):
        for name in (*names, *frame.columns):
            if name not in frame.columns:
                near = suggestion(name, frame.columns)
                raise ValueError(f"{table.path}: expected the column {name!r} of {tables[0].path.name}, got none{near}")
            if name not in names:
                raise ValueError(f"{table.path}: expected the columns of {tables[0].path.name}, got {name!r} also")
    ordered = [frame.select(names) for frame in frames]
    text = [isinstance(table, TextTable) for table in tables]
    if all(text):
        whole = polars.concat(ordered)
    else:
        typed = [with_types(frame) if own else frame for own, frame in zip(text, ordered, strict=True)]
        whole = _concatenated(typed, tables)
    return MixedParts(whole, [len(frame) for frame in frames], all(text))


def _concatenated(frames: Sequence[polars.DataFrame], tables: Sequence[Table]) -> polars.DataFrame:
    """Frames with the same columns, some from Parquet files, whose types may differ."""
    for table, frame in zip(tables, frames, strict=True):
        for own, first in zip(frame, frames[0], strict=True):
            if own.dtype != first.dtype and not (own.dtype.is_numeric() and first.dtype.is_numeric()):
                expected = f"expected {first.dtype} as in {tables[0].path.name}, got {own.dtype}"
                raise ValueError(f"{table.path}: column {own.name!r}: {expected}")
    return polars.concat(frames, how="vertical_relaxed")


def described_schema(choice: SchemaChoice, content: MixedParts, rows: Rows, where: str) -> TableSchema:
    """The schema of ``content`` by a person's choice; see `load_table`."""
    return _schema(_described(choice), content, rows, where)


def _schema(described: Any, content: MixedParts, rows: Rows, where: str) -> TableSchema:
    """The schema of ``content`` by its description; the rows complete what the description leaves out."""
    if isinstance(described, TableSchema):
        return described
    if described is None or described == INFER:
        return infer(content.frame, rows, where, text=content.text)
    return complete_schema(described, content.frame, rows, where, text=content.text)


def _described(choice: SchemaChoice) -> Any:
    """The description of the columns, read from its file if it is in one; other choices stay as they are."""
    if choice == INFER or not isinstance(choice, str):
        return choice
    path = Path(choice)
    try:
        return read_yaml(path) or {}
    except FileNotFoundError:
        raise FileNotFoundError(f"schema expects a YAML file or {INFER!r}, found no {path}") from None
