"""The common part of text, recordings and series: sequences of any length, which continue a known beginning."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chainrule.data.write import check_new_folder, check_suffix
from chainrule.kinds.base import Kind
from chainrule.model import AutoregressiveModel, Model
from chainrule.sequence import SequenceModel
from chainrule.tasks.anomaly import compressed_nats
from chainrule.tasks.evaluate import Evaluation

LONGEST_SAMPLE = 1024
"""The greatest length of samples in a run folder: one line of a text may be far longer than the others."""


class SequenceKind(Kind):
    """A kind whose examples are sequences, or parts of one."""

    def summary(self, evaluation: Evaluation, figures: Mapping[str, Any]) -> list[str]:
        return [f"{figures[f'nats_per_{self.unit}']:.4f} nats per {self.unit}"]

    def total(self, count: int, nats: float) -> str:
        """Describe the total of all items: ``count`` variables and ``nats``."""
        if count == 0:
            return f"0 {self.unit}s"
        mean = nats / count
        bits = f"{mean:.4f} nats or {mean / math.log(2):.4f} bits per {self.unit}, perplexity {math.exp(mean):.3f}"
        return f"{count} {self.unit}s, {nats:.2f} nats, {bits}"

    def sample_length(self, model: AutoregressiveModel) -> int | None:
        """The length of the samples in a run folder; None for a model of one length."""
        return min(model.num_variables, LONGEST_SAMPLE) if model.any_length else None


def check_file_or_folder(path: Path, suffix: str) -> None:
    """Raise ``ValueError`` unless ``path`` can be a file ending in ``suffix``, or a new folder of such files."""
    if path.suffix.lower() not in ("", suffix):
        raise ValueError(f"--out expects a {suffix} file or a folder, got {path}")
    if path.suffix:
        check_suffix(path, (suffix,))
    else:
        check_new_folder(path)


def require_sequence_model(model: type[Model], name: str) -> None:
    """Raise ``ValueError`` unless the class ``model`` reads sequences; ``name`` names the data."""
    if not issubclass(model, SequenceModel):
        raise ValueError(
            f"recordings and series expect a model of sequences (WaveNet, RNN), got {model.__name__} for {name}"
        )


def compressed_per_symbol(sequences: Sequence[NDArray[Any]], levels: int) -> Tensor:
    """The mean nats per symbol of each sequence under a general compressor, ``(N,)``."""
    nats = [compressed_nats(torch.from_numpy(one.astype(np.int64))[None], levels) / len(one) for one in sequences]
    return torch.cat(nats)
