"""Text in any encoding, compressed by gzip, or in several files, as one file in UTF-8."""

from __future__ import annotations

import codecs
import io
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from chainrule.data.read import folders
from chainrule.data.read.links import linked_note, without_links
from chainrule.data.read.text_file import (
    BYTE_ORDER_MARKS,
    UTF8,
    encoding_of,
    has_old_line_ends,
    mark_notes,
    open_bytes,
    undecodable,
    utf16_of,
)
from chainrule.patterns import is_pattern, matching, root_of

LOOK = 2**16
"""Bytes at the beginning of a file that tell whether it is text, and how its lines end."""

BLOCK = 2**20
"""Bytes that are decoded at once."""

CONTROLS, FOREIGN_CONTROLS = 0.1, 0.01
"""The greatest share of control characters in a text: in UTF-8, where logs have colours, and in other encodings."""

NAMED = 3
"""Files that are named in a note, at most."""


@dataclass(frozen=True)
class PlainText:
    """A text as one file in UTF-8, or, where its bytes are asked for, as it is.

    Attributes:
        path: The file: the user's own, or a temporary one.
        words: How the text was read, in words, such as ``"UTF-16"`` or ``"UTF-8, 3 files"``.
        notes: What became of parts of the text, where that may surprise, a line each.
        names: The name of each file, in the folder or below the folder of the pattern.
        spans: Where the text of each file begins and ends, in bytes.
    """

    path: Path
    words: str
    notes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()


@contextmanager
def plain_text(path: Path, encoding: str | None = None, *, as_bytes: bool = False) -> Iterator[PlainText]:
    """The text of a file, of all texts of a folder, or of the files of a pattern, one after another.

    A single file in UTF-8 is read as it is. Anything else is copied into a temporary file, which is gone afterwards:
    without byte order marks, unpacked, and with LF where lines end in CR LF or in CR only.

    Args:
        path: The file, the folder or the pattern.
        encoding: The encoding of files without a byte order mark; UTF-8 by default.
        as_bytes: True to take the bytes of files as they are.

    Raises:
        ValueError: If the text is empty, or a file is no text in its encoding, or ``encoding`` no encoding.
        FileNotFoundError: If there is no such file.
    """
    if as_bytes and encoding is not None:
        raise ValueError(f"encoding expects a vocabulary of characters, got {encoding} with bytes, read as they are")
    files, notes = text_files(path)
    names = _names_of(files, path)
    encodings = ["bytes"] if as_bytes else [_checked(file, encoding) for file in files]
    notes = notes if encoding is None else (*notes, *mark_notes(map(head_of, files), encoding))
    words = " and ".join(dict.fromkeys(name.removesuffix("-sig").upper() for name in encodings))
    words = words.lower() if as_bytes else words
    words += f", {len(files)} files" if len(files) > 1 else ""
    if len(files) == 1 and (as_bytes or _is_plain(files[0], encodings[0])):
        yield PlainText(files[0], words, notes, names, ((0, files[0].stat().st_size),))
        return
    spans = []
    with tempfile.TemporaryDirectory(prefix="chainrule-") as folder:
        plain = Path(folder, "text")
        with plain.open("wb+") as out:
            for file in files:
                start = out.tell()
                _copy(file, None if as_bytes else encoding, out, as_bytes=as_bytes)
                spans.append((start, out.tell()))
                if len(files) > 1 and out.tell() > start:
                    _end_line(out)
        named = [] if as_bytes else list(zip(files, encodings, strict=True))
        if any(has_old_line_ends(_utf8_head(file, name)) for file, name in named):
            notes = (*notes, "its lines end in CR, which is read as LF")
        yield PlainText(plain, words, notes, names, tuple(spans))


def text_files(path: Path) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The files of a text, by their names, and notes on those of a folder that are left out.

    Hidden files of a folder, empty ones and those that are no text don't count.

    Raises:
        ValueError: If the file is empty, or no file of the folder is text.
        FileNotFoundError: If there is no such file.
    """
    if path.is_dir():
        found = files_in(path)
        read, links = without_links([file for file in found if looks_like_text(file)])
        texts = tuple(read)
        others = [file.relative_to(path).as_posix() for file in found if file not in {*read, *links}]
        if not texts:
            raise ValueError(f"{path}: expected a folder of texts, found none among {len(found)} files")
        named = ", ".join(others[:NAMED]) + (", ..." if len(others) > NAMED else "")
        left_out = [f"left out, as they are no text: {len(others)} files ({named})"] if others else []
        return texts, (*left_out, *linked_note(links))
    if is_pattern(path):
        read, links = without_links([file for file in matching(path) if file.is_file() and file.stat().st_size])
        if not read:
            raise FileNotFoundError(f"expected files of text with names like {path}, found none")
        return tuple(read), tuple(linked_note(links))
    if not path.is_file():
        raise FileNotFoundError(f"expected a file of text, found no {path}")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: expected text, got an empty file")
    return (path,), ()


def _names_of(files: tuple[Path, ...], path: Path) -> tuple[str, ...]:
    """The names of the files that ``path`` stands for."""
    root = path if path.is_dir() else root_of(path) if is_pattern(path) else path.parent
    return tuple(file.relative_to(root).as_posix() for file in files)


def files_in(folder: Path) -> list[Path]:
    """The files in a folder and below, hidden ones left out, in the order of their paths."""
    return list(filter(Path.is_file, folders.files_in(folder)))


def head_of(file: Path) -> bytes:
    """The beginning of a file, unpacked where it is compressed by gzip.

    Raises:
        ValueError: If it can't be unpacked.
    """
    try:
        with open_bytes(file) as opened:
            return opened.read(LOOK)
    except (OSError, EOFError, zlib.error) as error:
        if file.suffix.lower() != ".gz":
            raise
        raise _damaged(file, error) from error


def looks_like_text(file: Path, encoding: str | None = None) -> bool:
    """True if the beginning of a file is text: few of its characters are control characters, and none is NUL.

    Args:
        file: The file.
        encoding: Its encoding, if it is named; a text in another one than UTF-8 looks like a text, too.
    """
    try:
        head = head_of(file)
    except (ValueError, OSError):
        return False
    return _is_text(head, encoding_of(head, encoding or utf16_of(head)))


def _is_text(head: bytes, encoding: str) -> bool:
    """True if ``head`` has few control characters: in another encoding than ``encoding``, fewer."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return _share_of_controls(head.decode("latin-1")) <= FOREIGN_CONTROLS
    return _share_of_controls(text) <= CONTROLS


