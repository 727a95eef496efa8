"""The likelihood of a split of a data set, whatever its kind."""

from __future__ import annotations

from typing import Any

from chainrule.data.dataset import Dataset
from chainrule.kinds import kind_of
from chainrule.model import AutoregressiveModel
from chainrule.tasks.evaluate import Evaluation, evaluate


def evaluate_split(
    model: AutoregressiveModel, dataset: Dataset, split: str, *, batch_size: int = 256
) -> tuple[Evaluation, dict[str, Any]]:
    """The NLL of a split, and the figures per unit of its kind, as ``chainrule evaluate`` gives them.

    A stream of text or a series is one example for a model of sequences, which reads all of it with one state; for
    other models its windows are independent examples, and symbols after the last whole window are left out. A recording
    is an example, given its length.
    """
    examples = dataset.split(split)
    context = None if model.num_classes is None else dataset.classes(split)
    evaluation = evaluate(model, examples, context=context, batch_size=batch_size)
    return evaluation, kind_of(dataset).figures(evaluation, examples)
