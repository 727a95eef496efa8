"""Densities of rows of numbers: scikit-learn's Gaussian mixture and kernel density, and zuko's neural spline flow.

Columns are standardised, and figures are in the file's units. Integers get uniform noise in [-0.5, 0.5) to learn from,
and their probability is that of the unit interval, the mean of the density over draws of that noise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from common import Clock, Data, fit
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

COMPONENTS = range(1, 9)
COVARIANCES = ("full", "tied", "diag", "spherical")
WIDTHS = np.geomspace(0.03, 2, 25)
DRAWS, FEW_DRAWS = 64, 4

Score = Callable[[np.ndarray], np.ndarray]


class Numbers:
    """Standardised splits with noise on the integers."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.integer = np.array([column["kind"] == "integer" for column in data.about["columns"]])
        train = data.train.astype(np.float64)
        self.mean, self.std = train.mean(0), train.std(0)
        self.random = np.random.RandomState(0)
        self.train, self.valid = self.noisy(data.train), self.noisy(data.valid)

    def noisy(self, x: np.ndarray) -> np.ndarray:
        noise = self.random.uniform(-0.5, 0.5, x.shape) * self.integer
        return (x.astype(np.float64) + noise - self.mean) / self.std

    def nats(self, score: Score, split: str, draws: int = DRAWS) -> float:
        """Mean NLL in the file's units by the log-densities ``score`` of standardised rows."""
        x = self.data.arrays[split]
        draws = draws if self.integer.any() else 1
        logs = np.stack([score(self.noisy(x)) for _ in range(draws)])
        return float(np.log(self.std).sum() + np.log(draws) - np.logaddexp.reduce(logs, axis=0).mean())


def gaussian_mixture(data: Data, clock: Clock) -> dict[str, Any]:
    """One to eight components with each kind of covariance; the best by BIC."""
    numbers = Numbers(data)
    fits = [
        GaussianMixture(count, covariance_type=kind, random_state=0).fit(numbers.train)
        for kind in COVARIANCES
        for count in COMPONENTS
    ]
    best = min(fits, key=lambda mixture: mixture.bic(numbers.train))
    valid, test = (numbers.nats(best.score_samples, split) for split in ("valid", "test"))
    return {"valid_nats": valid, "nats": test, "components": best.n_components, "covariance": best.covariance_type}


def kernel_density(data: Data, clock: Clock) -> dict[str, Any]:
    """A Gaussian kernel, whose width the validation rows choose."""
    numbers = Numbers(data)
    fits = [KernelDensity(bandwidth=width).fit(numbers.train) for width in WIDTHS]
    valid = [numbers.nats(kernel.score_samples, "valid", FEW_DRAWS) for kernel in fits]
    best = int(np.argmin(valid))
    return {"valid_nats": valid[best], "nats": numbers.nats(fits[best].score_samples, "test"), "width": WIDTHS[best]}


def spline_flow(data: Data, clock: Clock) -> dict[str, Any]:
    """Three transforms with networks of two layers of 128; batches of 128, rate 1e-3."""
    import zuko

    numbers = Numbers(data)
    flow = zuko.flows.NSF(data.train.shape[1], transforms=3, hidden_features=(128, 128))
    valid = torch.from_numpy(numbers.valid).float()

    def loss() -> torch.Tensor:
        rows = np.random.randint(len(data.train), size=128)  # noqa: NPY002 (seeded for all rivals alike)
        return -flow().log_prob(torch.from_numpy(numbers.noisy(data.train[rows])).float()).mean()

    def score(x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return flow().log_prob(torch.from_numpy(x).float()).double().numpy()

    found = fit(flow, loss, lambda: float(-flow().log_prob(valid).mean()), clock, rate=1e-3)
    return found | {split: numbers.nats(score, name) for split, name in (("valid_nats", "valid"), ("nats", "test"))}
