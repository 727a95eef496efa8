"""Held-out rows with a fifth of their cells removed, filled in by default fits and by scikit-learn's imputers.

All methods see the training rows as they are. Numbers are judged by the root mean squared error of the filled-in cells,
in standard deviations of the training rows; categories by the share that is right. chainrule's answer is the mean, or
the most frequent category, of the draws of ``chainrule complete``. What is in ``benchmark-imputation.json`` already
stays, unless ``--again``; what failed is tried again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars
from defaults import commanded
from sampled_sets import SETS, SHARED, have, some_of
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 (makes the next import possible)
from sklearn.impute import IterativeImputer, KNNImputer
from stored import Report

from chainrule.runs import machine
from chainrule.runs.folder import versions

sys.path.insert(0, str(Path(__file__).with_name("rivals")))
from judge import read

REMOVED = 0.2
NEIGHBOURS = (1, 3, 5, 10, 20, 50)
VALIDATION_ROWS = 500
"""Training rows by which the number of neighbours is chosen, at most: a sixth of them."""
ITERATIVE_ROWS = 10_000
"""Training rows of IterativeImputer, at most: its regressions take minutes with more."""
TABLES = {"penguins": (0, 1, 2), "adult": (0,)}
"""The seeds of each table."""
ADULT_ROWS = 1000

Frame = polars.DataFrame


# What is removed, and how it is judged


def rows_of(name: str, seed: int, work: Path) -> tuple[Path, Frame, Frame]:
    """The file of the training rows, these rows, and held-out rows."""
    train = work / name / str(seed) / "train.csv"
    if SETS[name].target:
        return train, read(train), read(train.with_name("test.csv"))
    return train, read(train), read(SHARED / f"tabular/mixed/{name}.test.csv").sample(ADULT_ROWS, seed=seed)


def removed(frame: Frame, seed: int) -> tuple[Frame, np.ndarray]:
    """Rows with a fifth of their cells empty, and which cells were emptied ``(rows, columns)``."""
    chosen = np.random.default_rng(seed).random(frame.shape) < REMOVED
    emptied = [polars.when(polars.Series(~chosen[:, i])).then(polars.col(name)) for i, name in enumerate(frame.columns)]
    return frame.select(emptied), chosen & ~np.column_stack([frame[name].is_null() for name in frame.columns])


def judged(train: Frame, rows: Frame, filled: Frame, cells: np.ndarray) -> dict[str, float]:
    """The error of numbers and the accuracy of categories over ``cells``."""
    errors, right = [], []
    for name, own in zip(rows.columns, cells.T, strict=True):
        real, guess = rows[name].filter(own), filled[name].filter(own)
        if is_number(train, name):
            errors.append((guess.cast(polars.Float64) - real).to_numpy() / train[name].std())
        else:
            right.append((guess.cast(polars.String) == real.cast(polars.String)).fill_null(False).to_numpy())
    rmse = float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))
    return {"rmse": rmse, "accuracy": float(np.concatenate(right).mean())}


def is_number(frame: Frame, name: str) -> bool:
    return frame[name].dtype.is_numeric()


# scikit-learn's imputers


class Codes:
    """Rows as standardised numbers and one-hot categories; gaps are NaN.

    With ``reference``, the first category is the one that has no column: a regression then can't learn the last
    category of a gap from the others, which are gaps too.
    """

    def __init__(self, train: Frame, *, reference: bool = False) -> None:
        self.train, self.first = train, int(reference)
        texts = [name for name in train.columns if not is_number(train, name)]
        self.words = {name: train[name].drop_nulls().unique().sort().to_list() for name in texts}

    def encode(self, frame: Frame) -> np.ndarray:
        columns = []
        for name in self.train.columns:
            own, values = self.train[name], frame[name]
            if name in self.words:
                columns += [values == word for word in self.words[name][self.first :]]
            else:
                columns.append((values - own.mean()) / own.std())
        return np.column_stack([column.cast(polars.Float64).to_numpy() for column in columns])

    def decode(self, x: np.ndarray) -> Frame:
        found, start = {}, 0
        for name in self.train.columns:
            width = len(self.words[name]) - self.first if name in self.words else 1
            own = x[:, start : start + width]
            start += width
            if name in self.words:
                rest = 1 - own.sum(1, keepdims=True)
                likely = np.hstack([rest, own] if self.first else [own]).argmax(1)
                found[name] = polars.Series([self.words[name][index] for index in likely])
            else:
                found[name] = polars.Series(own[:, 0] * self.train[name].std() + self.train[name].mean())
        return polars.DataFrame(found)


def by_column(train: Frame, gappy: Frame, seed: int) -> tuple[Frame, dict[str, Any]]:
    """The mean, or the most frequent category."""
    values = [
        train[name].mean() if is_number(train, name) else train[name].drop_nulls().mode().sort()[0]
        for name in train.columns
    ]
    return polars.DataFrame(dict(zip(train.columns, ([value] * len(gappy) for value in values), strict=True))), {}


def by_neighbours(train: Frame, gappy: Frame, seed: int) -> tuple[Frame, dict[str, Any]]:
    """KNNImputer, of as many neighbours as fill in some of the training rows best."""
    mixed = train.sample(len(train), shuffle=True, seed=seed)
    count = min(len(train) // 6, VALIDATION_ROWS)
    valid, learn = mixed[:count], mixed[count:]
    trial, cells = removed(valid, seed + 1000)

    def loss(neighbours: int) -> float:
        found = judged(learn, valid, _neighbours(learn, trial, neighbours), cells)
        return found["rmse"] + 1 - found["accuracy"]

    best = min(NEIGHBOURS, key=loss)
    return _neighbours(train, gappy, best), {"neighbours": best}


def _neighbours(train: Frame, gappy: Frame, neighbours: int) -> Frame:
    codes = Codes(train)
    imputer = KNNImputer(n_neighbors=neighbours, keep_empty_features=True)
    return codes.decode(imputer.fit(codes.encode(train)).transform(codes.encode(gappy)))


def by_regressions(train: Frame, gappy: Frame, seed: int) -> tuple[Frame, dict[str, Any]]:
    """IterativeImputer with its defaults."""
    chosen = train.sample(min(len(train), ITERATIVE_ROWS), seed=seed)
    codes = Codes(chosen, reference=True)
    with warnings.catch_warnings(action="ignore"):  # ten rounds are its default, whether it has converged or not
        imputer = IterativeImputer(random_state=seed, keep_empty_features=True).fit(codes.encode(chosen))
    return codes.decode(imputer.transform(codes.encode(gappy))), {"train_rows": len(chosen)}


# chainrule


def by_draws(
    train: Frame, gappy: Frame, seed: int, *, file: Path, minutes: float | None, draws: int
) -> tuple[Frame, dict[str, Any]]:
    """The mean of the draws of a number, and their most frequent category."""
    folder = file.parent
    run, empty, drawn = folder / "run-imputation", folder / "gappy.csv", folder / "draws.csv"
    shutil.rmtree(run, ignore_errors=True)
    within = [] if minutes is None else ["--minutes", str(minutes)]
    _, fit = commanded(["fit", str(file), *within, "--seed", str(seed), "--out", str(run), "--json"])
    gappy.write_csv(empty)
    completing = ["complete", str(run), str(empty), "--draws", str(draws), "--seed", str(seed), "--out", str(drawn)]
    _, complete = commanded(completing)
    found = read(drawn).group_by("row", maintain_order=True).agg(
        polars.col(name).mean() if is_number(train, name) else polars.col(name).mode().sort().first()
        for name in train.columns
    )  # fmt: skip
    config = json.loads((run / "config.json").read_text())
    return found, {"fit": fit, "complete": complete, "recipe": config["settings"], "draws": draws, "minutes": minutes}


# The program

METHODS: dict[str, Callable[..., tuple[Frame, dict[str, Any]]]] = {
    "chainrule": by_draws,
    "KNNImputer": by_neighbours,
    "IterativeImputer": by_regressions,
    "the column's mean or most frequent value": by_column,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=some_of(TABLES), default=list(TABLES), help=f"by default {','.join(TABLES)}")
    parser.add_argument(
        "--methods", type=some_of(METHODS), default=list(METHODS), help=f"by default {','.join(METHODS)}"
    )
    parser.add_argument("--work", type=Path, default=Path("runs/sampled"), help="where tables and runs are")
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--minutes", type=float, help="minutes of chainrule's training; by default its own choice")
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--rivals-python", type=Path, default=Path(".venv-rivals/bin/python"))
    parser.add_argument("--again", action="store_true", help="measure anew what was measured")
    options = parser.parse_args()
    for name in options.only:
        have(name, options.work, options.rivals_python)
    cells = [(name, seed, method) for name in options.only for seed in TABLES[name] for method in options.methods]
    Report("imputation", options.out).fill(cells, partial(measured, options), again=options.again)


def measured(options: argparse.Namespace, name: str, seed: int, method: str) -> dict[str, Any]:
    """The figures of a method on one split, and its cost; or how it failed."""
    file, train, rows = rows_of(name, seed, options.work)
    gappy, cells = removed(rows, seed)
    function = METHODS[method]
    if method == "chainrule":
        function = partial(function, file=file, minutes=options.minutes, draws=options.draws)
    about = {"seed": seed, "rows": len(rows), "cells": int(cells.sum()), "machine": machine() | {"threads": 1}}
    about |= {"versions": versions() | {"scikit-learn": version("scikit-learn")}}
    started = time.process_time()
    try:
        filled, more = function(train, gappy, seed)
    except subprocess.CalledProcessError as error:
        return {"error": (error.stderr.strip().splitlines() or [str(error)])[-1][:300]} | about
    cost = {"cpu_seconds": round(time.process_time() - started, 1)}
    if "fit" in more:
        cost = {"cpu_seconds": more["fit"]["cpu_seconds"] + more["complete"]["cpu_seconds"]}
    return judged(train, rows, filled, cells) | cost | more | about


if __name__ == "__main__":
    main()
