"""Long fields of a request: the content of a file that was dropped onto the page, and lists of integers."""

from __future__ import annotations

import base64
import binascii
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TypeVar

from chainrule.errors import MissingPackageError
from chainrule.web.fields import Request, text

LONGEST = 4 * 2**20
"""Characters of a file as base64, at most."""

T = TypeVar("T")


def bytes_of(request: Request, name: str) -> bytes:
    """The bytes of a field in base64.

    Raises:
        ValueError: If it is none, or too long.

    >>> bytes_of({"file": "aGVsbG8="}, "file")
    b'hello'
    """
    try:
        return base64.b64decode(text(request, name, LONGEST), validate=True)
    except binascii.Error:
        raise ValueError(f"{name} expects base64, got something else") from None


def file_of(request: Request, read: Callable[[Path], T]) -> T:
    """What ``read`` makes of a file with the content ``file`` and the suffix of ``name``; errors say its own name.

    Raises:
        ValueError: If there is no such content, it can't be read, or a package is missing that reads it.
    """
    name = PurePosixPath(text(request, "name", 255, "file"))
    suffix = name.suffix if name.suffix.isascii() and name.suffix[1:].isalnum() else ""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        path.write_bytes(bytes_of(request, "file"))
        try:
            return read(path)
        except (ValueError, MissingPackageError) as error:
            raise ValueError(str(error).replace(str(path), name.name)) from None


def integers(request: Request, name: str, low: int, high: int, longest: int) -> list[int]:
    """A list of at most ``longest`` integers from ``low`` to ``high``.

    Raises:
        ValueError: If it is anything else.

    >>> integers({"symbols": [0, 2]}, "symbols", 0, 9, longest=5)
    [0, 2]
    """
    values = request.get(name)
    if not isinstance(values, list) or len(values) > longest:
        got = f"{len(values)}" if isinstance(values, list) else repr(values)[:60]
        raise ValueError(f"{name} expects a list of at most {longest} integers, got {got}")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{name} expects integers from {low} to {high}, got {repr(value)[:60]}")
    return values
