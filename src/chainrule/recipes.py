"""Recipes: a ``fit`` command line written down, run, and its result recorded.

A recipe is a YAML file of flat keys, equal to the flags of ``chainrule fit`` with underscores, and of
``published``, the number it is to be compared with. `run` is what ``chainrule fit`` does with it.
"""

from __future__ import annotations

import inspect
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from chainrule import data, hub, models, plots
from chainrule.conditionals import Bernoulli, Categorical, Conditional
from chainrule.data.dataset import Dataset
from chainrule.model import AutoregressiveModel, Model
from chainrule.tasks.evaluate import evaluate
from chainrule.tasks.independent import independent_nats
from chainrule.tasks.sample import sample
from chainrule.training import fit

Settings = dict[str, Any]
"""What a recipe says: ``model``, ``model.<argument>``, ``data``, ``levels``, the settings of `chainrule.fit`, and of an
ensemble: ``members`` (models to fit, each with a seed of its own), ``orders`` (theirs, in turn) and ``variants``
(so many orders or masks of each to average)."""

ENSEMBLE = ("members", "orders", "variants")
"""Settings that make an ensemble."""

RESUMABLE = ("max_minutes", "patience", "device", "verbose", "published")
"""Settings that may differ between a training and its resumption."""

ONE_HOT_UP_TO = 32
"""Levels up to which values are read by a network one-hot; more (grey levels) are read as one number."""


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        model: The model, with its best weights.
        dataset: What it was fitted on.
        config: What ``config.json`` says.
    """

    model: Model
    dataset: Dataset
    config: dict[str, Any]


def read(path: str | Path) -> Settings:
    """The settings of a recipe.

    Raises:
        ValueError: If the file is no mapping in YAML.
    """
    try:
        settings = yaml.safe_load(Path(path).read_text())
    except yaml.YAMLError as error:
        raise ValueError(f"{path} expects YAML, got: {' '.join(str(error).split())}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} expects YAML, got a file that is no text") from None
    if not isinstance(settings, dict):
        raise ValueError(f"{path} expects a mapping of settings, got {type(settings).__name__}")
    return {str(name): value for name, value in settings.items()}


def conditional_for(levels: int) -> Conditional:
    """The conditional for variables of so many levels."""
    if levels == 2:
        return Bernoulli()
    return Categorical(levels, encoding="one_hot" if levels <= ONE_HOT_UP_TO else "scalar")


def build(settings: Settings, dataset: Dataset) -> AutoregressiveModel:
    """The untrained model that ``settings`` ask for, for the examples of ``dataset``."""
    torch.manual_seed(settings.get("seed", 0))
    arguments = {key.removeprefix("model."): value for key, value in settings.items() if key.startswith("model.")}
    arguments |= {"event_shape": dataset.event_shape, "conditional": conditional_for(dataset.levels)}
    model: AutoregressiveModel = model_class(settings["model"])(**arguments)
    return model


def model_class(name: str) -> Any:
    """The class that ``name`` names: one of chainrule's models, or the user's own as ``package.module:Class``."""
    module, _, own = name.partition(":")
    if not own:
        return getattr(models, name)
    try:
        found = getattr(import_module(module), own)
    except (ImportError, ValueError, AttributeError) as error:
        raise ValueError(f"model expects package.module:Class that can be imported, got {name!r}: {error}") from None
    if not (isinstance(found, type) and issubclass(found, AutoregressiveModel)):
        raise ValueError(f"model expects a subclass of AutoregressiveModel, got {name!r}, which is none")
    return found


def run(settings: Settings, out: str | Path, *, resume: bool = False, verbose: bool = True) -> Run:
    """Load the data, fit the model or the ensemble, and leave a run folder behind.

    Args:
        settings: What to fit, on what, and how.
        out: The run folder.
        resume: Go on with the run that ``out`` holds; a finished one is loaded.
        verbose: Show progress.

    Raises:
        ValueError: If a setting or the data is wrong, or ``out`` holds another run.
        OSError: If ``out`` can't be written.
    """
    out = Path(out)
    dataset = data.load(settings["data"], levels=settings.get("levels"), seed=settings.get("seed", 0))
    count, variants = settings.get("members", 1), settings.get("variants", 1)
    for name, number in {"members": count, "variants": variants}.items():
        if number < 1:
            raise ValueError(f"{name} expects at least 1, got {number}")
    if count == variants == 1 and not settings.get("orders"):
        return _run_one(settings, dataset, out, resume=resume, verbose=verbose)
    if _resumes(settings, out, resume):
        return Run(hub.load(out, classes=own_classes(settings)), dataset, hub.read_config(out))
    runs = []
    for i, member in enumerate(member_settings(settings)):
        if verbose:
            print(
                f"member {i + 1}: seed {member['seed']}, order {member.get('model.order', 'raster')}", file=sys.stderr
            )
        runs.append(_run_one(member, dataset, out / "members" / str(i), resume=resume, verbose=verbose))
    ensemble = models.Ensemble(models=[_generative(done.model) for done in runs], variants=variants)
    records = [done.config["training"] for done in runs]
    valid = evaluate(ensemble, dataset.valid, context=_labels(settings, dataset, "valid"))
    record = {
        "best_epoch": max(record["best_epoch"] for record in records),
        "epochs": max(record["epochs"] for record in records),
        "minutes": sum(record["minutes"] for record in records),
        "device": records[0]["device"],
        "valid_nats": valid.nats,
        "valid_nats_of_members": valid.member_nats,
        "independent_valid_nats": records[0]["independent_valid_nats"],
    }
    return _finish(ensemble, settings, dataset, out, record)


def member_settings(settings: Settings) -> list[Settings]:
    """What to fit for each member of an ensemble: member i has the seed seed + i and the i-th of ``orders``.

    >>> [member["seed"] for member in member_settings({"members": 2, "seed": 5})]
    [5, 6]
    """
    orders = settings.get("orders") or [None]
    shared = {key: value for key, value in settings.items() if key not in ENSEMBLE}
    result = []
    for i in range(max(settings.get("members", 1), len(orders))):
        order = orders[i % len(orders)]
        own = {"seed": settings.get("seed", 0) + i} | ({} if order is None else {"model.order": order})
        result.append(shared | own)
    return result


def _generative(model: Model) -> AutoregressiveModel:
    """``model``, which must have a likelihood."""
    if not isinstance(model, AutoregressiveModel):
        raise ValueError(f"expected a model with a likelihood, got {type(model).__name__}")
    return model


def own_classes(settings: Settings) -> dict[str, type]:
    """The user's own class that ``settings`` name, by its name, as `hub.load` takes it."""
    name = str(settings.get("model", ""))
    return {name.partition(":")[2]: model_class(name)} if ":" in name else {}


