"""``chainrule fit``, ``plan`` and ``reproduce``."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from chainrule import runs
from chainrule.cli.opening import print_json
from chainrule.cli.parser import UsageError
from chainrule.cli.settings import settings_from
from chainrule.endings import Terminated
from chainrule.runs.file import usual_folder
from chainrule.runs.folder import WEIGHTS, read_config
from chainrule.runs.outcome import outcome
from chainrule.runs.run import Run, run
from chainrule.shipped import shipped_folder
from chainrule.tasks.evaluate import mean_in_words
from chainrule.training import is_first_process
from chainrule.words import suggestion


def run_fit(options: dict[str, Any]) -> None:
    """Plan a fit, run it, and say what came of it; with a recipe, run that."""
    out, as_json, config = (options.pop(name) for name in ("out", "json", "config"))
    resume, changed_data = (options.pop(name) for name in ("resume", "changed_data"))
    if changed_data and not resume:
        raise UsageError("--changed-data expects --resume")
    with _named(config):
        settings = settings_from(_with_data(options), runs.read(config) if config else {})
    out = out or usual_folder(settings["data"], resume=resume)
    before = read_config(out) if resume and (out / WEIGHTS).exists() else {}
    say = None if as_json else partial(print, flush=True)

    @_named(config)
    def fit() -> Run:
        if config:
            return run(settings, out, resume=resume, changed_data=changed_data)
        data = settings.pop("data")
        return runs.fit_file(data, out=out, resume=resume, changed_data=changed_data, say=say, **settings)

    again = shlex.join(["chainrule", "fit", str(settings["data"]), "--out", str(out), "--resume"])
    done = _keeping_checkpoints(fit, out, "the same command with --resume" if config else f"`{again}`")
    if not is_first_process():
        return
    record = done.config["training"]
    if as_json:
        print_json({"run": str(out), "model": done.config["settings"]["model"], **record})
        return
    if done.config == before:
        more = "" if config else ": --minutes 10, say, trains it for longer"
        print(f"{out} is finished already; nothing was left to do{more}")
    for line in outcome(done):
        print(line)


def run_plan(options: dict[str, Any]) -> None:
    """Print the plan of a fit."""
    as_json = options.pop("json")
    settings = settings_from(_with_data(options), {})
    planned = runs.plan(settings.pop("data"), **settings)
    if as_json:
        print_json(planned.as_dict())
    else:
        print(planned)


def _with_data(options: dict[str, Any]) -> dict[str, Any]:
    """The options with FILE as ``data``.

    Raises:
        UsageError: If both are given.
    """
    file = options.pop("file")
    if file is not None and options.get("data") is not None:
        raise UsageError(f"expected FILE or --data, got both: {file} and {options['data']}")
    return options if file is None else options | {"data": file}


def run_reproduce(options: dict[str, Any]) -> None:
    """Run a recipe, evaluate the test split once, record the result, and print it."""
    path = _recipe(options["recipe"])
    with _named(path):
        settings = settings_from({}, runs.read(path))
    name = "/".join(path.with_suffix("").parts[-2:])
    out = options["out"] or Path("runs", name)
    result = _keeping_checkpoints(
        lambda: runs.reproduce(name, settings, out, options["results"]), out, "the same command"
    )
    if not is_first_process():
        return
    if options["json"]:
        print_json(result)
        return
    print(f"{result['recipe']}: {_in_words(result)}")


def _in_words(result: dict[str, Any]) -> str:
    """The test figure of a result, beside the published one."""
    if "loss" in result:
        return f"test loss {result['loss']:.3f} +- {result['loss_stderr']:.3f} {result['loss_unit']}, no likelihood"
    published = result["published"]
    beside = f" (published {published['nats']}, {published['source']})" if published else ""
    per = [key.removeprefix("bits_per_") for key in result if key.startswith("bits_per_") and key != "bits_per_dim"]
    figure = mean_in_words(result["nats"], result["nats_stderr"], digits=3)
    for unit in per:
        figure = f"{result[f'nats_per_{unit}']:.4f} nats or {result[f'bits_per_{unit}']:.4f} bits per {unit}"
    return f"test NLL {figure}{beside}"


def _keeping_checkpoints(action: Callable[[], Any], out: Path, command: str) -> Any:
    """The result of a fit into ``out``; an end before it says which checkpoint is kept, and which command goes on."""
    try:
        return action()
    except (KeyboardInterrupt, Terminated, OSError, MemoryError, RuntimeError) as error:
        kept = sorted(out.rglob("last.ckpt"), key=lambda path: path.stat().st_mtime)
        words = f"the last checkpoint is {kept[-1]}, and {command} goes on" if kept else "there is no checkpoint yet"
        error.add_note(words)
        raise


@contextlib.contextmanager
def _named(recipe: Path | None) -> Iterator[None]:
    """Have errors in the settings say which recipe they are from."""
    try:
        yield
    except (UsageError, ValueError, OSError) as error:
        if recipe is not None and str(recipe) not in str(error):
            error.add_note(f"the settings are those of {recipe}")
        raise


def _recipe(name: str) -> Path:
    """Find a recipe by its path, or by its name among those that are shipped."""
    folder = shipped_folder("recipes")
    for path in (Path(name), folder / f"{name}.yaml"):
        if path.is_file():
            return path
    names = [path.relative_to(folder).with_suffix("").as_posix() for path in sorted(folder.glob("*/*.yaml"))]
    raise UsageError(f"no recipe {name!r}{suggestion(name, names)}; expected a file or one of {', '.join(names)}")
