"""Finds the files of the named data sets in ``CHAINRULE_DATA``, else in a cache filled from the official hosts."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from platformdirs import user_cache_path

VARIABLE = "CHAINRULE_DATA"


def cache_folder() -> Path:
    """The user's cache, laid out like the folder that ``CHAINRULE_DATA`` names."""
    return user_cache_path("chainrule", appauthor=False) / "data"


def find(relative: str, url: str, known_hash: str | None) -> Path:
    """The file ``relative`` (say ``mnist/train-images-idx3-ubyte.gz``) of a named data set.

    If ``CHAINRULE_DATA`` is set, the file is expected under that folder. Otherwise it is in the user's cache, or
    is downloaded there from ``url`` and checked.

    Args:
        relative: Path under either folder.
        url: The official file.
        known_hash: ``md5:...`` or ``sha256:...`` of the official file, or None where it is not to be
            downloaded and the user puts it in place.

    Raises:
        FileNotFoundError: If it is not there and cannot be downloaded.
        ValueError: If what was downloaded is not the official file.
    """
    if folder := os.environ.get(VARIABLE):
        path = Path(folder).expanduser() / relative
        if not path.is_file():
            raise FileNotFoundError(f"expected the file {path} ({VARIABLE} is set), found none; put {url} there")
        return path
    path = cache_folder() / relative
    if path.is_file():
        return path
    if known_hash is None:
        raise FileNotFoundError(f"expected the file {path}, found none; put {url} there, {_or_elsewhere(relative)}")
    return _download(path, relative, url, known_hash)


def official(relative: str, url: str, md5: str) -> Path:
    """The file ``relative`` of a named data set, as `find` finds it, known by its MD5 to be the official one.

    Raises:
        FileNotFoundError: If it is not there and cannot be downloaded.
        ValueError: If it is another file.
    """
    path = find(relative, url, f"md5:{md5}")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != md5:
        raise ValueError(f"{path}: expected the file of {url} with the MD5 {md5}, got {found}: copy it again")
    return path


def _download(path: Path, relative: str, url: str, known_hash: str) -> Path:
    """Download ``url`` to ``path``; `pooch` moves the file into place only once its checksum agrees."""
    import pooch

    try:
        pooch.retrieve(url=url, known_hash=known_hash, fname=path.name, path=path.parent)
    except ValueError as error:
        raise ValueError(f"{url}: expected a file with {known_hash}, got another; {_put(path, relative)}") from error
    except Exception as error:  # each transport has exceptions of its own
        reason = type(error).__name__
        raise FileNotFoundError(f"could not download {url} ({reason}); {_put(path, relative)}") from error
    return path


def _put(path: Path, relative: str) -> str:
    return f"put the file at {path}, {_or_elsewhere(relative)}"


def _or_elsewhere(relative: str) -> str:
    return f"or set {VARIABLE} to a folder that holds {relative}"
