"""Scores of rows by three simple densities, fitted without labels to rows of which some may be outliers.

No one density finds both lonely and crowded outliers. The score is the mean of three log-probabilities:

- *near*: a mixture of narrow Gaussian kernels on all training rows. It follows the data closely, and takes crowded
  outliers for data: so it counts where it is low, and where it is high it counts as that of a usual row.
- *far*: mixtures of wide kernels, each on few training rows, whose log p is averaged: as in an isolation forest, a
  crowd of outliers is then no peak. The rows that score lowest are left out and the kernels fitted again, so that
  outliers do not vouch for one another.
- *tails*: the product over the columns of the share of training rows that lie beyond a value: to its left, to its
  right, or on the side of the longer tail; the least of the three. It takes columns as independent, and does not mind
  how far out a value is.

A mixture of kernels is p(x) = (1/m) sum_k prod_j N(z_j(x); z_j(x_k), h^2); its conditionals weight the kernels by the
evidence of the earlier columns. The nearest kernel does not count, so that a training row does not vouch for itself.
For far kernels z_j is standardised, for near ones it is half that and half the normal score of the rank.

Each log p is standardised by those of the training rows, and the mean is that of f(z) = sign(z) log(1 + abs(z)), taken
back by the inverse of f, so that none of the three swamps the others.

References:
    Isolation forest (Liu, Ting and Zhou, 2008), https://doi.org/10.1109/ICDM.2008.17
    ECOD: unsupervised outlier detection using empirical cumulative distribution functions (Li et al., 2022): the
    tails, https://arxiv.org/abs/2201.00382
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import skew

__all__ = ["RobustScores"]

Floats = NDArray[np.float64]

NEAR_KERNELS = 2000
"""Near kernels, at most."""
NEAR_WIDTH = 0.4
"""Their width, in units of Scott's rule."""
FAR_KERNELS = 128
"""Far kernels of a member, at most; half of the training rows where they are few."""
FAR_MEMBERS = 10
TRIMMED = 0.2
"""The share of the training rows that far kernels leave out."""
ROUNDS = 2
"""Fits of far kernels after the first."""
WEIGHTS = (1.5, 1.0, 1.0)
"""The weights of near kernels, far kernels and tails in the mean."""
FARTHEST = 1e9
"""Standard deviations within which values are held, so that extreme ones score finite and very low."""
CHUNK = 4096
"""Rows whose distances from the kernels are computed at once, to bound memory."""


