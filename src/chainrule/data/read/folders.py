"""Folders with a file for each example: their files, splits and classes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from chainrule.data.dataset import SPLITS, split_rows

Looks = Callable[[Path], bool]
"""Tells by its content whether a file without a suffix is one of those that are looked for."""


SPLIT_NAMES = {
    "train": ("train", "training"),
    "valid": ("valid", "val", "validation", "dev"),
    "test": ("test", "testing"),
}
"""The names, in any case, of the folders of a split."""


def files_in(folder: Path) -> list[Path]:
    """The files in ``folder`` and below by their paths; hidden ones, and what links that lead up show, are left out."""
    found: list[Path] = []
    for root, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not _is_passed_over(Path(root, name))]
        found += [Path(root, name) for name in names if not name.startswith(".")]
    return sorted(found, key=lambda path: path.parts)


def _is_passed_over(folder: Path) -> bool:
    """True for a folder that is hidden, that archives of macOS add, or that is a link to one above it."""
    if folder.name.startswith(".") or folder.name == "__MACOSX":
        return True
    above = folder.parent.resolve()
    return folder.is_symlink() and folder.resolve() in (above, *above.parents)


def find_files(folder: Path, suffixes: Sequence[str], looks: Looks | None = None) -> list[Path]:
    """Those of `files_in` that have one of the ``suffixes``, or none and look right."""
    endings = tuple(suffixes)
    return [
        path
        for path in files_in(folder)
        if path.name.lower().endswith(endings) or (looks is not None and not path.suffix and looks(path))
    ]


def left_out(others: Collection[Path], what: str, unread: Collection[str], convert: str) -> list[str]:
    """A line that says which files in a folder are not read, if there are any.

    Args:
        others: The files.
        what: The word for those that are read, such as ``"images"``.
        unread: Suffixes of such files in formats that are not read.
        convert: What to do about those.
    """
    if not others:
        return []
    kinds = Counter(path.suffix.lower() or "without a suffix" for path in others)
    named = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(4))
    more = ", ..." if len(kinds) > 4 else ""
    ours = " ".join(kind for kind in kinds if kind in unread)
    advice = f"; {ours} {what} are not read: {convert}" if ours else ""
    files = f"{len(others)} files" if len(others) > 1 else "a file"
    return [f"left out {files} that can't be read as {what}: {named}{more}{advice}"]


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

    A folder that holds one other and nothing else, as those of unpacked archives do, stands for that one.

    Raises:
        ValueError: If there are folders to train and to validate, and none to test.
    """
    while len(inside := _visible(folder)) == 1 and inside[0].is_dir():
        folder = inside[0]
    named = {own.name.lower(): own for own in inside if own.is_dir()}
    found = {
        split: named[name] for split, names in SPLIT_NAMES.items() if (name := next(filter(named.get, names), None))
    }
    train, valid, test = (found.get(split) for split in SPLITS)
    if train is not None and valid is not None and test is None:
        raise ValueError(f"{folder}: expected a folder test beside {train.name} and {valid.name}, found none")
    if train is None or test is None:
        return dict.fromkeys(SPLITS, folder)
    return {"train": train, "valid": valid or train, "test": test}


def _visible(folder: Path) -> list[Path]:
    """The entries of a folder, without hidden ones and links to a folder above."""
    return [
        own for own in folder.iterdir() if not (own.name.startswith(".") or (own.is_dir() and _is_passed_over(own)))
    ]


def parts_of(
    roots: dict[str, Path], seed: int, suffixes: Sequence[str], what: str, tail: str, looks: Looks | None = None
) -> dict[str, list[Path]]:
    """The files of each split; splits that share a folder divide its files at random.

    Args:
        roots: The folder of each split's files.
        seed: Seed of the random division.
        suffixes: The suffixes of the files.
        what: The word for the files in an error, as "images".
        tail: What an error about the one folder of all splits says after the suffixes.
        looks: Tells which files without a suffix are such.

    Raises:
        ValueError: If a folder has none, or too few to divide.
    """
    found = {root: find_files(root, suffixes, looks) for root in roots.values()}
    for root, paths in found.items():
        if not paths:
            found_none = tail if len(found) == 1 else ", found none"
            raise ValueError(f"{root}: expected {what} ({' '.join(suffixes)}){found_none}")
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


def notes_of_classes(parts: dict[str, list[Path]], roots: dict[str, Path], what: str) -> list[str]:
    """Notes about the folders of files: the classes that they are, or why they are none."""
    labels, classes = labels_of(parts, roots)
    notes = []
    if stray := outside(parts, roots):
        name = stray.name if roots["train"] == roots["test"] else f"{stray.parent.name}/{stray.name}"
        notes.append(f"folders are no classes, as {name} lies in none")
    if labels is not None and len(classes) > 1:
        named = ", ".join(classes[:4]) + (", ..." if len(classes) > 4 else "")
        notes.append(f"folders are classes ({named}): --model.num_classes {len(classes)} conditions on them")
        if unseen := sorted(set(range(len(classes))) - set(labels["train"].tolist())):
            more = f" and {len(unseen) - 1} others" if len(unseen) > 1 else ""
            notes.append(f"no {what} to train on: {classes[unseen[0]]}{more}")
    every = {name.lower() for names in SPLIT_NAMES.values() for name in names}
    root, paths = roots["train"], parts["train"]
    below = next((own for path in paths for own in path.relative_to(root).parts[1:-1] if own.lower() in every), None)
    if below is not None:
        notes.append(f"folders named {below} below others make no splits: train and test must stand on top")
    return notes


def labels_of(parts: dict[str, list[Path]], roots: dict[str, Path]) -> tuple[dict[str, Tensor] | None, list[str]]:
    """The class of each file (its folder right below the root of its split), and the sorted names of the classes."""
    relative = {split: [path.relative_to(roots[split]).parts for path in paths] for split, paths in parts.items()}
    if any(len(part) < 2 for split in relative.values() for part in split):
        return None, []
    classes = sorted({part[0] for split in relative.values() for part in split})
    index = {name: number for number, name in enumerate(classes)}
    labels = {split: torch.tensor([index[part[0]] for part in names]) for split, names in relative.items()}
    return labels, classes
