"""Going on with a run: whether a folder holds the run that is asked for, and what is left to do."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.data.dataset import Dataset
from chainrule.kinds import KINDS, kind_of_run
from chainrule.plans.plan import OF_BUDGET
from chainrule.runs import calibration, folder
from chainrule.runs.opened import OpenRun
from chainrule.runs.provenance import FINGERPRINT, changes, check_unchanged
from chainrule.runs.settings import Settings, model_class
from chainrule.training import Training

RESUMABLE = (*OF_BUDGET, "device", "devices", "nodes", "strategy", "verbose", "published")
"""Settings that may differ between a training and its resumption."""

CHANGED = "fit a new run, or go on knowingly with --changed-data, which the run then records"


@dataclass(frozen=True)
class Resumption:
    """How a fit treats a run that its folder holds.

    Attributes:
        resume: True to go on with it; a finished one is loaded.
        extend: True to train a finished one once more.
        changed_data: True to go on although its data changed.
    """

    resume: bool = False
    extend: bool = False
    changed_data: bool = False

    def goes_on(self, settings: Settings, out: Path, data: Mapping[str, Any]) -> bool:
        """True if the training of the run in ``out`` is over, and is not to be extended.

        Args:
            settings: The settings of the fit.
            out: The run folder.
            data: The record of the data as they are now.

        Raises:
            ValueError: If ``out`` holds a run that is not to be resumed, or one of other settings or of other data.
        """
        weights, checkpoint = (out / folder.WEIGHTS).exists(), (out / "checkpoints" / "last.ckpt").exists()
        if not (out / folder.CONFIG).exists():
            if checkpoint:
                raise ValueError(f"{out} expects a run, got checkpoints without {folder.CONFIG}: choose another --out")
            return False
        if not self.resume:
            if weights or checkpoint:
                raise ValueError(f"{out} already holds a run: choose another --out, or go on with it by --resume")
            return False  # nothing was learnt yet that could be lost
        config = folder.read_config(out)
        _check_settings(settings, config, out)
        if not self.changed_data:
            check_unchanged(config.get("data", {}), data, out, CHANGED)
        return "training" in config and weights and not self.extend


def _check_settings(settings: Settings, config: Mapping[str, Any], out: Path) -> None:
    """Refuse to go on with a run of other settings."""
    before, defaults = config.get("settings", {}), dataclasses.asdict(Training())
    for key in sorted(settings.keys() | before.keys()):
        ours = json.loads(json.dumps(settings.get(key, defaults.get(key))))
        theirs = before.get(key, defaults.get(key))
        if key not in RESUMABLE and ours != theirs:
            raise ValueError(f"{out} was fitted with {key}={theirs!r}, got {ours!r}: resume with the same settings")


def check_no_members(out: Path) -> None:
    """Refuse to fit anything else into the folder of an ensemble that is not finished."""
    if (out / "members").is_dir() and not (out / folder.CONFIG).exists():
        raise ValueError(
            f"{out} holds members of an ensemble that is not finished: resume with its settings or choose another --out"
        )


def is_complete(out: Path, config: Mapping[str, Any]) -> bool:
    """True if a trained run with a likelihood has its calibration and its samples; older ones are taken as they are."""
    kind = KINDS.get(str(config.get("data", {}).get("kind")))
    if kind is None or "sha256" not in config or "valid_nats" not in config["training"]:
        return True
    return "calibration" in config and all((out / name).exists() for name in (calibration.FILE, kind.samples_file))


def record_with_changes(out: Path, data: dict[str, Any]) -> dict[str, Any]:
    """The record of the data of a run that goes on: it names the changes that were accepted before and now."""
    if not (out / folder.CONFIG).exists():
        return data
    before = folder.read_config(out).get("data", {})
    accepted = [*before.get("changes", ())]
    if found := changes(before, data):
        accepted.append({"changes": found, FINGERPRINT: before[FINGERPRINT]})
    return data | ({"changes": accepted} if accepted else {})


def changed_dataset(out: Path, settings: Settings) -> Dataset | None:
    """The changed data of the run in ``out``, in the format that it was fitted in; None if there is no run."""
    first = next((each for each in (out, out / "members" / "0") if (each / folder.CONFIG).exists()), None)
    if first is None:
        return None
    own = model_class(settings["model"])
    config, model = folder.read_config(first), folder.rebuilt(first, classes={own.__name__: own})
    return OpenRun(first, model, config, kind_of_run(config.get("data", {}), model)).dataset(changed=True)
