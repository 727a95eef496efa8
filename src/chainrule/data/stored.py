"""Examples in a temporary file: more than fit into memory, read and shuffled a block at a time."""

from __future__ import annotations

import errno
import math
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from typing import IO, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chainrule.batch import Batch, Batches, check_length, epoch_generator, epoch_seed
from chainrule.data.examples import Examples, Rows

Values = NDArray[np.float32]

BLOCK_BYTES = 2**17
"""Bytes of a block, whose rows are read at once."""

BUFFER_BLOCKS = 256
"""Blocks that are shuffled together: 32 MB."""

BOUND = 100_000
"""Rows that are held in memory at once, where a task needs them together."""


def unnamed_file(owner: object) -> IO[bytes]:
    """A temporary file that is closed with its ``owner``. It has no name: the system removes it, however this ends."""
    file: IO[bytes] = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # the owner closes it
    weakref.finalize(owner, file.close)
    return file


class RowFile:
    """A file of rows of float32; see `unnamed_file`.

    Args:
        columns: The number of values of a row.
    """

    def __init__(self, columns: int) -> None:
        self.columns, self.count = columns, 0
        self._file = unnamed_file(self)

    @property
    def row_bytes(self) -> int:
        """The bytes of a row."""
        return 4 * self.columns

    def append(self, rows: Values) -> None:
        """Write ``rows`` ``(k, columns)`` behind the others.

        Raises:
            OSError: If the disk is full; it names the folder.
        """
        left = memoryview(rows.astype(np.float32).tobytes())
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise no_room(error.errno or errno.EIO) from error
        self.count += len(rows)

    def read(self, start: int, stop: int) -> Values:
        """The rows from ``start`` on and before ``stop``, ``(stop - start, columns)``."""
        found = np.empty((stop - start, self.columns), dtype=np.float32)
        left, place = (found.data.cast("B") if found.size else memoryview(b"")), start * self.row_bytes
        while left:
            size = self._read_at(left, place)
            if size == 0:
                raise OSError(errno.EIO, f"expected {self.count:,} rows of {self.row_bytes} bytes, got fewer", folder())
            left, place = left[size:], place + size
        return found

    def _read_at(self, buffer: memoryview, place: int) -> int:
        """Read from ``place`` on into ``buffer``; processes that share the file don't move each other's place."""
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), [buffer], place)
        self._file.seek(place)
        return self._file.readinto(buffer)  # type: ignore[attr-defined]


def folder() -> str:
    """The folder of temporary files."""
    return tempfile.gettempdir()


def check_room(size: int) -> None:
    """Raise ``OSError`` unless a temporary file of ``size`` bytes fits onto the disk."""
    if size > shutil.disk_usage(folder()).free:
        raise no_room(errno.ENOSPC, size)


def no_room(number: int, size: int | None = None) -> OSError:
    """The error that says that the disk of temporary files is full, or failed."""
    room = "" if size is None else f" of {size / 1e9:.2f} GB"
    return OSError(
        number,
        f"{os.strerror(number)}: expected room for a temporary copy{room} of a large table; "
        "name another folder by the variable TMPDIR",
        folder(),
    )


