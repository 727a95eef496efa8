"""Pictures of how the probabilities of classes change along the order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike
from torch import Tensor

from chainrule.plots.curves import COLOURS
from chainrule.plots.file import INK, MUTED, Numbers, checked, numbers, write
from chainrule.plots.images import tiles

FEW = 12
"""So many classes are all named, more are not."""

SHADES = LinearSegmentedColormap.from_list("probability", ["#ffffff", COLOURS[0]])


def progressive_classes(
    examples: ArrayLike | Tensor,
    probabilities: ArrayLike | Tensor,
    path: str | Path,
    *,
    levels: int = 2,
    labels: ArrayLike | Tensor | None = None,
    names: Sequence[str] = (),
) -> None:
    """Plot each example and, beside it, p(c | x_<t) of every class c against the number t of known variables.

    Args:
        examples: ``(N, *event_shape)`` with values from 0 to ``levels - 1``.
        probabilities: ``(N, n + 1, classes)``, the result of ``classify_progressively(...).exp()``.
        path: The file to write.
        levels: The number of values that a variable can take.
        labels: The true classes of at least these N examples; each is marked in the picture.
        names: The names of the classes, by number, where they have any.

    Raises:
        ValueError: If a shape, a value or the file's suffix is not one of those described here.
    """
    path = checked(path)
    values, shares = numbers(examples), numbers(probabilities)
    if shares.ndim != 3 or len(shares) != len(values):
        raise ValueError(f"probabilities expects ({len(values)}, n + 1, classes), got {shares.shape}")
    pictures = [tiles("examples", value[None], levels)[0] for value in values]
    figure = Figure(figsize=(8, 1.9 * len(values) + 0.6), dpi=100, layout="constrained")
    axes = figure.subplots(len(values), 2, width_ratios=[1, 4], squeeze=False)
    known = None if labels is None else numbers(labels).astype(int)
    for i, (left, right) in enumerate(axes):
        left.imshow(pictures[i], interpolation="nearest", aspect="equal" if values.ndim > 2 else "auto")
        left.set_axis_off()
        _shares(right, shares[i], None if known is None else int(known[i]), names)
    axes[-1][1].set_xlabel("variables known, t", color=MUTED)
    axes[0][1].set_title("$p(c \\mid x_{<t})$, white 0 to blue 1; the true class is marked", color=INK, fontsize=11)
    write(figure, path)


def _shares(axes: Axes, shares: Numbers, truth: int | None, names: Sequence[str]) -> None:
    """Plot one row per class; more variables are known from left to right."""
    classes = shares.shape[1]
    axes.imshow(shares.T, cmap=SHADES, vmin=0, vmax=1, aspect="auto", interpolation="nearest", origin="lower")
    axes.set_ylabel("class c", color=MUTED)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    if classes <= FEW:
        axes.set_yticks(np.arange(classes), names or None)
    axes.tick_params(colors=MUTED, labelsize=8)
    for spine in axes.spines.values():
        spine.set_color(MUTED)
    if truth is not None:
        axes.plot([1.01], [truth], marker="<", color=COLOURS[1], clip_on=False, transform=axes.get_yaxis_transform())
