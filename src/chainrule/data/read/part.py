"""A file of a table that is read once, whether its cells turn out to be levels or not."""

from __future__ import annotations

import polars

from chainrule.data.read.levels import SPILL_BYTES, Gathered, are_levels
from chainrule.data.read.table_file import Table

ROWS = 100_000
"""Rows of a large file that are read at once."""


class Part:
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
        if self._size > SPILL_BYTES:
            return self.table.whole(ROWS)
        self.table.check_fits()
        return [*self._kept, *self._chunks]
