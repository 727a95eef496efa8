"""Pictures of numbers over an image: how surprising each pixel is, and which pixels a conditional depends on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from numpy.typing import ArrayLike
from torch import Tensor

from chainrule.plots.file import Numbers, checked, numbers
from chainrule.plots.images import columns_of, tiles
from chainrule.plots.panels import Panel, Picture, plot_panels

COLOURS = "magma"
"""matplotlib's colour map from black (zero) to light yellow (the largest number)."""

PERCENTILE = 99
"""The share in % of the pixels that are not black which have shades of their own; the brightest others are white."""

LEAST = 1e-6
"""Tail probabilities below this have the colour of this one."""

VARIABLE = (64, 160, 255)
"""Colour of the pixel whose conditional is analysed."""


def surprisal_map(examples: ArrayLike | Tensor, nats: ArrayLike | Tensor, path: str | Path, *, levels: int = 2) -> None:
    """Plot images and, beside them, the surprisal -log p(x_t | x_<t) of every pixel, summed over its colours.

    Args:
        examples: Images with values from 0 to ``levels - 1``; see `chainrule.plots` for their shapes.
        nats: The surprisal of every variable, in nats, of the same shape as ``examples``.
        path: The file to write.
        levels: The number of values that a variable can take.

    Raises:
        ValueError: If a shape, a value or the file's suffix is not one of those described here.
    """
    path = checked(path)
    values, surprisals = numbers(examples), numbers(nats)
    if surprisals.shape != values.shape or values.ndim != 4:
        raise ValueError(f"nats expects the shape of examples, images {values.shape}, got {surprisals.shape}")
    heat = surprisals.sum(1)
    top = _top(heat)
    _plot_beside(values, levels, heat.clip(max=top), f"surprisal, black 0, white {top:.2f} nats and more", path)


def tail_map(examples: ArrayLike | Tensor, tails: ArrayLike | Tensor, path: str | Path, *, levels: int = 2) -> None:
    """Plot images and, beside each, -log10 of the tail probability of every pixel, the least of its colours.

    Args:
        examples: Images ``(N, channels, height, width)`` with values from 0 to ``levels - 1``.
        tails: The tail probability of every variable, of the same shape.
        path: The file to write.
        levels: The number of values that a variable can take.

    Raises:
        ValueError: If a shape, a value or the file's suffix is not one of those described here.
    """
    path = checked(path)
    values, least = numbers(examples), numbers(tails)
    if least.shape != values.shape or values.ndim != 4:
        raise ValueError(f"tails expects the shape of examples, images {values.shape}, got {least.shape}")
    heat = -np.log10(np.clip(least.min(1), LEAST, 1.0))
    top = _top(heat)
    _plot_beside(values, levels, heat.clip(max=top), f"tail, black 1, white {10**-top:.1g} and less", path)


def _top(heat: Numbers) -> float:
    """The number that is white: the `PERCENTILE`, as one pixel among many must not make all others black."""
    shown = heat[heat > 0]
    return float(np.percentile(shown, PERCENTILE)) if shown.size else 0.0


def _plot_beside(values: Numbers, levels: int, heat: Numbers, caption: str, path: Path) -> None:
    """Plot images ``(N, channels, height, width)`` and, beside them, a heat ``(N, height, width)`` of their pixels."""
    left = tiles("examples", values, levels)
    columns = columns_of(len(left))
    plot_panels([Panel(left, columns, "examples"), Panel(_coloured(heat), columns, caption)], path)


def receptive_fields(fields: Mapping[str, ArrayLike | Tensor], place: tuple[int, int], path: str | Path) -> None:
    """Plot how much the conditional of one pixel depends on each of the others, for each of several models.

    Args:
        fields: The result of `chainrule.receptive_field` for each model, ``(channels, height, width)``, by the model's
            name. The colours are logarithmic and span three decades.
        place: Row and column of the pixel.
        path: The file to write.

    Raises:
        ValueError: If there is no field, their sizes differ, or the suffix is unknown.
    """
    path = checked(path)
    maps = {name: numbers(field) for name, field in fields.items()}
    if len({field.shape[-2:] for field in maps.values()}) != 1 or any(field.ndim != 3 for field in maps.values()):
        raise ValueError(f"fields expects images of one size, got {[field.shape for field in maps.values()]}")
    panels = []
    for name, field in maps.items():
        strength = field.max(0)
        decades = np.log10(np.maximum(strength / max(strength.max(), 1e-300), 1e-3)) + 3
        tile = _coloured(decades[None]).copy()
        tile[0, place[0], place[1]] = VARIABLE
        panels.append(Panel(tile, 1, name))
    plot_panels(panels, path)


def _coloured(values: Numbers) -> Picture:
    """Map non-negative numbers ``(N, height, width)`` to colours ``(N, height, width, 3)``."""
    shades = colormaps[COLOURS](values / max(float(values.max()), 1e-300))
    return np.rint(shades[..., :3] * 255).astype(np.uint8)
