"""Log p of training rows by models that were not fitted on them: p-values of few rows need more than validation has.

Each of `FOLDS` models is fitted on the training rows without one part of them, and scores that part (cross-conformal
prediction, Vovk, 2015, https://doi.org/10.1007/s10472-013-9368-4). It knows less than the model of the run: what it
lacks in log p of validation rows, on average, is added.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chainrule.abilities import require_likelihood
from chainrule.data.dataset import Dataset
from chainrule.data.examples import SomeExamples
from chainrule.kinds import kind_of
from chainrule.model import AutoregressiveModel
from chainrule.runs.settings import Settings, build, classes_of, member_settings, share_of, training_until
from chainrule.tasks.evaluate import log_prob
from chainrule.training import fit, is_alone

FEW = 200
"""Validation examples below which training examples are scored too."""

FOLDS = 5


def folds_of(settings: Settings, dataset: Dataset) -> int:
    """The number of models that are fitted for p-values, beside the model itself."""
    few = len(dataset.valid) < FEW and len(dataset.train) >= FOLDS
    return FOLDS if kind_of(dataset).cross_fits and few and is_alone(settings) else 0


def cross_fitted(
    settings: Settings, dataset: Dataset, model: AutoregressiveModel, steps: int, deadline: float
) -> Tensor:
    """Log p of all training rows ``(N,)``, float64, nats; none, ``(0,)``, where validation rows are enough.

    Args:
        settings: The settings of the run; an ensemble's fold k has those of its member k.
        dataset: The data of the run.
        model: The model of the run.
        steps: Its optimiser steps, which are the most of each fold's.
        deadline: The time, by `time.monotonic`, at which all are done.
    """
    if not folds_of(settings, dataset):
        return torch.empty(0, dtype=torch.float64)
    members = member_settings(settings)
    valid_context = classes_of(settings, dataset, "valid")
    expected = log_prob(model, dataset.valid, context=valid_context).double().mean()
    parts = np.array_split(np.random.RandomState(0).permutation(len(dataset.train)), FOLDS)
    found = torch.empty(len(dataset.train), dtype=torch.float64)
    for k, part in enumerate(parts):
        own = members[k % len(members)]
        rest = _only(dataset, np.setdiff1d(np.arange(len(found)), part))
        fold = require_likelihood(build(own, rest))
        training = training_until(share_of(deadline, FOLDS - k), own, rest)
        fit(fold, rest.train, rest.valid, verbose=False, **_at_most(steps, training))
        held = _only(dataset, part)
        log_probs = log_prob(fold, held.train, context=classes_of(own, held, "train")).double()
        lacks = expected - log_prob(fold, dataset.valid, context=valid_context).double().mean()
        found[torch.from_numpy(part)] = log_probs + (lacks if lacks.isfinite() else 0.0)
    return found


def _at_most(steps: int, training: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a training, for no more steps than the run itself took."""
    return training if training.get("max_steps", math.inf) <= steps else training | {"max_steps": max(1, steps)}


def _only(dataset: Dataset, rows: np.ndarray) -> Dataset:
    """The data with some of the training examples only."""
    labels = dataset.labels
    if labels is not None:
        labels = {**labels, "train": labels["train"][torch.from_numpy(rows)]}
    return replace(dataset, splits={**dataset.splits, "train": SomeExamples(dataset.train, rows)}, labels=labels)
