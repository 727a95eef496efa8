"""Runs: load the data, fit a model or an ensemble, and leave a run folder behind."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule import models, plots
from chainrule.abilities import loss_unit_of, require_likelihood
from chainrule.data.dataset import Dataset
from chainrule.kinds import kind_of
from chainrule.model import AutoregressiveModel, Model
from chainrule.plans.plan import OF_BUDGET
from chainrule.runs import folder
from chainrule.runs.calibration import calibrate, thresholds_of, write_calibration
from chainrule.runs.crossfit import cross_fitted, folds_of
from chainrule.runs.finishing import finishing_seconds
from chainrule.runs.settings import (
    Settings,
    build,
    check_members,
    classes_of,
    limited,
    load_data,
    member_settings,
    model_class,
    share_of,
    training_until,
)
from chainrule.tasks.evaluate import evaluate
from chainrule.training import Training, fit, is_first_process

RESUMABLE = (*OF_BUDGET, "device", "devices", "strategy", "verbose", "published")
"""Settings that may differ between a training and its resumption."""

FINISHING = (0.03, 0.3)
"""The least and the greatest share of the minutes that is kept for the calibration and the samples."""


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        model: The model, with its best weights.
        dataset: The data that it was fitted on.
        folder: The run folder.
        config: The content of ``config.json``; in processes other than the first, its ``training`` only.
    """

    model: Model
    dataset: Dataset
    folder: Path
    config: dict[str, Any]


def run(
    settings: Settings,
    out: str | Path,
    *,
    dataset: Dataset | None = None,
    resume: bool = False,
    extend: bool = False,
    choose: bool = False,
    started: float | None = None,
    verbose: bool = True,
) -> Run:
    """Load the data, fit the model or the ensemble, and leave a run folder behind.

    Args:
        settings: What to fit, on what, and how.
        out: The run folder.
        dataset: The data, if they are loaded already.
        resume: Go on with the run that ``out`` holds; a finished one is loaded.
        extend: Train a finished run for the steps and minutes of ``settings`` once more.
        choose: Keep the first member alone where an ensemble validates worse than it.
        started: The time from which the minutes of ``settings`` count, by `time.monotonic`; now by default.
        verbose: Show progress.

    If several processes train together, all of them call this, and the first one writes.

    Raises:
        ValueError: If a setting or the data is wrong, or ``out`` holds another run.
        OSError: If ``out`` can't be written.
    """
    out = Path(out)
    started = time.monotonic() if started is None else started
    dataset = limited(load_data(settings) if dataset is None else dataset, settings)
    minutes = settings.get("minutes")
    deadline = math.inf
    if minutes is not None:
        least, most = (60 * minutes * share for share in FINISHING)
        seconds = min(most, max(least, finishing_seconds(settings, dataset)))
        deadline = max(started + 60 * minutes - seconds, time.monotonic() + 1)
    folds = folds_of(settings, dataset)
    if not check_members(settings, dataset):
        ends = share_of(deadline, 1 + folds)
        return _run_one(settings, dataset, out, ends, deadline, resume=resume, extend=extend, verbose=verbose)
    if _resumes(settings, out, resume) and not extend:
        own = model_class(settings["model"])
        return Run(folder.load(out, classes={own.__name__: own}), dataset, out, folder.read_config(out))
    members, runs = member_settings(settings), []
    for i, member in enumerate(members):
        label = f"member {i + 1} of {len(members)}: "
        ends = share_of(deadline, len(members) - i + folds)
        where = out / "members" / str(i)
        runs.append(
            _run_one(member, dataset, where, ends, ends, resume=resume, extend=extend, verbose=verbose, label=label)
        )
    return _together(runs, settings, dataset, out, deadline, choose=choose, verbose=verbose)


