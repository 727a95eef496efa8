"""Log p of training and validation examples: kept with a run, so that others can be compared with them."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch

from chainrule.atomic import write_atomically
from chainrule.data.dataset import Dataset
from chainrule.kinds import kind_of
from chainrule.model import AutoregressiveModel
from chainrule.runs.folder import CONFIG, check_hash, read_config
from chainrule.tasks.calibration import Calibration

FILE = "calibration.safetensors"
SPLITS = ("valid", "train")
WAYS = "{}.ways"
"""The name of the ways of the examples of a split; see `chainrule.tasks.combined`."""
RATES = (0.05, 0.01, 0.001)
"""Shares of ordinary examples, for each of which a run keeps a threshold."""


def calibrate(model: AutoregressiveModel, dataset: Dataset) -> dict[str, Calibration]:
    """Log p of training and validation items, as their kind scores them."""
    kind, found = kind_of(dataset), dict[str, Calibration]()
    for split in SPLITS:
        ways = kind.calibration_ways(model, dataset, split)
        log_probs = kind.calibration_log_probs(model, dataset, split) if ways is None else ways[:, -1]
        found[split] = Calibration.of(log_probs, ways)
    return found


def thresholds_of(calibrations: dict[str, Calibration], cross_fitted: int) -> dict[str, Any]:
    """What ``config.json`` says of them: how many they are, and log p below which new examples are anomalous.

    There is no threshold of a rate for which they are too few.

    Args:
        calibrations: The calibrations by split; new examples are compared with ``valid``.
        cross_fitted: The number of those in it that are training examples.
    """
    valid = calibrations["valid"]
    found = {rate: valid.threshold(rate) for rate in RATES}
    thresholds = {str(rate): value for rate, value in found.items() if math.isfinite(value)}
    ways = {} if valid.ways is None else {"ways": valid.ways.shape[1]}
    return {"examples": len(valid.log_probs), "cross_fitted": cross_fitted, "log_prob_at_rate": thresholds} | ways


def write_calibration(calibrations: dict[str, Calibration], folder: Path) -> str:
    """Write ``calibration.safetensors`` of a run, and return its SHA-256."""
    tensors = {split: calibration.log_probs for split, calibration in calibrations.items()}
    ways = {WAYS.format(split): each.ways for split, each in calibrations.items() if each.ways is not None}
    tensors |= {name: each.contiguous() for name, each in ways.items()}
    content = safetensors.torch.save(tensors)
    write_atomically(folder / FILE, content)
    return hashlib.sha256(content).hexdigest()


def read_calibration(folder: str | Path, split: str) -> Calibration:
    """The calibration by the examples of ``split``, valid or train, of the run in ``folder``.

    Raises:
        ValueError: If the run has none, or its file is damaged.
    """
    if split not in SPLITS:
        raise ValueError(f"calibration expects {' or '.join(SPLITS)}, got {split!r}")
    path = Path(folder) / FILE
    if not path.exists():
        raise ValueError(f"{folder} expects {FILE}, which fit writes, got no such file: fit the run anew")
    if (Path(folder) / CONFIG).exists():
        check_hash(path, read_config(folder))
    try:
        tensors = safetensors.torch.load_file(path)
        return Calibration(tensors[split], tensors.get(WAYS.format(split)))
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is damaged or truncated: {error}") from None
