"""Text files, read a chunk at a time, so that they may be larger than memory."""

from __future__ import annotations

import codecs
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.read.text_file import likely_encoding
from chainrule.data.vocabulary import Vocabulary

CHUNK = 1 << 20
"""Bytes that are read at once."""


def read_text(path: Path, start: int = 0, stop: int | None = None) -> Iterator[str]:
    """The text of the bytes ``start`` to ``stop`` of a UTF-8 file, a chunk at a time.

    Raises:
        ValueError: If they are no UTF-8, with the place of the first invalid byte.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    position = start  # the first byte that is not yet decoded
    for chunk in read_bytes(path, start, stop):
        pending = len(decoder.getstate()[0])
        try:
            text = decoder.decode(chunk)
        except UnicodeDecodeError as error:
            raise _no_text(path, position - pending + error.start, error) from None
        position += len(chunk)
        if text:
            yield text
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise _no_text(path, position - len(error.object) + error.start, error) from None


def read_bytes(path: Path, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """The bytes ``start`` to ``stop`` of a file, a chunk at a time."""
    stop = path.stat().st_size if stop is None else stop
    with path.open("rb") as file:
        file.seek(start)
        while start < stop and (chunk := file.read(min(CHUNK, stop - start))):
            start += len(chunk)
            yield chunk


def read_symbols(
    path: Path, vocabulary: Vocabulary, start: int = 0, stop: int | None = None
) -> Iterator[NDArray[np.integer[Any]]]:
    """The symbols of the bytes ``start`` to ``stop`` of a file, a chunk at a time."""
    return map(vocabulary.symbols, read_points(path, vocabulary, start, stop))


def read_points(
    path: Path, vocabulary: Vocabulary, start: int = 0, stop: int | None = None
) -> Iterator[NDArray[np.integer[Any]]]:
    """The points, see `Vocabulary.points`, of the bytes ``start`` to ``stop`` of a file, a chunk at a time."""
    if vocabulary.characters is None:
        for chunk in read_bytes(path, start, stop):
            yield np.frombuffer(chunk, np.uint8)
    else:
        for text in read_text(path, start, stop):
            yield vocabulary.points(text)


def count_lines(path: Path) -> int:
    """The number of lines of a file; what follows the last line end is one, too."""
    count, last = 0, b"\n"
    for chunk in read_bytes(path):
        count, last = count + chunk.count(b"\n"), chunk[-1:]
    return count + (last != b"\n")


def lines_of(path: Path) -> NDArray[np.int64]:
    """The bytes at which each line begins and ends, ``(N, 2)``, without the line end (LF or CR LF)."""
    ends, returns, position, last = [], [], 0, 0
    for chunk in read_bytes(path):  # the file is not mapped, for all of it would then count as this process's memory
        raw = np.frombuffer(chunk, np.uint8)
        found = np.flatnonzero(raw == ord("\n"))
        returns.append(np.where(found > 0, raw[found - 1], last) == ord("\r"))
        ends.append(position + found)
        position += len(chunk)
        last = int(raw[-1])
    if last != ord("\n"):
        ends.append(np.array([position]))
        returns.append(np.array([last == ord("\r")]))
    stops = np.concatenate(ends).astype(np.int64)
    starts = np.concatenate([[0], stops[:-1] + 1]).astype(np.int64)
    stops -= np.concatenate(returns) & (stops > starts)
    return np.stack([starts, stops], axis=1)


def symbols_of(path: Path, vocabulary: Vocabulary, start: int, stop: int) -> NDArray[np.integer[Any]]:
    """The symbols of the bytes ``start`` to ``stop`` of a file as an array that is memory-mapped.

    Bytes are mapped from the file itself; characters from a temporary file, which is gone when the array is.
    """
    if vocabulary.characters is None:
        return np.memmap(path, np.uint8, "r", offset=start, shape=(stop - start,))
    dtype = np.min_scalar_type(len(vocabulary))
    with tempfile.TemporaryFile() as file:
        count = 0
        for symbols in read_symbols(path, vocabulary, start, stop):
            file.write(symbols.astype(dtype).tobytes())
            count += len(symbols)
        file.flush()
        return np.memmap(file, dtype, "r", shape=(count,)) if count else np.zeros(0, dtype)


def boundary(path: Path, position: int) -> int:
    """The first byte from ``position`` on that begins a UTF-8 character."""
    with path.open("rb") as file:
        file.seek(position)
        following = file.read(4)
    return position + next((i for i, byte in enumerate(following) if byte & 0xC0 != 0x80), 0)


def _no_text(path: Path, position: int, error: UnicodeDecodeError) -> ValueError:
    return ValueError(
        f"{path}: expected UTF-8, got an invalid byte at offset {position} ({error.reason}): name its encoding, "
        f"{likely_encoding(error)}; a model with --vocabulary bytes reads any file"
    )
