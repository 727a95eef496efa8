"""The time that a fit needs after its training: for the calibration, and for samples."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import Tensor

from chainrule.abilities import components_of
from chainrule.compiled import program_of
from chainrule.data.dataset import Dataset
from chainrule.kinds import kind_of
from chainrule.kinds.calibration import EXAMPLES, SYMBOLS, VALUES
from chainrule.kinds.sequence import LONGEST_SAMPLE
from chainrule.model import AutoregressiveModel
from chainrule.runs.settings import Settings, build, classes_of
from chainrule.sequence import SequenceModel, frame_size_of, reads_streams
from chainrule.tasks.evaluate import log_prob
from chainrule.tasks.score import stream_surprisals
from chainrule.walk import walk

TIMED_EXAMPLES = 16
TIMED_SYMBOLS = 2048
TIMED_STEPS, TIMED_DRAWS = 3, 32


@torch.no_grad()
def finishing_seconds(settings: Settings, dataset: Dataset) -> float:
    """The seconds of the calibration and the samples of a fit, about, from a few examples and a few steps."""
    model = build(settings, dataset)
    if not isinstance(model, AutoregressiveModel):
        return 0.0
    model = components_of(model)[0].eval()
    if reads_streams(model):
        seconds = _scoring_symbols(model, dataset)
    else:
        context = classes_of(settings, dataset, "train")
        seconds = _scoring(model, dataset, None if context is None else context[:TIMED_EXAMPLES])
    return (seconds + _sampling(model, dataset)) * max(1, settings.get("members", 1))


def _scoring(model: AutoregressiveModel, dataset: Dataset, context: Tensor | None) -> float:
    x = dataset.train[:TIMED_EXAMPLES]
    started = time.monotonic()
    log_prob(model, x, context=context)
    most = min(EXAMPLES, VALUES // model.num_variables)
    scored = sum(min(most, len(part)) for part in (dataset.train, dataset.valid))
    return (time.monotonic() - started) / len(x) * scored


def _scoring_symbols(model: SequenceModel, dataset: Dataset) -> float:
    x = next(dataset.train.each())[:TIMED_SYMBOLS].astype(np.float32)
    started = time.monotonic()
    list(stream_surprisals(model, [x], _context(model, 1, len(x))))
    scored = sum(min(SYMBOLS, part.num_variables) for part in (dataset.train, dataset.valid))
    return (time.monotonic() - started) / len(x) * scored


def _context(model: AutoregressiveModel, count: int, length: int) -> Tensor | None:
    """The first class of each of ``count`` examples, or frames of zeros for ``length`` variables; None for neither."""
    if (size := frame_size_of(model)) is not None:
        return model.empty(count, -(-length // model.config["hop"]), size)
    return None if model.num_classes is None else torch.zeros(count, dtype=torch.long)


def _sampling(model: AutoregressiveModel, dataset: Dataset) -> float:
    count = kind_of(dataset).num_samples
    context = _context(model, count, TIMED_STEPS + TIMED_DRAWS)
    state = model.start(count, context)
    if reads_streams(model):
        values, state = model.draw(state, None, TIMED_STEPS)  # the first draw may compile
        started = time.monotonic()
        model.draw(state, values[:, -1], TIMED_DRAWS)
        return (time.monotonic() - started) / TIMED_DRAWS * min(model.num_variables, LONGEST_SAMPLE)
    if program_of(model) is not None:
        walk(model, 1, context=None if context is None else context[:1])  # the first walk may compile
        started = time.monotonic()
        walk(model, count, context=context)
        return time.monotonic() - started
    steps, previous = min(TIMED_STEPS, model.num_variables), None
    started = time.monotonic()
    for _ in range(steps):
        distribution, state = model.step(state, previous)
        previous = distribution.sample().to(model.dtype)
    return (time.monotonic() - started) / steps * model.num_variables
