"""Commands that need a model: each loads, calls one task, and writes or prints what came of it."""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from chainrule import hub, plots, recipes
from chainrule.cli.parser import UsageError, settings_from, suggestion
from chainrule.cli.writing import PICTURES, check_suffix, write_examples
from chainrule.data import load as load_data
from chainrule.data import read_mask
from chainrule.data.dataset import Dataset
from chainrule.devices import check_device
from chainrule.model import AutoregressiveModel
from chainrule.tasks.complete import COLLAPSE, completion
from chainrule.tasks.describe import describe
from chainrule.tasks.evaluate import evaluate
from chainrule.tasks.sample import sample
from chainrule.training import is_first_process


def run_fit(options: dict[str, Any]) -> None:
    """``chainrule fit``."""
    out, resume, as_json, config = (options.pop(name) for name in ("out", "resume", "json", "config"))
    settings = settings_from(options, recipes.read(config) if config else {})
    finished = (out / hub.WEIGHTS).exists()
    done = _interruptible(lambda: recipes.run(settings, out, resume=resume), f"; go on with it by --resume --out {out}")
    if not is_first_process():
        return
    record = done.config["training"]
    if as_json:
        print(json.dumps({"run": str(out), "model": settings["model"], **record}))
        return
    if resume and finished:
        print(f"{out} is finished already; nothing was left to do")
    where = f"at epoch {record['best_epoch']}, of 0 to {record['epochs'] - 1}, {record['minutes']:.1f} minutes"
    if isinstance(done.model, AutoregressiveModel):
        print(f"{describe(done.model)}")
        independent = f"independent variables: {record['independent_valid_nats']:.3f}"
        print(f"validation NLL {record['valid_nats']:.3f} nats ({independent}) {where}")
    else:
        print(f"{type(done.model).__name__}: {done.model.num_parameters:,} parameters, no likelihood")
        print(f"validation loss {record['valid_nats']:.3f} {where}")
    print(f"{out} holds the model and samples.png; metrics.csv and training.png are beside each model that was fitted")


def run_reproduce(options: dict[str, Any]) -> None:
    """``chainrule reproduce``."""
    path = _recipe(options["recipe"])
    settings = settings_from({}, recipes.read(path))
    name = "/".join(path.with_suffix("").parts[-2:])
    out = options["out"] or Path("runs", name)
    result = _interruptible(
        lambda: recipes.reproduce(name, settings, out, options["results"]),
        f"; the same command goes on with it in {out}",
    )
    if not is_first_process():
        return
    if options["json"]:
        print(json.dumps(_finite(result)))
        return
    published = result["published"]
    beside = f" (published {published['nats']}, {published['source']})" if published else ""
    print(f"{result['recipe']}: test NLL {result['nats']:.3f} +- {result['nats_stderr']:.3f} nats{beside}")


def run_evaluate(options: dict[str, Any]) -> None:
    """``chainrule evaluate``."""
    model, config = _load(options)
    dataset = _dataset(options["data"], config, model)
    labels = _labels(model, dataset, options["split"])
    result = evaluate(model, dataset.split(options["split"]), context=labels, batch_size=options["batch_size"])
    if options["json"]:
        about = {"run": str(options["run"]), "model": type(model).__name__, "data": dataset.name}
        print(json.dumps(_finite(result.as_dict() | about | {"split": options["split"]})))
        return
    print(f"{dataset.description}, {options['split']}: {result.examples} examples")
    print(f"{result.nats:.4f} +- {result.nats_stderr:.4f} nats, {result.bits_per_dim:.4f} bits per dimension")
    if result.member_nats:
        low, high = min(result.member_nats), max(result.member_nats)
        print(f"the log of the mean of {len(result.member_nats)} members, of {low:.4f} to {high:.4f} nats each")


def run_sample(options: dict[str, Any]) -> None:
    """``chainrule sample``."""
    check_suffix(options["out"])
    model, _ = _load(options)
    x = sample(model, options["n"], context=_classes(options, model, options["n"]), **_drawing(options))
    write_examples(x.cpu(), options["out"], _levels(model))
    print(f"wrote {options['n']} examples to {options['out']}", file=sys.stderr)


