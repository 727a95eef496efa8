"""Explanations of images and rows of levels: each pixel or column given those before it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from chainrule import plots
from chainrule.kinds.explained import check_table, explained_parts, sentences_of, written
from chainrule.kinds.requests import Given
from chainrule.tasks.evaluate import log_prob
from chainrule.tasks.explain_past import explain_past

FEW = 16
"""The most levels of which the likeliest are given as expected; of more, the median and an interval."""


def explain_examples(given: Given, count: int, levels: int, rows: int, out: Path | None) -> list[str]:
    """Explain the ``rows`` strangest of the first ``count`` examples; see `chainrule.kinds.Kind.explain`."""
    model = given.likelihood
    pictured = plots.FORMATS if len(model.event_shape) == 3 else ()
    check_table(out, *pictured)
    examples, context = given.examples.subset(np.arange(count)), given.context
    context = None if context is None else context[:count]
    strangest = log_prob(model, examples, context=context).argsort(stable=True)[:rows]
    x = examples[strangest.tolist()]
    found = explain_past(model, x, None if context is None else context[strangest])
    numbers = [index + 1 for index in strangest.tolist()]
    places = _places(numbers, given.names, model.event_shape)
    flat = found.map(lambda part: part.flatten(0, 1))
    parts = explained_parts("example", places, x.flatten(), flat, _words, ordered=levels > FEW)
    lines = sentences_of(parts, "example", _where)
    if out is not None and out.suffix.lower() in plots.FORMATS:
        plots.tail_map(x, found.tails.view(x.shape), out, levels=levels)
        return [*lines, f"wrote a map of each of the {len(x)} strangest examples to {out}"]
    return lines + written(parts, out, f"all {'pixels' if pictured else 'columns'} of the {len(x)} strangest examples")


def _places(numbers: list[int], names: list[str] | None, shape: tuple[int, ...]) -> dict[str, Any]:
    """The columns that say where each variable of these examples is, counted from 1."""
    size = int(np.prod(shape))
    places: dict[str, Any] = {"example": np.repeat(numbers, size)}
    if names is not None:
        places["file"] = [names[number - 1] for number in numbers for _ in range(size)]
    axes = {3: ("channel", "row", "column"), 1: ("column",)}[len(shape)]
    for axis, place in zip(axes, np.indices(shape), strict=True):
        if axis != "channel" or shape[0] > 1:
            places[axis] = np.tile(place.ravel() + 1, len(numbers))
    return places


def _words(values: Tensor) -> list[str]:
    return [str(int(value)) for value in values.tolist()]


def _where(part: dict[str, Any]) -> str:
    name = f" ({part['file']})" if "file" in part else ""
    axes = [f"{axis} {part[axis]}" for axis in ("channel", "row", "column") if axis in part]
    return f"example {part['example']}{name}: {', '.join(axes)}"
