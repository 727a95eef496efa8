"""Checks what the pages of a Parquet file say about their size, before polars believes it.

A page of a negative number of values, of which one flipped bit makes one, has polars ask for more memory than there is,
and Rust then ends the process without an error that could be caught. What can't be followed here is left to polars.

References:
    Apache Parquet, file format, https://parquet.apache.org/docs/file-format/
    Apache Thrift, compact protocol, https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chainrule.devices import available_memory

MAGIC = b"PAR1"

TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
"""Types of the compact protocol; those between are integers."""

DEEPEST = 20
"""Structs within structs, at most."""

ROW_GROUPS, COLUMNS, META = 4, 1, 3
"""Fields of the footer, of a row group, and of a column chunk."""

VALUES, PACKED_SIZE, DATA, DICTIONARY = 5, 7, 9, 11
"""Fields of the metadata of a column chunk: its values and bytes, and the places of its first pages."""

UNPACKED, PACKED, DATA_PAGE, DICTIONARY_PAGE, DATA_PAGE_2 = 2, 3, 5, 7, 8
"""Fields of the header of a page: its sizes, and headers of its kind, whose first field is the number of values."""


def check_pages(path: Path) -> None:
    """Raise ``ValueError`` if a page says that it has a size that it can't have."""
    free = available_memory("cpu")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for chunk in _chunks(content):
            try:
                for header in _pages(content, chunk):
                    _check(header, chunk, free)
            except (IndexError, KeyError, TypeError, RecursionError):
                continue


def _check(header: dict[int, Any], chunk: dict[int, Any], free: int) -> None:
    """Raise ``ValueError`` if the header of a page lies."""
    sizes = [header[UNPACKED], header[PACKED]]
    counts = [header[kind][1] for kind in (DATA_PAGE, DATA_PAGE_2) if kind in header]
    entries = [header[kind][1] for kind in (DICTIONARY_PAGE,) if kind in header]
    if min(sizes + counts + entries) < 0 or max(counts, default=0) > chunk[VALUES] or max(sizes + entries) > free:
        raise ValueError(f"a page says it has {(counts + entries or [0])[0]:,} values in {sizes[0]:,} bytes")


def _chunks(content: mmap.mmap) -> Iterator[dict[int, Any]]:
    """The metadata of all column chunks; none where the footer can't be followed."""
    size = int.from_bytes(content[-8:-4], "little")
    if content[-4:] != MAGIC or size > len(content) - 12:
        return
    try:
        footer = _Thrift(content, len(content) - 8 - size).struct()
        yield from [column[META] for group in footer[ROW_GROUPS] for column in group[COLUMNS] if META in column]
    except (IndexError, KeyError, TypeError, RecursionError):
        return


def _pages(content: mmap.mmap, chunk: dict[int, Any]) -> Iterator[dict[int, Any]]:
    """The headers of the pages of a column chunk."""
    start = min(chunk[DATA], chunk.get(DICTIONARY) or chunk[DATA])
    reader = _Thrift(content, start)
    while 0 <= reader.place < start + chunk[PACKED_SIZE]:
        header = reader.struct()
        yield header
        reader.place += header[PACKED]


class _Thrift:
    """Reads structs of the compact protocol from ``place`` on, as dicts by the numbers of their fields."""

    def __init__(self, content: mmap.mmap, place: int) -> None:
        self.content, self.place = content, place

    def struct(self, depth: int = 0) -> dict[int, Any]:
        if depth > DEEPEST:
            raise RecursionError
        fields: dict[int, Any] = {}
        number = 0
        while (head := self._byte()) != 0:
            number = number + (head >> 4) if head >> 4 else self._integer()
            fields[number] = self._value(head & 15, depth)
        return fields

    def _value(self, kind: int, depth: int, *, listed: bool = False) -> Any:
        if kind in (TRUE, FALSE):
            return (self._byte() if listed else kind) == TRUE
        if kind in (BYTE, DOUBLE, BINARY):
            size = {BYTE: 1, DOUBLE: 8}.get(kind) or self._number()
            self.place += size
            return self.content[self.place - size : self.place]
        if kind in (LIST, SET):
            head = self._byte()
            size = head >> 4 if head >> 4 < 15 else self._number()
            return [self._value(head & 15, depth, listed=True) for _ in range(size)]
        if kind == MAP:
            raise TypeError("no struct of Parquet has a map")
        return self.struct(depth + 1) if kind == STRUCT else self._integer()

    def _byte(self) -> int:
        self.place += 1
        return self.content[self.place - 1]

    def _number(self) -> int:
        """An unsigned number of seven bits a byte, the least first."""
        number = shift = 0
        while (byte := self._byte()) & 128:
            number |= (byte & 127) << shift
            shift += 7
        return number | byte << shift

    def _integer(self) -> int:
        """A signed number, whose last bit is its sign."""
        number = self._number()
        return number >> 1 ^ -(number & 1)
