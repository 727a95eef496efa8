"""`fit`: of a model to examples, or of a plan to a file."""

from __future__ import annotations

import contextlib
import json
import math
import re
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, overload

from chainrule import training
from chainrule.atomic import write_atomically
from chainrule.data import NAMES
from chainrule.model import Model
from chainrule.plans.plan import BUDGET
from chainrule.runs.folder import CONFIG, WEIGHTS, check_settings, read_config, read_json
from chainrule.runs.lock import locked
from chainrule.runs.planned import name_of, plan
from chainrule.runs.resuming import check_no_members
from chainrule.runs.run import Run, run
from chainrule.runs.search import members_that_fit, search
from chainrule.runs.settings import Settings, load_data
from chainrule.settings import ENSEMBLE
from chainrule.signatures import check
from chainrule.training import Fit
from chainrule.training.loader import Data

PLAN = "plan.json"
"""The file of a run folder that holds the plan, and what its candidates came to."""

RUNS = Path("runs")


@overload
def fit(first: Model, *examples: Data, **settings: Any) -> Fit: ...


@overload
def fit(first: str | Path | Any, **settings: Any) -> Run: ...


def fit(first: Any, *examples: Data, **settings: Any) -> Fit | Run:
    """Fit a model to examples, or to a file whatever fits it best.

    ``fit(model, train, valid)`` trains a model in place; see `chainrule.training.fit`. ``fit("people.csv")`` reads the
    file, makes a plan (see `chainrule.plan`), fits it, and leaves a run folder.

    Args:
        first: A model; or a named data set, a file or a folder; or a frame of polars or pandas.
        *examples: With a model, the training and the validation examples.
        **settings: With a model, those of `chainrule.training.fit`. With a file, ``out``, the run folder
            (``runs/people`` by default); ``resume=True``, to go on with it; ``verbose``; and settings that override the
            plan's, such as ``model="NADE"`` and ``minutes=10``.

    Returns:
        A `Fit`; or a `Run`, with its ``model``, its ``dataset`` and its ``folder``.

    Raises:
        ValueError: If the data or a setting is wrong, or the folder holds another run.
        FileNotFoundError: If a file is missing.
    """
    if isinstance(first, Model):
        return training.fit(first, *examples, **settings)
    if not isinstance(first, str | Path) and not hasattr(type(first), "columns"):
        raise ValueError(f"fit expects a model, a frame, or the name or the path of data, got {type(first).__name__}")
    if examples:
        raise ValueError("fit expects the name or the path of data alone, got examples beside it")
    return fit_file(first, **settings)


def fit_file(
    data: str | Path | Any,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    changed_data: bool = False,
    verbose: bool = True,
    say: Any = None,
    **given: Any,
) -> Run:
    """Plan a fit of ``data``, run it, and leave a run folder; see `fit`.

    Args:
        data: A named data set, a file or a folder; or a frame of polars or pandas.
        out: The run folder.
        resume: Go on with the run in ``out``.
        changed_data: Go on although its data changed; the run then records what changed.
        verbose: Show progress.
        say: Takes the `Planned` fit before it begins, to show it.
        **given: Settings that override the plan's.
    """
    started = time.monotonic()
    first = training.is_first_process()
    folder = Path(out) if out is not None else usual_folder(name_of(data), resume=resume or not first)
    with locked(folder) if first else contextlib.nullcontext():
        if resume and any((folder / name).exists() for name in (PLAN, CONFIG)):
            given = {"data": name_of(data)} | given
            return _resumed(data, given, folder, started, changed_data=changed_data, verbose=verbose)
        if (folder / WEIGHTS).exists():
            raise ValueError(f"{folder} already holds a run: choose another --out, or go on with it by --resume")
        if first:  # the others begin when it has begun to write
            check_no_members(folder)
        if resume:
            warnings.warn(f"{folder} holds no run yet: a new one begins", stacklevel=2)
        return _planned(data, folder, started, verbose=verbose, say=say, **given)


