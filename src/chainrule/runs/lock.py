"""One process at a time writes into a run folder."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from chainrule.atomic import remove_orphans

try:
    import fcntl
except ImportError:  # Windows has other locks
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"

_held: set[Path] = set()
"""The folders that this process has locked: a fit locks its folder before it plans, and again as it trains."""


@contextlib.contextmanager
def locked(folder: Path, what: str = "fit") -> Iterator[None]:
    """Keep other processes from writing into a run folder; what killed ones left half-written in it is removed.

    Another folder that one process at a time may write into is locked in the same way; ``what`` names what writes.

    The folder and those above it are made if missing, and removed again if nothing was written into them. The system
    gives a lock up when its process ends, however it ends: there are no stale ones.

    Raises:
        ValueError: If another process is writing into it.
        OSError: If the folder can't be written.
    """
    where = folder.resolve()
    if where in _held or fcntl is None:
        yield
        return
    missing = [each for each in (where, *where.parents) if not each.exists()]
    where.mkdir(parents=True, exist_ok=True)
    descriptor = _take(where / LOCK, folder, what)
    _held.add(where)
    try:
        remove_orphans(where)
        yield
    finally:
        _held.remove(where)
        (where / LOCK).unlink(missing_ok=True)
        os.close(descriptor)
        with contextlib.suppress(OSError):  # only an empty folder can be removed
            for each in missing or [where]:
                each.rmdir()


def _take(path: Path, folder: Path, what: str) -> int:
    """Lock the file ``path``, and return its descriptor."""
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(descriptor, 1000).decode(errors="replace") or "another process"
            os.close(descriptor)
            raise ValueError(
                f"{folder} expects one {what} at a time, got a second while {owner} is writing into it: wait for that "
                "one, or choose another --out"
            ) from None
        if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
            break
        os.close(descriptor)  # the process that had it removed it meanwhile
    os.truncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} on {platform.node()}".encode())
    return descriptor
