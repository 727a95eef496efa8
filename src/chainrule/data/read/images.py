"""Folders of images, decoded a batch at a time.

Only headers are read when a folder is loaded, and the pixels of small ones, to see that they can be. Grey images become
``(1, height, width)``, colour ones ``(3, height, width)``; where a folder has both, the grey ones become colour. Images
of different sizes are made to fit one, and what was chosen is said.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples, Rows
from chainrule.data.formats import ImageFormat
from chainrule.data.read import rows, sound_file
from chainrule.data.read.folders import files_in, files_of, labels_of, left_out, notes_of_classes, parts_of, roots_of
from chainrule.data.read.image_file import CONVERT, SUFFIXES, UNREAD, decode, looks_like_image, read_header
from chainrule.data.read.image_form import fit_of, prepared, size_of, with_levels
from chainrule.data.read.table_file import SUFFIXES as TABLES
from chainrule.data.read.table_file import suffix_of
from chainrule.foreign import UndecodableError

CHECKED = 2**24
"""Images of at most so many pixels in all are decoded when they are loaded, to see that they can be."""


class ImageExamples(Examples):
    """Examples that are image files.

    Args:
        paths: The files.
        event_shape: ``(1, height, width)`` or ``(3, height, width)``.
        form: How they are made to fit, and their levels.
        anywhere: True to cut images at random places, where the format says so.
    """

    def __init__(
        self, paths: Sequence[Path], event_shape: Sequence[int], form: ImageFormat, *, anywhere: bool = False
    ) -> None:
        super().__init__(event_shape)
        self.paths = [str(path) for path in paths]
        self.form, self.anywhere = form, anywhere

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, positions: Rows) -> Tensor:
        batch = np.empty((len(positions), *self.event_shape), np.float32)
        for row, position in enumerate(positions):
            batch[row] = decode(Path(self.paths[position]), self.event_shape, self.form, anywhere=self.anywhere)
        return torch.from_numpy(batch)


def load_images(
    folder: Path,
    *,
    seed: int = 0,
    levels: int | None = None,
    skip_unreadable: bool = False,
    size: str | None = None,
    crop: str | None = None,
    pad: bool = False,
    background: str | None = None,
    grey: bool = False,
) -> Dataset:
    """The images of ``folder`` and of all folders in it.

    With the subfolders ``train`` and ``test``, test is the test split, and valid is the subfolder
    ``valid`` or, without one, a tenth of train. Else all images are split 80/10/10. Where every image lies in a
    folder of its class, the classes are the labels. Files that can't be decoded are refused; with
    ``skip_unreadable`` they are left out with a warning.

    Images have 256 ``levels``, or 2 if all their pixels have one of two grey values.

    Args:
        folder: The folder.
        seed: Seed of the split.
        levels: Values of a colour channel; more than 256 for grey images of 16 bits only.
        skip_unreadable: True to leave out files that can't be decoded.
        size: Width and height of all, as in ``"32x48"``, or the side of a square. By default the size that they have.
        crop: How an image of another size is made to fit; see `ImageFormat`.
        pad: True to scale images until they fit in, and to fill the rest with background.
        background: The name of a colour, such as ``"white"``, the default, or ``"#ff8800"``.
        grey: True to take colour images as grey.

    Raises:
        ValueError: If there are no images, one cannot be read, or a choice is none of these.
    """
    roots = roots_of(folder)
    parts, left = _files(folder, roots, seed)
    skipped: list[Path] = []
    if skip_unreadable:
        parts, skipped = _readable(parts)
    paths = sorted({path for own in parts.values() for path in own})
    with _offering_to_skip():
        headers = [read_header(path) for path in paths]
        shape, form, notes = prepared(paths, headers, size_of(size), fit_of(crop, pad), background, grey)
        form = with_levels(form, levels, paths, headers, shape)
        if sum(math.prod(header.size) for header in headers) <= CHECKED and not skip_unreadable:
            for path in paths:
                decode(path, shape, form)
    labels, classes = labels_of(parts, roots)
    notes += notes_of_classes(parts, roots, "images") + left
    quantised, deep = "values as in the files", any(header.deep for header in headers)
    if deep and levels is None:
        notes.append("grey of 16 bits is cut to 8: --levels 65536 keeps it")
    if form.threshold is not None:
        quantised = f"grey above {form.threshold:g} is 1"
    elif deep and form.levels <= 256:
        quantised = f"quantised to floor(value * {form.levels} / 65536)"
    elif form.levels != 256:
        quantised = f"quantised to floor(value * {form.levels} / {65536 if form.levels > 256 else 256})"
    origin: dict[str, Any] = {"path": str(folder.resolve()), "binarisation": quantised}
    if roots["train"] == roots["valid"]:
        origin["split_seed"] = seed
    if skipped:
        origin["skipped"] = [str(path.relative_to(folder)) for path in skipped]
    if classes:
        origin["classes"] = classes
    name, total = folder.resolve().name, sum(map(len, parts.values()))
    description = f"{name}: {total} images {'x'.join(map(str, shape))}, {form.levels} levels, {quantised}"
    splits = {split: ImageExamples(own, shape, form, anywhere=split == "train") for split, own in parts.items()}
    return Dataset(name, description, form, splits, origin, labels, notes=notes)


@contextlib.contextmanager
def _offering_to_skip() -> Iterator[None]:
    """Have the error of a file that can't be decoded say how to leave it out."""
    try:
        yield
    except UndecodableError as error:
        error.add_note("--skip-unreadable true leaves out files that can't be decoded")
        raise


