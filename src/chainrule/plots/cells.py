"""A picture of the cells of a table: how unusual each is, and its value."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from chainrule.plots.file import FAINT, INK, MUTED, checked, numbers, write

LEAST = 1e-6
"""Tail probabilities below this have the colour of this one."""

ROWS, COLUMNS = 40, 40
"""Rows and columns of a picture, at most: the first, and those with the least tail probabilities."""

VALUE, NAME = 12, 26
"""Characters of a value and of a column's name, at most."""


def cell_picture(
    tails: ArrayLike | Tensor,
    values: Sequence[Sequence[str]],
    rows: Sequence[object],
    columns: Sequence[str],
    path: str | Path,
) -> None:
    """Plot a table whose cells are the darker the less their tail probability is.

    Args:
        tails: Tail probabilities ``(R, n)``; NaN for none.
        values: The values of the cells in words, R lists of n.
        rows: The names of the rows.
        columns: The names of the columns.
        path: The file to write.

    Raises:
        ValueError: If the shapes don't fit, or the suffix is unknown.
    """
    path, shares = checked(path), numbers(tails)
    if shares.shape != (len(rows), len(columns)) or [len(own) for own in values] != [len(columns)] * len(rows):
        raise ValueError(f"cell_picture expects tails ({len(rows)}, {len(columns)}) and as many values, got others")
    shares = shares[:ROWS]
    shown = sorted(np.argsort(np.nan_to_num(shares, nan=1.0).min(axis=0), kind="stable")[:COLUMNS].tolist())
    heat = -np.log10(np.clip(np.nan_to_num(shares[:, shown], nan=1.0), LEAST, 1.0))
    height, width = heat.shape
    figure = Figure(figsize=(2.2 + 0.8 * width, 2.0 + 0.24 * height), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(heat, cmap="Reds", vmin=0, vmax=-np.log10(LEAST), aspect="auto", interpolation="nearest")
    for row, column in np.ndindex(height, width):
        light = heat[row, column] > 0.65 * -np.log10(LEAST)
        text = _short(values[row][shown[column]], VALUE)
        axes.text(column, row, text, ha="center", va="center", fontsize=6, color="white" if light else INK,
                  parse_math=False)  # fmt: skip
    axes.set_xticks(range(width), [_short(columns[place], NAME) for place in shown], rotation=40, ha="left", fontsize=8)
    axes.xaxis.tick_top()
    axes.set_yticks(range(height), [str(name) for name in rows[:ROWS]], fontsize=8)
    axes.set_ylabel("row", fontsize=8, color=MUTED)
    for label in axes.get_xticklabels():
        label.set_parse_math(False)
    axes.tick_params(colors=MUTED, length=0)
    axes.spines[:].set_color(FAINT)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, pad=0.01)
    ticks = range(0, round(-np.log10(LEAST)) + 1, 2)
    bar.set_ticks(list(ticks), labels=["1", *(f"1e-{tick}" for tick in ticks if tick)])
    bar.ax.tick_params(labelsize=8, colors=MUTED)
    bar.set_label("tail probability", fontsize=8, color=MUTED)
    write(figure, path)


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."
