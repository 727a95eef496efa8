"""The distribution of a cell, from weighted completions of its row: shares of values, or a curve."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from chainrule.data.column import Column
from chainrule.kinds.filling import UNORDERED
from chainrule.tasks.estimates import quantiles
from chainrule.web.scenes.form import words_of

Floats = NDArray[np.float64]

BARS = 24
"""A number on a grid has a bar for each of its values, if they are at most so many."""

SHOWN = 60
"""Categories that are shown, at most: the likeliest."""

SPIKE = 0.1
"""A value that stands out of a curve has at least this share."""

PLACES = 128
"""Places of a curve."""

SHARES = (0.99, 0.95, 0.9)
"""Shares of a curve that its picture may hold. A smaller one is taken where its range is much less wide, by `NARROW`: a
few values that are very far away would leave no room for all others."""

NARROW = 1 / 3
"""A range is much less wide than another if it is at most this part of it."""

TICKS = 5
"""Values that an axis names, about."""


def distribution_of(column: Column, values: Floats, weights: Floats) -> dict[str, Any]:
    """The distribution of a cell of ``column``, as plain values.

    Args:
        column: The column.
        values: Completions of the cell ``(M,)``, in the codec's numbers.
        weights: Their probabilities ``(M,)``, which sum to 1.

    Returns:
        ``type`` ``"bars"``, with ``values`` in words and their ``shares``; or ``"curve"``, with ``places``, the
        ``density`` per unit there, ``spikes`` (values with a share of their own), the ``range`` and the ``ticks`` of
        the axis, and what lies ``beyond`` the curve: the shares below its first and above its last place. A number has
        its ``median`` and the quantiles ``low`` and ``high`` of 5 and 95 % in words.
    """
    if column.family in UNORDERED:
        shares = np.bincount(values.astype(np.int64), weights, minlength=column.size or 2)
        likeliest = np.argsort(-shares, kind="stable")[:SHOWN]
        return {"type": "bars", "values": words_of(column, likeliest), "shares": shares[likeliest].tolist()}
    values = column.shape.within(values)
    own = quantiles(torch.from_numpy(values)[None], torch.from_numpy(weights)[None], [0.05, 0.5, 0.95])[0].numpy()
    summary = dict(zip(("low", "median", "high"), words_of(column, own), strict=True))
    unique, which = np.unique(values, return_inverse=True)
    if column.shape.step and len(unique) <= BARS:
        shares = np.bincount(which, weights)
        return {"type": "bars", "values": words_of(column, unique), "shares": shares.tolist()} | summary
    return _curve(column, values, weights) | summary


def _curve(column: Column, values: Floats, weights: Floats) -> dict[str, Any]:
    """The density of a number, and the values that stand out of it."""
    atoms = np.array(column.shape.atoms)
    shares = np.array([weights[np.isclose(values, atom)].sum() for atom in atoms])
    chosen = atoms[shares >= SPIKE] if len(atoms) else atoms
    rest = ~np.isclose(values[:, None], chosen).any(1) if len(chosen) else np.ones(len(values), dtype=bool)
    spikes = [
        {"at": float(atom), "value": words_of(column, [atom])[0], "share": float(share)}
        for atom, share in zip(chosen, shares[shares >= SPIKE], strict=True)
    ]
    places, heights = density(values[rest], weights[rest], column.shape.step)
    low, high = _axis(places, chosen)
    ticks = _ticks(low, high)
    named = dict(zip(words_of(column, ticks), ticks.tolist(), strict=True))
    return {
        "type": "curve",
        "places": places.tolist(),
        "density": heights.tolist(),
        "spikes": spikes,
        "beyond": _beyond(column, values[rest], weights[rest], places),
        "range": [low, high],
        "ticks": [{"at": at, "label": label} for label, at in named.items()],
    }


def _axis(places: Floats, spikes: Floats) -> tuple[float, float]:
    """The range of the axis: that of the curve, and spikes that are no farther from it than it is wide."""
    if not len(places):
        return float(spikes.min()), float(spikes.max())
    low, high = places[0], places[-1]
    near = spikes[(spikes >= 2 * low - high) & (spikes <= 2 * high - low)]
    return float(min([low, *near])), float(max([high, *near]))


def _beyond(column: Column, values: Floats, weights: Floats, places: Floats) -> list[dict[str, Any]]:
    """The shares of the values below and above a curve, each with the end of the curve in words."""
    if not len(places):
        return []
    ends = places[[0, -1]]
    shares = (weights[values < ends[0]].sum(), weights[values > ends[1]].sum())
    parts = zip(("below", "above"), shares, words_of(column, ends), strict=True)
    return [{"side": side, "share": float(share), "value": value} for side, share, value in parts if share > 0]


def density(values: Floats, weights: Floats, step: float = 0.0) -> tuple[Floats, Floats]:
    """The density of weighted values ``(M,)`` at evenly spaced places, by Gaussian kernels.

    The places hold most of the values; see `SHARES`.

    The width of the kernels is Silverman's, for the effective number of values; on a grid it is one step at least. No
    mass leaves the range of the values: their least and greatest reflect the kernels.

    Args:
        values: The values; there may be none.
        weights: Their weights, whose sum is the mass under the curve.
        step: The step of the grid of the values; 0 for none.

    References:
        Density Estimation for Statistics and Data Analysis (Silverman, 1986), equation 3.31
    """
    if not len(values):
        return np.zeros(0), np.zeros(0)
    order = np.argsort(values)
    reached = weights[order].cumsum() / weights.sum()
    first, third = values[order][np.searchsorted(reached, [0.25, 0.75]).clip(0, len(order) - 1)]
    low, high = _shown(values[order], reached)
    mean = np.average(values, weights=weights)
    deviation = math.sqrt(np.average((values - mean) ** 2, weights=weights))
    scale = min(filter(None, (deviation, (third - first) / 1.34)), default=0.0)
    effective = weights.sum() ** 2 / (weights**2).sum()
    width = max(0.9 * scale * effective**-0.2, step) or max(abs(low), 1.0) / 100
    least, most = values.min(), values.max()
    if least == most:
        least, most = least - 3 * width, most + 3 * width
    places = np.linspace(max(low - 3 * width, least), min(high + 3 * width, most), PLACES)
    mirrored = (values, 2 * least - values, 2 * most - values)
    return places, np.asarray(sum(_kernels(places, own, weights, width) for own in mirrored))


def _shown(values: Floats, reached: Floats) -> tuple[float, float]:
    """The range of a picture of ascending ``values``, of which the shares ``reached`` are at most as great."""
    low, high = shortest(values, reached, SHARES[0])
    for share in SHARES[1:]:
        least, most = shortest(values, reached, share)
        if most - least < NARROW * (high - low):
            low, high = least, most
    return low, high


def shortest(values: Floats, reached: Floats, share: float) -> tuple[float, float]:
    """The shortest range of ascending ``values`` that holds a share of them.

    >>> shortest(np.array([0.0, 5.0, 6.0, 7.0]), np.array([0.25, 0.5, 0.75, 1.0]), 0.75)
    (5.0, 7.0)
    """
    before = np.concatenate([[0.0], reached[:-1]])
    last = np.searchsorted(reached, before + share - 1e-9)
    first = np.flatnonzero(last < len(values))
    widths = values[last[first]] - values[first]
    best = first[np.argmin(widths)]
    return float(values[best]), float(values[last[best]])


def _kernels(places: Floats, values: Floats, weights: Floats, width: float) -> Floats:
    scores = (places[:, None] - values) / width
    heights: Floats = np.exp(-(scores**2) / 2) @ weights / (width * math.sqrt(2 * math.pi))
    return heights


def _ticks(low: float, high: float) -> Floats:
    """Round numbers from ``low`` to ``high``, about `TICKS` of them.

    >>> _ticks(0.3, 9.0)
    array([2., 4., 6., 8.])
    """
    span = (high - low) or 1.0
    size = 10.0 ** math.floor(math.log10(span / TICKS))
    step = next(size * factor for factor in (1, 2, 5, 10) if span / (size * factor) <= TICKS)
    return np.arange(math.ceil(low / step), math.floor(high / step) + 1, dtype=np.float64) * step
