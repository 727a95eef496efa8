"""Checking that values are levels, and gathering blocks of them into one small array."""

from __future__ import annotations

import atexit
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.named.files import cache_folder

MAX_LEVELS = 2**16
BLOCK_BYTES = 8 * 2**20
"""How much of a file is read at once."""
SPILL_BYTES = 256 * 2**20
"""Larger results than this go to a memory-mapped file."""

Values = NDArray[Any]
Levels = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Block:
    """Consecutive rows of a file.

    Attributes:
        values: ``(k, ...)`` numbers as they are in the file.
        place: Where, in the reader's words, the value at a row of the block and a flat column is.
    """

    values: Values
    place: Callable[[int, int], str]


def check(path: Path, block: Block, levels: int | None) -> int:
    """The largest value of ``block``, whose values must be integers from 0 to ``levels`` - 1.

    Raises:
        ValueError: At the first value that is not, with its place.
    """
    values = block.values
    if values.size == 0:
        return 0
    limit = MAX_LEVELS if levels is None else levels
    if values.dtype.kind in "bu" or (values.dtype.kind == "i" and values.min() >= 0):
        right = None if int(values.max()) < limit else values < limit
    else:
        with np.errstate(invalid="ignore"):
            right = (values >= 0) & (values < limit) & (values == np.floor(values))
    if right is not None and not right.all():
        row, column = divmod(int(np.argmin(right)), values[0].size)  # argmin finds the first False
        value = values[row].reshape(-1)[column].item()
        raise ValueError(f"{path}: {block.place(row, column)}: {_complaint(value, levels)}")
    return int(values.max())


def _complaint(value: float, levels: int | None) -> str:
    if isinstance(value, float) and np.isfinite(value) and value != np.floor(value):
        return f"expected a non-negative integer, got {value}; real numbers are for a table whose columns have names"
    if levels is not None and value >= levels:
        return f"expected an integer from 0 to {levels - 1} (levels={levels}), got {value:.15g}"
    if value >= MAX_LEVELS:
        return f"expected an integer from 0 to {MAX_LEVELS - 1}, got {value:.15g}; drop the column or bin its values"
    return f"expected a non-negative integer, got {value:.15g}"


def smallest_type(largest: int) -> np.dtype[np.unsignedinteger[Any]]:
    """The smallest unsigned integer type that holds ``largest``.

    >>> smallest_type(255), smallest_type(256)
    (dtype('uint8'), dtype('uint16'))
    """
    return np.dtype(np.min_scalar_type(largest))


def gather(path: Path, blocks: Callable[[], Iterator[Block]], levels: int | None) -> Levels:
    """All rows of ``blocks()``, checked, as one array of the smallest unsigned integer type.

    The file is read once where the result fits into `SPILL_BYTES`; beyond that a second time, into a
    memory-mapped file that is removed when the process ends.

    Raises:
        ValueError: If a value is not a level, or there are no rows.
    """
    kept: list[Levels] = []
    count = largest = size = 0
    shape: tuple[int, ...] = ()
    for block in blocks():
        block_largest = check(path, block, levels)
        count, shape = count + len(block.values), block.values.shape[1:]
        largest = max(largest, block_largest)
        size += block.values.size * smallest_type(block_largest).itemsize
        if size <= SPILL_BYTES:
            kept.append(block.values.astype(smallest_type(block_largest)))
        else:
            kept.clear()
    if count == 0:
        raise ValueError(f"{path}: expected rows of values, found none")
    if size <= SPILL_BYTES:
        return np.concatenate(kept).astype(smallest_type(largest), copy=False)
    file = _scratch_file()
    array = np.lib.format.open_memmap(file, mode="w+", dtype=smallest_type(largest), shape=(count, *shape))
    start = 0
    for block in blocks():
        array[start : start + len(block.values)] = block.values
        start += len(block.values)
    array.flush()
    mapped: Levels = np.load(file, mmap_mode="r")
    return mapped


def _scratch_file() -> Path:
    """An ``.npy`` file in the cache that this process removes when it ends."""
    folder = cache_folder() / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(suffix=".npy", dir=folder)
    os.close(handle)
    atexit.register(_remove, Path(name), os.getpid())
    return Path(name)


def _remove(path: Path, owner: int) -> None:
    if os.getpid() == owner:  # not when a forked worker ends
        path.unlink(missing_ok=True)
