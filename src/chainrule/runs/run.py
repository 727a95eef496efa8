"""Runs: load the data, fit a model or an ensemble, and leave a run folder behind."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule import models, plots
from chainrule.abilities import loss_unit_of, require_likelihood
from chainrule.card import Card, Shown
from chainrule.data.dataset import Dataset
from chainrule.devices import check_device
from chainrule.kinds import kind_of
from chainrule.model import AutoregressiveModel, Model
from chainrule.runs import calibration, folder
from chainrule.runs.calibration import calibrate, thresholds_of, write_calibration
from chainrule.runs.crossfit import cross_fitted, folds_of
from chainrule.runs.finishing import finishing_seconds
from chainrule.runs.lock import locked
from chainrule.runs.provenance import record_of
from chainrule.runs.resuming import Resumption, changed_dataset, check_no_members, is_complete, record_with_changes
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
from chainrule.runs.shown import facts_of, pictures_of
from chainrule.tasks.evaluate import evaluate
from chainrule.training import fit, is_first_process

FINISHING = (0.03, 0.3)
"""The least and the greatest share of the minutes that is kept for the calibration and the samples."""


@dataclass(frozen=True, repr=False)
class Run(Shown):
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

    def _card(self) -> Card:
        from chainrule.runs.outcome import outcome  # which knows this class

        *said, _ = outcome(self)
        facts = facts_of(self.model) | {"data": self.dataset.headline, "fit": "; ".join(said)}
        return Card(f"Run {self.folder}", facts)

    def _below(self) -> str:
        return pictures_of(self.folder)


def run(
    settings: Settings,
    out: str | Path,
    *,
    dataset: Dataset | None = None,
    resume: bool = False,
    extend: bool = False,
    choose: bool = False,
    changed_data: bool = False,
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
        changed_data: Go on with a run although its data changed; it then records what changed.
        started: The time from which the minutes of ``settings`` count, by `time.monotonic`; now by default.
        verbose: Show progress.

    If several processes train together, all of them call this, and the first one writes.

    Raises:
        ValueError: If a setting or the data is wrong, the data changed since the run was begun, ``out`` holds another
            run, or another process is writing into it.
        OSError: If ``out`` can't be written.
    """
    out = Path(out)
    started = time.monotonic() if started is None else started
    how = Resumption(resume, extend, changed_data)
    with locked(out) if is_first_process() else contextlib.nullcontext():
        if dataset is None and changed_data:
            dataset = changed_dataset(out, settings)
        dataset = limited(load_data(settings) if dataset is None else dataset, settings)
        return _run(settings, dataset, out, how, started, choose=choose, verbose=verbose)


def _run(
    settings: Settings, dataset: Dataset, out: Path, how: Resumption, started: float, *, choose: bool, verbose: bool
) -> Run:
    """Fit a model or an ensemble into a locked folder."""
    data = record_of(dataset, out)
    minutes = settings.get("minutes")
    deadline = math.inf
    if minutes is not None:
        least, most = (60 * minutes * share for share in FINISHING)
        seconds = min(most, max(least, finishing_seconds(settings, dataset)))
        deadline = max(started + 60 * minutes - seconds, time.monotonic() + 1)
    folds = folds_of(settings, dataset)
    if not check_members(settings, dataset):
        if is_first_process():
            check_no_members(out)
        ends = share_of(deadline, 1 + folds)
        return _run_one(settings, dataset, data, out, how, ends, deadline, verbose=verbose)
    if how.goes_on(settings, out, data):
        return _trained(settings, dataset, out, deadline, verbose=verbose)
    members, runs = member_settings(settings), []
    for i, member in enumerate(members):
        label = f"member {i + 1} of {len(members)}: "
        ends = share_of(deadline, len(members) - i + folds)
        where = out / "members" / str(i)
        runs.append(_run_one(member, dataset, data, where, how, ends, ends, verbose=verbose, label=label))
    return _together(runs, settings, dataset, data, out, deadline, choose=choose, verbose=verbose)


def _together(
    runs: list[Run],
    settings: Settings,
    dataset: Dataset,
    data: Settings,
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
    config = {"settings": settings, "data": record_with_changes(out, data), "training": record}
    return _finish(ensemble, dataset, out, config, deadline, verbose=verbose)


def _run_one(
    settings: Settings,
    dataset: Dataset,
    data: Settings,
    out: Path,
    how: Resumption,
    ends: float,
    deadline: float,
    *,
    verbose: bool,
    label: str = "",
) -> Run:
    """Fit one model until ``ends``, and calibrate it until the ``deadline``."""
    model = build(settings, dataset)
    if how.goes_on(settings, out, data):
        return _trained(settings, dataset, out, deadline, member=bool(label), verbose=verbose)
    training = training_until(ends, settings, dataset)
    config: dict[str, Any] = {"settings": settings, "data": data}
    if is_first_process():
        out.mkdir(parents=True, exist_ok=True)
        config["data"] = record_with_changes(out, data)
        folder.write_config(model, out, **config)
    fitted = fit(
        model, dataset.train, dataset.valid, out=out, resume=how.resume, verbose=verbose, label=label, **training
    )
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
    return _finish(model, dataset, out, config | {"training": record}, deadline, member=bool(label), verbose=verbose)


def _trained(
    settings: Settings, dataset: Dataset, out: Path, deadline: float, *, verbose: bool, member: bool = False
) -> Run:
    """The run in ``out``, whose training is over, with what was left undone when its process was killed."""
    own = model_class(settings["model"])
    model, config = folder.load(out, classes={own.__name__: own}), folder.read_config(out)
    if member or is_complete(out, config):
        return Run(model, dataset, out, config)
    record = {name: config[name] for name in ("settings", "data", "training")}
    return _finish(
        model.to(check_device(settings.get("device", "auto"))), dataset, out, record, deadline, verbose=verbose
    )


def _finish(
    model: Model,
    dataset: Dataset,
    out: Path,
    config: dict[str, Any],
    deadline: float,
    *,
    verbose: bool,
    member: bool = False,
) -> Run:
    """Save the model with its ``config``; unless it is the member of an ensemble, calibrate it and draw samples.

    The run is saved before that: if this is interrupted, only the rest is left to do. The thresholds of the calibration
    come last into its record, and say that it is finished.
    """
    record, settings = config["training"], config["settings"]
    if not is_first_process():
        return Run(model.cpu(), dataset, out, {"training": record})
    device = model.device
    folder.save(model, out, **config)
    if isinstance(model, AutoregressiveModel) and not member:
        if verbose:
            print("scoring examples for the calibration, and drawing samples", file=sys.stderr, flush=True)
        calibrations = calibrate(model.to(device), dataset)
        more_rows = cross_fitted(settings, dataset, model, record["steps"], deadline)
        calibrations["valid"] = calibrations["valid"].joined(more_rows)
        hashes = folder.read_config(out)["sha256"] | {calibration.FILE: write_calibration(calibrations, out)}
        kind_of(dataset).leave_samples(model.cpu(), dataset, out)
        thresholds = thresholds_of(calibrations, len(more_rows))
        folder.write_config(model, out, **config, calibration=thresholds, sha256=hashes)
    return Run(model.cpu(), dataset, out, folder.read_config(out))
