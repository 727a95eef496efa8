"""The text of a table's file: its encoding, its compression, and what of it can't be text."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import IO, cast

from chainrule.data.read.memory import check_fits

HEAD = 4096
"""Bytes that tell a text from other files."""

BLOCK = 2**20
"""Bytes that are checked at once."""

CHECKED = 32 * BLOCK
"""Bytes after which it is checked that what is unpacked fits into memory, where it is held three times."""

BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""The encoding that each beginning of a file stands for; the longer of two that begin alike comes first."""

SPACED_QUOTE = re.compile(r'[,;\t|] +"(?!")')
"""A quote after a delimiter and spaces, where polars does not expect it."""

LITERAL_QUOTE = re.compile(r'\t"[^"\t\n]*"[^"\t\r\n]')
"""A quoted beginning of a cell: among tabs, quotes are then part of the cells."""

UTF8 = ("utf-8", "utf-8-sig", "ascii")
"""Encodings that polars reads."""


class TextFile:
    """A file of text, which may be compressed by gzip.

    Attributes:
        path: The file.
        encoding: Its encoding, as Python calls it: that of its byte order mark, else the one that is
            named, else UTF-8.
        lines: The number of lines.
        quotes: The number of quotation marks.
        notes: A line if its byte order mark overrules the encoding that is named.
        literal_quotes: True if quotes are no delimiters in a table that tabs separate.
        odd_quotes: True if polars would not read all of them as they are meant.

    Args:
        path: The file.
        encoding: The encoding of a file without a byte order mark.

    Raises:
        ValueError: If there is no such encoding, the file is empty, or its bytes are no text in this encoding.
    """

    def __init__(self, path: Path, encoding: str | None = None) -> None:
        self.path = path
        try:
            head = self._head()
            self.encoding = encoding_of(head, encoding)
            self.notes = () if encoding is None else tuple(mark_notes([head], encoding))
            _check_head(path, head, self.encoding, named=encoding is not None)
            self._check_all()
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(
                f"{path}: expected a file compressed by gzip, got a damaged one ({error}): copy or compress it again"
            ) from error

    def _head(self) -> bytes:
        with self._open() as file:
            return file.read(HEAD)

    def _open(self) -> IO[bytes]:
        return open_bytes(self.path)

    def open(self) -> IO[str]:
        """The text, with its line ends as they are, as the csv module expects."""
        return io.TextIOWrapper(io.BufferedReader(self._open()), encoding=self._reading, newline="")  # type: ignore[type-var]

    @property
    def _reading(self) -> str:
        return "utf-8-sig" if self.encoding in UTF8 else self.encoding

    @cached_property
    def source(self) -> Path | bytes:
        """What polars reads: the file itself if it is UTF-8, else all of its text in UTF-8."""
        if self.encoding in UTF8 and self.path.suffix.lower() != ".gz" and not self._old_line_ends:
            return self.path
        with self.open() as file:
            text = file.read()
        return (text.replace("\r", "\n") if self._old_line_ends else text).encode()

    @cached_property
    def _old_line_ends(self) -> bool:
        """True if lines end in a carriage return only, as on the Macs of the last century."""
        return has_old_line_ends(self._head())

    def _check_all(self) -> None:
        """Raise ``ValueError`` at the first byte that is no text, with its line."""
        decoder = codecs.getincrementaldecoder(self._reading)()
        self.lines, self.quotes, spaced, self.literal_quotes = 1, 0, False, False
        size, compressed = 0, self.path.suffix.lower() == ".gz"
        for block, last in _blocks(self._open()):
            size += len(block)
            if compressed and size % CHECKED == 0:
                check_fits(self.path, "its unpacked text", 3 * size)
            try:
                text = decoder.decode(block, last)
            except UnicodeDecodeError as error:
                line = self.lines + error.object[: error.start].count(b"\n")
                raise undecodable(self.path, line, self.encoding, error) from None
            if "\0" in text:
                line = self.lines + text[: text.index("\0")].count("\n")
                raise ValueError(f"{self.path}: line {line}: expected text, got a NUL character")
            self.lines += text.count("\n")
            self.quotes += text.count('"')
            spaced = spaced or (' "' in text and SPACED_QUOTE.search(text) is not None)
            literal = '\t"' in text and LITERAL_QUOTE.search(text) is not None
            self.literal_quotes = self.literal_quotes or literal
        self.odd_quotes = spaced or self.quotes % 2 == 1


