"""NumPy files: ``.npy``, which is memory-mapped, and ``.npz``, whose arrays are read whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.dataset import SPLITS, Dataset, split_rows
from chainrule.data.read.levels import (
    CHUNK_BYTES,
    Chunk,
    Levels,
    check,
    dataset_of_levels,
    event_shape,
    smallest_type,
)
from chainrule.data.read.memory import check_fits
from chainrule.foreign import decoding

SUFFIXES = (".npz", ".npy")


def load_array(path: Path, *, seed: int = 0, levels: int | None = None) -> Dataset:
    """The examples of a file, split 80/10/10 at random; an ``.npz`` file may have the splits as arrays.

    Args:
        path: An ``.npy`` or ``.npz`` file.
        seed: Seed of the split.
        levels: The number of values of a variable; by default the largest value + 1.

    Raises:
        ValueError: If the file can't be read, or a value is not a level.
    """
    arrays = read_npz(path, levels) if path.suffix.lower() == ".npz" else {"array": read_npy(path, levels)}
    if len(arrays) > 1:
        return dataset_of_levels(path, arrays, dict.fromkeys(arrays), levels, {})
    (array,) = arrays.values()
    rows = split_rows(len(array), seed, str(path))
    return dataset_of_levels(path, dict.fromkeys(rows, array), rows, levels, {"split_seed": seed})


def open_array(path: Path) -> NDArray[Any]:
    """The only array of an ``.npy`` or ``.npz`` file, of any shape and type.

    Raises:
        ValueError: If it can't be read, or has several arrays.
    """
    return _open_npy(path) if path.suffix.lower() == ".npy" else _only(path, _open_npz(path))


def read_array(path: Path, levels: int | None = None) -> Levels:
    """The only array ``(N, ...)`` of an ``.npy`` or ``.npz`` file.

    Raises:
        ValueError: If it can't be read, has several arrays, or a value is not an integer from 0 to ``levels`` - 1.
    """
    if path.suffix.lower() == ".npy":
        return read_npy(path, levels)
    return _only(path, read_npz(path, levels))


def read_npy(path: Path, levels: int | None = None) -> Levels:
    """The array ``(N, ...)`` of an ``.npy`` file, memory-mapped, after one look at all of it.

    Raises:
        ValueError: If it is no ``.npy`` file of numbers, or a value is not an integer from 0 to ``levels`` - 1.
    """
    array = _open_npy(path)
    check_array(path, "array", array, levels)
    checked: Levels = array
    return checked


def read_npz(path: Path, levels: int | None = None) -> dict[str, Levels]:
    """The arrays of an ``.npz`` file: ``train``, ``valid`` and ``test`` where it has them, else its only one.

    An ``.npz`` file cannot be mapped: each array is decompressed into memory. Save what is too large
    for that as ``.npy``.

    Raises:
        ValueError: If the file cannot be read, has other arrays than these, or a value is not an integer
            from 0 to ``levels`` - 1.
    """
    arrays = _open_npz(path)
    for name, array in arrays.items():
        largest = check_array(path, f"array {name!r}", array, levels)
        arrays[name] = array.astype(smallest_type(largest), copy=False)
    return arrays


def check_array(path: Path, what: str, array: NDArray[Any], levels: int | None) -> int:
    """The largest value of ``array``, looked at chunk by chunk."""
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{path}: {what}: expected integers, got values of type {array.dtype}")
    event_shape(path, array)
    length = max(1, CHUNK_BYTES // max(1, array[0].nbytes))
    largest = 0
    for start in range(0, len(array), length):

        def place(row: int, column: int, start: int = start) -> str:
            position = tuple(int(index) for index in np.unravel_index(column, array.shape[1:]))
            where = f"column {column + 1}" if array.ndim == 2 else f"position {position}"
            return f"{what}, row {start + row + 1}, {where}"

        largest = max(largest, check(path, Chunk(array[start : start + length], place), levels))
    return largest


def _open_npy(path: Path) -> NDArray[Any]:
    with decoding(path, "an .npy file of integers"):
        array: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    return array


def _open_npz(path: Path) -> dict[str, NDArray[Any]]:
    # NumPy leaves a damaged file that it opened itself open.
    with (
        decoding(path, "an .npz file of integers"),
        path.open("rb") as file,
        np.load(file, allow_pickle=False) as archive,
    ):
        found = archive.files
        for name in _wanted(found):
            check_fits(path, f"array {name!r}", archive.zip.getinfo(f"{name}.npy").file_size)
        arrays = {name: archive[name] for name in _wanted(found)}
    if not arrays:
        listed = ", ".join(found) or "none"
        raise ValueError(f"{path}: expected one array, or the arrays train, valid and test, got {listed}")
    return arrays


def _only(path: Path, arrays: dict[str, NDArray[Any]]) -> NDArray[Any]:
    if len(arrays) > 1:
        raise ValueError(f"{path}: expected one array, got {', '.join(arrays)}")
    (array,) = arrays.values()
    return array


def _wanted(found: list[str]) -> tuple[str, ...]:
    """The arrays of an archive to read; none where they are not as expected."""
    if len(found) == 1:
        return tuple(found)
    return SPLITS if set(SPLITS) <= set(found) else ()
