"""``chainrule fit`` and ``chainrule reproduce``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from chainrule import runs
from chainrule.abilities import loss_unit_of
from chainrule.cli.opening import print_json
from chainrule.cli.parser import UsageError
from chainrule.cli.settings import settings_from
from chainrule.kinds import kind_of
from chainrule.model import AutoregressiveModel
from chainrule.runs.folder import WEIGHTS
from chainrule.shipped import shipped_folder
from chainrule.tasks.describe import describe
from chainrule.tasks.evaluate import mean_in_words
from chainrule.training import is_first_process
from chainrule.words import suggestion


def run_fit(options: dict[str, Any]) -> None:
    """Fit a model, write its run folder, and print its validation loss."""
    out, resume, as_json, config = (options.pop(name) for name in ("out", "resume", "json", "config"))
    settings = settings_from(options, runs.read(config) if config else {})
    finished = (out / WEIGHTS).exists()
    done = _interruptible(lambda: runs.run(settings, out, resume=resume), "; repeat the command with --resume to go on")
    if not is_first_process():
        return
    record = done.config["training"]
    if as_json:
        print_json({"run": str(out), "model": settings["model"], **record})
        return
    if resume and finished:
        print(f"{out} is finished already; nothing was left to do")
    where = f"at epoch {record['best_epoch']}, of 0 to {record['epochs'] - 1}, {record['minutes']:.1f} minutes"
    print(done.dataset.headline)
    print(describe(done.model))
    if isinstance(done.model, AutoregressiveModel):
        independent = f"independent variables: {record['independent_valid_nats']:.3f}"
        print(f"validation NLL {record['valid_nats']:.3f} nats ({independent}) {where}")
    else:
        print(f"validation loss {record['valid_loss']:.3f} {loss_unit_of(done.model)} {where}")
    samples = kind_of(done.dataset).samples_file
    print(f"{out} holds the model and {samples}; metrics.csv and training.png are beside each model that was fitted")


def run_reproduce(options: dict[str, Any]) -> None:
    """Run a recipe, evaluate the test split once, record the result, and print it."""
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
        print_json(result)
        return
    published = result["published"]
    beside = f" (published {published['nats']}, {published['source']})" if published else ""
    per = [key.removeprefix("bits_per_") for key in result if key.startswith("bits_per_") and key != "bits_per_dim"]
    figure = mean_in_words(result["nats"], result["nats_stderr"], digits=3)
    for unit in per:
        figure = f"{result[f'nats_per_{unit}']:.4f} nats or {result[f'bits_per_{unit}']:.4f} bits per {unit}"
    print(f"{result['recipe']}: test NLL {figure}{beside}")


def _interruptible(action: Callable[[], Any], advice: str) -> Any:
    try:
        return action()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"; the last checkpoint is kept{advice}") from None


def _recipe(name: str) -> Path:
    """Find a recipe by its path, or by its name among those that are shipped."""
    folder = shipped_folder("recipes")
    for path in (Path(name), folder / f"{name}.yaml"):
        if path.is_file():
            return path
    names = [path.relative_to(folder).with_suffix("").as_posix() for path in sorted(folder.glob("*/*.yaml"))]
    raise UsageError(f"no recipe {name!r}{suggestion(name, names)}; expected a file or one of {', '.join(names)}")
