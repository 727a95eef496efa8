"""Log p of the data that a model was fitted on: kept with a run, so that other data can be compared with it."""

from __future__ import annotations

from pathlib import Path

import safetensors
import safetensors.torch

from chainrule.atomic import write_atomically
from chainrule.data.dataset import Dataset
from chainrule.kinds import kind_of
from chainrule.model import AutoregressiveModel
from chainrule.tasks.anomaly import Calibration

FILE = "calibration.safetensors"
SPLITS = ("train", "valid")
QUANTILES = 1001


def calibrate(model: AutoregressiveModel, dataset: Dataset) -> dict[str, Calibration]:
    """Log p of training and validation items, as their kind scores them; at most 1001 quantiles each."""
    kind = kind_of(dataset)
    return {split: Calibration.of(kind.calibration_log_probs(model, dataset, split), QUANTILES) for split in SPLITS}


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