def _labels(settings: Settings, dataset: Dataset, split: str) -> Tensor | None:
    """The classes of a split, where the model is conditioned on them.

    Raises:
        ValueError: If the data has no classes.
    """
    if settings.get("model.num_classes") is None:
        return None
    if dataset.labels is None:
        raise ValueError(f"model.num_classes expects data with classes, got {dataset.name}, which has none")
    return dataset.labels[split]


def _run_one(settings: Settings, dataset: Dataset, out: Path, *, resume: bool, verbose: bool) -> Run:
    """Fit one model."""
    model = build(settings, dataset)
    if _resumes(settings, out, resume):
        config = hub.read_config(out)
        own = {type(model).__name__: type(model)}
        return Run(hub.load(out, classes=own), dataset, config)
    training = {key: value for key, value in settings.items() if "." not in key}
    for key in ("model", "data", "levels", "published", *ENSEMBLE):
        training.pop(key, None)
    training |= {f"{split}_context": _labels(settings, dataset, split) for split in ("train", "valid")}
    out.mkdir(parents=True, exist_ok=True)
    hub.write_config(model, out, settings=settings, data=dataset.provenance)
    fitted = fit(model, dataset.train, dataset.valid, out=out, resume=resume, verbose=verbose, **training)
    record = {
        "best_epoch": fitted.best_epoch,
        "epochs": len(fitted.history),
        "minutes": fitted.minutes,
        "device": fitted.device,
        "valid_nats": fitted.best_nats,
        "independent_valid_nats": independent_nats(dataset.train, dataset.valid, dataset.levels),
    }
    plots.training_curve(fitted.history, out / "training.png")
    return _finish(model, settings, dataset, out, record)


