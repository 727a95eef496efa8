"""The distribution of log p over the data that a model was fitted on: kept with a run, to compare other data with it.

What is compared are examples; of a text that is a stream, its lines; of a time series, its values. Where examples differ
in length (lines, documents, recordings), it is the mean of log p over the symbols or samples of each: otherwise a longer
one would be less probable whatever it says.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from chainrule.atomic import write_atomically
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples
from chainrule.data.sequences import CHUNK
from chainrule.data.vocabulary import Vocabulary
from chainrule.model import AutoregressiveModel
from chainrule.runs.lines import stream_lines
from chainrule.sequence import SequenceModel, reads_streams, sequence_model
from chainrule.tasks.anomaly import Calibration
from chainrule.tasks.evaluate import log_prob
from chainrule.tasks.score import stream_surprisals

FILE = "calibration.safetensors"
SPLITS = ("train", "valid")
EXAMPLES = 2000
"""Examples of a split that are read, at most, chosen at random."""
SYMBOLS = 2**18
"""Symbols of a stream, values of a series, or about so many samples of recordings that are read, at most."""
QUANTILES = 1001


def calibrate(model: AutoregressiveModel, dataset: Dataset) -> dict[str, Calibration]:
    """The distributions of log p over the training and the validation data, each by at most `QUANTILES` quantiles."""
    return {split: Calibration.of(_log_probs(model, dataset, split), QUANTILES) for split in SPLITS}


def write_calibration(calibrations: dict[str, Calibration], folder: Path) -> None:
    """Write ``calibration.safetensors`` of a run."""
    tensors = {split: calibration.log_probs for split, calibration in calibrations.items()}
    write_atomically(folder / FILE, safetensors.torch.save(tensors))


def read_calibration(folder: str | Path, split: str) -> Calibration:
    """The calibration by the examples of ``split``, train or valid, of the run in ``folder``.

    Raises:
        ValueError: If the run has none, or its file is damaged.
    """
    if split not in SPLITS:
        raise ValueError(f"calibration expects {' or '.join(SPLITS)}, got {split!r}")
    try:
        return Calibration(safetensors.torch.load_file(Path(folder) / FILE)[split])
    except FileNotFoundError:
        raise ValueError(f"{folder} expects {FILE}, which fit writes, got no such file: fit the run anew") from None
    except (safetensors.SafetensorError, KeyError) as error:
        raise ValueError(f"{Path(folder) / FILE} is damaged or truncated: {error}") from None


def _log_probs(model: AutoregressiveModel, dataset: Dataset, split: str) -> Tensor:
    """Log p of what is compared, see above, float64 ``(N,)``."""
    examples = dataset.split(split)
    if dataset.series is not None:
        return value_log_probs(model, examples)
    if dataset.text is not None and not dataset.text.documents and reads_streams(model):
        return line_log_probs(model, examples, dataset.text.vocabulary)
    classes = None if model.num_classes is None else dataset.classes(split)
    per_variable = dataset.audio is not None or (dataset.text is not None and model.any_length)
    return example_log_probs(model, examples, classes, per_variable=per_variable)


def example_log_probs(
    model: AutoregressiveModel, examples: Examples, classes: Tensor | None, *, per_variable: bool
) -> Tensor:
    """Log p(x) of at most `EXAMPLES` examples chosen at random, float64 ``(N,)`` nats.

    Args:
        model: Any model of the contract.
        examples: Where to choose; of recordings, about `SYMBOLS` samples are read.
        classes: The class of each of ``examples``, for a model with classes.
        per_variable: Give the mean over the variables of each example, where examples differ in length.
    """
    rows = np.random.RandomState(0).permutation(len(examples))[:EXAMPLES]
    sizes = examples.sizes[rows]
    if examples.ragged:
        rows = rows[: 1 + int(np.searchsorted(sizes.cumsum(), SYMBOLS))]
    context = None if classes is None else classes[torch.from_numpy(rows)]
    log_probs = log_prob(model, examples.subset(rows), context=context).double()
    return log_probs / torch.from_numpy(examples.sizes[rows]) if per_variable else log_probs


def value_log_probs(model: AutoregressiveModel, series: Examples) -> Tensor:
    """Log p of each of the last `SYMBOLS` values of a series, float64 ``(N,)`` nats."""
    sequence = sequence_model(model)
    return -torch.cat(list(stream_surprisals(sequence, [series[0][-SYMBOLS:]])))


def line_log_probs(model: SequenceModel, stream: Examples, vocabulary: Vocabulary) -> Tensor:
    """The mean log p of the symbols of each line at the beginning of a stream, float64 ``(N,)`` nats."""
    chunks = itertools.islice(stream.in_order(1, history=math.inf), SYMBOLS // CHUNK)
    lines = stream_lines(model, vocabulary, (batch.x[0].numpy() for batch in chunks))
    return torch.tensor([-line.nats.mean() for line in lines], dtype=torch.float64)
