"""Every picture: training curves, grids of samples, conditionals, completions and measured lines.

Pictures of images are exact: a variable is a square block of whole pixels of one colour, 0 is black
and ``levels - 1`` is white. Images are ``(N, channels, height, width)`` or ``(N, height, width)``;
examples ``(N, n)`` are drawn as square images if n is a square, else as the rows of one heat map.
All functions write one file, completely or not at all, in the format of its suffix.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from chainrule.hub import write_atomically

FORMATS = (".png", ".pdf", ".svg")
"""The suffixes that a picture may have."""

UNOBSERVED = (91, 134, 186)
"""The colour of the unobserved variables of a completion."""

INK, MUTED, FAINT = "#222222", "#6b6b6b", "#e4e4e4"
COLOURS = ("#2f6aa8", "#d9772b", "#4a9360", "#9a5ba5", "#b8483f", "#6b6b6b")
MARKERS = ("o", "s", "^", "D", "v", "P")

SEPARATOR, SEPARATOR_WIDTH = 176, 2
MARGIN, GAP, CAPTION_HEIGHT, CAPTION_SIZE = 28, 40, 38, 19
PAGE_WIDTH, TILE_WIDTH, LONE_FACTOR = 1280, 160, 8

Picture = NDArray[np.uint8]
Numbers = NDArray[np.float64]


class _Panel(NamedTuple):
    """Tiles ``(N, height, width, 3)``, drawn row by row in so many columns below a caption."""

    tiles: Picture
    columns: int
    caption: str


def training_curve(history: Sequence[Mapping[str, float | None]], path: str | Path) -> None:
    """Draw the negative log-likelihood of training and validation examples, in nats, by epoch.

    The best validation epoch is marked. The first epochs may leave the frame at its top, so that
    the others can be told apart.

    Args:
        history: ``epoch``, ``train_nats`` and ``valid_nats`` of every epoch; nats may be None.
        path: The file to write.

    Raises:
        ValueError: If no epoch has a finite number of nats, or the suffix is unknown.
    """
    path = _checked(path)
    curves = {name: np.array([_or_nan(row.get(f"{name}_nats")) for row in history]) for name in ("train", "valid")}
    epochs = np.array([_or_nan(row.get("epoch")) for row in history])
    finite = np.concatenate([nats[np.isfinite(nats)] for nats in curves.values()])
    if not finite.size:
        raise ValueError(f"history expects train_nats or valid_nats, got {len(history)} epochs without a finite one")
    figure, axes = _axes("epoch", "negative log-likelihood (nats)")
    styles = {"train": ("training", COLOURS[0], 1.4), "valid": ("validation", COLOURS[1], 2.0)}
    for name, (label, colour, width) in styles.items():
        shown = np.isfinite(curves[name])
        if shown.any():
            marker = "o" if shown.sum() == 1 else ""
            axes.plot(epochs[shown], curves[name][shown], color=colour, lw=width, marker=marker, ms=5, label=label)
    valid = np.where(np.isfinite(curves["valid"]), curves["valid"], np.inf)
    best = int(np.argmin(valid))
    if np.isfinite(valid[best]):
        label = f"best: {valid[best]:.2f} nats, epoch {epochs[best]:g}"
        axes.plot(epochs[best], valid[best], "o", ms=8, mfc="white", mec=COLOURS[1], mew=2, label=label)
    low, high = _robust_limits(list(curves.values()))
    axes.set_ylim(low - 0.06 * (high - low), high + 0.04 * (high - low))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    _legend(axes)
    _write(figure, path)


def lines(
    series: Mapping[str, tuple[ArrayLike, ArrayLike]],
    path: str | Path,
    *,
    x_label: str,
    y_label: str,
    log: bool = False,
    title: str | None = None,
) -> None:
    """Draw measured numbers as lines with a marker at every measurement.

    Args:
        series: From each line's label to its ``(xs, ys)``, of equal lengths.
        path: The file to write.
        x_label: What x is, with its unit.
        y_label: What y is, with its unit.
        log: Whether both axes are logarithmic.
        title: What stands above the picture.

    Raises:
        ValueError: If a line is empty, its lengths differ, a number is not finite (or, with ``log``,
            not positive), or the suffix is unknown.
    """
    path = _checked(path)
    if not series:
        raise ValueError("series expects at least one line, got none")
    points = {label: (_numbers(xs), _numbers(ys)) for label, (xs, ys) in series.items()}
    for label, (xs, ys) in points.items():
        if xs.ndim != 1 or xs.shape != ys.shape or not xs.size:
            raise ValueError(f"series {label!r} expects xs and ys of one length, got shapes {xs.shape} and {ys.shape}")
        if not np.isfinite([xs, ys]).all() or (log and min(xs.min(), ys.min()) <= 0):
            raise ValueError(f"series {label!r} expects {'positive ' if log else ''}finite numbers, got others")
    figure, axes = _axes(x_label, y_label)
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
    _legend(axes)
    _write(figure, path)


def sample_grid(
    images: ArrayLike | Tensor,
    path: str | Path,
    *,
    levels: int = 2,
    columns: int | None = None,
    title: str | None = None,
) -> None:
    """Draw examples row by row in one grid.

    Args:
        images: Examples with values from 0 to ``levels - 1``; see the module for their shapes.
        path: The file to write.
        levels: How many values a variable can take.
        columns: Examples in a row; by default about as many as there are rows.
        title: What stands above the grid.

    Raises:
        ValueError: If the shape, a value, ``columns`` or the suffix is not as said here.
    """
    path = _checked(path)
    if columns is not None and columns < 1:
        raise ValueError(f"columns expects at least 1, got {columns}")
    tiles = _tiles("images", _numbers(images), levels)
    columns = min(columns or _columns(len(tiles)), len(tiles))
    _draw([_Panel(tiles, columns, title or "")], path)


def conditionals_figure(
    samples: ArrayLike | Tensor, expectations: ArrayLike | Tensor, path: str | Path, *, levels: int = 2
) -> None:
    """Draw samples and, beside them, the conditional means from which they were drawn.

    For binary variables the mean is the probability p(x_t = 1 | x_<t). This is the figure of
    The Neural Autoregressive Distribution Estimator (Larochelle and Murray, 2011).

    Args:
        samples: Examples with values from 0 to ``levels - 1``; see the module for their shapes.
        expectations: E[x_t | x_<t] of every variable of ``samples``, of the same shape.
        path: The file to write.
        levels: How many values a variable can take.

    Raises:
        ValueError: If a shape, a value or the suffix is not as said here.
    """
    path = _checked(path)
    values, means = _numbers(samples), _numbers(expectations)
    if means.shape != values.shape:
        raise ValueError(f"expectations expects the shape of samples, {values.shape}, got {means.shape}")
    left, right = _tiles("samples", values, levels), _tiles("expectations", means, levels)
    probability = r"$\hat{x}_t = p(x_t = 1 \mid x_{<t})$"
    caption = f"probabilities  {probability}" if levels == 2 else r"means  $E[x_t \mid x_{<t}]$"
    columns = _columns(len(left))
    _draw([_Panel(left, columns, "samples"), _Panel(right, columns, caption)], path)


def data_beside_samples(
    data: ArrayLike | Tensor, samples: ArrayLike | Tensor, path: str | Path, *, levels: int = 2
) -> None:
    """Draw training examples and, beside them, samples.

    Args:
        data: Examples with values from 0 to ``levels - 1``; see the module for their shapes.
        samples: Examples of the same event shape, not necessarily as many.
        path: The file to write.
        levels: How many values a variable can take.

    Raises:
        ValueError: If a shape, a value or the suffix is not as said here.
    """
    path = _checked(path)
    real, drawn = _numbers(data), _numbers(samples)
    if drawn.shape[1:] != real.shape[1:]:
        raise ValueError(f"samples expects the event shape of data, {real.shape[1:]}, got {drawn.shape[1:]}")
    panels = [("training data", _tiles("data", real, levels)), ("samples", _tiles("samples", drawn, levels))]
    _draw([_Panel(tiles, _columns(len(tiles)), caption) for caption, tiles in panels], path)


def completions(
    truth: ArrayLike | Tensor,
    observed: ArrayLike | Tensor,
    completed: ArrayLike | Tensor,
    path: str | Path,
    *,
    levels: int = 2,
) -> None:
    """Draw in each row what was given of an example, its completions, and the whole truth.

    Args:
        truth: Examples ``(N, *event_shape)`` with values from 0 to ``levels - 1``.
        observed: Which variables were given: ``event_shape``, or ``(N, *event_shape)``. The others
            are drawn in the colour `UNOBSERVED`.
        completed: One completion of each example, ``(N, *event_shape)``, or several,
            ``(draws, N, *event_shape)``.
        path: The file to write.
        levels: How many values a variable can take.

    Raises:
        ValueError: If a shape, a value or the suffix is not as said here.
    """
    path = _checked(path)
    whole, given, draws = _numbers(truth), _numbers(observed), _numbers(completed)
    if given.shape not in (whole.shape, whole.shape[1:]):
        raise ValueError(f"observed expects the shape {whole.shape[1:]} or {whole.shape}, got {given.shape}")
    draws = draws[None] if draws.ndim == whole.ndim else draws
    if draws.shape[1:] != whole.shape or not len(draws):
        raise ValueError(f"completed expects {whole.shape} or (draws, *{whole.shape}), got {_numbers(completed).shape}")
    right = _tiles("truth", whole, levels)
    known = _tiles("observed", np.broadcast_to(given != 0, whole.shape).astype(np.float64), 2) > 0
    left = np.where(known.all(-1, keepdims=True), right, np.array(UNOBSERVED, np.uint8))
    middle = np.stack([_tiles("completed", draw, levels) for draw in draws], axis=1)
    panels = [
        _Panel(left, 1, "given"),
        _Panel(middle.reshape(-1, *middle.shape[2:]), len(draws), "completions" if len(draws) > 1 else "completion"),
        _Panel(right, 1, "truth"),
    ]
    _draw(panels, path)


def _numbers(values: ArrayLike | Tensor) -> Numbers:
    if isinstance(values, Tensor):
        values = values.detach().cpu().double().numpy()
    return np.asarray(values, dtype=np.float64)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _checked(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"a picture expects one of the suffixes {', '.join(FORMATS)}, got {path.name!r}")
    return path


def _write(figure: Figure, path: Path) -> None:
    buffer = BytesIO()
    figure.savefig(buffer, format=path.suffix[1:].lower(), dpi=figure.dpi, facecolor="white")
    write_atomically(path, buffer.getvalue())


# Pictures of images. A page is laid out in whole pixels and drawn at 72 dots per inch, where a pixel is
# a typographic point in every format; so no backend resamples the tiles.


def _tiles(name: str, x: Numbers, levels: int) -> Picture:
    """Examples as colour tiles ``(N, height, width, 3)``; those that are no images as one tile."""
    if levels < 2:
        raise ValueError(f"levels expects at least 2, got {levels}")
    if not x.size or x.ndim not in (2, 3, 4) or (x.ndim == 4 and x.shape[1] not in (1, 3)):
        expected = "(N, n), (N, height, width) or (N, 1 or 3 channels, height, width)"
        raise ValueError(f"{name} expects the shape {expected}, got {x.shape}")
    slack = 1e-4 * (levels - 1)
    if not (x.min() >= -slack and x.max() <= levels - 1 + slack):
        raise ValueError(f"{name} expects values from 0 to {levels - 1}, got {x.min():g} to {x.max():g}")
    if x.ndim == 2:
        side = math.isqrt(x.shape[1])
        x = x.reshape(-1, side, side) if side**2 == x.shape[1] else x[None]
    x = x[:, None] if x.ndim == 3 else x
    shades = np.rint(np.clip(x / (levels - 1), 0, 1) * 255).astype(np.uint8)
    return np.broadcast_to(np.moveaxis(shades, 1, -1), (len(x), *x.shape[2:], 3))


def _columns(count: int) -> int:
    """The number of columns of a grid as square as can be without holes, if there is one."""
    least = math.isqrt(count - 1) + 1
    return next((columns for columns in range(least, 2 * least + 1) if count % columns == 0), least)


def _draw(panels: Sequence[_Panel], path: Path) -> None:
    """Draw panels from left to right on one page, all at one scale."""
    across = sum(panel.columns * panel.tiles.shape[2] for panel in panels)
    longest = max(panels[0].tiles.shape[1:3])
    alone = len(panels[0].tiles) == 1  # such as a heat map, which may be larger than a tile among others
    largest = max(TILE_WIDTH // longest, LONE_FACTOR if alone else 1)
    factor = max(min(PAGE_WIDTH // across, largest), 2 if longest <= 256 else 1)
    grids = [_grid(panel, factor) for panel in panels]
    figure = Figure(dpi=72)
    # The first caption may be a title in the user's words, where a dollar is a dollar.
    captions = [
        figure.text(0, 0, panel.caption, fontsize=CAPTION_SIZE, color=INK, va="baseline", parse_math=i > 0)
        for i, panel in enumerate(panels)
    ]
    needed = [math.ceil(caption.get_window_extent().width) if caption.get_text() else 0 for caption in captions]
    widths = [max(grid.shape[1], width) for grid, width in zip(grids, needed, strict=True)]
    head = CAPTION_HEIGHT if any(needed) else 0
    width = 2 * MARGIN + sum(widths) + GAP * (len(panels) - 1)
    height = 2 * MARGIN + head + max(len(grid) for grid in grids)
    # A canvas has the size rounded down: the millionth of a pixel makes up for the division.
    figure.set_size_inches((width + 1e-6) / 72, (height + 1e-6) / 72)
    left, top = MARGIN, height - MARGIN - head
    for grid, caption, column in zip(grids, captions, widths, strict=True):
        figure.figimage(grid, xo=left, yo=top - len(grid), origin="upper")
        caption.set_position((left / width, (top + CAPTION_HEIGHT - CAPTION_SIZE - 4) / height))
        left += column + GAP
    _write(figure, path)


def _grid(panel: _Panel, factor: int) -> Picture:
    """The tiles, enlarged by a whole factor, each within a thin frame; white where there is none."""
    tiles = panel.tiles.repeat(factor, axis=1).repeat(factor, axis=2)
    count, height, width, _ = tiles.shape
    columns = panel.columns
    step_y, step_x = height + SEPARATOR_WIDTH, width + SEPARATOR_WIDTH
    rows = -(-count // columns)
    grid = np.full((rows * step_y + SEPARATOR_WIDTH, columns * step_x + SEPARATOR_WIDTH, 3), 255, np.uint8)
    for i, tile in enumerate(tiles):
        y, x = i // columns * step_y, i % columns * step_x
        grid[y : y + step_y + SEPARATOR_WIDTH, x : x + step_x + SEPARATOR_WIDTH] = SEPARATOR
        y, x = y + SEPARATOR_WIDTH, x + SEPARATOR_WIDTH
        grid[y : y + height, x : x + width] = tile
    return grid


# Pictures of lines.


def _axes(x_label: str, y_label: str) -> tuple[Figure, Axes]:
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


def _legend(axes: Axes) -> None:
    style: dict[str, Any] = {"frameon": False, "fontsize": 9, "labelcolor": INK, "handlelength": 1.8}
    axes.legend(loc="best", **style)


def _robust_limits(curves: Sequence[Numbers]) -> tuple[float, float]:
    """The lowest and highest value to show: every minimum and last value, and nine tenths of all."""
    curves = [curve[np.isfinite(curve)] for curve in curves]
    curves = [curve for curve in curves if curve.size]
    values = np.concatenate(curves)
    low, high = values.min(), values.max()
    if len(values) >= 10:
        usual = np.quantile(values, 0.9)
        high = min(high, max(usual + 0.25 * (usual - low), *(curve[-1] for curve in curves), usual))
    return float(low), float(high if high > low else low + 1)


def _can_label(measured: Numbers) -> bool:
    """Whether ticks at all measured x leave room for their labels on a logarithmic axis."""
    if not 2 <= len(measured) <= 9:
        return False
    logs = np.log(measured)
    return bool(np.diff(logs).min() >= 0.07 * (logs[-1] - logs[0]))
