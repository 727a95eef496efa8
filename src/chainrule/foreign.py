"""Files that other libraries read: one error, whatever they raise, names the file, the reason and what to do."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

LONGEST = 300
"""Characters of a reason, at most."""

REASONS = {MemoryError: "it takes more memory than is free", RecursionError: "it is nested too deeply"}
"""The reasons for which errors have no words of their own."""


_holding = threading.Lock()
"""Held by the thread that holds back standard error."""


class UndecodableError(ValueError):
    """A file that another library can't read."""


@contextlib.contextmanager
def decoding(where: Path | str, expected: str) -> Iterator[None]:
    """Turn any error of a foreign reader into an `UndecodableError`.

    A damaged file can make a reader raise anything: a ``KeyError`` for an unknown tag, a ``struct.error``, a
    ``MemoryError`` for a size that is a lie, or a panic of Rust, which is no ``Exception``. So this catches everything
    but the end of the process. Errors of ours, which name the file already, pass.

    Args:
        where: The file, or the name of what is in it.
        expected: What it should be, as in ``"an image"``.

    Raises:
        UndecodableError: If the reader raised.

    >>> with decoding("x.png", "an image"):
    ...     {}["tag"]
    Traceback (most recent call last):
    chainrule.foreign.UndecodableError: x.png: expected an image, got a file that cannot be read (KeyError: 'tag'): ...
    """
    try:
        yield
    except BaseException as error:
        ours = isinstance(error, ValueError) and str(error).startswith(f"{where}: ")
        if ours or not (isinstance(error, Exception) or type(error).__name__ == "PanicException"):
            raise
        reason = _reason(where, error)
        raise UndecodableError(
            f"{where}: expected {expected}, got a file that cannot be read ({reason}): copy or export it again"
        ) from error


def each_decoded(where: Path | str, expected: str, items: Callable[[], Iterator[T]]) -> Iterator[T]:
    """The items of a foreign reader, made and read as by `decoding`; errors of their user are none of its.

    What it writes to standard error as it fails is not shown.

    Raises:
        UndecodableError: If the reader raised.
    """
    with decoding(where, expected), stderr_held_back():
        iterator = items()
    while True:
        with decoding(where, expected), stderr_held_back():
            try:
                item = next(iterator)
            except StopIteration:
                return
        yield item


@contextlib.contextmanager
def stderr_held_back() -> Iterator[None]:
    """Hold back what is written to standard error, by any language and thread; show it unless an error is raised.

    Rust prints a panic in one of its threads where it happens, whoever catches it. Blocks that overlap in several
    threads hold back what is written during the first of them.
    """
    if not _holding.acquire(blocking=False):
        yield
        return
    try:
        with tempfile.TemporaryFile() as file:
            shown = os.dup(2)
            os.dup2(file.fileno(), 2)
            try:
                yield
            except BaseException:
                file.truncate(0)
                raise
            finally:
                os.dup2(shown, 2)
                os.close(shown)
                file.seek(0)
                while content := file.read(2**16):
                    os.write(2, content)
    finally:
        _holding.release()


def _reason(where: Path | str, error: BaseException) -> str:
    """The words of an error, in one line, without the path of the file."""
    if isinstance(where, Path) and where.is_file() and where.stat().st_size == 0:
        return "it is empty"
    for kind, reason in REASONS.items():
        if isinstance(error, kind):
            return reason
    name = type(error).__name__
    text = " ".join(str(error).partition("\n")[0].replace(f" {str(where)!r}", "").split()).rstrip(".:")
    plain = type(error).__module__ == "builtins" and not isinstance(error, ValueError | OSError)
    text = f"{name}: {text}" if plain and text else text or name
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."