def open_bytes(path: Path) -> IO[bytes]:
    """The bytes of a file, unpacked where it is compressed by gzip."""
    return cast(IO[bytes], gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb"))


def encoding_of(head: bytes, encoding: str | None) -> str:
    """The encoding of a file that begins with ``head``: that of its byte order mark, else the one named, else UTF-8.

    Raises:
        ValueError: If there is no encoding of the name ``encoding``.
    """
    return next((name for mark, name in BYTE_ORDER_MARKS.items() if head.startswith(mark)), _known(encoding))


def mark_notes(heads: Iterable[bytes], encoding: str) -> list[str]:
    """A line that says that byte order marks name another encoding than ``encoding``, if some do.

    >>> mark_notes(["text".encode("utf-16")], "latin-1")
    ['a byte order mark says UTF-16, in which the text is read, and not in latin-1']
    """
    named = {mark: name.removesuffix("-sig") for mark, name in BYTE_ORDER_MARKS.items()}
    marked = {next((name for mark, name in named.items() if head.startswith(mark)), None) for head in heads}
    others = " or ".join(sorted(name.upper() for name in marked if name and not _known(encoding).startswith(name)))
    return [f"a byte order mark says {others}, in which the text is read, and not in {encoding}"] if others else []


def has_old_line_ends(head: bytes) -> bool:
    """True if lines end in a carriage return only, as on the Macs of the last century."""
    return b"\r" in head and b"\n" not in head


def undecodable(path: Path, line: int, encoding: str, error: UnicodeDecodeError) -> ValueError:
    """The error of a file that is no text in ``encoding``, which says what may help."""
    place = f"{path}: line {line}: expected text in {encoding.removesuffix('-sig').upper()}"
    if error.reason in ("unexpected end of data", "truncated data"):
        return ValueError(f"{place}, got a file that ends within a character: it seems to be cut off")
    byte = error.object[error.start]
    if encoding not in UTF8:
        return ValueError(f"{place}, got the byte 0x{byte:02x}: name another --encoding")
    return ValueError(f"{place}, got the byte 0x{byte:02x}: name its encoding, {likely_encoding(error)}")


def likely_encoding(error: UnicodeDecodeError) -> str:
    """Which --encoding may be that of a text that is no UTF-8, in words."""
    byte = error.object[error.start]
    likely = "windows-1252" if any(0x80 <= other < 0xA0 for other in error.object[error.start :]) else "latin-1"
    return f"which may be --encoding {likely}, where the byte is {bytes([byte]).decode(likely, 'replace')!r}"


def utf16_of(head: bytes) -> str | None:
    """The encoding of a file in UTF-16 without a byte order mark that begins with ``head``; None if it is none."""
    for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if head[start::2].count(0) > 0.4 * len(head):
            return name
    return None


def _known(encoding: str | None) -> str:
    """Python's name of an encoding of text; UTF-8 for none."""
    if encoding is None:
        return "utf-8"
    try:
        "".encode(encoding)
        return codecs.lookup(encoding).name
    except LookupError:
        raise ValueError(
            f"encoding expects the name of one, such as utf-8, latin-1, windows-1252 or utf-16, got {encoding!r}"
        ) from None


def _check_head(path: Path, head: bytes, encoding: str, *, named: bool) -> None:
    """Raise ``ValueError`` if a file is empty or begins with other bytes than those of text."""
    if not head:
        raise ValueError(f"{path}: expected rows of values, got an empty file")
    if encoding not in UTF8:
        return
    if head.startswith(b"PK\x03\x04"):
        raise ValueError(
            f"{path}: expected a table as text in UTF-8, got a spreadsheet or a zip file: export it as .csv"
        )
    if not named and (name := utf16_of(head)):
        raise ValueError(f"{path}: expected a table as text in UTF-8, got what may be --encoding {name}")
    if any(byte < 0x20 and byte not in b"\0\t\n\v\f\r\x1c\x1d\x1e\x1f" for byte in head):
        raise ValueError(f"{path}: expected a table as text in UTF-8, got other bytes")


def _blocks(file: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    """All bytes of a file, a block at a time, and whether it is the last."""
    with file:
        block = file.read(BLOCK)
        while following := file.read(BLOCK):
            yield block, False
            block = following
        yield block, True
