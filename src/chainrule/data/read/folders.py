"""Folders with a file for each example: their files, splits and classes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from chainrule.data.dataset import SPLITS, split_rows

Looks = Callable[[Path], bool]
"""Tells by its content whether a file without a suffix is one of those that are looked for."""


def find_files(folder: Path, suffixes: Sequence[str], looks: Looks | None = None) -> list[Path]:
    """The files with ``suffixes`` in ``folder`` and below, hidden ones left out, in the order of their paths."""
    found: list[Path] = []
    for root, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.startswith("."):
                continue
            path = Path(root, name)
            if name.lower().endswith(tuple(suffixes)) or (looks is not None and not path.suffix and looks(path)):
                found.append(path)
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def split_files(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """The files of ``folder`` that are named for splits, ``train.csv`` or ``name.train.csv``; none if there are none.

    Raises:
        ValueError: If only some splits have a file, or one has several.
    """
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.suffix.lower() in suffixes)
    found = {split: [file for file in files if file.stem.split(".")[-1] == split] for split in SPLITS}
    if not any(found.values()):
        return {}
    for split, candidates in found.items():
        if len(candidates) != 1:
            got = ", ".join(file.name for file in candidates) or "none"
            raise ValueError(f"{folder}: expected one file of each of train, valid and test, got for {split}: {got}")
    return {split: candidates[0] for split, candidates in found.items()}


def files_of(
    path: Path, suffixes: Sequence[str], what: str, looks: Looks | None = None
) -> tuple[list[Path], list[str]]:
    """The files with ``suffixes`` in a folder, or the one file, and their names.

    Raises:
        ValueError: If there is none, or the file has another suffix.
        FileNotFoundError: If there is no such path.
    """
    if path.is_dir():
        paths = find_files(path, suffixes, looks)
        if not paths:
            raise ValueError(f"{path}: expected {what} ({' '.join(suffixes)}), found none")
        return paths, [str(found.relative_to(path)) for found in paths]
    if not path.is_file():
        raise FileNotFoundError(f"expected a file or a folder of {what}, found no {path}")
    if path.suffix.lower() not in suffixes and not (looks is not None and not path.suffix and looks(path)):
        raise ValueError(f"{path}: expected {what} ({' '.join(suffixes)}), got the suffix {path.suffix!r}")
    return [path], [path.name]


def roots_of(folder: Path) -> dict[str, Path]:
    """The folder in which each split's files are: subfolders named for splits, or ``folder`` itself for all.

    Raises:
        ValueError: If there are folders to train and to validate, and none to test.
    """
    train, test = folder / "train", folder / "test"
    valid = next((folder / name for name in ("valid", "val", "validation") if (folder / name).is_dir()), None)
    if train.is_dir() and valid is not None and not test.is_dir():
        raise ValueError(f"{folder}: expected a folder test beside train and {valid.name}, found none")
    if not (train.is_dir() and test.is_dir()):
        return dict.fromkeys(SPLITS, folder)
    return {"train": train, "valid": valid or train, "test": test}


def parts_of(
    roots: dict[str, Path], seed: int, suffixes: Sequence[str], what: str, others: str, looks: Looks | None = None
) -> dict[str, list[Path]]:
    """The files of each split; splits that share a folder divide its files at random.

    Args:
        roots: The folder of each split's files.
        seed: Seed of the random division.
        suffixes: The suffixes of the files.
        what: The word for the files in an error, as "images".
        others: Other content that an error says a folder may have.
        looks: Tells which files without a suffix are such.

    Raises:
        ValueError: If a folder has none, or too few to divide.
    """
    found = {root: find_files(root, suffixes, looks) for root in roots.values()}
    for root, paths in found.items():
        if not paths:
            also = others if len(found) == 1 else ""
            raise ValueError(f"{root}: expected {what} ({' '.join(suffixes)}){also}, found none")
    paths = found[roots["train"]]
    if len(found) == 1:
        rows = split_rows(len(paths), seed, str(roots["train"]))
        return {split: [paths[row] for row in rows[split]] for split in roots}
    parts = {split: found[root] for split, root in roots.items()}
    if roots["valid"] == roots["train"]:
        if len(paths) < 2:
            raise ValueError(f"{roots['train']}: expected at least 2 {what} to split into train and valid, got 1")
        order = np.random.RandomState(seed).permutation(len(paths))
        tenth = max(1, len(paths) // 10)
        parts["valid"] = [paths[index] for index in order[:tenth]]
        parts["train"] = [paths[index] for index in order[tenth:]]
    return parts


def outside(parts: dict[str, list[Path]], roots: dict[str, Path]) -> Path | None:
    """A file that lies in no folder of a class, where others do: because of it there are no classes."""
    beside = [path for split, paths in parts.items() for path in paths if path.parent == roots[split]]
    return beside[0] if 0 < len(beside) < sum(map(len, parts.values())) else None


def labels_of(parts: dict[str, list[Path]], roots: dict[str, Path]) -> tuple[dict[str, Tensor] | None, list[str]]:
    """The class of each file (its folder right below the root of its split), and the sorted names of the classes."""
    relative = {split: [path.relative_to(roots[split]).parts for path in paths] for split, paths in parts.items()}
    if any(len(part) < 2 for split in relative.values() for part in split):
        return None, []
    classes = sorted({part[0] for split in relative.values() for part in split})
    index = {name: number for number, name in enumerate(classes)}
    labels = {split: torch.tensor([index[part[0]] for part in names]) for split, names in relative.items()}
    return labels, classes
