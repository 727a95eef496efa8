"""What a command needs before it can call a task: the model, the data, and what is known of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from chainrule import runs
from chainrule.cli.parser import UsageError, suggestion
from chainrule.data import NAMED, NAMES, READING, read_mask
from chainrule.data import load as load_data
from chainrule.data.audio import AudioFormat
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples
from chainrule.data.read import images, recordings
from chainrule.data.schema import TableSchema
from chainrule.data.sequences import Recordings
from chainrule.data.text import TextFormat
from chainrule.devices import check_device
from chainrule.model import AutoregressiveModel, Model
from chainrule.runs import folder, formats


def load_run(options: dict[str, Any]) -> tuple[AutoregressiveModel, dict[str, Any]]:
    """The model of the run folder that was asked for, which must have a likelihood, and what ``config.json`` says."""
    model, config = load_any_run(options)
    if not isinstance(model, AutoregressiveModel):
        name = type(model).__name__
        raise UsageError(
            f"expected a model with a likelihood, got the {name} in {options['run']}: it has a loss, but no p(x) to "
            "evaluate, draw from or compare by (`represent` and `describe` take it); MADE is an autoencoder that has"
        )
    if options.get("label") is not None and model.num_classes is None:
        raise UsageError(f"--class expects a model with num_classes, got one without, in {options['run']}")
    return model, config


def load_background(options: dict[str, Any], model: AutoregressiveModel, config: dict[str, Any]) -> AutoregressiveModel:
    """The model of the run that ``--background`` names, which must be of the same kind of data as ``model``."""
    background, other = load_run(options | {"run": options["background"]})
    if background.event_shape != model.event_shape and not background.any_length:
        raise UsageError(f"--background expects examples of shape {model.event_shape}, got {background.event_shape}")
    for kind in ("text", "audio", "series", "schema"):
        if config.get("data", {}).get(kind) != other.get("data", {}).get(kind):
            raise UsageError(f"--background expects a run on the same data as {options['run']}, got another {kind}")
    if repr(background.conditional) != repr(model.conditional) or background.num_classes != model.num_classes:
        raise UsageError(
            f"--background expects values of {model.conditional} and {model.num_classes or 'no'} classes, "
            f"got {background.conditional} and {background.num_classes or 'none'}"
        )
    return background


def settle_data(options: dict[str, Any]) -> None:
    """Take a named set that was given as DATA for ``--data``."""
    if options["file"] is not None and options["data"] is not None:
        raise UsageError(f"expected DATA or --data, got both: {options['file']} and {options['data']}")
    if str(options["file"]) in NAMES:
        options["data"], options["file"] = str(options["file"]), None


def load_any_run(options: dict[str, Any]) -> tuple[Model, dict[str, Any]]:
    """As `load_run`, of a model with or without a likelihood."""
    device = check_device(options["device"])
    config = folder.read_config(options["run"])
    model = folder.load(options["run"], classes=runs.own_classes(config.get("settings", {})))
    return model.to(device), config


def dataset_of(spec: str | None, config: dict[str, Any], model: Model) -> Dataset:
    """The data that was asked for, or else what the run was fitted on."""
    settings = config.get("settings", {})
    if spec is None and "data" not in settings:
        raise UsageError("expected --data, for this run does not say what it was fitted on")
    reading = {name: settings.get(name) for name in READING}
    known = config.get("data", {})
    if "text" in known:
        reading["vocabulary"] = TextFormat.from_config(known["text"]).vocabulary
    if "text" in known and spec in NAMES and NAMED[spec].kind != "text":
        raise UsageError(f"--data expects text, as the run was fitted on text, got {spec}")
    if "audio" in known and spec not in NAMES:
        reading["sample_rate"] = known["audio"]["sample_rate"]
    if "schema" in known and spec not in NAMES and (spec is not None or settings["data"] not in NAMES):
        reading["schema"] = TableSchema.from_config(known["schema"])
    if spec is not None:
        reading["skip_unreadable"] = None  # it was said of the folder that the run was fitted on
    else:
        # A path that was relative then is where it was, wherever this command runs.
        spec = settings["data"] if settings["data"] in NAMES else known.get("path", settings["data"])
    dataset = load_data(spec, seed=settings.get("seed", 0), **reading)
    audio = formats.audio(dataset)
    if "audio" in known and (audio is None or audio.config != known["audio"]):
        got = dataset.description if audio is None else f"{audio.sample_rate} Hz, {audio.words}"
        fitted = AudioFormat(**known["audio"])
        raise UsageError(
            f"--data expects recordings, {fitted.sample_rate} Hz, {fitted.words}, as the run was fitted on, got {got}"
        )
    if formats.text(dataset) is None and dataset.event_shape != model.event_shape:
        raise UsageError(f"--data expects examples of shape {model.event_shape}, got {dataset.event_shape} in {spec}")
    return dataset


def asked_examples(
    options: dict[str, Any], config: dict[str, Any], model: Model
) -> tuple[Examples, Tensor | None, list[str] | None]:
    """What a command is to be applied to, its classes for a model that is conditioned on them, and names of files.

    All of the path that was given as DATA; of ``--data`` the split that was asked for. See `settle_data`.
    """
    examples: Examples
    names: list[str] | None = None
    if options["file"] is not None:
        settings, known = config.get("settings", {}), config.get("data", {})
        audio = AudioFormat(**known["audio"]) if "audio" in known else None
        if audio is not None:
            examples, names = recordings.read_all(options["file"], audio, bool(settings.get("trim_silence")))
        else:
            examples, names = images.read_all(options["file"], model.event_shape, levels_of(model))
    else:
        dataset = dataset_of(options["data"], config, model)
        examples = dataset.split(options["split"])
        names = list(examples.names) if isinstance(examples, Recordings) else None
    if model.num_classes is None:
        return examples, None, names
    if options["file"] is not None or options["label"] is not None:
        return examples, one_class(options, model, len(examples)), names
    return examples, dataset.classes(options["split"]), names


def levels_of(model: Model) -> int:
    """How many values a variable takes."""
    values = model.conditional.values
    return len(values) if values is not None else 2


def one_class(options: dict[str, Any], model: Model, count: int) -> Tensor | None:
    """The class that ``--class`` asks for, of each of ``count`` examples."""
    if options["label"] is None and model.num_classes is not None:
        raise UsageError(f"expected --class, from 0 to {model.num_classes - 1}, as the model is conditioned on classes")
    return None if options["label"] is None else torch.full((count,), options["label"])


def classes_of(model: Model, dataset: Dataset, split: str) -> Tensor | None:
    """The classes of a split, for a model that is conditioned on them."""
    return None if model.num_classes is None else dataset.classes(split)


def first_examples(examples: Examples, options: dict[str, Any]) -> Tensor:
    """The first ``-n`` examples.

    Raises:
        UsageError: If they have lengths of their own.
    """
    if examples.ragged:
        raise UsageError(
            "this command expects examples of one length, got recordings; sample, complete, score, classify take them"
        )
    if options["n"] < 1:
        raise ValueError(f"n expects at least 1, got {options['n']}")
    return examples[: options["n"]]


def observation(words: str, model: AutoregressiveModel) -> Tensor:
    """Which variables ``--observe`` calls known, ``event_shape``.

    Raises:
        ValueError: If it is no known word, no fraction, and no file of a mask.
    """
    if words in ("top-half", "bottom-half"):
        if len(model.event_shape) < 2:
            raise ValueError(f"--observe {words} expects images, got examples of shape {model.event_shape}")
        in_top = torch.arange(model.event_shape[-2]) < model.event_shape[-2] // 2
        rows = in_top if words == "top-half" else ~in_top
        return rows[:, None].expand(model.event_shape)
    if words and Path(words).exists():
        return read_mask(words, model.event_shape)
    fraction = fraction_of(words, "top-half, bottom-half, first-half, a fraction or a file of a mask")
    known = torch.arange(model.num_variables) < round(fraction * model.num_variables)
    return model.order.unflatten(known.unsqueeze(0).to(model.device))[0].cpu()


def fraction_of(words: str, expected: str) -> float:
    """Which share of an example ``--observe`` calls known, from its beginning on.

    Raises:
        ValueError: If it is no fraction; ``expected`` says what it may be.
    """
    try:
        fraction = 0.5 if words == "first-half" else float(words)
    except ValueError:
        hint = suggestion(words, ["top-half", "bottom-half", "first-half"])
        raise ValueError(f"--observe expects {expected}, got {words!r}{hint}") from None
    if not 0 <= fraction <= 1:
        raise ValueError(f"--observe expects a fraction from 0 to 1, got {words}")
    return fraction
