"""The time that a fit needs after its training: for the calibration, and for samples."""

from __future__ import annotations

import time

import torch

from chainrule.abilities import components_of
from chainrule.data.dataset import Dataset
from chainrule.kinds import kind_of
from chainrule.kinds.base import EXAMPLES, VALUES
from chainrule.model import AutoregressiveModel
from chainrule.runs.settings import Settings, build, classes_of
from chainrule.sequence import reads_streams
from chainrule.tasks.evaluate import log_prob

TIMED_EXAMPLES = 16
TIMED_STEPS = 3


@torch.no_grad()
def finishing_seconds(settings: Settings, dataset: Dataset) -> float:
    """The seconds of the calibration and the samples of a fit, about, from a few examples and a few steps.

    A model of sequences is left out, whose sequences are scored and drawn in few seconds.
    """
    model = build(settings, dataset)
    if not isinstance(model, AutoregressiveModel) or reads_streams(model):
        return 0.0
    model = components_of(model)[0].eval()
    context = classes_of(settings, dataset, "train")
    x = dataset.train[:TIMED_EXAMPLES]
    some = None if context is None else context[: len(x)]
    started = time.monotonic()
    log_prob(model, x, context=some)
    scored = min(EXAMPLES, VALUES // model.num_variables, len(dataset.train)) + min(EXAMPLES, len(dataset.valid))
    seconds = (time.monotonic() - started) / len(x) * scored
    count = kind_of(dataset).num_samples
    state, previous = model.start(count, None if context is None else torch.zeros(count, dtype=torch.long)), None
    started = time.monotonic()
    steps = min(TIMED_STEPS, model.num_variables)
    for _ in range(steps):
        distribution, state = model.step(state, previous)
        previous = distribution.sample().to(model.dtype)
    seconds += (time.monotonic() - started) / steps * model.num_variables
    return seconds * max(1, settings.get("members", 1))