def _planned(data: Any, folder: Path, started: float, *, verbose: bool, say: Any, **given: Any) -> Run:
    """Plan a fit, and run it into a locked folder."""
    first, planned = training.is_first_process(), plan(data, **given)
    if first and say is not None:
        say(planned)
    choose = not _wanted(given)
    settings, tried = planned.settings, list[dict[str, Any]]()
    if planned.plan.candidates:
        deadline = started + 60 * settings.get("minutes", math.inf)
        tried = search(planned.plan, planned.dataset, deadline, verbose=verbose)
        settings = settings | tried[0]["change"]
        if choose and training.is_alone(settings):  # each of several processes has a clock of its own
            settings = members_that_fit(settings, (deadline - time.monotonic()) / 60, tried[0]["minutes"])
    if first:
        record = planned.as_dict() | {"settings": settings, "tried": tried, "given": sorted(given)}
        write_atomically(folder / PLAN, (json.dumps(record, indent=2) + "\n").encode())
    return run(settings, folder, dataset=planned.dataset, started=started, choose=choose, verbose=verbose)


def _wanted(given: Iterable[str]) -> bool:
    """True if the user asks for an ensemble, which is then kept whatever it validates at."""
    return any(name in ENSEMBLE for name in given)


def _same_file(data: str, folder: Path) -> bool:
    """True if ``data`` is the path of what the run in ``folder`` was fitted on."""
    config = read_config(folder) if (folder / CONFIG).exists() else {}
    return str(Path(data).expanduser().resolve()) == config.get("data", {}).get("path")


def usual_folder(data: str | Path, *, resume: bool = False) -> Path:
    """``runs/<name>`` for ``data``; with a number behind it where there is such a run, unless one is resumed."""
    stem = str(data) if str(data) in NAMES else Path(data).expanduser().resolve().stem
    stem = re.sub(r"[*?\[\]]+", "", stem).strip("-_. ") or "run"  # of the pattern of several files
    folders = [RUNS / stem, *(RUNS / f"{stem}-{number}" for number in range(2, 1000))]
    free = next(i for i, folder in enumerate(folders) if not folder.exists())
    return folders[max(free - 1, 0)] if resume else folders[free]


def _record(folder: Path) -> dict[str, Any]:
    """The settings of an interrupted or finished run, and the names of those that the user gave.

    Raises:
        ValueError: If its plan is damaged, or it has none.
    """
    path = folder / PLAN
    if path.exists():
        record = read_json(path)
        check_settings(record.get("settings"), path)
        check(record.get("given"), "Sequence[str]", f"{path}: given")
    else:
        path = folder / CONFIG
        record = read_config(folder) | {"given": ["members"]}  # it was fitted by a recipe
        if "settings" not in record:
            raise ValueError(
                f"{folder} expects a run that fit wrote, got a model that was saved by hand: choose another --out"
            )
    for name in ("data", "model"):
        check(record["settings"].get(name), "str", f"{path}: settings.{name}")
    return record


def _resumed(
    data: str | Path | Any, given: Settings, folder: Path, started: float, *, changed_data: bool, verbose: bool
) -> Run:
    """Go on with an interrupted run; give a finished one the minutes that ``given`` names, or more steps in all."""
    record = _record(folder)
    settings, choose = record["settings"], not _wanted(record["given"])
    if str(given["data"]) not in NAMES and _same_file(given["data"], folder):
        given = given | {"data": settings["data"]}  # by another path
    finished = (folder / WEIGHTS).exists() and "training" in read_config(folder)
    more = "minutes" in given or any((given.get(name) or 0) > (settings.get(name) or 0) for name in BUDGET)
    if finished and more:
        settings = {name: value for name, value in settings.items() if name not in BUDGET}
    settings, extend = settings | given, finished and more
    dataset = None if isinstance(data, str | Path) else load_data(settings, data)
    return run(
        settings,
        folder,
        dataset=dataset,
        resume=True,
        extend=extend,
        choose=choose,
        changed_data=changed_data,
        started=started,
        verbose=verbose,
    )
