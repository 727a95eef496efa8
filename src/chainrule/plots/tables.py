"""Pictures of the columns of a table: real rows beside sampled ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from chainrule.plots.curves import COLOURS
from chainrule.plots.file import FAINT, INK, MUTED, Numbers, numbers, rendered

REAL, SAMPLED = COLOURS[0], COLOURS[1]
LABEL = 18
"""Characters of a label, at most."""

NAMED = 30
"""Columns whose names fit beside a picture of pairs."""


def column_picture(
    shares: ArrayLike, *, labels: Sequence[str] | None = None, edges: Sequence[str] | None = None
) -> bytes:
    """Plot the shares of a column's values in real and in sampled rows: bars of ``labels``, or intervals by ``edges``.

    Args:
        shares: Of real and of sampled rows ``(2, k)``.
        labels: The k values, in words.
        edges: The k + 1 ends of the intervals, in words.

    Returns:
        The content of a ``.png`` file.

    Raises:
        ValueError: If neither or both are given, or their number does not fit.
    """
    pair = numbers(shares)
    names = labels if edges is None else edges[1:]
    if (labels is None) == (edges is None) or names is None or pair.shape != (2, len(names)):
        raise ValueError(f"column_picture expects labels or edges of shares (2, k), got shares {pair.shape}")
    if edges is None:
        return _bars(pair, [_short(label) for label in names])
    figure, axes = _small_axes(1.7)
    positions = np.arange(len(edges))
    axes.stairs(pair[0], positions, fill=True, color=REAL, alpha=0.35)
    axes.stairs(pair[1], positions, color=SAMPLED, lw=1.6, baseline=None)
    ticks = [0, len(edges) // 2, len(edges) - 1]
    axes.set_xticks(ticks, [_short(edges[tick]) for tick in ticks])
    axes.get_xticklabels()[-1].set_horizontalalignment("right")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("share", fontsize=8, color=MUTED)
    return rendered(figure)


def _bars(pair: Numbers, labels: Sequence[str]) -> bytes:
    figure, axes = _small_axes(0.5 + 0.24 * len(labels))
    positions = np.arange(len(labels))
    axes.barh(positions - 0.2, pair[0], 0.38, color=REAL, alpha=0.55)
    axes.barh(positions + 0.2, pair[1], 0.38, color=SAMPLED, alpha=0.85)
    axes.set_yticks(positions, labels)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("share", fontsize=8, color=MUTED)
    for text in axes.get_yticklabels():
        text.set_parse_math(False)
    return rendered(figure)


def association_picture(names: Sequence[str], real: ArrayLike, sampled: ArrayLike) -> bytes:
    """Plot the association of each pair of columns: in real rows, in sampled rows, and the second less the first.

    Args:
        names: The n columns.
        real: Associations ``(n, n)`` from -1 to 1; NaN is white.
        sampled: Those of sampled rows.

    Returns:
        The content of a ``.png`` file.

    Raises:
        ValueError: If the shapes don't fit.
    """
    parts = {"real": numbers(real), "sampled": numbers(sampled)}
    count = len(names)
    for name, part in parts.items():
        if part.shape != (count, count):
            raise ValueError(f"{name} expects associations ({count}, {count}), got {part.shape}")
    parts["sampled - real"] = parts["sampled"] - parts["real"]
    side = min(5.5, 1.5 + 0.2 * count)
    figure = Figure(figsize=(3 * side, side + 1.4), dpi=110, layout="constrained")
    for axes, (title, part) in zip(figure.subplots(1, 3, sharey=True), parts.items(), strict=True):
        image = axes.imshow(part, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
        axes.set_title(title, fontsize=11, color=INK)
        labels = [_short(name) for name in names] if count <= NAMED else []
        axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize=8)
        axes.set_yticks(range(len(labels)), labels, fontsize=8)
        _plain(axes)
    figure.colorbar(image, ax=figure.axes, shrink=0.7, pad=0.01).ax.tick_params(labelsize=8, colors=MUTED)
    return rendered(figure)


def chunks_picture(
    shares: Sequence[float | None], sizes: Sequence[int], *, old: int, drifted: Sequence[bool], labels: Sequence[str]
) -> bytes:
    """Plot how often a row of each chunk is stranger than an old one, and the band of 95 % where nothing has changed.

    The band is 1/2 +- 1.96 sqrt((n + m + 1) / (12 n m)), for m of the chunk and n old rows.

    Args:
        shares: Of each chunk, the probability that its row is the stranger one; None for a chunk without one.
        sizes: The numbers of their rows.
        old: The number of old rows.
        drifted: True for chunks that are marked.
        labels: The beginnings of the chunks, in words.

    Returns:
        The content of a ``.png`` file.
    """
    values = np.array([np.nan if share is None else share for share in shares])
    rows, places = np.array(sizes), np.arange(len(sizes))
    reach = 1.96 * np.sqrt((old + rows + 1) / (12 * old * rows))
    figure = Figure(figsize=(8, 2.8), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    axes.fill_between(places, 0.5 - reach, 0.5 + reach, color=FAINT, step="mid")
    axes.plot(places, values, color=REAL, lw=1.4)
    for marked, colour in ((True, SAMPLED), (False, "white")):
        chosen = np.array(drifted) == marked
        axes.plot(places[chosen], values[chosen], "o", ms=7, mfc=colour, mec=SAMPLED if marked else REAL, mew=1.5)
    some = places[:: max(1, len(places) // 5)]
    axes.set_xticks(some, [_short(labels[place]) for place in some])
    axes.set_ylabel("stranger than old rows", fontsize=8, color=MUTED)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    _plain(axes)
    return rendered(figure)


def _small_axes(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(3.6, height), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    axes.grid(color=FAINT, lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    _plain(axes)
    return figure, axes


def _plain(axes: Axes) -> None:
    """Grey lines, and labels as they are written, with no mathematics between dollar signs."""
    for spine in axes.spines.values():
        spine.set_color(MUTED)
    axes.tick_params(colors=MUTED)
    for text in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        text.set_parse_math(False)


def _short(label: str) -> str:
    return label if len(label) <= LABEL else f"{label[: LABEL - 3]}..."
