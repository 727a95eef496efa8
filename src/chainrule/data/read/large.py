"""Tables larger than memory: two readings, a chunk at a time, and the rows in a temporary file.

The first reading finds the schema, from rows that stand for all (`chainrule.data.read.extract`). The second one encodes
all rows, and each split has a file of its own (`chainrule.data.stored`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import polars
from numpy.typing import NDArray

from chainrule.data.dataset import SPLITS
from chainrule.data.examples import Examples
from chainrule.data.read.extract import Extract, extract
from chainrule.data.read.several import SeveralTables
from chainrule.data.read.table_file import Table
from chainrule.data.schema import TableSchema
from chainrule.data.stored import RowFile, StoredExamples, check_room

TENTHS = np.array([SPLITS.index(split) for split in ("valid", "test", *["train"] * 8)])
"""The number of a row's split, by a random tenth."""

Numbers = NDArray[np.int64]
SplitChunk = tuple[polars.DataFrame, Numbers]
"""Consecutive rows of a table, and the number of each one's split."""


class LargeTable:
    """The rows of a table that does not fit into memory, a chunk at a time, each with its split.

    Args:
        table: The table.
        seed: The seed of the split, 80/10/10 at random.
        splits: The split that all rows of each file have, where ``table`` is several.
    """

    def __init__(self, table: Table, seed: int, splits: Sequence[str] | None = None) -> None:
        self.table, self.seed = table, seed
        self.splits = None if splits is None else [SPLITS.index(split) for split in splits]

    def chunks(self) -> Iterator[SplitChunk]:
        """All rows, each time the same.

        Raises:
            ValueError: If a file can't be read.
        """
        random = np.random.RandomState(self.seed)
        for number, chunk in _numbered(self.table):
            rows = self.table.frame([chunk])
            if self.splits is None:  # whatever the chunks are, a row gets the same number
                yield rows, TENTHS[(10 * random.random_sample(len(rows))).astype(np.int64)]
            else:
                yield rows, np.full(len(rows), self.splits[number])

    def extract(self) -> Extract:
        """Rows that stand for all."""
        train = SPLITS.index("train")
        chunks = ((rows, splits == train) for rows, splits in self.chunks())
        return extract(chunks, self.table.most_rows, self.seed, text=self.table.is_text)

    def schema(self, find: Callable[[Extract], TableSchema]) -> tuple[TableSchema, str]:
        """The schema that ``find`` finds in an extract, and a note that says what it rests on.

        Raises:
            ValueError: If it finds none.
        """
        if self.table.all_alike:
            rows = f"{self.table.most_rows:,} rows"
            raise ValueError(f"{self.table.path}: expected rows that differ, got {rows} that are all the same")
        found = self.extract()
        try:
            schema = find(found)
        except ValueError as error:
            if " row " not in str(error):
                raise
            raise ValueError(f"{error} (rows are counted among {len(found.frame):,} that were chosen)") from None
        return schema, (
            "the table is not held in memory: kinds, ranges and gaps of its columns are those of all rows; means, "
            f"deviations, curves and frequent categories those of {found.sampled:,} rows at random"
        )

    def examples(self, schema: TableSchema) -> Mapping[str, Examples]:
        """The rows of each split, encoded, in temporary files.

        Raises:
            ValueError: If a cell has no value of its column, or a split has no rows.
            OSError: If the disk of temporary files is full.
        """
        where = self.table.path.name
        stores = stored(self.chunks(), schema, self.table, len(SPLITS))
        counts = {split: store.count for split, store in zip(SPLITS, stores, strict=True)}
        if not all(counts.values()):
            raise ValueError(f"{where}: expected rows for train, valid and test, got {counts}")
        return {split: StoredExamples(store) for split, store in zip(SPLITS, stores, strict=True)}


def stored_rows(table: Table, schema: TableSchema) -> StoredExamples:
    """All rows of a table that does not fit into memory, as examples in a temporary file; see `LargeTable.examples`."""
    chunks = ((table.frame([chunk]), np.zeros(len(chunk), np.int64)) for _, chunk in _numbered(table))
    (store,) = stored(chunks, schema, table, 1)
    return StoredExamples(store)


def stored(chunks: Iterator[SplitChunk], schema: TableSchema, table: Table, count: int) -> list[RowFile]:
    """The encoded rows of ``chunks`` in ``count`` files, by the number of each row."""
    columns, first = len(schema.used), 0
    check_room(4 * columns * table.most_rows)
    files = [RowFile(columns) for _ in range(count)]
    for rows, numbers in chunks:
        try:
            x = schema.encode(rows, table.path.name)
        except ValueError as error:
            raise ValueError(f"{error}{f' (rows are counted from {first + 1:,} on)' if first else ''}") from None
        for number, file in enumerate(files):
            file.append(x[numbers == number])
        first += len(rows)
    return files


def _numbered(table: Table) -> Iterator[tuple[int, polars.DataFrame]]:
    """The chunks of a table, each with the number of its file."""
    if isinstance(table, SeveralTables):
        return table.numbered_chunks(table.rows_at_once)
    return ((0, chunk) for chunk in table.chunks(table.rows_at_once))
