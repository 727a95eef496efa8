"""Default fits on data sets of all kinds, beside independent variables, rivals and our own best recipes.

``default_sets.py`` writes the sets, ``rivals/export.py`` and ``rivals/run.py`` measure the rivals. Then this runs
``chainrule fit FILE --minutes 3`` for each set, with one thread and no other word but those that reading the set needs,
and evaluates the test part once, into ``results/benchmark-defaults.json``. What is in the file already stays, unless
``--again``. ``--table`` prints the comparison.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars
from default_sets import SETS

from chainrule.atomic import write_atomically
from chainrule.data import load
from chainrule.data.dataset import Dataset
from chainrule.data.schema import TableSchema
from chainrule.data.series import SeriesFormat
from chainrule.runs import machine
from chainrule.runs.folder import versions
from chainrule.shipped import read_results

sys.path.insert(0, str(Path(__file__).with_name("rivals")))
from detection import detection

NEAR = 0.05
"""A default fit is to come so near to our best recipe, as a share of its NLL."""
RECIPE_MINUTES = 30
"""Recipes that take longer are no goal."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(SETS), help="sets; by default all")
    parser.add_argument("--work", type=Path, default=Path("runs/sets"), help="where the sets are")
    parser.add_argument("--runs", type=Path, default=Path("runs/defaults"))
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--table", action="store_true", help="only print the comparison of what was measured")
    options = parser.parse_args()
    path = options.out / "benchmark-defaults.json"
    for name in [] if options.table else options.names:
        report = read(path)
        if name in report["sets"] and not options.again:
            continue
        report["sets"][name] = found = measured(name, options.work, options.runs / name, options.minutes)
        print(name, json.dumps({key: found[key] for key in found if key not in ("plan", "versions", "machine")}))
        write_atomically(path, (json.dumps(report, indent=2) + "\n").encode())
    print_table(list(compared(options.out)))


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {"benchmark": "defaults", "sets": {}}


# One set


def measured(name: str, work: Path, run: Path, minutes: float) -> dict[str, Any]:
    """The test figure of a default fit, its plan and its cost; or how it failed."""
    chosen = SETS[name]
    words = [f"--{key}" if value is True else f"--{key}={value}" for key, value in chosen.choices.items()]
    fitting = ["fit", chosen.spec(work), *words, "--minutes", str(minutes), "--out", str(run), "--json"]
    about: dict[str, Any] = {"minutes": minutes, "machine": machine(), "versions": versions()}
    try:
        data = load(chosen.spec(work), seed=0, **chosen.choices)
        about["dataset"] = data.headline
        _, fit_cost = commanded(fitting)
        printed, evaluation_cost = commanded(["evaluate", str(run), "--json"])
        more = sampled_rows(data, run) | forecast(data, chosen.spec(work), run)
    except ValueError as error:
        return {"error": str(error)} | about
    except subprocess.CalledProcessError as error:
        return {"error": (error.stderr.strip().splitlines() or [str(error)])[-1]} | about
    found = json.loads(printed)
    config = json.loads((run / "config.json").read_text())
    figure = {"nats": figure_of(found), "stderr": found.get("nats_stderr"), "unit": unit_of(found)}
    training = {key: config["training"].get(key) for key in ("steps", "best_step", "valid_nats")}
    cost = {"fit": fit_cost, "evaluate": evaluation_cost, "model": found["model"]}
    return figure | more | cost | {"training": training, "plan": config["settings"]} | about


