"""Masks: files of 0 and 1 that say which variables of an event are known."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chainrule.data.formats import ImageFormat
from chainrule.data.read.arrays import open_array
from chainrule.data.read.image_file import SUFFIXES as IMAGE_SUFFIXES
from chainrule.data.read.image_file import decode, is_transparent, read_header
from chainrule.data.read.table import read_levels

SUFFIXES = (".npy", ".npz", ".csv", ".data", *IMAGE_SUFFIXES)


def read_mask(path: Path, event_shape: tuple[int, ...]) -> Tensor:
    """A mask of the known variables of an event, from a file of 0 (unknown) and 1 (known).

    The file holds the event's shape, or all its values in one row or column; for an image event a
    ``(height, width)`` mask holds for all channels. In an image file white (255) is 1.

    Returns:
        A bool tensor ``(*event_shape)``.

    Raises:
        ValueError: If the file's shape is not the event's or it holds other values.
        FileNotFoundError: If there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"expected a mask file, found no {path}")
    values = _read(path)
    wrong = (values != 0) & (values != 1)
    if wrong.any():
        pictured = path.suffix.lower() in IMAGE_SUFFIXES
        got = values[wrong & (values != 255)].flat[0] if pictured else values[wrong].flat[0]
        expected = "black and white" if pictured else "0 and 1"
        raise ValueError(f"{path}: expected a mask of {expected}, got the value {got}")
    return _fit(path, torch.from_numpy(values.astype(np.bool_)), event_shape)


def _fit(path: Path, known: Tensor, event_shape: tuple[int, ...]) -> Tensor:
    """``known`` in the event's shape."""
    shape = tuple(known.shape)
    while len(shape) > 1 and shape[0] == 1 and shape != event_shape:
        shape = shape[1:]  # a batch of one, or one channel
    flat = math.prod(event_shape)
    if shape == event_shape or tuple(known.shape) in ((flat,), (1, flat), (flat, 1)):
        return known.reshape(event_shape)
    if len(event_shape) == 3 and shape == event_shape[1:]:
        return known.reshape(shape).expand(event_shape).clone()
    raise ValueError(f"{path}: expected a mask of the event's shape {event_shape}, got {tuple(known.shape)}")


def _read(path: Path) -> NDArray[Any]:
    """The numbers in the file."""
    suffix = path.suffix.lower()
    if suffix in (".csv", ".data"):
        return read_levels(path)
    if suffix in IMAGE_SUFFIXES:
        header = read_header(path)
        if header.alpha and is_transparent(path):
            raise ValueError(f"{path}: expected a mask of black and white, got transparent parts")
        pixels = decode(path, (1, header.size[1], header.size[0]), ImageFormat(256))
        return pixels // 255 if np.isin(pixels, (0, 255)).all() else pixels
    if suffix not in SUFFIXES:
        raise ValueError(f"{path}: expected a mask file {' '.join(SUFFIXES)}, got the suffix {path.suffix!r}")
    values = open_array(path)
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{path}: expected a mask of 0 and 1, got values of type {values.dtype}")
    return values
