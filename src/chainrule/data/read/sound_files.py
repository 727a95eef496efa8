"""Finds the recordings that a path stands for: a file, a folder, or a pattern of the names of files and folders."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from chainrule.data.dataset import SPLITS, split_rows
from chainrule.data.read.folders import files_in, find_files, left_out, parts_of, roots_of
from chainrule.data.read.links import linked_note, without_links
from chainrule.data.read.sound_file import CONVERT, NAMED, SUFFIXES, UNREAD, looks_like_sound
from chainrule.patterns import is_pattern, matching, root_of

FEW = 3
"""Fewer recordings can't be divided into three parts."""


@dataclass(frozen=True)
class SoundFiles:
    """The recordings that a path stands for.

    Attributes:
        path: The path.
        roots: The folder that the recordings of each split are in.
        paths: The recordings, by their names.
        others: Other files there, which are left out.
        links: Further names of the same recordings, which are left out, too.
    """

    path: Path
    roots: dict[str, Path]
    paths: list[Path]
    others: list[Path]
    links: list[Path] = field(default_factory=list)

    @property
    def shares_folder(self) -> bool:
        """True if no folder is named for a split, so that the recordings are divided at random, or in time."""
        return len(set(self.roots.values())) == 1

    @property
    def is_few(self) -> bool:
        """True if they are too few to be divided."""
        return self.shares_folder and len(self.paths) < FEW

    def name(self, path: Path) -> str:
        """The name of a recording, as scores give it."""
        root = self.path if self.path.is_dir() else self.roots["train"]
        return str(path.relative_to(root))

    def parts(self, seed: int) -> dict[str, list[Path]]:
        """The recordings of each split; those of one folder are divided at random."""
        if self.path.is_dir():
            return parts_of(self.roots, seed, SUFFIXES, "recordings", ", found none", looks_like_sound)
        rows = split_rows(len(self.paths), seed, str(self.path))
        return {split: [self.paths[row] for row in rows[split]] for split in SPLITS}

    def left_out(self) -> list[str]:
        """Lines that say which files are no recordings that can be read, or are links, if there are any."""
        return left_out(self.others, "recordings", UNREAD, CONVERT) + linked_note(self.links)


def find_sound_files(path: Path) -> SoundFiles:
    """The recordings that ``path`` stands for.

    Raises:
        ValueError: If there are none.
        FileNotFoundError: If there is no such path.
    """
    if path.is_dir():
        roots, named = roots_of(path), [path]
    elif is_pattern(path):
        roots, named = dict.fromkeys(SPLITS, root_of(path)), matching(path)
    else:
        roots, named = dict.fromkeys(SPLITS, path.parent), [path]
    if not named or not named[0].exists():
        raise FileNotFoundError(f"expected a file or a folder of recordings, found no {path}")
    every = {file for each in named for file in (files_in(each) if each.is_dir() else [each])}
    paths = {file for file in every if _is_sound(file)}
    if not paths:
        left_out = "; ".join(["", *SoundFiles(path, roots, [], sorted(every)).left_out()])
        raise ValueError(f"{path}: expected recordings ({NAMED}), found none{left_out}")
    kept, links = without_links(sorted(paths, key=lambda file: file.parts))
    return SoundFiles(path, roots, kept, sorted(every - paths), links)


def are_recordings(path: Path) -> bool:
    """True if ``path`` is a recording, or a pattern that some recordings match, or the folders of some."""
    if not is_pattern(path):
        return path.is_file() and path.suffix.lower() in (*SUFFIXES, *UNREAD)
    return any(
        bool(find_files(each, SUFFIXES)) if each.is_dir() else each.suffix.lower() in SUFFIXES
        for each in matching(path)
    )


def _is_sound(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES or (not path.suffix and looks_like_sound(path))
