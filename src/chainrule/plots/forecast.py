"""Pictures of forecasts: a series, and the bands of its next values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from numpy.typing import NDArray

from chainrule.plots.curves import COLOURS
from chainrule.plots.file import FAINT, INK, MUTED, Numbers, checked, write

MOST_FORECASTS = 6
"""Series in a picture, at most."""

BANDS = ((0.05, 0.95, 0.18), (0.25, 0.75, 0.32))
"""Pairs of quantiles between which is a band, and how dark it is."""


@dataclass(frozen=True)
class Forecast:
    """A series and its forecast.

    Attributes:
        name: Its title.
        past_places: Where the known values are on the x axis ``(k,)``: times, or numbers.
        past: The known values, NaN where one is missing.
        places: Where the forecast values are, ``(length,)``.
        quantiles: Their quantiles ``(length,)`` by their shares, those of `BANDS` and 0.5.
    """

    name: str
    past_places: NDArray[np.generic]
    past: Numbers
    places: NDArray[np.generic]
    quantiles: Mapping[float, Numbers]


def forecast_picture(panels: Sequence[Forecast], path: str | Path, *, label: str) -> None:
    """Plot series and the bands of their forecasts, the first `MOST_FORECASTS` of them.

    Args:
        panels: The series.
        path: The file to write.
        label: The name of the values.

    Raises:
        ValueError: If there are none, or the suffix is unknown.
    """
    path, shown = checked(path), panels[:MOST_FORECASTS]
    if not shown:
        raise ValueError("panels expects at least one series, got none")
    figure = Figure(figsize=(8.0, 0.6 + 2.6 * len(shown)), dpi=120, layout="constrained")
    for axes, panel in zip(np.atleast_1d(figure.subplots(len(shown), 1)), shown, strict=True):
        _panel(axes, panel, label)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, fontsize=9, loc="outside upper right", ncols=len(labels))
    write(figure, path)


def _panel(axes: Axes, panel: Forecast, label: str) -> None:
    axes.plot(panel.past_places, panel.past, color=INK, lw=1.2, label="known")
    for low, high, alpha in BANDS:
        share = round(100 * (high - low))
        axes.fill_between(
            panel.places, panel.quantiles[low], panel.quantiles[high], color=COLOURS[0], alpha=alpha, lw=0,
            label=f"{share} % of draws",
        )  # fmt: skip
    axes.plot(panel.places, panel.quantiles[0.5], color=COLOURS[0], lw=1.6, label="median")
    if np.issubdtype(panel.places.dtype, np.datetime64):
        locator = AutoDateLocator(maxticks=9)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_title(panel.name, loc="left", fontsize=10, color=INK)
    axes.set_ylabel(label, color=MUTED)
    axes.grid(color=FAINT, lw=0.8)
    axes.tick_params(colors=MUTED)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