def _finish(model: Model, settings: Settings, dataset: Dataset, out: Path, record: Settings) -> Run:
    """Save the model and its record, and draw samples, or what an autoencoder makes of examples."""
    hub.save(model.cpu(), out, settings=settings, data=dataset.provenance, training=record)
    if not isinstance(model, AutoregressiveModel):
        return Run(model, dataset, hub.read_config(out))
    context = None if model.num_classes is None else torch.arange(64) % model.num_classes
    samples = sample(model, 64, seed=0, context=context).cpu()
    examples = dataset.train[: len(samples)]
    plots.data_beside_samples(examples, samples, out / "samples.png", levels=dataset.levels)
    return Run(model, dataset, hub.read_config(out))


def _resumes(settings: Settings, out: Path, resume: bool) -> bool:
    """Whether ``out`` already holds the finished run of these settings; refuses one of other settings."""
    weights, checkpoint = (out / hub.WEIGHTS).exists(), (out / "checkpoints" / "last.ckpt").exists()
    if not (out / hub.CONFIG).exists() or not (weights or checkpoint):
        return False  # nothing was learnt yet that could be lost
    if not resume:
        raise ValueError(f"{out} already holds a run: choose another --out, or go on with it by --resume")
    config = hub.read_config(out)
    before = config.get("settings", {})
    defaults = {name: parameter.default for name, parameter in inspect.signature(fit).parameters.items()}
    for key in sorted(settings.keys() | before.keys()):
        ours = json.loads(json.dumps(settings.get(key, defaults.get(key))))
        theirs = before.get(key, defaults.get(key))
        if key not in RESUMABLE and ours != theirs:
            raise ValueError(f"{out} was fitted with {key}={theirs!r}, got {ours!r}: resume with the same settings")
    return "training" in config and weights


def reproduce(
    name: str, settings: Settings, out: str | Path, results: str | Path, *, verbose: bool = True
) -> dict[str, Any]:
    """Run a recipe, or go on with it, evaluate the test split once, and record the result.

    Args:
        name: The recipe's name, such as ``mnist/made``.
        settings: What it says.
        out: The run folder.
        results: The folder for ``<recipe>.json``.
        verbose: Show progress.

    Returns:
        The result, as it was written.
    """
    done = run(settings, out, resume=True, verbose=verbose)
    started = time.monotonic()
    evaluation = evaluate(_generative(done.model), done.dataset.test, context=_labels(settings, done.dataset, "test"))
    training = done.config["training"]
    result = {
        "recipe": name,
        "model": settings["model"],
        "dataset": done.dataset.description,
        "split": "test",
        **evaluation.as_dict(),
        "valid_nats": training["valid_nats"],
        "independent_valid_nats": training["independent_valid_nats"],
        "published": settings.get("published"),
        "parameters": done.model.num_parameters,
        "minutes": training["minutes"],
        "evaluation_seconds": time.monotonic() - started,
        "epochs": training["epochs"],
        "best_epoch": training["best_epoch"],
        "seed": settings.get("seed", 0),
        "settings": settings,
        "data": done.dataset.provenance,
        "device": training["device"],
        "machine": machine(),
        "versions": hub.versions(),
        "commit": _commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    Path(results).mkdir(parents=True, exist_ok=True)
    content = json.dumps(result, indent=2) + "\n"
    hub.write_atomically(Path(results) / f"{name.replace('/', '-')}.json", content.encode())
    return result


def machine() -> dict[str, Any]:
    """The machine that a number was measured on."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"cpu": cpu, "cores": os.cpu_count(), "threads": torch.get_num_threads(), "gpu": gpu}


def _commit() -> str | None:
    """The commit of the checkout that runs, where there is one."""
    command = ["git", "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
