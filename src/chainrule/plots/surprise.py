"""Recordings, and how much each of their stretches surprises a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from chainrule.plots.file import FAINT, INK, MUTED, checked, write

WIDTH = 1200
"""Columns of a waveform, each of which spans the least and the greatest of its samples."""

STRANGE = "#d62728"


@dataclass(frozen=True)
class Clip:
    """A recording of the picture.

    Attributes:
        name: Its name.
        samples: Its samples, ``(m,)``.
        begin: The second of its first sample.
        middles: The samples in the middle of its stretches, ``(k,)``.
        bits: The bits per sample of each stretch, ``(k,)``.
        strangest: Where the strangest stretch begins and ends, in samples.
    """

    name: str
    samples: NDArray[Any]
    begin: float
    middles: NDArray[Any]
    bits: NDArray[np.float64]
    strangest: tuple[int, int]


def surprise_over_time(
    clips: Sequence[Clip], path: str | Path, *, sample_rate: int, ordinary: tuple[float, float]
) -> None:
    """Plot recordings, and below each how much it surprises over time, with the strangest stretch in red.

    Args:
        clips: The recordings.
        path: The file to write.
        sample_rate: Samples per second.
        ordinary: The bits per sample of ordinary stretches, from and to, which are grey.

    Raises:
        ValueError: If there is no recording, or the suffix is unknown.
    """
    path = checked(path)
    if not clips:
        raise ValueError("clips expects at least one recording, got none")
    figure = Figure(figsize=(9, 2.2 * len(clips) + 0.3), dpi=90, layout=ConstrainedLayoutEngine())
    axes = figure.subplots(2 * len(clips), 1, squeeze=False)[:, 0]
    top = max(float(clip.bits.max()) for clip in clips)
    for clip, wave, curve in zip(clips, axes[::2], axes[1::2], strict=True):
        _waveform(wave, clip, sample_rate)
        curve.axhspan(*ordinary, color=FAINT, lw=0)
        curve.plot(clip.begin + clip.middles / sample_rate, clip.bits, color=INK, lw=0.8)
        curve.set_ylim(0, 1.05 * top)
        curve.set_ylabel("bits", fontsize=8, color=INK)
        for axis in (wave, curve):
            axis.set_xlim(clip.begin, clip.begin + len(clip.samples) / sample_rate)
            axis.axvspan(
                *(clip.begin + place / sample_rate for place in clip.strangest), color=STRANGE, alpha=0.25, lw=0
            )
            axis.tick_params(colors=MUTED, labelsize=7)
            axis.spines[:].set_visible(False)
    axes[-1].set_xlabel("seconds; grey: 90 % of ordinary stretches", fontsize=8, color=INK)
    write(figure, path)


def _waveform(axis: Axes, clip: Clip, sample_rate: int) -> None:
    """The least and the greatest sample at each place."""
    step = -(-len(clip.samples) // WIDTH)
    starts = np.arange(0, len(clip.samples), step)
    low, high = (bound.reduceat(clip.samples, starts) for bound in (np.minimum, np.maximum))
    axis.fill_between(clip.begin + starts / sample_rate, low, high, color=MUTED, lw=0.4)
    axis.set_title(clip.name, fontsize=9, color=INK, loc="left", parse_math=False)
    axis.set_xticks([])
    axis.set_yticks([])
