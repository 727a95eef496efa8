"""Images of 256 levels with fewer of them, where fewer are asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def chosen_levels(name: str, description: str, levels: int | None) -> tuple[int, str]:
    """The levels of the set ``name``, 256 by default, and its description, which says so where they are fewer.

    Raises:
        ValueError: If they are not from 2 to 256.
    """
    if levels is None or levels == 256:
        return 256, description
    if not 2 <= levels <= 256:
        raise ValueError(f"{name} expects levels from 2 to 256, got levels={levels}")
    return levels, f"{description}; quantised to {levels} levels: floor(value * {levels} / 256)"


def quantised(pixels: NDArray[np.uint8], levels: int) -> NDArray[np.uint8]:
    """floor(value * levels / 256) of every pixel.

    >>> quantised(np.array([0, 127, 128, 255], np.uint8), 2)
    array([0, 0, 1, 1], dtype=uint8)
    """
    return pixels if levels == 256 else (pixels.astype(np.uint16) * levels // 256).astype(np.uint8)
