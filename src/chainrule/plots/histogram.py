"""Histograms of several groups of numbers in one picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from chainrule.plots.curves import COLOURS, labelled_axes, legend
from chainrule.plots.file import checked, numbers, write

BINS = 60
"""Number of intervals of a histogram."""


def histograms(groups: Mapping[str, ArrayLike | Tensor], path: str | Path, *, x_label: str) -> None:
    """Plot the share of each group's numbers in each of `BINS` equal intervals.

    Args:
        groups: The numbers ``(k,)`` of each group, by its label.
        path: The file to write.
        x_label: Label of the x axis, with its unit.

    Raises:
        ValueError: If there is no group, a group is empty or has a number that is not finite, or the suffix is unknown.
    """
    path = checked(path)
    values = {label: numbers(group).ravel() for label, group in groups.items()}
    for label, group in values.items():
        if not group.size or not np.isfinite(group).all():
            raise ValueError(f"group {label!r} expects finite numbers, got {'others' if group.size else 'none'}")
    if not values:
        raise ValueError("groups expects at least one, got none")
    together = np.concatenate(list(values.values()))
    edges = np.histogram_bin_edges(together, BINS)
    figure, axes = labelled_axes(x_label, "share")
    for i, (label, group) in enumerate(values.items()):
        shares = np.histogram(group, edges)[0] / len(group)
        colour = COLOURS[i % len(COLOURS)]
        again = i >= len(COLOURS)
        axes.stairs(shares, edges, fill=True, color=colour, alpha=0.1 if again else 0.25)
        axes.stairs(shares, edges, color=colour, lw=1.4, ls="--" if again else "-", label=label)
    axes.set_ylim(bottom=0)
    legend(axes)
    write(figure, path)
