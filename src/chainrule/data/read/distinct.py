"""A test of whether all cells of a long column differ, in little memory."""

from __future__ import annotations

from typing import IO

import numpy as np
import polars

from chainrule.data.stored import unnamed_file

PARTS = 256
"""The hashes are compared a part at a time: those that begin alike."""


class Distinct:
    """A test of whether all cells of a column differ.

    Their hashes go to a temporary file, until two of a chunk are the same.

    Two of 10 million hashes of 64 bits are the same by chance once in 400,000 columns.
    """

    def __init__(self) -> None:
        self._possible = True
        self._file: IO[bytes] | None = None
        self._ends: list[np.ndarray] = []

    def add(self, cells: polars.Series) -> None:
        """Compare more cells with each other, and keep their hashes; an empty cell is no name of a row."""
        if not self._possible:
            return
        hashes = np.sort(cells.hash().to_numpy())
        if cells.null_count() or (hashes[1:] == hashes[:-1]).any():
            self.refuse()
            return
        self._file = self._file or unnamed_file(self)
        self._file.write(hashes.tobytes())
        starts = np.arange(1, PARTS, dtype=np.uint64) << np.uint64(56)
        self._ends.append(np.concatenate([[0], np.searchsorted(hashes, starts), [len(hashes)]]))

    def refuse(self) -> None:
        """Say that some cells are the same, or are no names of rows."""
        self._possible, self._file = False, None

    def all_differ(self) -> bool:
        """True if no two cells of all chunks are the same."""
        return self._possible and all(self._part_differs(part) for part in range(PARTS))

    def _part_differs(self, part: int) -> bool:
        found, start = [np.empty(0, np.uint64)], 0
        for ends in self._ends:
            assert self._file is not None
            self._file.seek(8 * (start + int(ends[part])))
            size = 8 * int(ends[part + 1] - ends[part])
            found.append(np.frombuffer(self._file.read(size), np.uint64))
            start += int(ends[-1])
        together = np.concatenate(found)
        return len(np.unique(together)) == len(together)