def _files(folder: Path, roots: dict[str, Path], seed: int) -> tuple[dict[str, list[Path]], list[str]]:
    """The images of each split, and lines that say which files are left out."""
    every = files_in(folder)
    images = list(filter(_is_image, every))
    others = set(every).difference(images)
    left = left_out(others, "images", UNREAD, CONVERT)
    tables = f"tables of the same columns, or the files *.train.*, *.valid.* and *.test.* ({' '.join(rows.SUFFIXES)})"
    more = f", recordings ({sound_file.NAMED}), texts (.txt .md .log and others), {tables}"
    tail = "; ".join([f"{more}, found none", *left])
    try:
        parts = parts_of(roots, seed, SUFFIXES, "images", tail, looks_like_image)
    except ValueError as error:
        if images and read_header(images[0]).animated:
            error.add_note(f"of the several pictures in {images[0].name} only the first is read: save each in a file")
        raise
    if beside := len(images) - len({path for own in parts.values() for path in own}):
        left.append(f"left out {beside} images beside the folders of the splits")
    if not labels_of(parts, roots)[1] and any(suffix_of(path) in TABLES for path in others):
        left.append("classes are not read from a table: images of one go into a folder of its own")
    return parts, left


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES or (not path.suffix and path.is_file() and looks_like_image(path))


def read_all(path: Path, shape: Sequence[int], form: ImageFormat) -> tuple[Examples, list[str] | None]:
    """All images of a file, a folder or an array, in its own order, and the names of the files, if they are images.

    Args:
        path: An image, a folder of images, or a file that `rows.read_all` takes.
        shape: Shape of an example, ``(channels, height, width)``; grey images may become colour ones.
        form: What is done with image files, and their levels.

    Raises:
        ValueError: If the content is anything else, or images have another shape.
        FileNotFoundError: If there is no such path.
    """
    if not path.is_dir() and not _is_image(path):
        return rows.read_all(path, shape, form.levels)
    paths, names = files_of(path, SUFFIXES, "images", looks_like_image)
    if len(shape) != 3:
        raise ValueError(f"{path}: expected examples of shape {tuple(shape)}, got images")
    for file in paths:
        size = read_header(file).size
        if form.fit == "same" and size != (shape[2], shape[1]):
            got = "x".join(map(str, size))
            raise ValueError(f"{file}: expected an image of {shape[2]}x{shape[1]}, as those of the run, got {got}")
    return ImageExamples(paths, shape, form), names


def _readable(parts: dict[str, list[Path]]) -> tuple[dict[str, list[Path]], list[Path]]:
    """The files of each split that can be decoded, and those that can't; no other file changes its split.

    Raises:
        ValueError: If a split has none that can.
    """
    kept = {split: [path for path in paths if _is_readable(path)] for split, paths in parts.items()}
    for split, paths in kept.items():
        if not paths:
            raise ValueError(
                f"expected images in {split}, got {len(parts[split])} files, none of which can be decoded: remove what "
                "is damaged, or give another --seed"
            )
    chosen = {path for paths in kept.values() for path in paths}
    return kept, sorted({path for paths in parts.values() for path in paths} - chosen)


def _is_readable(path: Path) -> bool:
    """True if a file can be decoded; warns of one that can't."""
    try:
        header = read_header(path)
        decode(path, (3, header.size[1], header.size[0]), ImageFormat(256))
    except ValueError as error:
        warnings.warn(f"skipped {error}", stacklevel=2)
        return False
    return True
