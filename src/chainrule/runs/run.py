"""Runs: load the data, fit a model or an ensemble, and leave a run folder behind."""

from __future__ import annotations

import inspect
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from chainrule import data, models, plots
from chainrule.atomic import write_atomically
from chainrule.data.dataset import Dataset
from chainrule.data.read.recordings import write_wav
from chainrule.data.read.table import write_frame
from chainrule.data.schema import TableSchema
from chainrule.data.sequences import Recordings, Stream
from chainrule.data.series import draws_frame
from chainrule.model import AutoregressiveModel, Model
from chainrule.runs import folder, formats
from chainrule.runs.calibration import calibrate, write_calibration
from chainrule.runs.settings import (
    ENSEMBLE,
    Settings,
    build,
    load_data,
    member_settings,
    own_classes,
)
from chainrule.sequence import reads_streams
from chainrule.tasks.evaluate import evaluate
from chainrule.tasks.independent import independent_nats
from chainrule.tasks.sample import sample
from chainrule.training import fit, is_first_process

LONGEST_SAMPLE = 1024
"""Variables of the samples of a sequence that a run is left with, at most."""

CLIPS = 8
"""Recordings that a run is left with."""

RESUMABLE = ("max_minutes", "patience", "device", "devices", "strategy", "verbose", "published")
"""Settings that may differ between a training and its resumption."""


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        model: The model, with its best weights.
        dataset: What it was fitted on.
        config: What ``config.json`` says; of a process that is not the first of several, its ``training`` only.
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

    Of several processes that train together all run this; the first one writes.

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
    if isinstance(dataset.train, Recordings):
        raise ValueError(
            "members, orders and variants expect other data than recordings or series, which no ensemble reads yet"
        )
    if _resumes(settings, out, resume):
        return Run(folder.load(out, classes=own_classes(settings)), dataset, folder.read_config(out))
    # Members that do not fit together, or have too few variants, are refused before any of them is fitted.
    planned = [generative(build(member, dataset)) for member in member_settings(settings)]
    models.Ensemble(models=planned, variants=variants)
    runs = []
    for i, member in enumerate(member_settings(settings)):
        if verbose and is_first_process():
            print(
                f"member {i + 1}: seed {member['seed']}, order {member.get('model.order', 'raster')}", file=sys.stderr
            )
        runs.append(_run_one(member, dataset, out / "members" / str(i), resume=resume, verbose=verbose))
    ensemble = models.Ensemble(models=[generative(done.model) for done in runs], variants=variants)
    records = [done.config["training"] for done in runs]
    valid = evaluate(ensemble, dataset.valid, context=_classes(settings, dataset, "valid"))
    record = {
        "best_epoch": max(record["best_epoch"] for record in records),
        "epochs": max(record["epochs"] for record in records),
        "minutes": sum(record["minutes"] for record in records),
        "device": records[0]["device"],
        "valid_nats": valid.nats,
        "valid_nats_of_members": valid.member_nats,
        "independent_valid_nats": _independent_nats(ensemble, dataset),
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
        record |= {"valid_nats": fitted.best_nats, "independent_valid_nats": _independent_nats(model, dataset)}
    else:
        record |= {"valid_loss": fitted.best_nats}
    if is_first_process():
        plots.training_curve(fitted.history, out / "training.png", model.loss_unit)
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
    # One line of a text may be far longer than the others.
    longest = model.num_variables if formats.audio(dataset) is not None else LONGEST_SAMPLE
    count = CLIPS if formats.audio(dataset) is not None or formats.series(dataset) is not None else 64
    context = None if model.num_classes is None else torch.arange(count) % model.num_classes
    length = min(model.num_variables, longest) if model.any_length else None
    samples = sample(model, count, seed=0, context=context, length=length).cpu()
    if formats.series(dataset) is not None:
        write_frame(draws_frame(samples, formats.series(dataset)), out / "samples.csv")
    elif formats.schema(dataset) is not None:
        write_frame(formats.schema(dataset).decode(samples.numpy()), out / "samples.csv")
    elif formats.text(dataset) is not None:
        write_atomically(out / "samples.txt", formats.text(dataset).join(samples))
    elif formats.audio(dataset) is not None:
        write_wav(out / "samples.wav", samples, formats.audio(dataset))
    else:
        examples = dataset.train[: len(samples)]
        plots.data_beside_samples(examples, samples, out / "samples.png", levels=dataset.levels)
    return Run(model, dataset, folder.read_config(out))


def _independent_nats(model: Model, dataset: Dataset) -> float:
    """The NLL of independent variables; for a model that reads streams or recordings, of independent symbols."""
    train, valid = dataset.train, dataset.valid
    if formats.series(dataset) is not None and isinstance(train, Recordings) and isinstance(valid, Recordings):
        rows = [part.levels[:, None].astype("float32") for part in (train, valid)]
        return TableSchema((formats.series(dataset),)).independent_nats(*rows)
    if formats.schema(dataset) is not None:
        return formats.schema(dataset).independent_nats(train[:].numpy(), valid[:].numpy())
    single = isinstance(train, Recordings) or reads_streams(model)
    if single and isinstance(train, Stream | Recordings) and isinstance(valid, Stream | Recordings):
        train, valid = train.single(), valid.single()
    return independent_nats(train, valid, dataset.levels)


def _resumes(settings: Settings, out: Path, resume: bool) -> bool:
    """Whether ``out`` already holds the finished run of these settings; refuses one of other settings."""
    weights, checkpoint = (out / folder.WEIGHTS).exists(), (out / "checkpoints" / "last.ckpt").exists()
    if not (out / folder.CONFIG).exists() or not (weights or checkpoint):
        return False  # nothing was learnt yet that could be lost
    if not resume:
        raise ValueError(f"{out} already holds a run: choose another --out, or go on with it by --resume")
    config = folder.read_config(out)
    before = config.get("settings", {})
    defaults = {name: parameter.default for name, parameter in inspect.signature(fit).parameters.items()}
    for key in sorted(settings.keys() | before.keys()):
        ours = json.loads(json.dumps(settings.get(key, defaults.get(key))))
        theirs = before.get(key, defaults.get(key))
        if key not in RESUMABLE and ours != theirs:
            raise ValueError(f"{out} was fitted with {key}={theirs!r}, got {ours!r}: resume with the same settings")
    return "training" in config and weights


def _classes(settings: Settings, dataset: Dataset, split: str) -> Tensor | None:
    return dataset.classes(split) if settings.get("model.num_classes") is not None else None


def generative(model: Model) -> AutoregressiveModel:
    """``model``, which must have a likelihood.

    Raises:
        ValueError: If it has none.
    """
    if not isinstance(model, AutoregressiveModel):
        raise ValueError(f"expected a model with a likelihood, got {type(model).__name__}, which has none")
    return model
