"""One file of examples, of whatever format its suffix names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from chainrule.data.dataset import nearest
from chainrule.data.read.arrays import read_npy, read_npz
from chainrule.data.read.values import Levels


def read_rows(path: Path, levels: int | None = None) -> Levels:
    """The examples of one file as an array ``(N, ...)`` of integers from 0 to ``levels`` - 1.

    Raises:
        ValueError: If the format is another or the content is anything else.
        FileNotFoundError: If there is no such file.
    """
    check_is_file(path)
    if path.suffix.lower() == ".npz":
        arrays = read_npz(path, levels)
        if len(arrays) > 1:
            raise ValueError(f"{path}: expected one array, got {', '.join(arrays)}")
        return next(iter(arrays.values()))
    return _readers(path)(path, levels)


SUFFIXES = (".npz", ".npy", ".csv", ".data", ".parquet")


def check_is_file(path: Path) -> None:
    """Raise an error that names the file or format which is nearest, unless ``path`` is a file that can be read."""
    if not path.is_file():
        folder = path.parent
        near = nearest(path.name, [other.name for other in folder.iterdir()]) if folder.is_dir() else ""
        raise FileNotFoundError(f"expected a file or a folder, found no {path}{near}")
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path}: expected a file {' '.join(SUFFIXES)}, got the suffix {path.suffix!r}")


def _readers(path: Path) -> Callable[[Path, int | None], Levels]:
    if path.suffix.lower() == ".npy":
        return read_npy
    # Polars takes a third of a second to import.
    if path.suffix.lower() == ".parquet":
        from chainrule.data.read.parquet import read_parquet

        return read_parquet
    from chainrule.data.read.delimited import read_delimited

    return read_delimited
