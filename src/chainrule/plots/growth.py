"""An animation of samples as they grow: pixels appear in the sequence in which they were drawn."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from torch import Tensor

from chainrule.atomic import write_atomically
from chainrule.plots.file import numbers
from chainrule.plots.images import UNOBSERVED, columns_of, tiles
from chainrule.plots.panels import SEPARATOR

FRAMES = 120
"""Frames of an animation, at most."""

EACH, LAST = 50, 2000
"""Milliseconds that a frame and the last one are shown."""

SIDE = 480
"""Pixels of a side of the animation, about."""


def sample_growth(
    images: ArrayLike | Tensor,
    permutation: ArrayLike | Tensor,
    path: Path,
    *,
    levels: int = 2,
    scale: int | None = None,
) -> int:
    """Write a ``.gif`` in which the pixels of images appear in the order of their generation; returns its frames.

    A pixel of several colours appears with the first of them. Those that are not drawn yet have the colour
    `chainrule.plots.UNOBSERVED`.

    Args:
        images: ``(N, channels, height, width)`` with values from 0 to ``levels - 1``.
        permutation: The position, in a flattened image, of the variable drawn at each time.
        path: The file to write.
        levels: The number of values that a variable can take.
        scale: How many times larger pixels become; by default the animation has a usual size.

    Raises:
        ValueError: If a shape or a value is not one of those described here.
    """
    values = numbers(images)
    if values.ndim != 4:
        raise ValueError(f"images expects the shape (N, channels, height, width), got {values.shape}")
    shown, shape = tiles("images", values, levels), values.shape[1:]
    times = np.empty(values[0].size, np.int64)
    times[np.asarray(permutation)] = np.arange(times.size)
    first = times.reshape(shape).min(0)  # the time at which each pixel appears
    rank = np.searchsorted(np.sort(first, axis=None), first)  # the number of pixels before it
    steps = np.unique(np.linspace(0, rank.size, min(FRAMES, rank.size + 1)).round().astype(np.int64))
    sheet = _sheet(shown)
    scale = max(1, SIDE // max(sheet.shape[:2])) if scale is None else scale
    frames = []
    for step in steps:
        grown = np.where((rank < step)[..., None], shown, np.array(UNOBSERVED, np.uint8))
        enlarged = _sheet(grown).repeat(scale, axis=0).repeat(scale, axis=1)
        frames.append(Image.fromarray(enlarged))
    buffer = BytesIO()
    durations = [EACH] * (len(frames) - 1) + [LAST]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
    write_atomically(path, buffer.getvalue())
    return len(frames)


def _sheet(shown: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Tiles ``(N, height, width, 3)`` row by row in one picture, with a grey line between them."""
    columns = columns_of(len(shown))
    height, width = shown.shape[1] + 1, shown.shape[2] + 1
    sheet = np.full((-(-len(shown) // columns) * height - 1, columns * width - 1, 3), SEPARATOR, np.uint8)
    for number, tile in enumerate(shown):
        y, x = number // columns * height, number % columns * width
        sheet[y : y + height - 1, x : x + width - 1] = tile
    return sheet
