"""Runs: load the data, fit a model or an ensemble, and leave a run folder behind."""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from chainrule import data, models, plots
from chainrule.abilities import loss_unit_of, require_likelihood
from chainrule.data.dataset import Dataset
from chainrule.kinds import kind_of
from chainrule.model import AutoregressiveModel, Model
from chainrule.runs import folder
from chainrule.runs.calibration import calibrate, write_calibration
from chainrule.runs.settings import Settings, build, load_data, member_settings, model_class
from chainrule.settings import ENSEMBLE
from chainrule.tasks.evaluate import evaluate
from chainrule.training import Training, fit, is_first_process

RESUMABLE = ("max_minutes", "patience", "device", "devices", "strategy", "verbose", "published")
"""Settings that may differ between a training and its resumption."""


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        model: The model, with its best weights.
        dataset: The data that it was fitted on.
        config: The content of ``config.json``; in processes other than the first, its ``training`` only.
    """

    model: Model
    dataset: Dataset
    config: dict[str, Any]


def run(settings: Settings, out: str | Path, *, resume: bool = False, verbose: bool = True) -> Run:
    """Load the data, fit the model or the ensemble, and leave a run folder behind.

    Args:
        settings: What to fit, on what, and how.
        out: The run folder.
        resume: Go on with the run that ``out`` holds; a finished one is loaded.
        verbose: Show progress.

    If several processes train together, all of them call this, and the first one writes.

    Raises:
        ValueError: If a setting or the data is wrong, or ``out`` holds another run.
        OSError: If ``out`` can't be written.
    """
    out = Path(out)
    dataset = load_data(settings)
    count, variants = settings.get("members", 1), settings.get("variants", 1)
    for name, number in {"members": count, "variants": variants}.items():
        if number < 1:
            raise ValueError(f"{name} expects at least 1, got {number}")
    if count == variants == 1 and not settings.get("orders"):
        return _run_one(settings, dataset, out, resume=resume, verbose=verbose)
    if not kind_of(dataset).has_ensembles:
        raise ValueError(
            "members, orders and variants expect other data than recordings or series, which no ensemble reads yet"
        )
    if _resumes(settings, out, resume):
        own = model_class(settings["model"])
        return Run(folder.load(out, classes={own.__name__: own}), dataset, folder.read_config(out))
    # Members that do not fit together, or have too few variants, are refused before any of them is fitted.
    planned = [require_likelihood(build(member, dataset)) for member in member_settings(settings)]
    models.Ensemble(models=planned, variants=variants)
    runs = []
    for i, member in enumerate(member_settings(settings)):
        if verbose and is_first_process():
            print(
                f"member {i + 1}: seed {member['seed']}, order {member.get('model.order', 'raster')}", file=sys.stderr
            )
        runs.append(_run_one(member, dataset, out / "members" / str(i), resume=resume, verbose=verbose))
    ensemble = models.Ensemble(models=[require_likelihood(done.model) for done in runs], variants=variants)
    records = [done.config["training"] for done in runs]
    valid = evaluate(ensemble, dataset.valid, context=_classes(settings, dataset, "valid"))
    record = {
        "best_epoch": max(record["best_epoch"] for record in records),
        "epochs": max(record["epochs"] for record in records),
        "minutes": sum(record["minutes"] for record in records),
        "device": records[0]["device"],
        "valid_nats": valid.nats,
        "valid_nats_of_members": valid.member_nats,
        "independent_valid_nats": kind_of(dataset).independent_nats(dataset, ensemble),
    }
    return _finish(ensemble, settings, dataset, out, record)


def _run_one(settings: Settings, dataset: Dataset, out: Path, *, resume: bool, verbose: bool) -> Run:
    """Fit one model."""
    model = build(settings, dataset)
    if _resumes(settings, out, resume):
        config = folder.read_config(out)
        own = {type(model).__name__: type(model)}
        return Run(folder.load(out, classes=own), dataset, config)
    training = {key: value for key, value in settings.items() if "." not in key}
    for key in ("model", "conditional", "data", "published", *data.READING, *ENSEMBLE):
        training.pop(key, None)
    training |= {f"{split}_context": _classes(settings, dataset, split) for split in ("train", "valid")}
    if is_first_process():
        out.mkdir(parents=True, exist_ok=True)
        folder.write_config(model, out, settings=settings, data=dataset.provenance)
    fitted = fit(model, dataset.train, dataset.valid, out=out, resume=resume, verbose=verbose, **training)
    record = {
        "best_epoch": fitted.best_epoch,
        "epochs": int(fitted.history[-1]["epoch"]) + 1,
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
    return _finish(model, settings, dataset, out, record)


def _finish(model: Model, settings: Settings, dataset: Dataset, out: Path, record: Settings) -> Run:
    """Save the model, its record and its calibration, and draw samples."""
    if not is_first_process():
        return Run(model.cpu(), dataset, {"training": record})
    if isinstance(model, AutoregressiveModel):
        write_calibration(calibrate(model.to(record["device"]), dataset), out)
    folder.save(model.cpu(), out, settings=settings, data=dataset.provenance, training=record)
    if not isinstance(model, AutoregressiveModel):
        return Run(model, dataset, folder.read_config(out))
    kind_of(dataset).leave_samples(model, dataset, out)
    return Run(model, dataset, folder.read_config(out))


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


def _classes(settings: Settings, dataset: Dataset, split: str) -> Tensor | None:
    return dataset.classes(split) if settings.get("model.num_classes") is not None else None
