"""Evaluation of a split of a data set, with figures in the unit of its kind of data."""

from __future__ import annotations

import math
from typing import Any

from chainrule.data.dataset import Dataset
from chainrule.model import AutoregressiveModel
from chainrule.tasks.evaluate import Evaluation, evaluate

UNIT_FIGURES = {
    "character": ("nats_per_character", "bits_per_character", "perplexity", "characters"),
    "byte": ("nats_per_byte", "bits_per_byte", "perplexity", "bytes"),
    "sample": ("nats_per_sample", "bits_per_sample", "samples"),
    "value": ("nats_per_value",),
}
"""The figures that are given per unit, of the units that have any."""


def evaluate_split(
    model: AutoregressiveModel, dataset: Dataset, split: str, *, batch_size: int = 256
) -> tuple[Evaluation, dict[str, Any]]:
    """The NLL of a split, and the figures per unit (character, byte, sample, value), as ``chainrule evaluate`` gives them.

    See `chainrule.evaluate` for what an example and a variable are.
    """
    examples = dataset.split(split)
    context = None if model.num_classes is None else dataset.classes(split)
    evaluation = evaluate(model, examples, context=context, batch_size=batch_size)
    figures = unit_figures(evaluation, _unit(dataset))
    if dataset.text is not None and dataset.text.vocabulary.unknown is not None:
        figures["unknown_characters"] = examples.count(dataset.text.vocabulary.unknown)
    return evaluation, figures


def unit_figures(evaluation: Evaluation, unit: str) -> dict[str, Any]:
    """Nats, bits, perplexity and number of the ``unit``, those that `UNIT_FIGURES` lists; none of another unit."""
    names = UNIT_FIGURES.get(unit, ())
    nats = evaluation.nats * evaluation.examples / evaluation.variables
    figures = {f"nats_per_{unit}": nats, f"bits_per_{unit}": nats / math.log(2), f"{unit}s": evaluation.variables}
    if "perplexity" in names:  # of values it may be larger than any float
        figures["perplexity"] = math.exp(nats)
    return {name: figures[name] for name in names}


def _unit(dataset: Dataset) -> str:
    """The name of a variable of the data."""
    if dataset.text is not None:
        return dataset.text.vocabulary.unit
    if dataset.audio is not None:
        return "sample"
    return "dimension" if dataset.series is None else "value"
