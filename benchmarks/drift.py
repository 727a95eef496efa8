"""False alarms and power of ``chainrule drift``: rows of the same table, and rows of which one column is shifted.

Each run is a default fit of `FITTED` rows of a table. Clean pairs are other rows of it beside the data of the run, or
beside as many other rows. In shifted pairs 0.3 standard deviations are added to one of 20 columns of normal numbers; it
is found and named if there is drift and that column moved. What is in ``benchmark-drift.json`` already stays, unless
``--again``.
"""

from __future__ import annotations

import argparse
import json
import resource
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars
from defaults import commanded
from sampled_sets import SHARED, some_of
from stored import Report

from chainrule.atomic import write_atomically
from chainrule.kinds.requests import Drifting, Source
from chainrule.runs import machine, open_run
from chainrule.runs.drift import drift
from chainrule.runs.folder import versions

FITTED, RATE, SHIFT = 4000, 0.05, 0.3
CLEAN, SHIFTED = 25, 50
"""Pairs of each run, clean and shifted."""
SEEDS = (0, 1)
COLUMNS = 20

Frame = polars.DataFrame


# Tables


def normal(rows: int, seed: int) -> Frame:
    """Rows of 20 normal columns, each of which is correlated with three columns before it."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((rows, COLUMNS))
    for column in range(3, COLUMNS):
        x[:, column] = 0.6 * x[:, column] + 0.8 * x[:, column - 3 : column].sum(axis=1) / np.sqrt(3)
    return Frame({f"x{column}": x[:, column].round(4) for column in range(COLUMNS)})


def file_of(name: str) -> Callable[[int, int], Frame]:
    """Rows of a file of the shared data, chosen at random."""

    def rows(count: int, seed: int) -> Frame:
        frame = polars.read_csv(SHARED / "tabular/mixed" / name, infer_schema_length=None)
        return frame.sample(min(count, len(frame)), shuffle=True, seed=seed)

    return rows


TABLES: dict[str, Callable[[int, int], Frame]] = {
    "normal": normal,
    "adult": file_of("adult.train.csv"),
    "default": file_of("default.csv"),
    "magic": file_of("magic.csv"),
}


def fitted(table: str, seed: int, work: Path, minutes: float) -> tuple[Path, Frame]:
    """The run of a table, which is fitted if it is not there, and rows that it has not seen."""
    folder = work / table / str(seed)
    frame = TABLES[table](50_000, seed)
    if not (folder / "run/config.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        frame[:FITTED].write_csv(folder / "old.csv")
        commanded(["fit", str(folder / "old.csv"), "--minutes", str(minutes), "--out", str(folder / "run")])
    return folder / "run", frame[FITTED:]


# Pairs


def tested(run: Path, new: Frame, old: Frame | None) -> dict[str, Any]:
    """The figures of drift of new rows, from the data of the run or from old rows."""
    opened, files = open_run(run, device="cpu"), [run.parent / "new.csv", run.parent / "against.csv"]
    sources = []
    for file, frame in zip(files, (new, old), strict=True):
        if frame is not None:
            frame.write_csv(file)
            sources.append(Source(path=file, load=opened.dataset, split="test", settings=opened.settings))
    old_source = sources[1] if old is not None else None
    request = Drifting(sources[0], old_source, RATE)
    return drift(opened, request)


def pairs(
    table: str, seed: int, method: str, *, work: Path, minutes: float, shift: float, rows: int, against: bool
) -> dict[str, Any]:
    """The number of pairs with an alarm, and, where a column is shifted, of those in which it is named."""
    run, unseen = fitted(table, seed, work, minutes)
    random, before = np.random.default_rng(seed), resource.getrusage(resource.RUSAGE_SELF).ru_utime
    alarms, named, others, given = 0, 0, 0, 0
    count = SHIFTED if shift else CLEAN
    for index in range(count):
        chosen = unseen[random.permutation(len(unseen))[: 2 * rows]]
        new, old = chosen[:rows], chosen[rows:] if against else None
        name = unseen.columns[index % unseen.width]
        if shift:
            new = new.with_columns((polars.col(name) + shift * unseen[name].std()).round(4))
        found = tested(run, new, old)
        moved = {column["name"]: column["moved"] for column in found["columns"] if column["moved"]}
        alarms, named = alarms + found["drift"], named + (found["drift"] and name in moved)
        of_others = [tests for other, tests in moved.items() if other != name]
        others, given = others + sum(tests != ["given"] for tests in of_others), given + of_others.count(["given"])
    seconds = (resource.getrusage(resource.RUSAGE_SELF).ru_utime - before) / count
    figures = {"pairs": count, "rows": rows, "alarms": alarms, "cpu_seconds": round(seconds, 2)}
    return figures | ({"named": named, "others_named": others, "others_given": given} if shift else {})


METHODS: dict[str, dict[str, Any]] = {
    "clean, beside the data of the run": {"shift": 0.0, "rows": 500, "against": False},
    "clean, beside as many rows": {"shift": 0.0, "rows": 500, "against": True},
    "shifted, beside the data of the run": {"shift": SHIFT, "rows": 500, "against": False},
    "shifted, beside as many rows": {"shift": SHIFT, "rows": 1000, "against": True},
}


FIGURES = ("pairs", "alarms", "named", "others_named", "others_given")
"""Counts: other columns may be named for their own values, or because they go otherwise with the shifted one."""


def summary(sets: dict[str, Any]) -> dict[str, Any]:
    """All pairs of each method together."""
    found: dict[str, Any] = {}
    for by_seed in sets.values():
        for methods in by_seed.values():
            for method, figures in methods.items():
                total = found.setdefault(method, dict.fromkeys(FIGURES, 0))
                for key in total:
                    total[key] += figures.get(key, 0)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=some_of(TABLES), default=list(TABLES), help=f"by default {','.join(TABLES)}")
    parser.add_argument("--work", type=Path, default=Path("runs/drift"), help="where files and runs are")
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--minutes", type=float, default=0.2, help="of each fit (default 0.2)")
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    report = Report("drift", options.out)
    for method, settings in METHODS.items():
        tables = [table for table in options.only if not settings["shift"] or table == "normal"]
        measured = partial(pairs, work=options.work, minutes=options.minutes, **settings)
        report.fill(((table, seed, method) for table in tables for seed in SEEDS), measured, again=options.again)
    content = report.read()
    about = {"all": summary(content["sets"]), "rate": RATE, "shift": SHIFT, "fitted_rows": FITTED}
    content |= about | {"machine": machine(), "versions": versions()}
    print(json.dumps(content["all"], indent=2))
    write_atomically(report.path, (json.dumps(content, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
