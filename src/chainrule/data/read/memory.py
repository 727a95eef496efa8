"""Refuses what does not fit into memory before it is read, such as a file of 4 MB that unpacks to 4 GB."""

from __future__ import annotations

from pathlib import Path

from chainrule.devices import available_memory


def check_fits(path: Path | str, what: str, size: int) -> None:
    """Raise ``ValueError`` if ``what`` of a file takes more memory than is free.

    Args:
        path: The file, or its name.
        what: The part of it that is held in memory at once.
        size: Its bytes in memory.
    """
    free = available_memory("cpu")
    if size > free:
        raise ValueError(
            f"{path}: expected {what} to fit into memory, of which {free / 1e9:.2f} GB are free, got one of "
            f"{size / 1e9:.2f} GB: give a part of it, or a machine with more memory"
        )
