"""Pictures of images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from chainrule.plots.file import Numbers, checked, numbers
from chainrule.plots.panels import Label, Panel, Picture, plot_panels

UNOBSERVED = (91, 134, 186)
"""Colour of unobserved variables."""


def sample_grid(
    images: ArrayLike | Tensor,
    path: str | Path,
    *,
    levels: int = 2,
    columns: int | None = None,
    title: str | None = None,
) -> None:
    """Plot examples in one grid, row by row.

    Args:
        images: Examples with values from 0 to ``levels - 1``; see `chainrule.plots` for their shapes.
        path: The file to write.
        levels: The number of values that a variable can take.
        columns: Number of examples in a row; by default, the grid is about square.
        title: Title above the grid.

    Raises:
        ValueError: If a shape, a value, ``columns`` or the file's suffix is not one of those described here.
    """
    path = checked(path)
    if columns is not None and columns < 1:
        raise ValueError(f"columns expects at least 1, got {columns}")
    shown = tiles("images", numbers(images), levels)
    columns = min(columns or columns_of(len(shown)), len(shown))
    plot_panels([Panel(shown, columns, title or "")], path)


def conditionals_figure(
    samples: ArrayLike | Tensor, expectations: ArrayLike | Tensor, path: str | Path, *, levels: int = 2
) -> None:
    """Plot samples and, beside them, the conditional means that they were sampled from.

    For binary variables the mean is the probability p(x_t = 1 | x_<t). This is the figure of
    The Neural Autoregressive Distribution Estimator (Larochelle and Murray, 2011).

    Args:
        samples: Examples with values from 0 to ``levels - 1``; see `chainrule.plots` for their shapes.
        expectations: E[x_t | x_<t] of every variable of ``samples``, in the same shape.
        path: The file to write.
        levels: The number of values that a variable can take.

    Raises:
        ValueError: If a shape, a value or the file's suffix is not one of those described here.
    """
    path = checked(path)
    values, means = numbers(samples), numbers(expectations)
    if means.shape != values.shape:
        raise ValueError(f"expectations expects the shape of samples, {values.shape}, got {means.shape}")
    left, right = tiles("samples", values, levels), tiles("expectations", means, levels)
    probability = r"$\hat{x}_t = p(x_t = 1 \mid x_{<t})$"
    caption = f"probabilities  {probability}" if levels == 2 else r"means  $E[x_t \mid x_{<t}]$"
    columns = columns_of(len(left))
    plot_panels([Panel(left, columns, "samples"), Panel(right, columns, caption)], path)


def data_beside_samples(
    data: ArrayLike | Tensor, samples: ArrayLike | Tensor, path: str | Path, *, levels: int = 2
) -> None:
    """Plot training examples and, beside them, samples.

    Args:
        data: Examples with values from 0 to ``levels - 1``; see `chainrule.plots` for their shapes.
        samples: Examples of the same event shape; their number may differ.
        path: The file to write.
        levels: The number of values that a variable can take.

    Raises:
        ValueError: If a shape, a value or the file's suffix is not one of those described here.
    """
    path = checked(path)
    real, sampled = numbers(data), numbers(samples)
    if sampled.shape[1:] != real.shape[1:]:
        raise ValueError(f"samples expects the event shape of data, {real.shape[1:]}, got {sampled.shape[1:]}")
    panels = [("training data", tiles("data", real, levels)), ("samples", tiles("samples", sampled, levels))]
    plot_panels([Panel(shown, columns_of(len(shown)), caption) for caption, shown in panels], path)


def completions(
    truth: ArrayLike | Tensor,
    observed: ArrayLike | Tensor,
    completed: ArrayLike | Tensor,
    path: str | Path,
    *,
    levels: int = 2,
) -> None:
    """Plot one example a row: its observed part, its completions, and all of it.

    Args:
        truth: Examples ``(N, *event_shape)`` with values from 0 to ``levels - 1``.
        observed: True for observed variables, ``event_shape`` or ``(N, *event_shape)``. The others are plotted in
            the colour `UNOBSERVED`.
        completed: One completion of each example, ``(N, *event_shape)``, or several,
            ``(draws, N, *event_shape)``.
        path: The file to write.
        levels: The number of values that a variable can take.

    Raises:
        ValueError: If a shape, a value or the file's suffix is not one of those described here.
    """
    path = checked(path)
    whole, given, draws = numbers(truth), numbers(observed), numbers(completed)
    if given.shape not in (whole.shape, whole.shape[1:]):
        raise ValueError(f"observed expects the shape {whole.shape[1:]} or {whole.shape}, got {given.shape}")
    draws = draws[None] if draws.ndim == whole.ndim else draws
    if draws.shape[1:] != whole.shape or not len(draws):
        raise ValueError(f"completed expects {whole.shape} or (draws, *{whole.shape}), got {numbers(completed).shape}")
    right = tiles("truth", whole, levels)
    known = tiles("observed", np.broadcast_to(given != 0, whole.shape).astype(np.float64), 2) > 0
    left = np.where(known.all(-1, keepdims=True), right, np.array(UNOBSERVED, np.uint8))
    middle = np.stack([tiles("completed", draw, levels) for draw in draws], axis=1)
    panels = [
        Panel(left, 1, "given"),
        Panel(middle.reshape(-1, *middle.shape[2:]), len(draws), "completions" if len(draws) > 1 else "completion"),
        Panel(right, 1, "truth"),
    ]
    plot_panels(panels, path)


def side_by_side(
    groups: Mapping[str, ArrayLike | Tensor],
    path: str | Path,
    *,
    levels: int = 2,
    rows: Sequence[str] = (),
    labels: Mapping[str, Sequence[Label]] | None = None,
) -> None:
    """Plot groups of examples as columns. Row k shows the k-th example of each group.

    Args:
        groups: The examples of each group, of one shape, by its name; see `chainrule.plots` for their shapes.
        path: The file to write.
        levels: The number of values that a variable can take.
        rows: A name for each row, which stands to the left of it.
        labels: By the name of a group, a label for each of its examples, which stands below it.

    Raises:
        ValueError: If the groups differ in shape, there are more or fewer names or labels than examples, or a value or
            the file's suffix is not one of those described here.
    """
    path = checked(path)
    values = {name: numbers(group) for name, group in groups.items()}
    if len({group.shape for group in values.values()}) != 1:
        raise ValueError(f"groups expects one shape, got {[group.shape for group in values.values()]}")
    below = labels or {}
    panels = [Panel(tiles(name, group, levels), 1, name, below.get(name, ())) for name, group in values.items()]
    count = len(panels[0].tiles)
    for what, given in {"rows": rows, **{f"labels of {name}": own for name, own in below.items()}}.items():
        if given and len(given) != count:
            raise ValueError(f"{what} expects {count}, one for each example, got {len(given)}")
    plot_panels(panels, path, rows)


def tiles(name: str, x: Numbers, levels: int) -> Picture:
    """Convert examples to colour tiles ``(N, height, width, 3)``; examples that are not images become one tile."""
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


def columns_of(count: int) -> int:
    """The number of columns of a nearly square grid of ``count`` tiles, without holes where that is possible."""
    least = math.isqrt(count - 1) + 1
    return next((columns for columns in range(least, 2 * least + 1) if count % columns == 0), least)
