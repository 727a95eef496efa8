"""Writes files completely and durably, or leaves them as they were."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<process>\d+)")
"""The name of a file that is being written: that of the whole file, and the number of the process."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write to, which then replaces ``path``; a full disk or a Ctrl-C leaves the old file as it was.

    The file is on the disk before it gets its name, and the name is before this returns. A symbolic link stays one,
    and what it leads to is replaced. A file keeps its mode. A pipe or a device is written to. If a process was killed
    while it wrote to ``path``, what it left is removed.

    Raises:
        OSError: If writing failed, naming ``path``.
    """
    try:
        if is_stream(path):
            with tempfile.TemporaryDirectory() as folder:
                whole = Path(folder) / path.name
                yield whole
                _pour(whole, path)
        else:
            with _temporary(Path(os.path.realpath(path))) as temporary:
                yield temporary
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write ``content`` completely or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def is_stream(path: Path) -> bool:
    """True if ``path`` is a pipe, a socket or a device, which is written to and never replaced."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or path.is_relative_to("/dev")


def remove_orphans(folder: Path) -> None:
    """Remove what processes that are gone left half-written in a run folder, at any depth."""
    for path in folder.rglob(".*"):
        found = TEMPORARY.fullmatch(path.name)
        if found and path.is_file() and _is_gone(int(found["process"])):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """Give the path of a file in the folder of ``path`` that then replaces it."""
    for orphan in _left_in(path.parent).get(path.name, ()):
        with contextlib.suppress(OSError):
            orphan.unlink()
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    try:
        if mode is not None:  # what others may not read they can't read while it is written, either
            os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
        yield temporary
        if mode is not None:
            temporary.chmod(mode)
        _to_disk(temporary)
        os.replace(temporary, path)
        _to_disk(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@functools.cache
def _left_in(folder: Path) -> dict[str, list[Path]]:
    """The files that processes which are gone had not written to their end, by the name of the whole file.

    A folder is looked at once: it may hold very many files, each of which is written in its turn.
    """
    found: dict[str, list[Path]] = {}
    for path in folder.glob(".*"):
        match = TEMPORARY.fullmatch(path.name)
        if match and _is_gone(int(match["process"])):
            found.setdefault(match["name"], []).append(path)
    return found


def _is_gone(process: int) -> bool:
    """True if no process has this number."""
    if os.name != "posix":  # elsewhere a signal of number 0 would end it
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False


def _to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk, where the file system can say so."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _pour(whole: Path, stream: Path) -> None:
    """Write the content of a file into a pipe or a device."""
    with whole.open("rb") as source, stream.open("wb") as target:
        shutil.copyfileobj(source, target)
