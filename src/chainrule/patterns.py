"""Patterns of paths, such as ``calls/*/*.mp3``, that stand for several files."""

from __future__ import annotations

import glob
from pathlib import Path

MARKS = "*?["


def is_pattern(path: Path) -> bool:
    """True if ``path`` is the name of no file or folder, and has one of ``* ? [``."""
    return any(mark in str(path) for mark in MARKS) and not path.exists()


def root_of(pattern: Path) -> Path:
    """The folder below which all that a pattern stands for lies: its beginning without ``* ? [``.

    >>> root_of(Path("calls/2024-*/*.mp3")).as_posix()
    'calls'
    """
    plain = pattern
    while any(mark in str(plain) for mark in MARKS):
        plain = plain.parent
    return plain


def matching(pattern: Path) -> list[Path]:
    """The files and folders that a pattern stands for, hidden ones left out, by their names; ``**`` is any depth."""
    return sorted(map(Path, glob.glob(str(pattern), recursive=True)))  # noqa: PTH207  # Path.glob needs a root
