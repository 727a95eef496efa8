"""What log p of the data that a model was fitted on is like: kept with a run, so that other data can be compared.

Of text the things that are compared are lines, and of recordings each recording, both by the mean of log p of their
symbols or samples, for longer ones would be less probable whatever they say; of a time series its values.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from chainrule.atomic import write_atomically
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Rows
from chainrule.data.sequences import Documents, Recordings, Stream
from chainrule.model import AutoregressiveModel
from chainrule.runs import formats
from chainrule.runs.lines import stream_lines
from chainrule.sequence import reads_streams, sequence_model
from chainrule.tasks.anomaly import Calibration
from chainrule.tasks.evaluate import log_prob, sequence_log_probs
from chainrule.tasks.score import stream_surprisals, surprisals

FILE = "calibration.safetensors"
SPLITS = ("train", "valid")
EXAMPLES = 2000
"""Examples of a split that are looked at, at most, chosen at random."""
SYMBOLS = 2**18
"""Symbols of a stream, or samples of recordings, that are looked at, at most."""
QUANTILES = 1001


def calibrate(model: AutoregressiveModel, dataset: Dataset) -> dict[str, Calibration]:
    """What log p of examples of training and of validation is like."""
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
    examples = dataset.split(split)
    rows = np.random.RandomState(0).permutation(len(examples))[:EXAMPLES]
    if isinstance(examples, Recordings):
        sequence = sequence_model(model)
        if formats.series(dataset) is not None:
            return -torch.cat(list(stream_surprisals(sequence, [next(examples.each())[-SYMBOLS:]])))
        rows = rows[: 1 + int(np.searchsorted(examples.lengths[rows].cumsum(), SYMBOLS))]
        clips = [examples.levels[examples.starts[row] : examples.ends[row]] for row in rows]
        log_probs, _ = sequence_log_probs(sequence, clips, _classes(model, dataset, split, rows))
        return log_probs / torch.from_numpy(examples.lengths[rows])
    if isinstance(examples, Stream) and reads_streams(model):
        assert formats.text(dataset) is not None
        lines = stream_lines(model, formats.text(dataset).vocabulary, [np.asarray(examples.symbols[:SYMBOLS])])
        return torch.tensor([-line.nats.mean() for line in lines], dtype=torch.float64)
    if isinstance(examples, Documents) and model.any_length:
        return _document_means(model, examples, rows)
    return log_prob(model, examples[rows], context=_classes(model, dataset, split, rows))


def _classes(model: AutoregressiveModel, dataset: Dataset, split: str, rows: Rows) -> Tensor | None:
    return None if model.num_classes is None else dataset.classes(split)[torch.from_numpy(rows)]


def _document_means(model: AutoregressiveModel, documents: Documents, rows: Rows) -> Tensor:
    """The mean of log p of the symbols of each document, its end among them and what fills it up not."""
    lengths, means = torch.from_numpy(documents.lengths[rows]) + 1, []
    for part, length in zip(torch.from_numpy(rows).split(64), lengths.split(64), strict=True):
        x = documents[part][:, : int(length.max())]
        counts = torch.arange(x.shape[1]) < length[:, None]
        means.append(-(surprisals(model, x).cpu().double() * counts).sum(1) / length)
    return torch.cat(means)