def nul_hint(file: Path) -> str:
    """What to do with a file that would look like a text without its few NUL bytes; empty for another."""
    head = head_of(file)
    count = head.count(0)
    if not 0 < count <= FOREIGN_CONTROLS * len(head) or not _is_text(head.replace(b"\0", b""), "utf-8"):
        return ""
    return f", as it has {count} NUL byte{'s' if count > 1 else ''}: remove them, or take its --vocabulary bytes"


def _share_of_controls(text: str) -> float:
    """The share of the characters that are controls and no white space; 1 for no text at all, or with a NUL."""
    if not text or "\0" in text:
        return 1.0
    return sum(text.count(chr(point)) for point in range(32) if not chr(point).isspace()) / len(text)


def _checked(file: Path, encoding: str | None) -> str:
    """The encoding of a file, by its beginning.

    Raises:
        ValueError: If ``encoding`` is no encoding, or the file is no text in it.
    """
    head = head_of(file)
    name = encoding_of(head, encoding)
    if name in UTF8 and b"\0" in head:
        if found := utf16_of(head):
            raise ValueError(f"{file}: expected text in UTF-8, got what may be --encoding {found}")
        raise ValueError(f"{file}: expected text, got a binary file: --vocabulary bytes takes any file")
    return name


def _is_plain(file: Path, encoding: str) -> bool:
    """True if a file is UTF-8 that can be read as it is."""
    head = head_of(file)
    marked = any(head.startswith(mark) for mark in BYTE_ORDER_MARKS)
    return encoding in UTF8 and not marked and file.suffix.lower() != ".gz" and not _has_returns(file, encoding)


def _utf8_head(file: Path, encoding: str) -> bytes:
    """The beginning of a file in ``encoding``, in UTF-8."""
    text: str = codecs.getincrementaldecoder(encoding)("replace").decode(head_of(file))
    return text.encode()


def _has_returns(file: Path, encoding: str) -> bool:
    """True if lines end in CR LF, or in CR only."""
    head = _utf8_head(file, encoding)
    return b"\r\n" in head or has_old_line_ends(head)


def _copy(file: Path, encoding: str | None, out: BinaryIO, *, as_bytes: bool) -> None:
    """Append the text of ``file`` to ``out``, in UTF-8, or its bytes as they are."""
    if as_bytes:
        with file.open("rb") as opened:
            while block := opened.read(BLOCK):
                out.write(block)
        return
    name = encoding_of(head_of(file), encoding)
    # A mark in UTF-16 or UTF-32 goes with its decoder; one in UTF-8 only with utf-8-sig.
    decoder: Any = codecs.getincrementaldecoder("utf-8-sig" if name in UTF8 else name)()
    if _has_returns(file, name):
        decoder = io.IncrementalNewlineDecoder(decoder, translate=True)
    line = 1
    try:
        with open_bytes(file) as opened:
            while True:
                block = opened.read(BLOCK)
                text = decoder.decode(block, final=not block)
                line += text.count("\n")
                out.write(text.encode())
                if not block:
                    break
    except UnicodeDecodeError as error:
        raise undecodable(file, line + error.object[: error.start].count(b"\n"), name, error) from None
    except (OSError, EOFError, zlib.error) as error:
        if file.suffix.lower() != ".gz":
            raise
        raise _damaged(file, error) from error


def _end_line(out: BinaryIO) -> None:
    """Let the text that was written end with the end of a line."""
    out.seek(-1, os.SEEK_END)
    if out.read(1) != b"\n":
        out.write(b"\n")


def _damaged(file: Path, error: Exception) -> ValueError:
    return ValueError(
        f"{file}: expected a file compressed by gzip, got a damaged one ({error}): copy or compress it again"
    )
