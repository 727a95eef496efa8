"""Commands that fit a model: each runs a recipe and says what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chainrule import runs
from chainrule.abilities import loss_unit_of
from chainrule.cli.parser import UsageError, suggestion
from chainrule.cli.settings import settings_from
from chainrule.cli.writing import plain
from chainrule.model import AutoregressiveModel
from chainrule.runs import folder
from chainrule.tasks.describe import describe
from chainrule.training import is_first_process


def run_fit(options: dict[str, Any]) -> None:
    """``chainrule fit``."""
    out, resume, as_json, config = (options.pop(name) for name in ("out", "resume", "json", "config"))
    settings = settings_from(options, runs.read(config) if config else {})
    finished = (out / folder.WEIGHTS).exists()
    done = _interruptible(lambda: runs.run(settings, out, resume=resume), "; repeat the command with --resume to go on")
    if not is_first_process():
        return
    record = done.config["training"]
    if as_json:
        print(json.dumps({"run": str(out), "model": settings["model"], **record}))
        return
    if resume and finished:
        print(f"{out} is finished already; nothing was left to do")
    where = f"at epoch {record['best_epoch']}, of 0 to {record['epochs'] - 1}, {record['minutes']:.1f} minutes"
    print(f"{describe(done.model)}")
    if isinstance(done.model, AutoregressiveModel):
        independent = f"independent variables: {record['independent_valid_nats']:.3f}"
        print(f"validation NLL {record['valid_nats']:.3f} nats ({independent}) {where}")
    else:
        print(f"validation loss {record['valid_loss']:.3f} {loss_unit_of(done.model)} {where}")
    data = done.dataset
    kinds = {"samples.txt": data.text, "samples.wav": data.audio, "samples.csv": data.schema or data.series}
    samples = next((name for name, kind in kinds.items() if kind is not None), "samples.png")
    print(f"{out} holds the model and {samples}; metrics.csv and training.png are beside each model that was fitted")


def run_reproduce(options: dict[str, Any]) -> None:
    """``chainrule reproduce``."""
    path = _recipe(options["recipe"])
    settings = settings_from({}, runs.read(path))
    name = "/".join(path.with_suffix("").parts[-2:])
    out = options["out"] or Path("runs", name)
    result = _interruptible(
        lambda: runs.reproduce(name, settings, out, options["results"]),
        f"; the same command goes on with it in {out}",
    )
    if not is_first_process():
        return
    if options["json"]:
        print(json.dumps(plain(result)))
        return
    published = result["published"]
    beside = f" (published {published['nats']}, {published['source']})" if published else ""
    unit = next((unit for unit in ("character", "byte", "sample") if f"nats_per_{unit}" in result), None)
    if unit is None:
        figure = f"{result['nats']:.3f} +- {result['nats_stderr']:.3f} nats"
    else:
        figure = f"{result[f'nats_per_{unit}']:.4f} nats or {result[f'bits_per_{unit}']:.4f} bits per {unit}"
    print(f"{result['recipe']}: test NLL {figure}{beside}")


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