def commanded(words: list[str]) -> tuple[str, dict[str, float]]:
    """Run a command with one thread: what it printed, and the seconds that it took."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "chainrule", *words], env=environment, capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    seconds = {"cpu_seconds": round(cpu, 1), "wall_seconds": round(time.perf_counter() - started, 1)}
    return done.stdout, seconds


def sampled_rows(data: Dataset, run: Path) -> dict[str, Any]:
    """How well as many samples are told from the training rows, if the set is a table of columns."""
    if not isinstance(data.format, TableSchema):
        return {}
    rows = run / "rows.parquet"
    commanded(["sample", str(run), "-n", str(len(data.train)), "--seed", "0", "--out", str(rows)])
    return {"detection": detection(data.format.decode(data.train[:].numpy()), polars.read_parquet(rows))}


def forecast(data: Dataset, file: str, run: Path) -> dict[str, Any]:
    """The test NLL of a series with all values before each known, as rivals know them; `evaluate` knows test alone."""
    if not isinstance(data.format, SeriesFormat):
        return {}
    scores = run / "scores.parquet"
    commanded(["score", str(run), file, "--out", str(scores)])
    test = polars.read_parquet(scores)["score"][-data.test.num_variables :]
    return {"nats": test.mean()}


def unit_of(evaluation: dict[str, Any]) -> str:
    per = [key.removeprefix("nats_per_") for key in evaluation if key.startswith("nats_per_")]
    return per[0] if per else "example"


def figure_of(evaluation: dict[str, Any]) -> float:
    """Nats per character, sample or value of a sequence, and per example of all else."""
    return evaluation.get(f"nats_per_{unit_of(evaluation)}", evaluation["nats"])


# The comparison


def compared(folder: Path) -> Iterator[dict[str, Any]]:
    """For each set that was measured: its figures, those it is compared with, and whether it reaches the goals."""
    ours, theirs = (read(folder / f"benchmark-defaults{end}.json")["sets"] for end in ("", "-rivals"))
    recipes = read_results(folder)
    for name in SETS:
        if name not in ours and name not in theirs:
            continue
        own, others = ours.get(name, {}), theirs.get(name, {"rivals": {}})
        figures = {label: found["nats"] for label, found in others["rivals"].items() if "nats" in found}
        reread = "dataset" in own and own["dataset"] != others.get("dataset")
        rival = min(figures, key=lambda label: figures[label], default=None)
        recipe = best_recipe(recipes, SETS[name].recipe)
        nats = own.get("nats", math.nan)
        unit = others.get("unit") or own.get("unit")
        row = {"set": name, "nats": nats, "unit": unit, "cpu_seconds": own.get("fit", {}).get("cpu_seconds")}
        row |= {"independent": others.get("independent_nats"), "rival": rival, "rival_nats": figures.get(rival)}
        row |= {"recipe": recipe and recipe["recipe"], "recipe_nats": recipe and figure_of(recipe)}
        row["beats_independent"] = verdict(nats, row["independent"])
        row["beats_rival"] = None if reread else verdict(nats, row["rival_nats"])
        is_goal = recipe is not None and recipe["minutes"] < RECIPE_MINUTES
        allowed = figure_of(recipe) + NEAR * abs(figure_of(recipe)) if is_goal else None
        error = own.get("error") or ("read otherwise by the rivals: export it again" if reread else None)
        yield row | {"near_recipe": verdict(nats, allowed), "error": error}


def verdict(nats: float, allowed: float | None) -> bool | None:
    """True if a figure is at most another; None where one of them is missing."""
    return None if allowed is None or math.isnan(nats) else nats <= allowed


def best_recipe(results: list[dict[str, Any]], name: str | None) -> dict[str, Any] | None:
    """The result with the least test NLL of a recipe for the named set."""
    own = [row for row in results if row["settings"].get("data") == name and row["split"] == "test"]
    return min(own, key=figure_of, default=None)


def print_table(rows: list[dict[str, Any]]) -> None:
    """The comparison in Markdown, and how many sets reach each goal."""
    print("| set | nats per | independent | ours | best rival | our best recipe | CPU s | goals |")
    print("|---|---|---|---|---|---|---|---|")
    goals = ("beats_independent", "beats_rival", "near_recipe")
    for row in rows:
        marks = " ".join({None: "-", True: "yes", False: "**no**"}[row[goal]] for goal in goals)
        rival, recipe = (f"{shown(row[f'{key}_nats'])} {row[key] or ''}".strip() for key in ("rival", "recipe"))
        ours = f"{shown(row['nats'])} {row['error'] or ''}".strip()
        cells = (row["set"], row["unit"], shown(row["independent"]), ours, rival, recipe)
        print("|", " | ".join(map(str, (*cells, row["cpu_seconds"] or "", marks))), "|")
    for goal in goals:
        known = [row[goal] for row in rows if row[goal] is not None]
        print(f"{goal.replace('_', ' ')}: {sum(known)} of {len(known)}")


def shown(nats: float | None) -> str:
    return "" if nats is None or math.isnan(nats) else f"{nats:.3f}"


if __name__ == "__main__":
    main()
