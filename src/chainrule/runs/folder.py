"""Run folders: save a model so that it can be rebuilt, and load it without executing anything it holds."""

from __future__ import annotations

import json
import platform
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
from chainrule.model import Model

FORMAT = 1
"""The layout of ``config.json`` that this release writes; it reads this one and older ones."""

WEIGHTS, CONFIG = "model.safetensors", "config.json"


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
    write_atomically(folder / WEIGHTS, safetensors.torch.save(weights))
    write_config(model, folder, **record)


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
    folder, classes = Path(folder), classes or {}
    config = read_config(folder)
    try:
        name, arguments = config["model"]["class"], dict(config["model"]["arguments"])
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{folder / CONFIG} expects a 'model' with 'class' and 'arguments', got none") from None
    model_class = _find(name, {**dict.fromkeys(models.MODULES), **classes}, models, "model")
    try:
        model = model_class(**{key: _rebuild(value, classes) for key, value in arguments.items()})
    except (TypeError, AttributeError) as error:
        raise ValueError(f"{folder / CONFIG} does not fit {name} of this version of chainrule: {error}") from None
    try:
        model.load_state_dict(safetensors.torch.load_file(folder / WEIGHTS))
    except FileNotFoundError:
        raise ValueError(f"{folder} expects the weights in {WEIGHTS}, got no such file") from None
    except safetensors.SafetensorError as error:
        raise ValueError(f"{folder / WEIGHTS} is damaged or truncated: {error}") from None
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{folder / WEIGHTS} does not fit the model in {CONFIG}: {reason}") from None
    return model.eval()


def read_config(folder: str | Path) -> dict[str, Any]:
    """The content of a run folder's ``config.json``.

    Raises:
        ValueError: If it is missing, no JSON object, or of a later format.
    """
    path = Path(folder) / CONFIG
    try:
        config = json.loads(path.read_text())
    except OSError as error:
        raise ValueError(f"{folder} expects a run folder with {CONFIG}, got: {error.strerror}") from None
    except ValueError:
        raise ValueError(f"{path} is damaged: it is no JSON") from None
    if not isinstance(config, dict) or not isinstance(config.get("format"), int):
        raise ValueError(f"{path} expects a JSON object with a 'format', got something else")
    wrong = [name for name in ("settings", "data", "training") if not isinstance(config.get(name, {}), dict)]
    if wrong:
        raise ValueError(f"{path} expects an object under {wrong[0]!r}, got something else")
    if config["format"] > FORMAT:
        raise ValueError(
            f"{path} expects format {FORMAT} or older, got {config['format']}: it was written by a later chainrule; "
            "upgrade to read it"
        )
    return config


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


def _rebuild(value: Any, classes: Mapping[str, type]) -> Any:
    """The argument that `_plain` wrote."""
    if isinstance(value, list):
        return [_rebuild(item, classes) for item in value]
    if isinstance(value, dict) and set(value) == {"class", "arguments"}:
        arguments = {key: _rebuild(item, classes) for key, item in value["arguments"].items()}
        if value["class"] in models.MODULES:
            return getattr(models, value["class"])(**arguments)
        names = {**dict.fromkeys(conditionals.__all__), **classes}
        return _find(value["class"], names, conditionals, "conditional")(**arguments)
    return value


def _find(name: str, names: Mapping[str, Any], module: Any, kind: str) -> Any:
    if not isinstance(name, str) or name not in names:
        raise ValueError(
            f"expected a {kind} of chainrule ({', '.join(names)}), got {name!r}: pass your own class by hand, "
            f"load(folder, classes={{{name!r}: ...}})"
        )
    return names[name] or getattr(module, name)
