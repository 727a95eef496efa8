"""SHA-256 of files, by which damaged weights and changed data are found."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from chainrule.patterns import matching, root_of

CHUNK = 2**20
"""Bytes that are read at once."""

WHOLE = 2**28
"""Bytes of a folder up to which all content of its files counts."""

SAMPLED = 256
"""Files of a larger folder whose beginnings count, beside the names, sizes and times of all."""


def sha256_of(path: Path, size: int | None = None) -> str:
    """The SHA-256 of a file, or of its first ``size`` bytes, in hexadecimal."""
    digest, left = hashlib.sha256(), path.stat().st_size if size is None else size
    with path.open("rb") as file:
        while left > 0 and (chunk := file.read(min(left, CHUNK))):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()


def fingerprint(path: Path, without: Path | None = None) -> dict[str, Any]:
    """The fingerprint of the content of a file, of several or of a folder: its bytes, its files, and a SHA-256.

    All bytes of a file count. So do the names and all bytes of several files, up to `WHOLE` bytes. Of larger
    ones the names, sizes and times of all files count, and the beginnings of some. Hidden files don't count.

    Args:
        path: The file, the folder, or the pattern of the names of files, such as ``data/part-*.csv``, or of folders.
        without: A folder in it that does not count, such as the run that is fitted on it.
    """
    if path.is_file():
        return {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    root, named = (path, [path]) if path.is_dir() else (root_of(path), matching(path))
    found = {file for each in named for file in (_files(each, without) if each.is_dir() else [each])}
    files = sorted(found)
    sizes = [file.stat().st_size for file in files]
    whole = sum(sizes) <= WHOLE
    every = 1 if whole else max(1, len(files) // SAMPLED)
    digest = hashlib.sha256()
    for i, (file, size) in enumerate(zip(files, sizes, strict=True)):
        time = None if whole else file.stat().st_mtime_ns
        content = None if i % every else sha256_of(file, size if whole else CHUNK)
        digest.update(json.dumps([file.relative_to(root).as_posix(), size, time, content]).encode())
    return {"files": len(files), "bytes": sum(sizes), "sha256": digest.hexdigest()}


def _files(folder: Path, without: Path | None) -> list[Path]:
    """The files in a folder at any depth that are not hidden."""
    found: list[Path] = []
    for name, folders, files in os.walk(folder, followlinks=True):
        here = Path(name)
        folders[:] = [each for each in folders if not each.startswith(".") and here / each != without]
        found += [here / each for each in files if not each.startswith(".")]
    return found