def run_complete(options: dict[str, Any]) -> None:
    """``chainrule complete``."""
    check_suffix(options["out"])
    for name in ("n", "draws"):
        if options[name] < 1:
            raise ValueError(f"{name} expects at least 1, got {options[name]}")
    model, config = _load(options)
    examples = _dataset(options["data"], config, model).split(options["split"])
    truth = examples[: options["n"]]
    observed = observation(options["observe"], model)
    drawing = _drawing(options)
    seed = drawing.pop("seed")
    drawing |= {"particles": options["particles"], "context": _classes(options, model, len(truth))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said below, for all draws
        done = [completion(model, truth, observed, seed=seed + draw, **drawing) for draw in range(options["draws"])]
    draws = torch.stack([completed.x.cpu() for completed in done])
    if options["out"].suffix in PICTURES:
        plots.completions(truth, observed, draws, options["out"], levels=_levels(model))
    else:
        write_examples(draws.flatten(0, 1), options["out"], _levels(model), truth=truth, observed=observed)
    print(f"wrote {len(draws)} x {len(truth)} completions to {options['out']}; {done[0].method}", file=sys.stderr)
    sizes = [completed.effective_sample_size for completed in done if completed.effective_sample_size is not None]
    if sizes:
        size = float(torch.cat(sizes).median())
        advice = "; they are rough: use more --particles" if size < COLLAPSE else ""
        print(f"least effective sample size along the walk, median: {size:.1f}{advice}", file=sys.stderr)


def run_conditionals(options: dict[str, Any]) -> None:
    """``chainrule conditionals``: the NADE figure."""
    check_suffix(options["out"], PICTURES)
    if options["n"] < 1:
        raise ValueError(f"n expects at least 1, got {options['n']}")
    model, config = _load(options)
    if options["data"]:
        x = _dataset(options["data"], config, model).split(options["split"])[: options["n"]]
    else:
        x = sample(model, options["n"], seed=options["seed"])
    with torch.no_grad():
        x = model.check(x.to(model.device))
        distribution = model(x)
        values = model.conditional.values
        assert values is not None
        log_probs = torch.stack([distribution.log_prob(value) for value in values.to(x)], dim=-1)
        means = (log_probs.exp() * values.to(x)).sum(-1)
    plots.conditionals_figure(x.cpu(), means.cpu(), options["out"], levels=_levels(model))
    print(f"wrote {len(x)} examples beside their conditional means to {options['out']}", file=sys.stderr)


def run_describe(options: dict[str, Any]) -> None:
    """``chainrule describe``."""
    model, _ = _load(options)
    description = describe(model)
    print(json.dumps(description.as_dict()) if options["json"] else description)


def observation(words: str, model: AutoregressiveModel) -> Tensor:
    """Which variables ``--observe`` calls known, ``event_shape``.

    Raises:
        ValueError: If it is no known word, no fraction, and no file of a mask.
    """
    if words == "top-half":
        if len(model.event_shape) < 2:
            raise ValueError(f"--observe top-half expects images, got examples of shape {model.event_shape}")
        observed = torch.zeros(model.event_shape, dtype=torch.bool)
        observed[..., : model.event_shape[-2] // 2, :] = True
        return observed
    if words and Path(words).exists():
        return read_mask(words, model.event_shape)
    try:
        fraction = 0.5 if words == "first-half" else float(words)
    except ValueError:
        hint = suggestion(words, ["top-half", "first-half"])
        raise ValueError(
            f"--observe expects top-half, first-half, a fraction or a file of a mask, got {words!r}{hint}"
        ) from None
    if not 0 <= fraction <= 1:
        raise ValueError(f"--observe expects a fraction from 0 to 1, got {words}")
    known = torch.arange(model.num_variables) < round(fraction * model.num_variables)
    return model.order.unflatten(known.unsqueeze(0).to(model.device))[0].cpu()


def _load(options: dict[str, Any]) -> tuple[AutoregressiveModel, dict[str, Any]]:
    device = check_device(options["device"])
    config = hub.read_config(options["run"])
    model = hub.load(options["run"], classes=recipes.own_classes(config.get("settings", {})))
    return model.to(device), config


def _dataset(spec: str | None, config: dict[str, Any], model: AutoregressiveModel) -> Dataset:
    """The data that was asked for, or else what the run was fitted on."""
    settings = config.get("settings", {})
    if spec is None and "data" not in settings:
        raise UsageError("expected --data, for this run does not say what it was fitted on")
    levels, seed = settings.get("levels"), settings.get("seed", 0)
    if spec is None:
        # A path that was relative then is where it was, wherever this command runs.
        spec = config.get("data", {}).get("path", settings["data"])
    return load_data(spec, levels=levels, seed=seed)


def _levels(model: AutoregressiveModel) -> int:
    values = model.conditional.values
    return len(values) if values is not None else 2


def _classes(options: dict[str, Any], model: AutoregressiveModel, count: int) -> Tensor | None:
    """The class that ``--class`` asks for, of each of ``count`` examples."""
    if options["label"] is None and model.num_classes is not None:
        raise UsageError(f"expected --class, from 0 to {model.num_classes - 1}, as the model is conditioned on classes")
    return None if options["label"] is None else torch.full((count,), options["label"])


def _labels(model: AutoregressiveModel, dataset: Dataset, split: str) -> Tensor | None:
    """The classes of a split, for a model that is conditioned on them."""
    if model.num_classes is None:
        return None
    if dataset.labels is None:
        raise ValueError(f"a model with num_classes expects data with classes, got {dataset.name}, which has none")
    return dataset.labels[split]


def _drawing(options: dict[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in ("seed", "temperature", "top_k", "top_p", "greedy")}


def _finite(result: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in result.items()
    }


def _interruptible(action: Callable[[], Any], advice: str) -> Any:
    try:
        return action()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"; the last checkpoint is kept{advice}") from None


def _recipe(name: str) -> Path:
    """A recipe by its path, or by its name below ``recipes``."""
    for path in (Path(name), Path("recipes", f"{name}.yaml")):
        if path.is_file():
            return path
    names = [str(path.relative_to("recipes").with_suffix("")) for path in sorted(Path("recipes").glob("*/*.yaml"))]
    known = f" or one of {', '.join(names)}" if names else "; there is no folder recipes here"
    raise UsageError(f"no recipe {name!r}{suggestion(name, names)}; expected a file{known}")


COMMANDS: dict[str, Callable[[dict[str, Any]], None]] = {
    "fit": run_fit,
    "reproduce": run_reproduce,
    "evaluate": run_evaluate,
    "sample": run_sample,
    "complete": run_complete,
    "conditionals": run_conditionals,
    "describe": run_describe,
}
