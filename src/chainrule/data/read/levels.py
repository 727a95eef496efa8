"""Arrays of levels: checks that values are levels, and gathers the chunks of a file into one small array."""

from __future__ import annotations

import atexit
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.dataset import SPLITS, Dataset
from chainrule.data.examples import ArrayExamples, Rows
from chainrule.data.formats import format_of_levels
from chainrule.data.named.files import cache_folder

MAX_LEVELS = 2**16
CHUNK_BYTES = 8 * 2**20
"""Bytes of a file that are read at once."""
SPILL_BYTES = 256 * 2**20
"""Arrays larger than this go to a memory-mapped file."""

Levels = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows of a file.

    Attributes:
        values: ``(k, ...)`` numbers as they are in the file.
        place: Names the place of a value in the file, given its row in the chunk and its flat column.
    """

    values: NDArray[Any]
    place: Callable[[int, int], str]


def check(path: Path, chunk: Chunk, levels: int | None) -> int:
    """The largest value of ``chunk``, whose values must be integers from 0 to ``levels`` - 1.

    Raises:
        ValueError: At the first value that is not, with its place.
    """
    values = chunk.values
    if values.size == 0:
        return 0
    right = _are_levels(values, MAX_LEVELS if levels is None else levels)
    if not right.all():
        row, column = divmod(int(np.argmin(right)), values[0].size)  # argmin finds the first False
        value = values[row].reshape(-1)[column].item()
        raise ValueError(f"{path}: {chunk.place(row, column)}: {_complaint(value, levels)}")
    return int(values.max())


def are_levels(values: NDArray[Any]) -> bool:
    """True if all values are integers from 0 to 65,535."""
    return bool(_are_levels(values, MAX_LEVELS).all())


def _are_levels(values: NDArray[Any], limit: int) -> NDArray[np.bool_]:
    """Marks the integers from 0 to ``limit`` - 1; a single True if all are, by their type and range."""
    if values.dtype.kind in "bui" and values.size and int(values.min()) >= 0 and int(values.max()) < limit:
        return np.ones(1, dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        right: NDArray[np.bool_] = (values >= 0) & (values < limit) & (values == np.floor(values))
    return right


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


def gather(path: Path, chunks: Iterable[Chunk], levels: int | None = None) -> Levels:
    """All rows of ``chunks``, checked, as one array of the smallest unsigned integer type.

    An array beyond `SPILL_BYTES` is a memory-mapped file, which is removed when the process ends.

    Raises:
        ValueError: If a value is not a level, or there are no rows.
    """
    gathered = Gathered(path)
    for chunk in chunks:
        gathered.add(chunk.values, check(path, chunk, levels))
    return gathered.array()


class Gathered:
    """The chunks of an array of levels, in memory while they are small, then in a temporary file.

    Args:
        path: The file that they come from, for an error.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parts: list[Levels] = []
        self._spilled: Path | None = None
        self._num_spilled = 0
        self._size = self._count = self._largest = 0
        self._row_shape: tuple[int, ...] = ()

    def add(self, values: NDArray[Any], largest: int) -> None:
        """Append rows ``(k, ...)`` whose largest value is ``largest``."""
        part: Levels = values.astype(smallest_type(largest))
        self._parts.append(part)
        self._count, self._row_shape = self._count + len(part), part.shape[1:]
        self._largest = max(self._largest, largest)
        self._size += part.nbytes
        if self._size > SPILL_BYTES:
            self._spill()

    def _spill(self) -> None:
        self._spilled = self._spilled or _scratch_file()
        with self._spilled.open("ab") as file:
            for part in self._parts:
                np.save(file, part)
        self._num_spilled += len(self._parts)
        self._parts.clear()

    def array(self) -> Levels:
        """All rows ``(N, ...)``.

        Raises:
            ValueError: If there are none.
        """
        if self._count == 0:
            raise ValueError(f"{self.path}: expected rows of values, found none")
        dtype = smallest_type(self._largest)
        if self._spilled is None:
            return np.concatenate(self._parts).astype(dtype, copy=False)
        if self._parts:
            self._spill()
        path = _scratch_file()
        array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(self._count, *self._row_shape))
        start = 0
        with self._spilled.open("rb") as file:
            for _ in range(self._num_spilled):
                part = np.load(file)
                array[start : start + len(part)] = part
                start += len(part)
        array.flush()
        self._spilled.unlink()
        mapped: Levels = np.load(path, mmap_mode="r")
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


def event_shape(path: Path, array: NDArray[Any]) -> tuple[int, ...]:
    """The shape of one example of ``array``; an image without channels gets one.

    Raises:
        ValueError: If the array's shape is not of a table or of images with the channels first.
    """
    if array.ndim not in (2, 3, 4) or 0 in array.shape:
        expected = "(N, columns), (N, height, width) or (N, channels, height, width)"
        raise ValueError(f"{path}: expected an array {expected} with no size of 0, got the shape {array.shape}")
    if array.ndim == 4 and array.shape[3] in (1, 3) and array.shape[1] > 4:
        raise ValueError(
            f"{path}: expected images with the channels first (N, channels, height, width), "
            f"got the shape {array.shape}; use numpy.moveaxis(array, -1, 1)"
        )
    return (1, *array.shape[1:]) if array.ndim == 3 else array.shape[1:]


def dataset_of_levels(
    path: Path,
    arrays: Mapping[str, Levels],
    rows: Mapping[str, Rows | None],
    levels: int | None,
    origin: dict[str, Any],
    files: Mapping[str, Path] | None = None,
) -> Dataset:
    """The data set of arrays of levels, checked, one for each split.

    Args:
        path: The file or folder that they come from.
        arrays: The arrays; one array of all examples may stand for all splits.
        rows: The rows of its array that each split has; None for all.
        levels: The number of values that a variable takes; by default the largest value + 1, at least 2.
        origin: How the examples were split: added to the provenance.
        files: The file of each split, for an error; ``path`` by default.

    Raises:
        ValueError: If the examples of the splits have different shapes.
    """
    shapes = {split: event_shape((files or {}).get(split, path), array) for split, array in arrays.items()}
    shape = shapes["train"]
    for split, other in shapes.items():
        if other != shape:
            where = (files or {}).get(split, path)
            raise ValueError(f"{where}: expected {split} examples of the shape {shape} as in train, got {other}")
    distinct = list({id(array): array for array in arrays.values()}.values())
    found = max(2, 1 + max(_largest(array) for array in distinct)) if levels is None else levels
    splits = {split: ArrayExamples(arrays[split], shape, rows[split]) for split in SPLITS}
    size = "x".join(map(str, shape)) + (" columns" if len(shape) == 1 else "")
    name = path.resolve().name
    total = sum(len(examples) for examples in splits.values())
    described = {
        "path": str(path.resolve()),
        "levels_from": "the largest value" if levels is None else "the argument",
        "binarisation": "none: values as in the file",
    }
    description = f"{name}: {total} examples of {size}, {found} levels, values as in the file"
    return Dataset(name, description, format_of_levels(shape, found), splits, described | origin)


def _largest(array: Levels) -> int:
    """The largest value, found a bounded number of rows at a time."""
    return max(int(array[start : start + 4096].max()) for start in range(0, len(array), 4096))
