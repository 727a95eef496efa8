"""The layout of pictures that consist of tiles, exact to the pixel.

A page is laid out in whole pixels at 72 dots per inch. There a pixel is a typographic point in every format,
so no backend resamples the tiles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray

from chainrule.plots.file import INK, write

MARKED = "#b3261e"
"""Colour of the labels that stand out."""

SEPARATOR, SEPARATOR_WIDTH = 176, 2
MARGIN, GAP, CAPTION_HEIGHT, CAPTION_SIZE = 28, 40, 38, 19
LABEL_HEIGHT, LABEL_SIZE = 24, 13
PAGE_WIDTH, TILE_WIDTH, LONE_FACTOR = 1280, 160, 8

Picture = NDArray[np.uint8]


class Label(NamedTuple):
    """A text below a tile; one that is marked stands out."""

    text: str
    marked: bool = False


class Panel(NamedTuple):
    """A grid of tiles ``(N, height, width, 3)``, filled row by row, with a caption above it.

    A panel of one column may have a label below each tile.
    """

    tiles: Picture
    columns: int
    caption: str
    labels: Sequence[Label] = ()


def plot_panels(panels: Sequence[Panel], path: Path, rows: Sequence[str] = ()) -> None:
    """Lay out panels from left to right on one page, all at one scale, and write it.

    The names of ``rows`` stand to the left of the first panel's tiles.
    """
    factor = _factor(panels)
    grids = [_grid(panel, factor) for panel in panels]
    figure = Figure(dpi=72)
    # The first caption may be the user's own title, in which a dollar sign does not start a formula.
    captions = [
        figure.text(0, 0, panel.caption, fontsize=CAPTION_SIZE, color=INK, va="baseline", parse_math=i > 0)
        for i, panel in enumerate(panels)
    ]
    names = [figure.text(0, 0, name, fontsize=LABEL_SIZE, color=INK, va="top", parse_math=False) for name in rows]
    labels = [[_label(figure, label) for label in panel.labels] for panel in panels]
    widths = [
        max(grid.shape[1], _width([caption, *below]))
        for grid, caption, below in zip(grids, captions, labels, strict=True)
    ]
    start = MARGIN + (_width(names) + GAP // 2 if rows else 0)
    head = CAPTION_HEIGHT if any(panel.caption for panel in panels) else 0
    width = start + MARGIN + sum(widths) + GAP * (len(panels) - 1)
    height = 2 * MARGIN + head + max(len(grid) for grid in grids)
    # The canvas size is rounded down; a millionth of a pixel makes up for rounding in the division.
    figure.set_size_inches((width + 1e-6) / 72, (height + 1e-6) / 72)
    left, top = start, height - MARGIN - head
    for i, name in enumerate(names):
        name.set_position((MARGIN / width, (top - i * _step(panels[0], factor)) / height))
    for panel, grid, caption, below, column in zip(panels, grids, captions, labels, widths, strict=True):
        figure.figimage(grid, xo=left, yo=top - len(grid), origin="upper")
        caption.set_position((left / width, (top + CAPTION_HEIGHT - CAPTION_SIZE - 4) / height))
        for i, label in enumerate(below, 1):
            below_frame = top - i * _step(panel, factor) + LABEL_HEIGHT - 2 * SEPARATOR_WIDTH
            label.set_position((left / width, below_frame / height))
        left += column + GAP
    write(figure, path)


def _factor(panels: Sequence[Panel]) -> int:
    """How many times larger the tiles become."""
    across = sum(panel.columns * panel.tiles.shape[2] for panel in panels)
    longest = max(panels[0].tiles.shape[1:3])
    alone = len(panels[0].tiles) == 1  # such as a heat map, which may be larger than one of many tiles
    largest = max(TILE_WIDTH // longest, LONE_FACTOR if alone else 1)
    return max(min(PAGE_WIDTH // across, largest), 2 if longest <= 256 else 1)


def _label(figure: Figure, label: Label) -> Text:
    """The text of a label, not yet in its place."""
    colour = MARKED if label.marked else INK
    return figure.text(0, 0, label.text, fontsize=LABEL_SIZE, color=colour, va="top", parse_math=False)


def _width(texts: Sequence[Text]) -> int:
    """The width of the widest text, in pixels."""
    return max(math.ceil(text.get_window_extent().width) if text.get_text() else 0 for text in texts)


def _step(panel: Panel, factor: int) -> int:
    """Pixels from the top of a tile's frame to that of the tile below."""
    return panel.tiles.shape[1] * factor + SEPARATOR_WIDTH + (LABEL_HEIGHT if panel.labels else 0)


def _grid(panel: Panel, factor: int) -> Picture:
    """Enlarge the tiles by a whole factor and arrange them with thin frames; all other places are white."""
    shown = panel.tiles.repeat(factor, axis=1).repeat(factor, axis=2)
    count, height, width, _ = shown.shape
    columns = panel.columns
    step_y, step_x = _step(panel, factor), width + SEPARATOR_WIDTH
    rows = -(-count // columns)
    grid = np.full((rows * step_y + SEPARATOR_WIDTH, columns * step_x + SEPARATOR_WIDTH, 3), 255, np.uint8)
    for i, tile in enumerate(shown):
        y, x = i // columns * step_y, i % columns * step_x
        grid[y : y + height + 2 * SEPARATOR_WIDTH, x : x + step_x + SEPARATOR_WIDTH] = SEPARATOR
        y, x = y + SEPARATOR_WIDTH, x + SEPARATOR_WIDTH
        grid[y : y + height, x : x + width] = tile
    return grid
