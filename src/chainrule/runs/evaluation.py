"""The likelihood of a split of a data set, whatever its kind; the loss, where a model has no likelihood."""

from __future__ import annotations

import math
from typing import Any

import torch

from chainrule.abilities import loss_unit_of
from chainrule.batch import as_source
from chainrule.data.dataset import Dataset
from chainrule.kinds import kind_of
from chainrule.model import AutoregressiveModel, Model
from chainrule.tasks.batches import evaluation_mode
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


def loss_of_split(model: Model, dataset: Dataset, split: str, *, batch_size: int = 256) -> dict[str, Any]:
    """The mean loss of a model without a likelihood on a split, where a likelihood would stand in a result.

    Returns:
        ``loss``, its standard error ``loss_stderr``, ``loss_unit`` and the number of ``examples``. ``nats``,
        ``nats_stderr`` and ``bits_per_dim`` are None.
    """
    losses = []
    for batch in as_source(dataset.split(split)).in_order(batch_size):
        with evaluation_mode(model), torch.inference_mode():
            losses.append(model.loss(batch.x.to(model.device), batch.context).double().cpu())
    loss = torch.cat(losses)
    return {
        "nats": None,
        "nats_stderr": None,
        "bits_per_dim": None,
        "loss": loss.mean().item(),
        "loss_stderr": loss.std().item() / math.sqrt(len(loss)),
        "loss_unit": loss_unit_of(model),
        "examples": len(loss),
    }
