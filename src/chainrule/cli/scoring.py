"""Commands that say something of examples or of a model: each loads, calls one task, and prints or writes numbers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from chainrule import plots, runs
from chainrule.abilities import components_of
from chainrule.cli.anomaly import run_scores
from chainrule.cli.audio import audio_format, score_audio
from chainrule.cli.loading import (
    asked_examples,
    classes_of,
    dataset_of,
    first_examples,
    levels_of,
    load_any_run,
    load_run,
    observation,
    one_class,
    settle_data,
)
from chainrule.cli.parser import UsageError
from chainrule.cli.rows import score_table
from chainrule.cli.series import score_series, series_of
from chainrule.cli.tables import table_schema
from chainrule.cli.text import score_text, text_format
from chainrule.cli.writing import ARRAYS, PICTURES, check_suffix, plain, write_array
from chainrule.model import AutoregressiveModel
from chainrule.tasks.classify import class_prior, classify, classify_progressively
from chainrule.tasks.describe import describe
from chainrule.tasks.marginal import marginal
from chainrule.tasks.receptive_field import receptive_field
from chainrule.tasks.represent import represent
from chainrule.tasks.sample import sample
from chainrule.tasks.score import surprisals

MAPS = 16
"""Examples whose surprisals are given by default."""
PRIORS = {"train": "class frequencies of the training split", "uniform": "same probability for every class"}


def run_evaluate(options: dict[str, Any]) -> None:
    """``chainrule evaluate``."""
    model, config = load_run(options)
    dataset = dataset_of(options["data"], config, model)
    result, figures = runs.evaluate_split(model, dataset, options["split"], batch_size=options["batch_size"])
    if options["json"]:
        about = {"run": str(options["run"]), "model": type(model).__name__, "data": dataset.name}
        print(json.dumps(plain(result.as_dict() | figures | about | {"split": options["split"]})))
        return
    print(f"{dataset.description}, {options['split']}: {result.examples} examples")
    if dataset.text is not None:
        unit = dataset.text.vocabulary.unit
        each = f"{figures[f'nats_per_{unit}']:.4f} nats or {figures[f'bits_per_{unit}']:.4f} bits per {unit}"
        print(f"{result.nats:.4f} nats per example; {each}, perplexity {figures['perplexity']:.4f}")
        if figures.get("unknown_characters"):
            print(f"{figures['unknown_characters']} characters are new to the model, and read as one unknown symbol")
    elif dataset.series is not None:
        print(f"{figures['nats_per_value']:.4f} nats per value")
    elif dataset.audio is not None:
        each = f"{figures['nats_per_sample']:.4f} nats or {figures['bits_per_sample']:.4f} bits per sample"
        print(f"{result.nats:.4f} +- {result.nats_stderr:.4f} nats per recording; {each}")
    elif dataset.schema is not None:
        print(f"{result.nats:.4f} +- {result.nats_stderr:.4f} nats per row, in the file's units")
    else:
        print(f"{result.nats:.4f} +- {result.nats_stderr:.4f} nats, {result.bits_per_dim:.4f} bits per dimension")
    if result.member_nats:
        low, high = min(result.member_nats), max(result.member_nats)
        print(f"the log of the mean of {len(result.member_nats)} members, of {low:.4f} to {high:.4f} nats each")


def run_marginal(options: dict[str, Any]) -> None:
    """``chainrule marginal``."""
    model, config = load_run(options)
    x = first_examples(dataset_of(options["data"], config, model).split(options["split"]), options)
    settings = {name: options[name] for name in ("particles", "repeats", "seed")}
    observed = observation(options["observe"], model)
    found = marginal(model, x, observed, context=one_class(options, model, len(x)), **settings)
    if options["json"]:
        numbers = {"log_prob": found.log_prob.tolist(), "stderr": found.stderr.tolist()}
        print(json.dumps({"exact": found.exact, "method": found.method, **numbers}))
        return
    known = f"{int(observed.sum())} of {observed.numel()} variables known"
    print(f"log p(known), nats, {known}; {found.method}")
    for log_prob, stderr in zip(found.log_prob.tolist(), found.stderr.tolist(), strict=True):
        print(f"{log_prob:.4f}" if found.exact else f"{log_prob:.4f} +- {stderr:.4f}")


def run_score(options: dict[str, Any]) -> None:
    """``chainrule score``."""
    settle_data(options)
    if options["n"] is not None and options["n"] < 1:
        raise ValueError(f"n expects at least 1, got {options['n']}")
    if options["score"] is not None:
        run_scores(options)
        return
    for name in ("background", "group"):
        if options[name] is not None:
            raise UsageError(f"--{name} expects --score, got none")
    model, config = load_run(options)
    text = text_format(config)
    if text is not None:
        options["per"] = options["per"] or "line"
        score_text(options, model, text)
        return
    if (schema := table_schema(config)) is not None:
        options["per"] = options["per"] or "row"
        score_table(options, model, config, schema)
        return
    if options["per"] is not None:
        raise UsageError(f"--per expects a run on text or on a table with kinds of columns, got {options['run']}")
    options["n"] = MAPS if options["n"] is None else options["n"]
    if audio_format(config) is not None:
        score_audio(options, model, config)
        return
    if (series := series_of(config)) is not None:
        score_series(options, model, config, series)
        return
    if options["out"] is None:
        raise UsageError("score expects --out, as the run was not fitted on text")
    check_suffix(options["out"])
    examples, classes, _ = asked_examples(options, config, model)
    x = first_examples(examples, options)
    nats = surprisals(model, x, None if classes is None else classes[: len(x)]).cpu()
    if options["out"].suffix in PICTURES:
        plots.surprisal_map(x, nats, options["out"], levels=levels_of(model))
    else:
        write_array("nats", nats.numpy(), options["out"], examples=x)
    mean = nats.flatten(1).sum(1).mean().item()
    print(f"wrote the surprisals of {len(x)} examples to {options['out']}; {mean:.3f} nats each", file=sys.stderr)


def run_classify(options: dict[str, Any]) -> None:
    """``chainrule classify``."""
    if options["out"]:
        check_suffix(options["out"])
    if options["prior"] not in ("train", "uniform"):
        raise UsageError(f"--prior expects train or uniform, got {options['prior']!r}")
    model, config = load_run(options)
    if options["out"] and options["out"].suffix in PICTURES and len(components_of(model)) > 1:
        raise UsageError(
            f"--out {options['out']} expects a model of one order, to show p(c | x_<t) along it, "
            f"got a mixture over orders: write p(c | x) into one of {', '.join(ARRAYS)}"
        )
    dataset = dataset_of(options["data"], config, model)
    examples = dataset.split(options["split"])
    labels = dataset.labels[options["split"]] if dataset.labels is not None else None
    prior = None
    if options["prior"] == "train" and model.num_classes is not None:
        prior = class_prior(dataset.classes("train"), model.num_classes)
    log_probs = classify(model, examples, prior=prior, batch_size=options["batch_size"])
    result: dict[str, Any] = {"examples": len(log_probs), "prior": options["prior"]}
    if labels is not None:
        result["accuracy"] = (log_probs.argmax(1) == labels).double().mean().item()
        result["nats"] = -log_probs.gather(1, labels[:, None]).mean().item()
    if options["out"] and options["out"].suffix in PICTURES:
        x = first_examples(examples, options)
        progress = classify_progressively(model, x, prior=prior).exp()
        plots.progressive_classes(x, progress, options["out"], levels=levels_of(model), labels=labels)
    elif options["out"]:
        more = {} if labels is None else {"classes": labels}
        write_array("probabilities", log_probs.exp().numpy(), options["out"], **more)
    if options["json"]:
        about = {"run": str(options["run"]), "model": type(model).__name__, "data": dataset.name}
        print(json.dumps(result | about | {"split": options["split"]}))
        return
    print(f"{dataset.description}, {options['split']}: {len(log_probs)} examples")
    if labels is not None:
        how = f"-log p(c | x) {result['nats']:.4f} nats, by Bayes' rule with the {PRIORS[options['prior']]}"
        print(f"accuracy {result['accuracy']:.2%}, {how}")
    if options["out"]:
        print(f"wrote {options['out']}", file=sys.stderr)


def run_represent(options: dict[str, Any]) -> None:
    """``chainrule represent``."""
    check_suffix(options["out"], ARRAYS)
    model, config = load_any_run(options)
    dataset = dataset_of(options["data"], config, model)
    context = classes_of(model, dataset, options["split"])
    features = represent(model, dataset.split(options["split"]), context=context, batch_size=options["batch_size"])
    more = {} if dataset.labels is None else {"classes": dataset.labels[options["split"]]}
    write_array("features", features.numpy(), options["out"], **more)
    print(f"wrote {features.shape[1]} features of {len(features)} examples to {options['out']}", file=sys.stderr)


def run_describe(options: dict[str, Any]) -> None:
    """``chainrule describe``."""
    model, config = load_any_run(options)
    if options["out"]:
        _draw_receptive_field(load_run(options)[0], options["out"])
    description = describe(model)
    audio, field = audio_format(config), description.receptive_field
    seconds = None if audio is None or field is None else field / audio.sample_rate
    if options["json"]:
        print(json.dumps(description.as_dict() | {"receptive_field_seconds": seconds}))
        return
    print(description)
    if (schema := table_schema(config)) is not None:
        print(schema)
    if seconds is not None:
        print(f"receptive field: {field:,} samples, {1e3 * seconds:.0f} ms")


def _draw_receptive_field(model: AutoregressiveModel, path: Path) -> None:
    """A picture of what the pixel in the middle depends on, around examples that the model draws itself."""
    check_suffix(path, PICTURES)
    if len(model.event_shape) != 3:
        raise UsageError(f"--out expects a model of images, got one of examples of shape {model.event_shape}")
    _, height, width = model.event_shape
    context = None if model.num_classes is None else torch.zeros(4, dtype=torch.long)
    x = sample(model, 4, seed=0, context=context)
    middle = height // 2 * width + width // 2
    t = int((model.order.permutation == middle).nonzero())
    field = receptive_field(model, x, t, context=context)
    plots.receptive_fields({type(model).__name__: field}, (height // 2, width // 2), path)