class RobustScores:
    """Scores of rows; lower is stranger, and 0 is a usual row.

    Args:
        seed: Seed of the kernels' rows.

    >>> rows = np.random.RandomState(0).normal(size=(300, 2))
    >>> near, far = RobustScores(seed=0).fit(rows).score_samples(np.array([[0.0, 0.0], [4.0, 4.0]]))
    >>> bool(near > 0 > far)
    True
    """

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, X: Floats) -> Self:
        """Fit to the rows ``(n_samples, n_features)``, without gaps."""
        generator = np.random.default_rng(self.seed)
        self._blend, self._straight, self._tails = _Blend(X), _Standardised(X), _Tails(X)
        z, tails = self._blend(X), self._tails(X)
        self._near = _Kernels(z, generator, count=NEAR_KERNELS, width=NEAR_WIDTH)
        self._of_near, self._of_tails = _Standard(self._near(z)), _Standard(tails)
        self._fit_far(self._straight(X), self._of_tails(tails), generator)
        return self

    def _fit_far(self, z: Floats, tails: Floats, generator: np.random.Generator) -> None:
        """Fit to the rows that score highest by the fit before and by the tails; a row may come back."""
        kept = np.arange(len(z))
        for left in reversed(range(ROUNDS + 1)):
            count = max(1, min(FAR_KERNELS, len(kept) // 2))
            self._far = _Kernels(z[kept], generator, count=count, members=FAR_MEMBERS)
            found = self._far(z)
            self._of_far = _Standard(found[kept])
            if left:
                scores = self._of_far(found) + tails
                kept = np.flatnonzero(scores >= np.quantile(scores, TRIMMED))

    def score_samples(self, X: Floats) -> Floats:
        """The score of each row, ``(n_samples,)``."""
        near = self._of_near(self._near(self._blend(X))).clip(max=0)
        far = self._of_far(self._far(self._straight(X)))
        tails = self._of_tails(self._tails(X))
        mean = np.average([np.sign(z) * np.log1p(np.abs(z)) for z in (near, far, tails)], axis=0, weights=WEIGHTS)
        return np.sign(mean) * np.expm1(np.abs(mean))


class _Standard:
    """Scores less their median, in units of their spread.

    The spread is the mean of the standard deviation and that of a Gaussian with the same quartiles: the first alone
    is large where some rows are far out, and the second is nothing where most scores are the same.
    """

    def __init__(self, scores: Floats) -> None:
        low, self.centre, high = np.quantile(scores, (0.25, 0.5, 0.75))
        spread = (scores.std() + (high - low) / (2 * ndtri(0.75))) / 2
        self.spread = spread if spread > 0 else 1.0

    def __call__(self, scores: Floats) -> Floats:
        return (scores - self.centre) / self.spread


class _Standardised:
    """Columns less their mean, in standard deviations; a column that never varies is only shifted."""

    def __init__(self, rows: Floats) -> None:
        self.mean, std = rows.mean(0), rows.std(0)
        self.std = np.where(std > 1e-12 * np.abs(self.mean), std, 1.0)

    def __call__(self, rows: Floats) -> Floats:
        return ((rows - self.mean) / self.std).clip(-FARTHEST, FARTHEST)


class _Blend:
    """Columns as the mean of their standardised value and the normal score of its rank, standardised again.

    Neither far values nor repeated ones are then far from all others.
    """

    def __init__(self, rows: Floats) -> None:
        self.straight, self.tables = _Standardised(rows), []
        for column in rows.T:
            values, counts = np.unique(column, return_counts=True)
            self.tables.append((values, ndtri((counts.cumsum() - counts / 2) / len(rows))))
        self.again = _Standardised(self._blended(rows))

    def __call__(self, rows: Floats) -> Floats:
        return self.again(self._blended(rows))

    def _blended(self, rows: Floats) -> Floats:
        inside = rows.clip([values[0] for values, _ in self.tables], [values[-1] for values, _ in self.tables])
        scores = np.column_stack(
            [np.interp(column, *table) for column, table in zip(inside.T, self.tables, strict=True)]
        )
        z = self.straight(rows)
        # Beyond the training rows, a normal score grows with the value.
        return (z + scores + z - self.straight(inside)) / 2


class _Kernels:
    """The mean log p, but for a constant, of members that are each a mixture of Gaussian kernels on random rows.

    The kernel nearest to a row does not count.

    Args:
        rows: ``(n_samples, n_features)``.
        generator: Chooses the rows of each member.
        count: Kernels of a member, at most.
        members: The number of members.
        width: The standard deviation of a kernel, in units of Scott's rule.
    """

    def __init__(
        self, rows: Floats, generator: np.random.Generator, *, count: int, members: int = 1, width: float = 1.0
    ) -> None:
        self.rows = rows
        self.chosen = [generator.permutation(len(rows))[:count] for _ in range(members)]
        varied = np.count_nonzero(np.ptp(rows, axis=0))
        self.width = width * len(self.chosen[0]) ** (-1 / (varied + 4))

    def __call__(self, rows: Floats) -> Floats:
        parts = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
        return np.mean([np.concatenate([self._log_prob(part, own) for part in parts]) for own in self.chosen], axis=0)

    def _log_prob(self, rows: Floats, chosen: NDArray[np.intp]) -> Floats:
        centres = self.rows[chosen]
        exponents = rows @ centres.T - (centres**2).sum(1) / 2 - (rows**2).sum(1)[:, None] / 2
        exponents /= self.width**2
        if len(chosen) > 1:
            exponents[np.arange(len(rows)), exponents.argmax(1)] = -np.inf
        highest = exponents.max(1)
        return np.log(np.exp(exponents - highest[:, None]).sum(1)) + highest


class _Tails:
    """Log of the product, over the columns, of the share of training rows that lie beyond a value."""

    def __init__(self, rows: Floats) -> None:
        self.ascending = np.sort(rows, axis=0)
        varied = rows.std(0) > 1e-12 * np.abs(rows.mean(0))
        self.left = np.zeros(rows.shape[1], bool)
        self.left[varied] = skew(rows[:, varied], axis=0) < 0

    def __call__(self, rows: Floats) -> Floats:
        below, above = np.empty_like(rows), np.empty_like(rows)
        count = len(self.ascending)
        for j, column in enumerate(self.ascending.T):
            below[:, j] = np.searchsorted(column, rows[:, j], "right")
            above[:, j] = count - np.searchsorted(column, rows[:, j], "left")
        below, above = (np.log((found + 0.5) / (count + 1)) for found in (below, above))
        longer = np.where(self.left, below, above)
        return np.minimum(np.minimum(below.sum(1), above.sum(1)), longer.sum(1))
