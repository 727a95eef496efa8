"""Wine quality in ten folds: models with a mixture for each column, beside a Gaussian, a mixture and a kernel density.

Writes ``benchmark-tables.json``. As in the RNADE paper (https://arxiv.org/abs/1306.0186, section 4.1): the grade, which
is discrete, is left out, so would be one of two columns whose correlation exceeds 0.98 (there are none); columns are
standardised by the training rows, and figures are nats of the standardised values; nine folds train, of which a tenth
validates, and the tenth fold is read once, at the end. The mixture's size and the kernel's width are chosen on
validation.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture as ScikitMixture
from sklearn.neighbors import KernelDensity

import chainrule
from chainrule.atomic import write_atomically
from chainrule.conditionals import Conditional, GaussianMixture, LogisticMixture
from chainrule.data.named.files import find
from chainrule.data.named.wine import GRADE, HOST
from chainrule.data.read.table import read_frame
from chainrule.models import MADE, NADE
from chainrule.runs import machine
from chainrule.runs.folder import versions
from chainrule.tasks.evaluate import log_prob

Rows = NDArray[np.float64]

FOLDS = 10
CORRELATED = 0.98
SIZES = (1, 2, 3, 5, 7, 10, 15, 20, 30)
"""Gaussians of scikit-learn's mixture that are tried."""
WIDTHS = np.geomspace(0.05, 1.5, 25)
"""Widths of the kernel that are tried."""
PUBLISHED = {
    "RNADE-MoG": {"red": -9.36, "white": -10.23},
    "RNADE-MoL": {"red": -9.46, "white": -10.38},
    "EoNADE, the best of its variants": {"red": -8.76, "white": -9.67},
}
TRAINING = {"batch_size": 100, "learning_rate": 2e-3, "verbose": False}
EPOCHS = {
    "red": {"RNADE-MoG": 150, "RNADE-MoL": 150, "MADE-MoG": 300},
    "white": {"RNADE-MoG": 60, "RNADE-MoL": 60, "MADE-MoG": 200},
}


def made(conditional: Conditional, columns: int) -> MADE:
    return MADE(event_shape=(columns,), conditional=conditional, hidden_sizes=[500, 500], dropout=0.5)


def rnade(conditional: Conditional, columns: int) -> NADE:
    return NADE(
        event_shape=(columns,), conditional=conditional, hidden_size=300, activation="relu", dropout=0.5,
    )  # fmt: skip


BASELINES = "baselines"

MODELS: dict[str, Callable[[int], Any]] = {
    "RNADE-MoG": partial(rnade, GaussianMixture(10)),
    "RNADE-MoL": partial(rnade, LogisticMixture(10)),
    "MADE-MoG": partial(made, GaussianMixture(10)),
}


def wines(colour: str) -> Rows:
    """All rows, without the grade and without the later of two columns that say nearly the same."""
    file = f"winequality-{colour}.csv"
    x = read_frame(find(f"tabular/{file}", f"{HOST}/{file}", None)).drop(GRADE).to_numpy().astype(np.float64)
    correlation = np.abs(np.corrcoef(x.T)) - np.eye(x.shape[1])
    kept = [i for i in range(x.shape[1]) if not (correlation[i, :i] > CORRELATED).any()]
    return x[:, kept]


def folds(x: Rows) -> list[tuple[Rows, Rows, Rows]]:
    """Standardised train, valid and test rows of each fold."""
    parts = np.array_split(np.random.RandomState(0).permutation(len(x)), FOLDS)
    result = []
    for k, test in enumerate(parts):
        rest = np.concatenate([part for j, part in enumerate(parts) if j != k])
        valid, train = rest[: len(rest) // 10], rest[len(rest) // 10 :]
        mean, std = x[train].mean(0), x[train].std(0)
        train, valid, test = ((x[rows] - mean) / std for rows in (train, valid, test))
        result.append((train, valid, test))
    return result


def baselines(train: Rows, valid: Rows, test: Rows) -> dict[str, float]:
    """Mean test log-likelihoods of what needs no network."""
    gaussian = multivariate_normal(train.mean(0), np.cov(train.T))
    mixtures = [ScikitMixture(size, reg_covar=1e-3, n_init=3, random_state=0).fit(train) for size in SIZES]
    mixture = max(mixtures, key=lambda fitted: fitted.score(valid))
    kernels = [KernelDensity(bandwidth=width).fit(train) for width in WIDTHS]
    kernel = max(kernels, key=lambda fitted: fitted.score(valid))
    return {
        "Gaussian of full covariance": float(gaussian.logpdf(test).mean()),
        "scikit-learn's Gaussian mixture": float(mixture.score(test)),
        "kernel density": float(kernel.score(test) / len(test)),
    }


def network(name: str, train: Rows, valid: Rows, test: Rows, epochs: int) -> float:
    """Mean test log-likelihood of one of chainrule's models."""
    x, v, t = (torch.from_numpy(rows.astype(np.float32)) for rows in (train, valid, test))
    torch.manual_seed(0)
    model = MODELS[name](x.shape[1])
    chainrule.fit(model, x, v, max_epochs=epochs, **TRAINING)
    return float(log_prob(model, t).mean())


def colour_report(colour: str, names: list[str]) -> dict[str, Any]:
    """The figures of each of ``names``, and of the baselines, for each fold, with their mean and standard error."""
    rows: list[dict[str, float]] = []
    for train, valid, test in folds(wines(colour)):
        row = baselines(train, valid, test) if BASELINES in names else {}
        for name in names:
            if name != BASELINES:
                row[name] = network(name, train, valid, test, EPOCHS[colour][name])
        rows.append(row)
        print(colour, json.dumps({name: round(value, 3) for name, value in row.items()}), flush=True)
    return {
        name: {
            "log_likelihood": float(np.mean(values := [row[name] for row in rows])),
            "stderr": float(np.std(values, ddof=1) / len(values) ** 0.5),
            "folds": values,
        }
        for name in rows[0]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--colours", nargs="+", default=["red", "white"], help="others keep what was measured before")
    parser.add_argument("--models", nargs="+", default=[BASELINES, *MODELS], help="the same")
    options = parser.parse_args()
    path = options.out / "benchmark-tables.json"
    for colour in options.colours:
        measured = colour_report(colour, options.models)
        colours = json.loads(path.read_text())["colours"] if path.exists() else {}
        models = colours.get(colour, {"models": {}})["models"] | measured
        report: dict[str, Any] = {"benchmark": "tables", "machine": machine(), "versions": versions()}
        report |= {"published": PUBLISHED, "training": TRAINING | {"max_epochs": EPOCHS}}
        report["colours"] = colours | {colour: {"models": models}}
        write_atomically(path, (json.dumps(report, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
