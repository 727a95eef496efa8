"""What is to be fitted, on what, and how: flat settings, as a recipe or a command line gives them."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import yaml

from chainrule import conditionals, data, models
from chainrule.conditionals import Bernoulli, Categorical, Conditional, DiscretizedLogisticMixture, GaussianMixture
from chainrule.conditionals.real import Real
from chainrule.data.audio import LINEAR
from chainrule.data.dataset import Dataset
from chainrule.model import AutoregressiveModel
from chainrule.runs import formats
from chainrule.sequence import SequenceModel

Settings = dict[str, Any]
"""What a recipe says: ``model``, ``model.<argument>``, ``conditional``, ``conditional.<argument>``, ``data``, how it is
read (`chainrule.data.READING`), the settings of `chainrule.fit`, and of an ensemble: ``members`` (models to fit, each
with a seed of its own), ``orders`` (theirs, in turn) and ``variants`` (so many orders or masks of each to average)."""

ENSEMBLE = ("members", "orders", "variants")
"""Settings that make an ensemble."""

ONE_HOT_UP_TO = 32
"""Levels up to which values are read by a network one-hot; more are read as one number, but for text and audio."""


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


def load_data(settings: Settings) -> Dataset:
    """The data set that ``settings`` name, read as they say."""
    reading = {name: settings.get(name) for name in data.READING}
    return data.load(settings["data"], seed=settings.get("seed", 0), **reading)


def conditional_for(dataset: Dataset, settings: Settings) -> Conditional:
    """The conditional for the variables of ``dataset``: the one that ``settings`` name, or else the usual one.

    Raises:
        ValueError: If the family does not take so many levels, or an argument that was given.
    """
    arguments = {
        key.removeprefix("conditional."): value for key, value in settings.items() if key.startswith("conditional.")
    }
    if formats.series(dataset) is not None:
        return formats.series(dataset).conditional(_real(settings, arguments) or GaussianMixture())
    if formats.schema(dataset) is not None:
        return formats.schema(dataset).conditional(_real(settings, arguments))
    if "conditional" in settings:
        family = getattr(conditionals, settings["conditional"])
        takes = inspect.signature(family).parameters
        if "categories" in takes:
            arguments["categories"] = dataset.levels
        elif issubclass(family, Real):
            raise ValueError(f"conditional {family.__name__} expects real numbers, got {dataset.levels} levels")
        elif dataset.levels != 2:
            raise ValueError(f"conditional {family.__name__} expects binary data, got {dataset.levels} levels")
        wrong = [name for name in arguments if name not in takes]
        if wrong:
            raise ValueError(f"conditional {family.__name__} expects no conditional.{wrong[0]}, got one")
        chosen: Conditional = family(**arguments)
        return chosen
    if arguments:
        raise ValueError(f"conditional.{next(iter(arguments))} expects a conditional to be named, got none")
    if dataset.levels == 2:
        return Bernoulli()
    if formats.audio(dataset) is not None and dataset.levels == LINEAR:
        return DiscretizedLogisticMixture(dataset.levels)
    symbols = formats.text(dataset) is not None or formats.audio(dataset) is not None
    one_hot = dataset.levels <= ONE_HOT_UP_TO or symbols
    return Categorical(dataset.levels, encoding="one_hot" if one_hot else "scalar")


def _real(settings: Settings, arguments: Settings) -> Conditional | None:
    """The family of real columns, that of ``settings`` or the usual one."""
    if "conditional" not in settings:
        if arguments:
            raise ValueError(f"conditional.{next(iter(arguments))} expects a conditional to be named, got none")
        return None
    family = getattr(conditionals, settings["conditional"])
    if not issubclass(family, Real):
        raise ValueError(f"conditional expects a family of real numbers for a table, got {family.__name__}")
    takes = inspect.signature(family).parameters
    if wrong := [name for name in arguments if name not in takes]:
        raise ValueError(f"conditional {family.__name__} expects no conditional.{wrong[0]}, got one")
    chosen: Conditional = family(**arguments)
    return chosen


def build(settings: Settings, dataset: Dataset) -> AutoregressiveModel:
    """The untrained model that ``settings`` ask for, for the examples of ``dataset``."""
    torch.manual_seed(settings.get("seed", 0))
    arguments = {key.removeprefix("model."): value for key, value in settings.items() if key.startswith("model.")}
    arguments |= {"event_shape": dataset.event_shape, "conditional": conditional_for(dataset, settings)}
    chosen = model_class(settings["model"])
    of_sequences, takes = issubclass(chosen, SequenceModel), inspect.signature(chosen).parameters
    if (formats.audio(dataset) or formats.series(dataset)) is not None and not of_sequences:
        raise ValueError(f"recordings and series expect a model of sequences (WaveNet, RNN), got {settings['model']}")
    if formats.text(dataset) is not None and formats.text(dataset).documents:
        if of_sequences and "end_symbol" not in takes:
            raise ValueError(f"documents expect a model that can end them (RNN), got {settings['model']}")
        if "end_symbol" in takes:
            arguments["end_symbol"] = formats.text(dataset).vocabulary.end
    if "order" in arguments and "order" not in takes:
        raise ValueError(
            f"orders expects a model that takes an order, got {settings['model']}, which has one of its own"
        )
    model: AutoregressiveModel = chosen(**arguments)
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


def own_classes(settings: Settings) -> dict[str, type]:
    """The user's own class that ``settings`` name, by its name, as `hub.load` takes it."""
    name = str(settings.get("model", ""))
    return {name.partition(":")[2]: model_class(name)} if ":" in name else {}
