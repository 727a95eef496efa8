"""Folders of images, decoded a batch at a time.

Only the headers are read when the folder is loaded. Grey images become ``(1, height, width)``, colour ones ``(3,
height, width)``; where a folder has both, the grey ones become colour. An animation gives its first frame. 1-bit images
have the values 0 and 255; palettes are looked up.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples, Rows
from chainrule.data.formats import ImageFormat
from chainrule.data.read import rows
from chainrule.data.read.folders import files_of, labels_of, parts_of, roots_of
from chainrule.foreign import decoding

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm")


class ImageExamples(Examples):
    """Examples that are image files of one size.

    Args:
        paths: The files.
        event_shape: ``(1, height, width)`` or ``(3, height, width)``.
        levels: Values 0 to 255 become floor(value * levels / 256).
    """

    def __init__(self, paths: Sequence[Path], event_shape: Sequence[int], levels: int = 256) -> None:
        super().__init__(event_shape)
        self.paths = [str(path) for path in paths]
        self.levels = levels

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, positions: Rows) -> Tensor:
        batch = np.empty((len(positions), *self.event_shape), dtype=np.uint8)
        for row, position in enumerate(positions):
            batch[row] = self._decode(Path(self.paths[position]))
        values = torch.from_numpy(batch).float()
        return values if self.levels == 256 else (values * (self.levels / 256)).floor()

    def _decode(self, path: Path) -> NDArray[np.uint8]:
        planes = decode(path, "L" if self.event_shape[0] == 1 else "RGB")
        if planes.shape != self.event_shape:
            raise ValueError(f"{path}: expected an image {self.event_shape} as when it was loaded, got {planes.shape}")
        return planes


def load_images(folder: Path, *, seed: int = 0, levels: int | None = None, skip_unreadable: bool = False) -> Dataset:
    """The images of ``folder`` and of all folders in it.

    With the subfolders ``train`` and ``test``, test is the test split, and valid is the subfolder
    ``valid`` or, without one, a tenth of train. Else all images are split 80/10/10. Where every image lies in a
    folder of its class, the classes are the labels. Files that can't be decoded are refused when they are read, or,
    with ``skip_unreadable``, looked for first, by decoding all, and left out with a warning.

    Images have 256 ``levels``, or 2 if all their pixels are black or white.

    Raises:
        ValueError: If there are no images, or one is of another size, has transparency or more than 8
            bits per channel, or cannot be read.
    """
    if levels is not None and levels > 256:
        raise ValueError(f"{folder}: expected levels from 2 to 256 for images, got levels={levels}")
    roots = roots_of(folder)
    tables = f", recordings (.wav .flac) or the files *.train.*, *.valid.* and *.test.* ({' '.join(rows.SUFFIXES)})"
    parts = parts_of(roots, seed, SUFFIXES, "images", tables)
    skipped: list[Path] = []
    if skip_unreadable:
        parts, skipped = _readable(parts)
    shape = common_shape(sorted({path for paths in parts.values() for path in paths}))
    if levels is None:
        levels = 2 if _is_black_and_white([path for paths in parts.values() for path in paths]) else 256
    labels, classes = labels_of(parts, roots)
    quantised = "values as in the files" if levels == 256 else f"quantised to floor(value * {levels} / 256)"
    origin: dict[str, Any] = {"path": str(folder.resolve()), "binarisation": quantised}
    if roots["train"] == roots["valid"]:
        origin["split_seed"] = seed
    if skipped:
        origin["skipped"] = [str(path.relative_to(folder)) for path in skipped]
    if classes:
        origin["classes"] = classes
    name, total = folder.resolve().name, sum(map(len, parts.values()))
    description = f"{name}: {total} images {'x'.join(map(str, shape))}, {levels} levels, {quantised}"
    splits = {split: ImageExamples(paths, shape, levels) for split, paths in parts.items()}
    return Dataset(name, description, ImageFormat(levels), splits, origin, labels)


def _is_black_and_white(paths: Sequence[Path]) -> bool:
    """True if all files are grey, and all their pixels 0 or 255; the first file with another value ends the search."""
    modes = (read_header(path)[0] for path in paths)
    return all(
        mode == "L" and bool(np.isin(decode(path, "L"), (0, 255)).all())
        for path, mode in zip(paths, modes, strict=True)
    )


def read_all(path: Path, shape: Sequence[int], levels: int) -> tuple[Examples, list[str] | None]:
    """All images of a file, a folder or an array, in its own order, and the names of the files, if they are images.

    Args:
        path: An image, a folder of images, or a file that `rows.read_all` takes.
        shape: Shape of an example, ``(channels, height, width)``; grey images may become colour ones.
        levels: The number of values of a colour channel.

    Raises:
        ValueError: If the content is anything else, or images have another shape.
        FileNotFoundError: If there is no such path.
    """
    if not path.is_dir() and path.suffix.lower() not in SUFFIXES:
        return rows.read_all(path, shape, levels)
    paths, names = files_of(path, SUFFIXES, "images")
    found = common_shape(paths)
    if len(shape) != 3 or found[0] > shape[0] or found[1:] != tuple(shape[1:]):
        raise ValueError(f"{path}: expected examples of shape {tuple(shape)}, got images {found}")
    return ImageExamples(paths, shape, levels), names


def decode(path: Path, mode: str) -> NDArray[np.uint8]:
    """The pixels of one file: ``(1, height, width)`` for the mode L, ``(3, height, width)`` for RGB.

    Raises:
        ValueError: If the file cannot be decoded.
    """
    with decoding(path, "an image"), Image.open(path) as image:
        pixels = np.asarray(image.convert(mode), dtype=np.uint8)
    return pixels[None] if mode == "L" else np.moveaxis(pixels, -1, 0)


def read_header(path: Path) -> tuple[str, tuple[int, int]]:
    """The mode an image decodes to, L or RGB, and its size (width, height).

    Raises:
        ValueError: If it has transparency or more than 8 bits per channel, or cannot be read.
    """
    with decoding(path, "an image"), Image.open(path) as image:
        mode, size = image.mode, image.size
        transparent = "transparency" in image.info or mode in ("LA", "PA", "RGBA", "RGBa", "La")
        # Pillow drops the low bits of 48-bit colour without a word; only the tile tells.
        deep = mode.startswith(("I", "F")) or any(";16" in str(tile) for tile in image.tile)
        palette = image.getpalette() if mode == "P" else None
    if transparent:
        raise ValueError(f"{path}: expected an image without transparency, got one with; flatten it on a background")
    if deep:
        raise ValueError(f"{path}: expected at most 8 bits per channel, got more (mode {mode}); convert it to 8 bits")
    if palette is not None:
        colours = np.array(palette).reshape(-1, 3)
        return ("L" if (colours == colours[:, :1]).all() else "RGB"), size
    return ("L" if mode in ("1", "L") else "RGB"), size


def common_shape(paths: list[Path]) -> tuple[int, int, int]:
    """The event shape that all files share, by their headers."""
    mode, first = read_header(paths[0])
    modes = {mode}
    for path in paths[1:]:
        mode, size = read_header(path)
        if size != first:
            sizes = f"{paths[0]} is {first[0]}x{first[1]} and {path} is {size[0]}x{size[1]}"
            raise ValueError(f"expected images of one size, got two: {sizes}; resize them")
        modes.add(mode)
    return (3 if "RGB" in modes else 1, first[1], first[0])


def _readable(parts: dict[str, list[Path]]) -> tuple[dict[str, list[Path]], list[Path]]:
    """The files of each split that can be decoded, and those that can't; no other file changes its split.

    Raises:
        ValueError: If a split has none that can.
    """
    kept = {split: [path for path in paths if _is_readable(path)] for split, paths in parts.items()}
    for split, paths in kept.items():
        if not paths:
            raise ValueError(f"expected images in {split}, got {len(parts[split])} files, none of which can be decoded")
    chosen = {path for paths in kept.values() for path in paths}
    return kept, sorted({path for paths in parts.values() for path in paths} - chosen)


def _is_readable(path: Path) -> bool:
    """True if a file can be decoded; warns of one that can't."""
    try:
        decode(path, "RGB")
    except ValueError as error:
        warnings.warn(f"skipped {error}", stacklevel=2)
        return False
    return True