def _together(
    runs: list[Run],
    settings: Settings,
    dataset: Dataset,
    out: Path,
    deadline: float,
    *,
    choose: bool,
    verbose: bool,
) -> Run:
    """The ensemble of the members' runs, or the first of them alone."""
    members = [require_likelihood(done.model) for done in runs]
    ensemble: AutoregressiveModel = models.Ensemble(models=members, variants=settings.get("variants", 1))
    valid = evaluate(ensemble, dataset.valid, context=classes_of(settings, dataset, "valid"))
    nats = valid.nats
    # The best of several members would be chosen by luck: the first is what would have been fitted alone.
    if choose and valid.member_nats[0] < nats:
        ensemble, nats = members[0], valid.member_nats[0]
    records = [done.config["training"] for done in runs]
    record = {
        "best_step": max(record["best_step"] for record in records),
        "steps": max(record["steps"] for record in records),
        "minutes": sum(record["minutes"] for record in records),
        "device": records[0]["device"],
        "valid_nats": nats,
        "valid_nats_of_members": valid.member_nats,
        "independent_valid_nats": kind_of(dataset).independent_nats(dataset, ensemble),
    }
    return _finish(ensemble, settings, dataset, out, record, deadline, verbose=verbose)


def _run_one(
    settings: Settings,
    dataset: Dataset,
    out: Path,
    ends: float,
    deadline: float,
    *,
    resume: bool,
    extend: bool,
    verbose: bool,
    label: str = "",
) -> Run:
    """Fit one model until ``ends``, and calibrate it until the ``deadline``."""
    model = build(settings, dataset)
    if _resumes(settings, out, resume) and not extend:
        config = folder.read_config(out)
        own = {type(model).__name__: type(model)}
        return Run(folder.load(out, classes=own), dataset, out, config)
    training = training_until(ends, settings, dataset)
    if is_first_process():
        out.mkdir(parents=True, exist_ok=True)
        folder.write_config(model, out, settings=settings, data=dataset.provenance)
    fitted = fit(model, dataset.train, dataset.valid, out=out, resume=resume, verbose=verbose, label=label, **training)
    record = {
        "best_step": fitted.best_step,
        "steps": fitted.steps,
        "minutes": fitted.minutes,
        "device": fitted.device,
    }
    if isinstance(model, AutoregressiveModel):
        record |= {
            "valid_nats": fitted.best_nats,
            "independent_valid_nats": kind_of(dataset).independent_nats(dataset, model),
        }
    else:
        record |= {"valid_loss": fitted.best_nats}
    if is_first_process():
        plots.training_curve(fitted.history, out / "training.png", loss_unit_of(model))
    return _finish(model, settings, dataset, out, record, deadline, member=bool(label), verbose=verbose)


def _finish(
    model: Model,
    settings: Settings,
    dataset: Dataset,
    out: Path,
    record: Settings,
    deadline: float,
    *,
    verbose: bool,
    member: bool = False,
) -> Run:
    """Save the model and its record; unless it is the member of an ensemble, calibrate it and draw samples."""
    if not is_first_process():
        return Run(model.cpu(), dataset, out, {"training": record})
    more: dict[str, Any] = {}
    if isinstance(model, AutoregressiveModel) and not member:
        if verbose:
            print("scoring examples for the calibration, and drawing samples", file=sys.stderr, flush=True)
        calibrations = calibrate(model.to(record["device"]), dataset)
        more_rows = cross_fitted(settings, dataset, model, record["steps"], deadline)
        calibrations["valid"] = calibrations["valid"].joined(more_rows)
        write_calibration(calibrations, out)
        more = {"calibration": thresholds_of(calibrations, len(more_rows))}
    folder.save(model.cpu(), out, settings=settings, data=dataset.provenance, training=record, **more)
    if isinstance(model, AutoregressiveModel) and not member:
        kind_of(dataset).leave_samples(model, dataset, out)
    return Run(model, dataset, out, folder.read_config(out))


def _resumes(settings: Settings, out: Path, resume: bool) -> bool:
    """True if ``out`` already holds the finished run of these settings; refuses a run of other settings."""
    weights, checkpoint = (out / folder.WEIGHTS).exists(), (out / "checkpoints" / "last.ckpt").exists()
    if not (out / folder.CONFIG).exists() or not (weights or checkpoint):
        return False  # nothing was learnt yet that could be lost
    if not resume:
        raise ValueError(f"{out} already holds a run: choose another --out, or go on with it by --resume")
    config = folder.read_config(out)
    before = config.get("settings", {})
    defaults = dataclasses.asdict(Training())
    for key in sorted(settings.keys() | before.keys()):
        ours = json.loads(json.dumps(settings.get(key, defaults.get(key))))
        theirs = before.get(key, defaults.get(key))
        if key not in RESUMABLE and ours != theirs:
            raise ValueError(f"{out} was fitted with {key}={theirs!r}, got {ours!r}: resume with the same settings")
    return "training" in config and weights
