"""Pictures of lines: training curves and measurements."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import ArrayLike

from chainrule.plots.file import FAINT, INK, MUTED, Numbers, checked, numbers, rendered, write

COLOURS = ("#2f6aa8", "#d9772b", "#4a9360", "#9a5ba5", "#b8483f", "#6b6b6b")
MARKERS = ("o", "s", "^", "D", "v", "P")


def training_curve(history: Sequence[Mapping[str, float | None]], path: str | Path, unit: str = "nats") -> None:
    """Plot the negative log-likelihood of the training and the validation part against the step.

    The best validation is marked. The curves of the first steps may leave the frame at the top, so that
    differences between later steps can be seen.

    Args:
        history: ``step``, ``train_nats`` and ``valid_nats`` of every validation; nats may be None.
        path: The file to write.
        unit: The unit of the loss, where it is not a likelihood in nats.

    Raises:
        ValueError: If no validation has a finite loss, or the suffix is unknown.
    """
    path = checked(path)
    write(_training_figure(history, unit), path)


def training_picture(history: Sequence[Mapping[str, float | None]], unit: str = "nats") -> bytes:
    """The same as the content of a ``.png`` file, which a notebook may hold; see `training_curve`."""
    return rendered(_training_figure(history, unit))


def _training_figure(history: Sequence[Mapping[str, float | None]], unit: str) -> Figure:
    curves = {name: np.array([_or_nan(row.get(f"{name}_nats")) for row in history]) for name in ("train", "valid")}
    steps = np.array([_or_nan(row.get("step")) for row in history])
    finite = np.concatenate([nats[np.isfinite(nats)] for nats in curves.values()])
    if not finite.size:
        raise ValueError(
            f"history expects train_nats or valid_nats, got {len(history)} validations without a finite one"
        )
    figure, axes = labelled_axes(
        "optimiser step", "negative log-likelihood (nats)" if unit == "nats" else f"loss ({unit})"
    )
    styles = {"train": ("training", COLOURS[0], 1.4), "valid": ("validation", COLOURS[1], 2.0)}
    for name, (label, colour, width) in styles.items():
        shown = np.isfinite(curves[name])
        if shown.any():
            marker = "o" if shown.sum() == 1 else ""
            axes.plot(steps[shown], curves[name][shown], color=colour, lw=width, marker=marker, ms=5, label=label)
    valid = np.where(np.isfinite(curves["valid"]), curves["valid"], np.inf)
    best = int(np.argmin(valid))
    if np.isfinite(valid[best]):
        label = f"best: {valid[best]:.2f} {unit}, step {steps[best]:g}"
        axes.plot(steps[best], valid[best], "o", ms=8, mfc="white", mec=COLOURS[1], mew=2, label=label)
    low, high = _robust_limits(list(curves.values()))
    axes.set_ylim(low - 0.06 * (high - low), high + 0.04 * (high - low))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    legend(axes)
    return figure


def lines(
    series: Mapping[str, tuple[ArrayLike, ArrayLike]],
    path: str | Path,
    *,
    x_label: str,
    y_label: str,
    log: bool = False,
    title: str | None = None,
) -> None:
    """Plot measurements as lines, with a marker at each.

    Args:
        series: Each line's label and its ``(xs, ys)``, of equal lengths.
        path: The file to write.
        x_label: Label of the x axis, with its unit.
        y_label: Label of the y axis, with its unit.
        log: True for logarithmic axes, both of them.
        title: Title above the picture.

    Raises:
        ValueError: If a line is empty, its lengths differ, a number is not finite (or, with ``log``,
            not positive), or the suffix is unknown.
    """
    path = checked(path)
    if not series:
        raise ValueError("series expects at least one line, got none")
    points = {label: (numbers(xs), numbers(ys)) for label, (xs, ys) in series.items()}
    for label, (xs, ys) in points.items():
        if xs.ndim != 1 or xs.shape != ys.shape or not xs.size:
            raise ValueError(f"series {label!r} expects xs and ys of one length, got shapes {xs.shape} and {ys.shape}")
        if not np.isfinite([xs, ys]).all() or (log and min(xs.min(), ys.min()) <= 0):
            raise ValueError(f"series {label!r} expects {'positive ' if log else ''}finite numbers, got others")
    figure, axes = labelled_axes(x_label, y_label)
    if log:
        axes.set_xscale("log")
        axes.set_yscale("log")
    for i, (label, (xs, ys)) in enumerate(points.items()):
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        axes.plot(xs, ys, color=colour, marker=marker, ms=5.5, mec="white", mew=0.8, lw=1.6, label=label)
    measured = np.unique(np.concatenate([xs for xs, _ in points.values()]))
    if log and _can_label(measured):
        axes.set_xticks(measured, [f"{x:g}" for x in measured])
        axes.xaxis.set_minor_locator(NullLocator())
    if title is not None:
        axes.set_title(title, loc="left", fontsize=11, color=INK, parse_math=False)
    legend(axes)
    write(figure, path)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)


def labelled_axes(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    """Make a figure with one pair of axes."""
    figure = Figure(figsize=(6.4, 4.0), dpi=144, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
    axes = figure.add_subplot()
    axes.set_xlabel(x_label, fontsize=10, color=INK)
    axes.set_ylabel(y_label, fontsize=10, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.tick_params(which="both", colors=MUTED, labelsize=9)
    axes.grid(color=FAINT, lw=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def legend(axes: Axes) -> None:
    """Add a legend where it hides least."""
    style: dict[str, Any] = {"frameon": False, "fontsize": 9, "labelcolor": INK, "handlelength": 1.8}
    axes.legend(loc="best", **style)


def _robust_limits(curves: Sequence[Numbers]) -> tuple[float, float]:
    """The range of y that shows every minimum, every last value, and at least nine tenths of all values."""
    curves = [curve[np.isfinite(curve)] for curve in curves]
    curves = [curve for curve in curves if curve.size]
    values = np.concatenate(curves)
    low, high = values.min(), values.max()
    if len(values) >= 10:
        usual = np.quantile(values, 0.9)
        high = min(high, max(usual + 0.25 * (usual - low), *(curve[-1] for curve in curves), usual))
    return float(low), float(high if high > low else low + 1)


def _can_label(measured: Numbers) -> bool:
    """True if ticks at all measured x leave room for their labels on a logarithmic axis."""
    if not 2 <= len(measured) <= 9:
        return False
    logs = np.log(measured)
    return bool(np.diff(logs).min() >= 0.07 * (logs[-1] - logs[0]))