class StoredExamples(Examples):
    """The rows of a `RowFile` as examples.

    An epoch of training reads its blocks of neighbouring rows in a random sequence. So many blocks as fit into a buffer
    are shuffled together, row by row. Both sequences depend on the seed and the epoch only, and the content of a batch
    on its number, so that a training goes on in the middle of an epoch.

    Args:
        file: The rows.
    """

    def __init__(self, file: RowFile) -> None:
        super().__init__((file.columns,))
        self.file = file

    def __len__(self) -> int:
        return self.file.count

    def read(self, positions: Rows) -> Tensor:
        found = np.empty((len(positions), self.file.columns), dtype=np.float32)
        order = np.argsort(positions, kind="stable")
        ascending = positions[order]
        for first, last in _runs(ascending):
            low, high = ascending[first], ascending[last - 1] + 1
            found[order[first:last]] = self.file.read(int(low), int(high))[ascending[first:last] - low]
        return torch.from_numpy(found)

    def bounded(self) -> Examples:
        return self.fewer(BOUND)[0]

    def batches(
        self,
        size: int,
        *,
        seed: int | None = None,
        epoch: int = 0,
        history: float | None = None,
        context: Tensor | None = None,
        part: tuple[int, int] = (0, 1),
    ) -> Batches:
        if seed is None:
            return super().batches(size, history=history, context=context, part=part)
        check_length(context, len(self))
        shuffled = Shuffled(self.file, seed, epoch)
        rank, world = part

        def read(number: int) -> Batch:
            x, item = shuffled.between(number * size, min((number + 1) * size, len(self)))
            x, item = x[rank::world], item[rank::world]
            return Batch(x, None if context is None else context[item], item)

        return Batches(range(math.ceil(len(self) / size)), read)


class Buffer(NamedTuple):
    """Rows that were shuffled together.

    Attributes:
        number: The number of the buffer in its epoch.
        x: The rows ``(k, n)``.
        item: Their numbers in the file ``(k,)``.
    """

    number: int
    x: Tensor
    item: Tensor


class Shuffled:
    """The rows of a file in the sequence of one epoch; see `StoredExamples`.

    Args:
        file: The rows.
        seed: The seed of the training.
        epoch: The epoch.
    """

    def __init__(self, file: RowFile, seed: int, epoch: int) -> None:
        self.file, self.seed = file, epoch_seed(seed, epoch)
        self.rows = max(1, BLOCK_BYTES // file.row_bytes)
        count = math.ceil(file.count / self.rows)
        self.blocks = torch.randperm(count, generator=epoch_generator(seed, epoch)).numpy()
        sizes = np.minimum(self.rows, file.count - self.blocks * self.rows)
        buffers = np.add.reduceat(sizes, np.arange(0, count, BUFFER_BLOCKS)) if count else sizes
        self.ends = np.cumsum(buffers)
        self._buffer: Buffer | None = None

    def between(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """The rows ``(k, n)`` from ``start`` on and before ``stop``, and their numbers in the file ``(k,)``."""
        parts = list(self._parts(start, stop))
        return torch.cat([x for x, _ in parts]), torch.cat([item for _, item in parts])

    def _parts(self, start: int, stop: int) -> Iterator[tuple[Tensor, Tensor]]:
        while start < stop:
            number = int(np.searchsorted(self.ends, start, side="right"))
            first = int(self.ends[number - 1]) if number else 0
            end = min(stop, int(self.ends[number]))
            buffer = self._filled(number)
            some = slice(start - first, end - first)
            yield buffer.x[some], buffer.item[some]
            start = end

    def _filled(self, number: int) -> Buffer:
        """The buffer ``number``; the last one is kept."""
        if self._buffer is not None and self._buffer.number == number:
            return self._buffer
        self._buffer = None  # its memory is free before that of the next one is taken
        blocks = np.sort(self.blocks[number * BUFFER_BLOCKS : (number + 1) * BUFFER_BLOCKS])
        ends = np.minimum((blocks + 1) * self.rows, self.file.count)
        spans = [(int(block) * self.rows, int(end)) for block, end in zip(blocks, ends, strict=True)]
        x = torch.from_numpy(np.concatenate([self.file.read(*span) for span in spans]))
        item = torch.cat([torch.arange(*span) for span in spans])
        chosen = torch.randperm(len(x), generator=epoch_generator(self.seed, number))
        self._buffer = Buffer(number, x[chosen], item[chosen])
        return self._buffer


def _runs(ascending: Rows) -> Iterator[tuple[int, int]]:
    """The first place, and the one after the last, of each run of neighbours (or of the same) in sorted numbers."""
    if len(ascending) == 0:
        return
    breaks = np.flatnonzero(np.diff(ascending) > 1) + 1
    yield from zip([0, *breaks.tolist()], [*breaks.tolist(), len(ascending)], strict=True)
