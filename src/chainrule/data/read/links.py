"""Links: names of a file that was already found by another one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def without_links(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Each file once, by the first of its ``paths``, and the further paths, which are links to the same files.

    Raises:
        OSError: If a path is that of no file.
    """
    first: dict[tuple[int, int], Path] = {}
    for path in paths:
        found = path.stat()
        first.setdefault((found.st_dev, found.st_ino), path)
    kept = set(first.values())
    return [path for path in paths if path in kept], [path for path in paths if path not in kept]


def linked_note(links: Sequence[Path]) -> list[str]:
    """A line that says that further names of the same files are left out, if there are any.

    >>> linked_note([Path("a/b.wav"), Path("a/c.wav")])
    ['left out 2 links to files that are read by other names: b.wav, c.wav']
    """
    if not links:
        return []
    named = ", ".join(link.name for link in links[:3]) + (", ..." if len(links) > 3 else "")
    count = f"{len(links)} links to files that are" if len(links) > 1 else "a link to a file that is"
    return [f"left out {count} read by other names: {named}"]
