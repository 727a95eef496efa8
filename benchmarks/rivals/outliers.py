"""Rivals that find outliers: their scores of test rows, and of training rows, from which they take their threshold.

``python benchmarks/rivals/outliers.py WORK NAME SEED METHOD`` writes ``WORK/NAME-SEED-SETTING-METHOD.npz`` for both
settings of `anomaly_sets`. Distances and densities are of standardised columns; all else is as the packages have it.
Several methods may be named, separated by commas.
"""

from __future__ import annotations

import importlib
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from anomaly_sets import SETTINGS, split

Scores = tuple[np.ndarray, np.ndarray]

COMPONENTS = (1, 2, 3, 5, 8)
"""Components of the Gaussian mixtures of which the BIC chooses one."""
WIDE = 200
"""Columns beyond which covariances are diagonal only."""


def of_pyod(module: str, name: str, *, standardised: bool = False) -> Callable[..., Scores]:
    """The scores of a detector of pyod with its defaults."""

    def scores(train: np.ndarray, test: np.ndarray, seed: int) -> Scores:
        detector = getattr(importlib.import_module(f"pyod.models.{module}"), name)
        if standardised:
            train, test = in_deviations(train, test)
        fitted = detector(**({"random_state": seed} if name == "IForest" else {})).fit(train)
        return fitted.decision_scores_, fitted.decision_function(test)

    return scores


def gaussian_mixture(train: np.ndarray, test: np.ndarray, seed: int) -> Scores:
    """scikit-learn's, of the number of components and the covariances with the lowest BIC."""
    train, test = in_deviations(train, test)
    fits = [
        GaussianMixture(count, covariance_type=kind, reg_covar=1e-3, random_state=seed).fit(train)
        for kind in (("full", "diag") if train.shape[1] <= WIDE else ("diag",))
        for count in COMPONENTS
        if 5 * count <= len(train)
    ]
    best = min(fits, key=lambda fit: fit.bic(train))
    return -best.score_samples(train), -best.score_samples(test)


def kernel_density(train: np.ndarray, test: np.ndarray, seed: int) -> Scores:
    """scikit-learn's, with the width of Scott's rule."""
    train, test = in_deviations(train, test)
    fitted = KernelDensity(bandwidth="scott").fit(train)
    return -fitted.score_samples(train), -fitted.score_samples(test)


def in_deviations(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test)


METHODS: dict[str, Callable[..., Scores]] = {
    "IForest": of_pyod("iforest", "IForest"),
    "ECOD": of_pyod("ecod", "ECOD"),
    "COPOD": of_pyod("copod", "COPOD"),
    "KNN": of_pyod("knn", "KNN", standardised=True),
    "LOF": of_pyod("lof", "LOF", standardised=True),
    "HBOS": of_pyod("hbos", "HBOS"),
    "Gaussian mixture (BIC)": gaussian_mixture,
    "kernel density": kernel_density,
}


def main(work: Path, name: str, seed: int, methods: list[str]) -> None:
    warnings.simplefilter("ignore")
    packages = np.array([f"{package} {version(package)}" for package in ("pyod", "scikit-learn")])
    for method in methods:
        METHODS[method](*[np.random.default_rng(0).normal(size=(40, 2))] * 2, seed)  # imports and compiles, uncounted
    for setting in SETTINGS:
        rows = split(name, seed, setting)
        for method in methods:
            started = time.process_time()
            train, test = (np.nan_to_num(scores, nan=0.0) for scores in METHODS[method](rows.train, rows.test, seed))
            found: dict[str, Any] = {"train": train, "test": test, "cpu_seconds": time.process_time() - started}
            np.savez(work / f"{name}-{seed}-{setting}-{method}.npz", packages=packages, **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4].split(","))
