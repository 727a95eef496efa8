"""NumPy files: ``.npy``, which is memory-mapped, and ``.npz``, whose arrays are read whole."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.dataset import SPLITS
from chainrule.data.read.values import BLOCK_BYTES, Block, Levels, check, smallest_type


def read_npy(path: Path, levels: int | None = None) -> Levels:
    """The array ``(N, ...)`` of an ``.npy`` file, memory-mapped, after one look at all of it.

    Raises:
        ValueError: If it is no ``.npy`` file of numbers, or a value is not an integer from 0 to ``levels`` - 1.
    """
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError, OSError) as error:
        raise _unreadable(path, ".npy", error) from error
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
    try:
        # NumPy leaves a damaged file that it opened itself open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            found = archive.files
            arrays = {name: archive[name] for name in _wanted(found)}
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, TypeError) as error:
        raise _unreadable(path, ".npz", error) from error
    if not arrays:
        listed = ", ".join(found) or "none"
        raise ValueError(f"{path}: expected one array, or the arrays train, valid and test, got {listed}")
    for name, array in arrays.items():
        largest = check_array(path, f"array {name!r}", array, levels)
        arrays[name] = array.astype(smallest_type(largest), copy=False)
    return arrays


def check_array(path: Path, what: str, array: NDArray[Any], levels: int | None) -> int:
    """The largest value of ``array``, looked at block by block."""
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{path}: {what}: expected integers, got values of type {array.dtype}")
    event_shape(path, array)
    length = max(1, BLOCK_BYTES // max(1, array[0].nbytes))
    largest = 0
    for start in range(0, len(array), length):

        def place(row: int, column: int, start: int = start) -> str:
            position = tuple(int(index) for index in np.unravel_index(column, array.shape[1:]))
            where = f"column {column + 1}" if array.ndim == 2 else f"position {position}"
            return f"{what}, row {start + row + 1}, {where}"

        largest = max(largest, check(path, Block(array[start : start + length], place), levels))
    return largest


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


def _wanted(found: list[str]) -> tuple[str, ...]:
    """Which of the arrays of an archive to read; none where they are not as expected."""
    if len(found) == 1:
        return tuple(found)
    return SPLITS if set(SPLITS) <= set(found) else ()


def _unreadable(path: Path, kind: str, error: Exception) -> ValueError:
    reason = "it is empty" if path.stat().st_size == 0 else str(error).partition("\n")[0]
    return ValueError(f"{path}: expected an {kind} file of integers, got one that cannot be read ({reason})")
