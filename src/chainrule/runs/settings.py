"""The settings of a fit: flat keys and values, as a recipe or a command line gives them."""

from __future__ import annotations

import dataclasses
import inspect
import math
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from chainrule import data, models
from chainrule.abilities import require_likelihood
from chainrule.data.dataset import Dataset
from chainrule.devices import within_free_memory
from chainrule.kinds import kind_of
from chainrule.model import AutoregressiveModel
from chainrule.plans import Settings as Settings
from chainrule.settings import ENSEMBLE
from chainrule.training import Training
from chainrule.yaml_file import read_yaml

LEAST_MINUTES = 1e-3
"""The minutes of a training whose time is over before it begins."""


def read(path: str | Path) -> Settings:
    """The settings of a recipe.

    Raises:
        ValueError: If the file is no mapping in YAML.
    """
    settings = read_yaml(Path(path))
    if not isinstance(settings, dict):
        raise ValueError(f"{path} expects a mapping of settings, got {type(settings).__name__}")
    return {str(name): value for name, value in settings.items()}


def load_data(settings: Settings, frame: Any = None) -> Dataset:
    """The data set that ``settings`` name, or the one in ``frame``, read as they say."""
    reading = {name: settings.get(name) for name in data.READING}
    return data.load(settings["data"] if frame is None else frame, seed=settings.get("seed", 0), **reading)


def limited(dataset: Dataset, settings: Settings) -> Dataset:
    """The data set with the ``validation_size`` of the settings.

    Raises:
        ValueError: If that is below 1.
    """
    size = settings.get("validation_size")
    if size is None:
        return dataset
    if size < 1:
        raise ValueError(f"validation_size expects at least 1, got {size}")
    return dataset.validated_on(size)


def build(settings: Settings, dataset: Dataset) -> AutoregressiveModel:
    """The untrained model that ``settings`` ask for, for the examples of ``dataset``.

    Raises:
        ValueError: If the model, or the family of conditionals, does not fit the data, or the free memory.
    """
    torch.manual_seed(settings.get("seed", 0))
    kind, chosen = kind_of(dataset), model_class(settings["model"])
    arguments = kind.model_arguments(chosen) | _below(settings, "model.")
    if "order" in arguments and "order" not in inspect.signature(chosen).parameters:
        raise ValueError(
            f"orders expects a model that takes an order, got {settings['model']}, which has one of its own"
        )
    conditional = kind.conditional(settings.get("conditional"), _below(settings, "conditional."))
    if settings.get("conditional") is None:
        conditional = chosen.usual_conditional(dataset.event_shape, conditional)
    with within_free_memory(f"{settings['model']} of {math.prod(dataset.event_shape):,} variables"):
        model: AutoregressiveModel = chosen(**arguments, event_shape=dataset.event_shape, conditional=conditional)
    return model


def training_settings(settings: Settings) -> Settings:
    """Those of the settings that `chainrule.training.fit` takes."""
    names = {field.name for field in dataclasses.fields(Training)}
    return {name: value for name, value in settings.items() if name in names}


def training_until(deadline: float, settings: Settings, dataset: Dataset) -> Settings:
    """The arguments of `chainrule.training.fit`, with the classes, for a training that ends at a time.

    Args:
        deadline: The time, by `time.monotonic`; infinite for no limit.
        settings: The settings of the fit.
        dataset: Has the classes.
    """
    arguments = training_settings(settings)
    if deadline < math.inf:
        arguments["minutes"] = max((deadline - time.monotonic()) / 60, LEAST_MINUTES)
    return arguments | {f"{split}_context": classes_of(settings, dataset, split) for split in ("train", "valid")}


def share_of(deadline: float, count: int) -> float:
    """The time at which the first of ``count`` equal parts of what is left until ``deadline`` ends."""
    return time.monotonic() + (deadline - time.monotonic()) / count


def classes_of(settings: Settings, dataset: Dataset, split: str) -> Tensor | None:
    """The classes of a split that the model of ``settings`` is conditioned on; None if it is not."""
    count = settings.get("model.num_classes")
    if count is None:
        return None
    classes, names = dataset.classes(split), dataset.origin.get("classes", ())
    if names and len(names) != count:
        named = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        raise ValueError(f"--model.num_classes expects {len(names)}, as the data have the classes {named}, got {count}")
    return classes


def _below(settings: Settings, prefix: str) -> Settings:
    """The settings whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): value for name, value in settings.items() if name.startswith(prefix)}


def model_class(name: str) -> Any:
    """The class that ``name`` names: one of chainrule's models, or the user's own as ``package.module:Class``."""
    module, _, own = name.partition(":")
    if not own:
        if name not in models.MODULES:
            raise ValueError(f"model expects one of {', '.join(models.MODULES)}, got {name!r}")
        return getattr(models, name)
    try:
        found = getattr(import_module(module), own)
    except (ImportError, ValueError, AttributeError) as error:
        raise ValueError(f"model expects package.module:Class that can be imported, got {name!r}: {error}") from None
    if not (isinstance(found, type) and issubclass(found, AutoregressiveModel)):
        raise ValueError(f"model expects a subclass of AutoregressiveModel, got {name!r}, which is none")
    return found


def check_members(settings: Settings, dataset: Dataset) -> bool:
    """True if ``settings`` ask for an ensemble.

    Raises:
        ValueError: If its members can't be built, do not fit together or have too few variants, or data of this kind
            have no ensembles.
    """
    variants = settings.get("variants", 1)
    for name, number in {"members": settings.get("members", 1), "variants": variants}.items():
        if number < 1:
            raise ValueError(f"{name} expects at least 1, got {number}")
    members = member_settings(settings)
    if len(members) == variants == 1 and not settings.get("orders"):
        return False
    if not kind_of(dataset).has_ensembles:
        raise ValueError(
            "members, orders and variants expect other data than recordings or series, which no ensemble reads yet"
        )
    models.Ensemble(models=[require_likelihood(build(member, dataset)) for member in members], variants=variants)
    return True


def member_settings(settings: Settings) -> list[Settings]:
    """The settings of each member of an ensemble: member i has the seed seed + i and the i-th of ``orders``.

    The order ``random`` is another one for each member, by its seed.

    >>> [member["model.order"] for member in member_settings({"members": 2, "seed": 5, "orders": ["random"]})]
    ['random:5', 'random:6']
    """
    orders = settings.get("orders") or [None]
    shared = {key: value for key, value in settings.items() if key not in ENSEMBLE}
    result = []
    for i in range(max(settings.get("members", 1), len(orders))):
        order, seed = orders[i % len(orders)], settings.get("seed", 0) + i
        own = {} if order is None else {"model.order": f"random:{seed}" if order == "random" else order}
        result.append(shared | {"seed": seed} | own)
    return result
