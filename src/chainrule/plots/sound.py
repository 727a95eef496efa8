"""Spectrograms of recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import scipy  # whose parts are imported when they are first used
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import ArrayLike
from torch import Tensor

from chainrule.plots.file import INK, MUTED, Numbers, checked, numbers, write

DECIBELS = 60.0
"""Dynamic range: frequencies that are weaker than the strongest by more than this are black."""

MILLISECONDS = 25
"""Length of the windows of the Fourier transform."""


def spectrograms(
    groups: Mapping[str, Sequence[ArrayLike | Tensor]],
    path: str | Path,
    *,
    sample_rate: int,
    titles: Sequence[str] | None = None,
) -> None:
    """Plot spectrograms of recordings, one group a row, all on the same time scale.

    Args:
        groups: The recordings of each group, samples ``(m,)`` each, by its name; as many in each group.
        path: The file to write.
        sample_rate: Samples per second.
        titles: Title of each column.

    Raises:
        ValueError: If a group is empty, the groups differ in their number of recordings, or the suffix is unknown.
    """
    path = checked(path)
    counts = {len(clips) for clips in groups.values()}
    if len(counts) != 1 or 0 in counts:
        raise ValueError(f"groups expects as many recordings in each, got {[len(clips) for clips in groups.values()]}")
    columns = counts.pop()
    clips = {name: [numbers(clip) for clip in own] for name, own in groups.items()}
    longest = max(len(clip) for own in clips.values() for clip in own) / sample_rate
    figure = Figure(figsize=(1.5 * columns, 1.6 * len(clips) + 0.3), dpi=70, layout=ConstrainedLayoutEngine())
    axes = figure.subplots(len(clips), columns, squeeze=False)
    for row, (name, own) in enumerate(clips.items()):
        for column, clip in enumerate(own):
            axis = axes[row, column]
            extent = (0.0, len(clip) / sample_rate, 0.0, sample_rate / 2000)
            axis.imshow(
                _decibels(clip, sample_rate),
                origin="lower",
                aspect="auto",
                cmap="magma",
                extent=extent,
                vmin=-DECIBELS,
                vmax=0,
            )
            axis.set_xlim(0, longest)
            axis.tick_params(colors=MUTED, labelsize=7)
            axis.spines[:].set_visible(False)
            axis.set_xticks([] if row + 1 < len(clips) else [0, round(longest, 1)])
            axis.set_yticks([] if column else [0, sample_rate / 2000])
            if row == 0 and titles is not None:
                axis.set_title(titles[column], fontsize=9, color=INK, parse_math=False)
        axes[row, 0].set_ylabel(f"{name}, kHz", fontsize=9, color=INK)
    axes[-1, 0].set_xlabel("seconds", fontsize=9, color=INK)
    write(figure, path)


def _decibels(clip: Numbers, sample_rate: int) -> Numbers:
    """Strength ``(frequencies, times)`` relative to the strongest, in decibels from -`DECIBELS` to 0."""
    length = min(len(clip), sample_rate * MILLISECONDS // 1000)
    _, _, spectrum = scipy.signal.stft(clip, sample_rate, nperseg=length, noverlap=length * 3 // 4)
    strength = np.abs(spectrum)
    decibels: Numbers = 20 * np.log10(strength / max(strength.max(), 1e-12) + 1e-12)
    return np.maximum(decibels, -DECIBELS)
