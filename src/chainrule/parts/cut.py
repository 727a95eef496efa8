"""Cuts data into parts, each of which a worker reads as it reads any other file or folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars

from chainrule.data.read import image_file, sound_file
from chainrule.data.read.folders import find_files
from chainrule.data.read.layout import FileChoices
from chainrule.data.read.open_table import open_table
from chainrule.data.read.part import ROWS
from chainrule.data.read.table_file import SUFFIXES as TABLES
from chainrule.data.read.table_file import suffix_of
from chainrule.foreign import decoding

PARQUET = ".parquet"
FILES = (*image_file.SUFFIXES, *sound_file.SUFFIXES)
"""Files that are an example each."""


@dataclass(frozen=True)
class Part:
    """Some items of the data, or some samples.

    Attributes:
        number: The number of the part, from 0.
        first: The place of its first item among all, from 0.
        count: The number of its items; of files and samples too.
        path: The file or the folder that they are in; None for samples.
        start: The place of its first item in that file.
        files: The names of its files, where each item is one.
        settings: The settings with which the file is read, beside those of the run.
    """

    number: int
    first: int
    count: int
    path: Path | None = None
    start: int = 0
    files: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """The place of its items, for a message."""
        return f"{self.first + 1:,} to {self.first + self.count:,}"

    def laid(self, folder: Path) -> Path:
        """A file or a folder that holds these items and no others, below ``folder``.

        Raises:
            ValueError: If the data can't be read.
        """
        assert self.path is not None
        whole = folder / self.path.name
        if self.files:
            for name in self.files:
                (whole / name).parent.mkdir(parents=True, exist_ok=True)
                (whole / name).symlink_to(self.path / name)
        elif suffix_of(self.path) == PARQUET:
            with decoding(self.path, "a Parquet file"):
                polars.scan_parquet(self.path).slice(self.start, self.count).collect().write_parquet(whole)
        elif suffix_of(self.path) == ".npy":
            with decoding(self.path, "an array"), whole.open("wb") as file:
                np.save(file, np.load(self.path, mmap_mode="r")[self.start : self.start + self.count])
        else:
            return self.path  # text, which was cut before
        return whole


def files_of(pattern: str) -> list[Path]:
    """The files and folders that ``pattern`` names, such as ``rows.parquet`` or ``rows/part-*.parquet``, in order.

    A folder of Parquet files stands for these.

    Raises:
        FileNotFoundError: If there are none.
    """
    path = Path(pattern).expanduser().absolute()
    found = [path] if path.exists() else sorted(path.parent.glob(path.name))
    if not found:
        raise FileNotFoundError(f"expected a file or a folder, found no {pattern}")
    if len(found) == 1 and path.is_dir():
        return sorted(file for file in path.iterdir() if suffix_of(file) == PARQUET) or found
    return found


def cut(files: list[Path], size: int, choices: FileChoices, scratch: Path) -> list[Part]:
    """The parts of ``files``, of at most ``size`` items each.

    Rows of Parquet files and of ``.npy`` arrays are found by their numbers. A folder of images or recordings is cut by
    its files. A table as text is read once, here, and written into ``scratch`` part by part: only who has read all
    rows before knows where one begins.

    Args:
        files: The files, of one table, or one folder.
        size: Items of a part.
        choices: How a text table is read.
        scratch: A folder that all workers can read.

    Raises:
        ValueError: If the data can't be cut, or there are no items.
    """
    parts: list[Part] = []
    first = 0
    for file in files:
        for piece in _pieces(file, size, choices, scratch):
            parts.append(replace(piece, number=len(parts), first=first))
            first += piece.count
    if not parts:
        raise ValueError(f"{files[0]}: expected at least one row or file, found none")
    return parts


def counted(count: int, size: int) -> list[Part]:
    """The parts of ``count`` samples, of at most ``size`` each."""
    return [Part(start // size, start, min(size, count - start)) for start in range(0, count, size)]


def _pieces(path: Path, size: int, choices: FileChoices, scratch: Path) -> Iterator[Part]:
    """The parts of one file or folder, as if there were no others."""
    suffix = suffix_of(path)
    if path.is_dir():
        names = [file.relative_to(path).as_posix() for file in find_files(path, FILES)]
        for start in range(0, len(names), size):
            own = tuple(names[start : start + size])
            yield Part(0, start, len(own), path, files=own)
    elif suffix == PARQUET or suffix == ".npy":
        count = _rows_of(path)
        for start in range(0, count, size):
            yield Part(0, start, min(size, count - start), path, start)
    elif suffix in TABLES:
        yield from _text(path, size, choices, scratch)
    else:
        raise ValueError(
            f"{path}: work by parts expects rows ({' '.join(TABLES)}), an array .npy, or a folder of images or "
            f"recordings, got {suffix or 'no suffix'}"
        )


def _rows_of(path: Path) -> int:
    if suffix_of(path) == ".npy":
        with decoding(path, "an array"):
            return len(np.load(path, mmap_mode="r"))
    with decoding(path, "a Parquet file"):
        return int(polars.scan_parquet(path).select(polars.len()).collect().item())


def _text(path: Path, size: int, choices: FileChoices, scratch: Path) -> Iterator[Part]:
    """The parts of a text table, written as text with a header."""
    table = open_table(path, choices)
    chunks = rechunked((table.frame([chunk]) for chunk in table.chunks(min(size, ROWS))), size)
    for number, chunk in enumerate(chunks):
        folder = scratch / f"{path.name}-{number:05d}"
        folder.mkdir(parents=True)
        file = folder / f"{path.name.partition('.')[0]}.csv"
        chunk.write_csv(file)
        yield Part(0, 0, len(chunk), file, settings={"header": True, "encoding": None})


def rechunked(chunks: Iterator[polars.DataFrame], size: int) -> Iterator[polars.DataFrame]:
    """The same rows, ``size`` at a time; the last ones may be fewer."""
    held: list[polars.DataFrame] = []
    rows = 0
    for chunk in chunks:
        held, rows = [*held, chunk], rows + len(chunk)
        while rows >= size:
            whole = polars.concat(held)
            yield whole[:size]
            held, rows = [whole[size:]], rows - size
    if rows:
        yield polars.concat(held)
