"""Run folders: save a model so that it can be rebuilt, and load it without executing anything it holds."""

from __future__ import annotations

import hashlib
import inspect
import json
import platform
import reprlib
import shlex
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch

from chainrule import conditionals, models
from chainrule.atomic import write_atomically
from chainrule.data import READING
from chainrule.devices import within_free_memory
from chainrule.hashes import sha256_of
from chainrule.model import AutoregressiveModel, Model
from chainrule.settings import CONDITIONAL, ENSEMBLE, setting_types
from chainrule.signatures import check, fits

FORMAT = 1
"""The layout of ``config.json`` that this release writes; it reads this one and older ones."""

WEIGHTS, CONFIG = "model.safetensors", "config.json"

LISTED = 8
"""Runs in a folder that an error names, at most."""

OBJECTS = {"Conditional": conditionals.Conditional, "Model": Model, "AutoregressiveModel": AutoregressiveModel}
"""Classes of arguments that are no plain values."""

OPTIONAL = (*READING, *CONDITIONAL, *ENSEMBLE)
"""Settings of which null stands for the default."""

DATA = {"path": "str", "levels": "int", "fingerprint": "dict", "splits": "dict", "changes": "list", "frames": "str"}
"""Values in the record of the data that are not its kind's own, and their types."""


def save(model: Model, folder: str | Path, **record: Any) -> None:
    """Write ``model.safetensors`` and ``config.json`` into ``folder``, each completely or not at all.

    Args:
        model: The model to save; its constructor's arguments are saved as its ``config``.
        folder: Where to write; made if it is missing.
        record: What else ``config.json`` should say, such as the data and the training; plain JSON.

    Raises:
        OSError: If the folder can't be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    content = safetensors.torch.save(weights)
    write_atomically(folder / WEIGHTS, content)
    hashes = {WEIGHTS: hashlib.sha256(content).hexdigest()}
    write_config(model, folder, **record, sha256=hashes)


def runs_in(folder: Path) -> list[Path]:
    """The run folders in a folder that is none itself, at most two levels below it, sorted."""
    configs = (path for depth in ("*", "*/*") for path in folder.glob(f"{depth}/{CONFIG}"))
    found = {path.parent for path in configs if (path.parent / WEIGHTS).is_file()}
    return sorted(run for run in found if run.parent not in found)


def _in_words(runs: list[Path]) -> str:
    names = [shlex.quote(str(run)) for run in runs[:LISTED]]
    more = f", {len(runs) - LISTED} more" if len(runs) > LISTED else ""
    return f" a folder of {len(runs)} run{'s' * (len(runs) > 1)}: {', '.join(names)}{more}"


def check_hash(path: Path, config: dict[str, Any]) -> None:
    """Raise ``ValueError`` if a file is not the one whose SHA-256 the run's ``config`` has; older runs have none.

    Raises:
        FileNotFoundError: If it is missing.
    """
    expected = config.get("sha256", {}).get(path.name)
    if expected is not None and sha256_of(path) != expected:
        raise ValueError(
            f"{path} is damaged or truncated, or of another run: expected the SHA-256 that {CONFIG} has, got another; "
            "copy the run anew from where it was fitted, or fit again"
        )


def write_config(model: Model, folder: Path, **record: Any) -> None:
    """Write ``config.json`` alone, as `save` does."""
    arguments = {name: _plain(value) for name, value in model.config.items()}
    config = {
        "format": FORMAT,
        "model": {"class": type(model).__name__, "arguments": arguments},
        "versions": versions(),
        **record,
    }
    write_atomically(folder / CONFIG, (json.dumps(config, indent=2) + "\n").encode())


def load(folder: str | Path, *, classes: Mapping[str, type] | None = None) -> Any:
    """Rebuild the model that `save` wrote into ``folder``, in evaluation mode, on the CPU.

    Args:
        folder: A run folder.
        classes: Models and conditionals of your own, by name; all others must be chainrule's.

    Raises:
        ValueError: If a file is missing, damaged, of another version, or names an unknown class.
    """
    folder = Path(folder)
    model = rebuilt(folder, classes=classes)
    try:
        check_hash(folder / WEIGHTS, read_config(folder))
        model.load_state_dict(safetensors.torch.load_file(folder / WEIGHTS))
    except FileNotFoundError:
        raise ValueError(f"{folder} expects the weights in {WEIGHTS}, got no such file") from None
    except safetensors.SafetensorError as error:
        raise ValueError(f"{folder / WEIGHTS} is damaged or truncated: {error}") from None
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{folder / WEIGHTS} does not fit the model in {CONFIG}: {reason}") from None
    return model.eval()


def rebuilt(folder: Path, *, classes: Mapping[str, type] | None = None) -> Any:
    """The model that the ``config.json`` in ``folder`` describes, with the weights of a new one.

    Raises:
        ValueError: If that file is missing, damaged, of another version, or names an unknown class.
    """
    classes = classes or {}
    names = {**dict.fromkeys(models.MODULES), **classes}
    return _built(read_config(folder)["model"], names, models, "model", classes, str(folder / CONFIG))


def read_config(folder: str | Path) -> dict[str, Any]:
    """The content of a run folder's ``config.json``: its layout and its settings are checked here, and only here.

    `load` checks the model's arguments as it builds the model, and a kind checks the record of its data.

    Raises:
        ValueError: If it is missing, no JSON object, of a later format, or has a value of a wrong type.
    """
    path = Path(folder) / CONFIG
    try:
        config = read_json(path)
    except OSError as error:
        inside = runs_in(Path(folder))
        found = _in_words(inside) if inside else f": {error.strerror}"
        raise ValueError(f"{folder} expects a run folder with {CONFIG}, got{found}") from None
    if not fits(config.get("format"), "int"):
        raise ValueError(f"{path} expects a JSON object with a 'format', got something else")
    if config["format"] > FORMAT:
        raise ValueError(
            f"{path} expects format {FORMAT} or older, got {config['format']}: it was written by a later chainrule; "
            "upgrade to read it"
        )
    if not _is_built(config.get("model")):
        raise ValueError(f"{path} expects a 'model' with 'class' and 'arguments', got none")
    for name in ("data", "training", "sha256"):
        if not isinstance(config.get(name, {}), dict):
            raise ValueError(f"{path} expects an object under {name!r}, got {reprlib.repr(config[name])}")
    settings = config.get("settings", {})
    check_settings(settings, path)
    for name in config.get("data", {}).keys() & DATA.keys():
        check(config["data"][name], DATA[name], f"{path}: data.{name}", {"dict": dict, "list": list})
    if "data" in settings and "data" not in config:
        raise ValueError(f"{path} expects 'data', the record of the data in its settings, got none")
    return config


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file of a run folder.

    Raises:
        ValueError: If it holds something else.
        OSError: If it can't be read.
    """
    try:
        content = json.loads(path.read_text())
    except (ValueError, RecursionError):
        raise ValueError(f"{path} is damaged: it is no JSON") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} expects a JSON object, got something else")
    return content


