"""Rows sampled from default fits, beside those of rivals: are they told from real rows, and do they teach as well?

For each table of ``sampled_sets.py``: ``chainrule fit train.csv`` and ``chainrule sample``, with one thread and default
flags, and the rivals of ``rivals/sampling.py`` on the same file, in an environment of their own. ``rivals/judge.py``
says what is measured. Figures that are in ``benchmark-sampled.json`` already stay, unless ``--again``, so that a run
that was ended goes on; what failed is tried again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

from defaults import commanded
from sampled_sets import SETS, SampledSet, have, some_of
from stored import Report

from chainrule.runs import machine
from chainrule.runs.folder import versions

sys.path.insert(0, str(Path(__file__).with_name("rivals")))
from judge import judged, read

METHODS = ("real rows", "chainrule", "GaussianCopula", "arfpy", "CTGAN", "TabularARGN")
SMALL_MINUTES = 2.0
"""CPU minutes of a rival on a small table, at most."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=some_of(SETS), default=list(SETS), help=f"by default {','.join(SETS)}")
    parser.add_argument("--methods", type=some_of(METHODS), default=METHODS, help=f"by default {','.join(METHODS)}")
    parser.add_argument("--work", type=Path, default=Path("runs/sampled"), help="where tables, runs and samples are")
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--minutes", type=float, help="minutes of chainrule's training; by default its own choice")
    parser.add_argument("--rival-minutes", type=float, default=10.0, help="CPU minutes of each rival, at most")
    parser.add_argument("--rivals-python", type=Path, default=Path(".venv-rivals/bin/python"))
    parser.add_argument("--again", action="store_true", help="measure anew what was measured")
    options = parser.parse_args()
    cells = []
    for name in options.only:
        have(name, options.work, options.rivals_python)
        methods = [method for method in options.methods if method != "real rows" or SETS[name].target]
        cells += [(name, seed, method) for seed in SETS[name].seeds for method in methods]
    Report("sampled", options.out).fill(cells, partial(measured, options), again=options.again)


def measured(options: argparse.Namespace, name: str, seed: int, method: str) -> dict[str, Any]:
    """The figures of the rows that a method samples, and their cost; or how it failed."""
    about: dict[str, Any] = {"machine": machine() | {"threads": 1}, "seed": seed}
    chosen, folder = SETS[name], options.work / name / str(seed)
    sampled = folder / f"{method}.csv"
    try:
        if method == "real rows":
            sampled = folder / "test.csv"
        elif method == "chainrule":
            about |= own_rows(folder, sampled, seed, options.minutes)
        else:
            minutes = min(options.rival_minutes, SMALL_MINUTES) if chosen.target else options.rival_minutes
            about |= rival_rows(method, folder, sampled, seed, minutes, options.rivals_python)
    except subprocess.CalledProcessError as error:
        return {"error": (error.stderr.strip().splitlines() or [str(error)])[-1][:300]} | about
    return figures(chosen, folder, sampled) | about


def figures(chosen: SampledSet, folder: Path, sampled: Path) -> dict[str, Any]:
    """What `judged` says of the rows in a file; held-out rows teach what the rows fitted to do."""
    train = read(folder / "train.csv").drop(chosen.identifiers)
    held_out = read(folder / "test.csv") if chosen.target else None
    if sampled.name != "test.csv":
        return judged(train, read(sampled), held_out, chosen.target)
    assert held_out is not None
    real = judged(train, train, held_out, chosen.target)
    return real | {"fitted_rows": judged(train, held_out, None, None)["fitted_rows"]}


def own_rows(folder: Path, sampled: Path, seed: int, minutes: float | None) -> dict[str, Any]:
    """Fit with default flags, and write as many samples as there are rows."""
    run, rows = folder / "run", str(len(read(folder / "train.csv")))
    shutil.rmtree(run, ignore_errors=True)
    within = [] if minutes is None else ["--minutes", str(minutes)]
    fitting = ["fit", str(folder / "train.csv"), *within, "--seed", str(seed), "--out", str(run), "--json"]
    _, fit = commanded(fitting)
    _, sample = commanded(["sample", str(run), "-n", rows, "--seed", str(seed), "--out", str(sampled)])
    config = json.loads((run / "config.json").read_text())
    training = {key: config["training"].get(key) for key in ("steps", "best_step", "valid_nats", "minutes")}
    cost = {"cpu_seconds": fit["cpu_seconds"] + sample["cpu_seconds"], "fit": fit, "sample": sample}
    return cost | {"minutes": minutes, "training": training, "recipe": config["settings"], "versions": versions()}


def rival_rows(method: str, folder: Path, sampled: Path, seed: int, minutes: float, python: Path) -> dict[str, Any]:
    """Let a rival write as many samples as there are rows, in its own environment."""
    words = [method, str(folder / "train.csv"), "--out", str(sampled), "--minutes", str(minutes), "--seed", str(seed)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    command = [str(python), str(Path(__file__).parent / "rivals" / "sampling.py"), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return {"minutes": minutes} | json.loads(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    main()
