"""A mixed table with a fifth of its cells removed, samples told from rows by a classifier, and the speed of tables.

The table is both colours of wine: eleven real columns, an integer (the grade) and a category (the colour). Writes
``benchmark-mixed.json``. The kinds of figures: nats of the removed cells given the others; the error of their means and
the accuracy of their most frequent values, over draws, beside scikit-learn's IterativeImputer; the area under the ROC
curve of gradient boosting that tells samples from rows (0.5 where it can't); rows a second, and the memory that
``chainrule score`` takes for a Parquet file of 10^5 and 10^7 rows.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 (makes the next import possible)
from sklearn.impute import IterativeImputer
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture as ScikitMixture
from sklearn.model_selection import cross_val_predict
from torch import Tensor

import chainrule
from chainrule.atomic import write_atomically
from chainrule.conditionals import GaussianMixture
from chainrule.data.dataset import Dataset, split_rows
from chainrule.data.infer import infer
from chainrule.data.named.files import find
from chainrule.data.named.wine import HOST
from chainrule.data.read.table import dataset_of_frame, read_frame
from chainrule.data.schema import TableSchema
from chainrule.models import MADE, NADE
from chainrule.runs import folder as run_folder
from chainrule.runs import machine
from chainrule.tasks.evaluate import log_prob
from chainrule.tasks.gaps import fill
from chainrule.tasks.marginal import hidden_nats

REMOVED = 0.2
DRAWS = 100
ROWS = 100_000
TRAINING = {"max_epochs": 200, "batch_size": 128, "learning_rate": 2e-3, "averaging": 0.99, "verbose": False}


def wines() -> Dataset:
    """Both colours in one table, split 80/10/10."""
    parts = []
    for colour in ("red", "white"):
        file = f"winequality-{colour}.csv"
        frame = read_frame(find(f"tabular/{file}", f"{HOST}/{file}", None)).cast(polars.Float64)
        parts.append(frame.with_columns(quality=polars.col("quality").cast(polars.Int64), colour=polars.lit(colour)))
    frame = polars.concat(parts)
    rows = split_rows(len(frame), 0, "wine")
    return dataset_of_frame("wine", frame, rows, infer(frame, rows["train"], "wine"), {"name": "wine"})


def fitted(data: Dataset) -> NADE:
    """One network for all orders, so that any cells are drawn given any others exactly."""
    assert isinstance(data.format, TableSchema)
    torch.manual_seed(0)
    model = NADE(
        event_shape=data.event_shape, conditional=data.format.conditional(GaussianMixture(10)), hidden_size=400,
        num_layers=2, activation="relu", dropout=0.1, order_agnostic=True,
    )  # fmt: skip
    chainrule.fit(model, data.train, data.valid, **TRAINING)
    return model


def marginal_nats(train: Tensor, x: Tensor, real: list[bool]) -> Tensor:
    """-log p of every cell when each column is by itself: a mixture of ten Gaussians, or frequencies."""
    columns = []
    for before, values, is_real in zip(train.T.numpy(), x.T.numpy(), real, strict=True):
        if is_real:
            mixture = ScikitMixture(10, random_state=0).fit(before[:, None])
            columns.append(-mixture.score_samples(values[:, None]))
        else:
            counts = np.bincount(before.astype(int), minlength=int(max(before.max(), values.max())) + 1) + 1
            columns.append(-np.log(counts / counts.sum())[values.astype(int)])
    return torch.from_numpy(np.stack(columns, axis=1))


def removed_cells(model: NADE, data: Dataset) -> dict[str, Any]:
    """Figures of the completion of removed cells of the test rows."""
    assert isinstance(data.format, TableSchema)
    train, x = data.train[:], data.test[:]
    real = [column.kind == "real" for column in data.format.used]
    stds = torch.tensor([column.std for column in data.format.used])
    missing = torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) < REMOVED
    nats = torch.cat([hidden_nats(model, row[None], ~gaps, seed=0) for row, gaps in zip(x, missing, strict=True)])
    apart = marginal_nats(train, x, real)[missing].sum()
    gappy = x.masked_fill(missing, torch.nan)
    draws, methods = fill(model, gappy, draws=DRAWS, seed=0)
    imputed = IterativeImputer(max_iter=20, random_state=0).fit(train.numpy()).transform(gappy.numpy())
    frequent = torch.stack([column.round().mode().values for column in train.T])
    guesses = {
        "chainrule": torch.where(torch.tensor(real), draws.mean(0), draws.mode(0).values),
        "IterativeImputer": torch.where(torch.tensor(real), torch.from_numpy(imputed).float(), _rounded(imputed)),
        "the column's mean or most frequent value": torch.where(torch.tensor(real), train.mean(0), frequent),
    }
    figures = {}
    for name, guess in guesses.items():
        error = ((guess.expand_as(x) - x) / stds)[:, real][missing[:, real]].square().mean().sqrt()
        figures[name] = {"rmse": float(error)}
        for i, column in enumerate(data.format.used):
            if not real[i]:
                figures[name][f"{column.name}_accuracy"] = float(
                    (guess.expand_as(x) == x)[:, i][missing[:, i]].float().mean()
                )
    cells = int(missing.sum())
    return {
        "rows": len(x),
        "cells": cells,
        "methods": methods,
        "nats_per_cell": float(nats.sum()) / cells,
        "marginal_nats_per_cell": float(apart) / cells,
        "guesses": figures,
    }


def _rounded(imputed: NDArray[Any]) -> Tensor:
    return torch.from_numpy(imputed).float().round()


def decimals(column: NDArray[Any]) -> int:
    """To how many decimals the values of a column are given."""
    values = column.astype(str).astype(np.float64)  # the shortest that single precision reads as these
    return next((places for places in range(7) if np.allclose(values, values.round(places), rtol=0, atol=1e-9)), 7)


def two_sample_auc(model: NADE, data: Dataset, rounded: bool) -> float:
    """The AUC of a classifier that tells samples, rounded as the table is or not, from unseen rows."""
    rows = torch.cat([data.valid[:], data.test[:]])
    samples = chainrule.sample(model, len(rows), seed=0)
    if rounded:
        places = [decimals(column) for column in rows.T.numpy()]
        columns = [column.round(decimals=place) for column, place in zip(samples.T, places, strict=True)]
        samples = torch.stack(columns, dim=1)
    x = torch.cat([rows, samples]).numpy()
    y = np.repeat([0, 1], len(rows))
    scores = cross_val_predict(HistGradientBoostingClassifier(random_state=0), x, y, cv=5, method="predict_proba")
    return float(roc_auc_score(y, scores[:, 1]))


def quick(data: Dataset) -> MADE:
    """A model for a table of this size where one order is enough."""
    assert isinstance(data.format, TableSchema)
    torch.manual_seed(0)
    return MADE(event_shape=data.event_shape, conditional=data.format.conditional(), hidden_sizes=[100]).eval()


def speed(model: MADE) -> dict[str, float]:
    """Rows a second of log p and of samples, the least of three times each."""
    x = chainrule.sample(model, ROWS, seed=0)
    figures = {}
    for name, work in {
        "log_prob_rows_per_second": lambda: log_prob(model, x, batch_size=4096),
        "sample_rows_per_second": lambda: chainrule.sample(model, ROWS, seed=0),
    }.items():
        times = []
        for _ in range(3):
            started = time.perf_counter()
            work()
            times.append(time.perf_counter() - started)
        figures[name] = ROWS / min(times)
    return figures


def memory(model: MADE, data: Dataset, sizes: tuple[int, ...]) -> dict[str, Any]:
    """Peak memory, in MiB, and seconds of ``chainrule score`` of Parquet files of so many rows."""
    assert isinstance(data.format, TableSchema)
    figures = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run_folder.save(model, folder / "run", data=data.provenance)
        rows = data.format.decode(chainrule.sample(model, sizes[0], seed=0).numpy())
        for size in sizes:
            path = folder / f"{size}.parquet"
            polars.concat([rows.lazy()] * (size // sizes[0])).sink_parquet(path)
            command = [sys.executable, "-m", "chainrule", "score", str(folder / "run"), str(path)]
            started = time.perf_counter()
            subprocess.run([*command, "--out", str(folder / "scores.parquet")], check=True, capture_output=True)
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024  # the largest so far
            figures[str(size)] = {"peak_mib": peak, "seconds": time.perf_counter() - started}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--sizes", type=int, nargs="+", default=[10**5, 10**6, 10**7])
    options = parser.parse_args()
    data = wines()
    model = fitted(data)
    report: dict[str, Any] = {"benchmark": "mixed", "machine": machine(), "versions": run_folder.versions()}
    report |= {"dataset": data.description, "parameters": model.num_parameters, "training": TRAINING}
    report["removed"] = removed_cells(model, data)
    report["two_sample_auc"] = two_sample_auc(model, data, rounded=False)
    report["two_sample_auc_rounded"] = two_sample_auc(model, data, rounded=True)
    fast = quick(data)
    report |= {"speed_of": str(chainrule.describe(fast))} | speed(fast)
    print(json.dumps(report, indent=2), flush=True)
    report["score"] = memory(fast, data, tuple(options.sizes))
    print(json.dumps(report["score"], indent=2))
    write_atomically(options.out / "benchmark-mixed.json", (json.dumps(report, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