def check_settings(settings: Any, path: Path) -> None:
    """Raise ``ValueError`` if the ``settings`` in a file of a run folder are none, or have a value of a wrong type."""
    if not isinstance(settings, dict):
        raise ValueError(f"{path} expects an object under 'settings', got {reprlib.repr(settings)}")
    types = setting_types()
    for name in settings.keys() & types.keys():
        if settings[name] is not None or name not in OPTIONAL:
            check(settings[name], types[name], f"{path}: settings.{name}")
    if not 0 <= settings.get("seed", 0) < 2**32:
        raise ValueError(f"{path}: settings.seed expects an integer from 0 to {2**32 - 1}, got {settings['seed']}")


def versions() -> dict[str, str]:
    """Versions of chainrule, of Python and of the libraries that a number depends on."""
    libraries = ("chainrule", "torch", "lightning", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in libraries}}


def _plain(value: Any) -> Any:
    """An argument as plain JSON."""
    if isinstance(value, conditionals.Conditional | Model):
        return {"class": type(value).__name__, "arguments": {key: _plain(item) for key, item in value.config.items()}}
    if isinstance(value, torch.Tensor | np.ndarray | np.generic):
        return value.tolist()
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _is_built(value: Any) -> bool:
    """True if ``value`` describes an object that `_built` can build."""
    keys = {"class", "arguments"}
    return isinstance(value, dict) and set(value) == keys and isinstance(value["arguments"], dict)


def _built(
    record: dict[str, Any], names: Mapping[str, Any], module: Any, kind: str, classes: Mapping[str, type], where: str
) -> Any:
    """The object that a ``record`` of a class in ``names`` and its arguments describes."""
    found = _find(record["class"], names, module, kind, where)
    arguments = {name: _rebuild(value, classes, where) for name, value in record["arguments"].items()}
    for name, annotation in _annotations(found).items():
        if name in arguments:
            check(arguments[name], annotation, f"{where}: {name} of {found.__name__}", OBJECTS)
    try:
        with within_free_memory(found.__name__):
            return found(**arguments)
    except (TypeError, AttributeError, LookupError, ArithmeticError, RuntimeError, MemoryError, ValueError) as error:
        raise ValueError(f"{where} does not fit {found.__name__} of this version of chainrule: {error}") from None


def _annotations(cls: type) -> dict[str, str]:
    """The types of the arguments of a constructor, and of those of its base classes, as they are written."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if constructor := vars(base).get("__init__"):
            parameters = inspect.signature(constructor).parameters
            found |= {name: own.annotation for name, own in parameters.items() if isinstance(own.annotation, str)}
    return found


def _rebuild(value: Any, classes: Mapping[str, type], where: str) -> Any:
    """The argument that `_plain` wrote."""
    if isinstance(value, list):
        return [_rebuild(item, classes, where) for item in value]
    if not _is_built(value):
        return value
    if isinstance(value["class"], str) and value["class"] in models.MODULES:
        return _built(value, dict.fromkeys(models.MODULES), models, "model", classes, where)
    names = {**dict.fromkeys(conditionals.__all__), **classes}
    return _built(value, names, conditionals, "conditional", classes, where)


def _find(name: Any, names: Mapping[str, Any], module: Any, kind: str, where: str) -> Any:
    if not isinstance(name, str) or name not in names:
        raise ValueError(
            f"{where}: expected a {kind} of chainrule ({', '.join(names)}), got {name!r}: pass your own class by hand, "
            f"load(folder, classes={{{name!r}: ...}})"
        )
    return names[name] or getattr(module, name)
