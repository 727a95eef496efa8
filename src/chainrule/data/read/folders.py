"""Folders of files, one file an example: which they are, how they are split, and which classes they have."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from chainrule.data.dataset import split_rows


def find_files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """The files with ``suffixes`` in ``folder`` and below, hidden ones left out, in the order of their paths."""
    found = []
    for root, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(root, name) for name in names if not name.startswith(".") and name.lower().endswith(tuple(suffixes))
        ]
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def roots_of(folder: Path) -> dict[str, Path]:
    """The folder in which each split's files are: subfolders named for splits, or ``folder`` itself for all."""
    if not ((folder / "train").is_dir() and (folder / "test").is_dir()):
        return dict.fromkeys(("train", "valid", "test"), folder)
    valid = folder / ("valid" if (folder / "valid").is_dir() else "train")
    return {"train": folder / "train", "valid": valid, "test": folder / "test"}


def parts_of(
    roots: dict[str, Path], seed: int, suffixes: Sequence[str], what: str, others: str
) -> dict[str, list[Path]]:
    """The files of each split; splits that share a folder divide its files at random.

    Args:
        roots: Where the files of each split are.
        seed: Of the division.
        suffixes: How their names end.
        what: What they are, for an error.
        others: What else a folder may have, for an error.

    Raises:
        ValueError: If a folder has none, or too few to divide.
    """
    found = {root: find_files(root, suffixes) for root in roots.values()}
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


def labels_of(parts: dict[str, list[Path]], roots: dict[str, Path]) -> tuple[dict[str, Tensor] | None, list[str]]:
    """Each file's class, the folder right below its split's root, and the sorted names of the classes."""
    relative = {split: [path.relative_to(roots[split]).parts for path in paths] for split, paths in parts.items()}
    if any(len(part) < 2 for split in relative.values() for part in split):
        return None, []
    classes = sorted({part[0] for split in relative.values() for part in split})
    index = {name: number for number, name in enumerate(classes)}
    labels = {split: torch.tensor([index[part[0]] for part in names]) for split, names in relative.items()}
    return labels, classes
