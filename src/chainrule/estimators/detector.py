"""A detector of outliers whose threshold comes from rows that it was not fitted to."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import polars
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from chainrule.data.schema import TableSchema
from chainrule.estimators.robust import RobustScores
from chainrule.estimators.rows import NAME, Coding, Floats, is_mixed, mixed, numbers, schema_of

LEAST = 0.01
"""The share of outliers with contamination "auto", at the least."""
QUANTILES = 500
"""Quantiles of the scores from which their skewness is computed, at most."""
PLACES = 99
"""Quantiles of a column that are tried in place of a cell, to explain it."""


class ChainRuleDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Detects outliers by their density; its methods mean the same as those of scikit-learn's outlier detectors.

    By default the scores are those of `chainrule.estimators.robust`: kernels and tails that outliers among the training
    rows do not spoil, and no network. No labels are needed, and none are used.

    The threshold is a quantile of the scores of *held-out* rows: each of some folds of the training rows is scored by
    a fit to the others. So a share ``contamination`` of new rows like those of training is found to be outliers. A row
    that was learnt from keeps its held-out score, whenever it is scored, so that it does not vouch for itself.

    Args:
        contamination: The share of rows like those of training that are outliers, in (0, 0.5]. With "auto", outliers
            are the rows beyond the lower fence of the boxplot for skewed distributions, which 1 to 3 % of clean rows
            are, and which up to a quarter of outliers among the training rows hardly move; at the least 1 % of rows.
        density: An estimator with ``score_samples`` in place of the robust scores, such as `ChainRuleDensity`. It is
            cloned, and fitted once more for each fold.
        folds: Parts of the training rows that are held out in turn, at least 2.
        max_samples: Training rows, drawn at random, that are learnt from at most.
        n_jobs: Fits at the same time: None for 1, -1 for one on each core.
        random_state: Seed of the folds and of the robust scores.

    Attributes:
        offset_: The threshold of `score_samples`.

    References:
        An adjusted boxplot for skewed distributions (Hubert and Vandervieren, 2008),
        https://doi.org/10.1016/j.csda.2007.11.008

    >>> rows = np.random.RandomState(0).normal(size=(500, 3))
    >>> detector = ChainRuleDetector(contamination=0.05, random_state=0).fit(rows)
    >>> detector.predict([[0.0, 0.0, 0.0], [9.0, 0.0, 0.0]])
    array([ 1, -1])
    """

    def __init__(
        self,
        *,
        contamination: float | str = "auto",
        density: Any = None,
        folds: int = 5,
        max_samples: int = 10_000,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.contamination = contamination
        self.density = density
        self.folds = folds
        self.max_samples = max_samples
        self.n_jobs = n_jobs
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.density is None
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit to rows, and set the threshold ``offset_``; ``y`` is ignored.

        Args:
            X: ``(n_samples, n_features)``, an array of numbers, in which a gap is NaN, or a frame of polars or pandas.
            y: Ignored.

        Raises:
            ValueError: If an argument is out of range, a value is infinite, or there are fewer than two rows.
        """
        self._check()
        generator = check_random_state(self.random_state)
        rows = self._read(X, reset=True)
        chosen = generator.permutation(len(rows))[: self.max_samples]
        rows, seed = _safe_indexing(rows, chosen), int(generator.randint(2**31 - 1))
        parts = np.array_split(np.arange(len(rows)), min(self.folds, len(rows)))
        fits = Parallel(n_jobs=self.n_jobs)(
            delayed(_fitted)(self._scorer_of(seed), rows, held) for held in [*parts, np.arange(0)]
        )
        self._scorer = fits[-1][0]
        scores = np.concatenate([scores for _, scores in fits])
        self._held_out = dict(zip(_keys(rows), scores.tolist(), strict=True))
        if self.contamination == "auto":
            self.offset_ = max(lower_fence(scores), float(np.quantile(scores, LEAST)))
        else:
            self.offset_ = float(np.quantile(scores, float(self.contamination)))
        return self

    def _check(self) -> None:
        share = self.contamination
        if share != "auto" and not (isinstance(share, int | float) and 0 < share <= 0.5):
            raise ValueError(f'contamination expects "auto" or a share in (0, 0.5], got {share!r}')
        for name, least in (("folds", 2), ("max_samples", 2)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} expects at least {least}, got {getattr(self, name)}")

    def _read(self, X: Any, *, reset: bool) -> Any:
        """Rows as an array of numbers, in which a gap is NaN; those of a ``density`` as it takes them."""
        if reset:
            self._mixed = is_mixed(X)
            self._schema: TableSchema | None = None
        if not self._mixed:
            return numbers(self, X, reset=reset, gaps=self.density is None)
        frame = mixed(self, X, reset=reset)
        if self.density is not None:
            return frame
        if self._schema is None:
            self._schema = schema_of(frame, range(len(frame)))
        return self._schema.encode(frame, NAME, gaps=True, unseen=True).astype(np.float64)

    def _scorer_of(self, seed: int) -> Any:
        """The estimator that scores rows, before it is fitted."""
        if self.density is not None:
            return clone(self.density)
        columns = [] if self._schema is None else self._schema.used
        return _Coded(seed, [column.family == "category" for column in columns] or [False] * self.n_features_in_)

    def score_samples(self, X: Any) -> Floats:
        """The score of each row, ``(n_samples,)``; outliers have low values, and rows of training their held-out ones.

        Robust scores are in standard deviations: 0 is a usual row. Those of a ``density`` are its own.

        Raises:
            NotFittedError: If `fit` was not called before.
        """
        check_is_fitted(self)
        rows = self._read(X, reset=False)
        scores: Floats = self._scorer.score_samples(rows)
        known = [self._held_out.get(key, np.nan) for key in _keys(rows)]
        return np.where(np.isnan(known), scores, known)

    def decision_function(self, X: Any) -> Floats:
        """The score of each row less the threshold: negative for outliers, ``(n_samples,)``."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> NDArray[np.int64]:
        """1 for rows like those of training, -1 for outliers, ``(n_samples,)``."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def explain(self, X: Any) -> Floats:
        """A number for each cell, ``(n_samples, n_features)``: low if it makes its row strange.

        It is the share of the values of its column, in training, with which the row would score no higher than it
        does: by `PLACES` quantiles and itself, so that it is at least 0.01. It is NaN where the column has no model,
        such as an identifier. A ``density`` explains rows by its own method ``explain``.

        Args:
            X: ``(n_samples, n_features)``.

        Raises:
            NotFittedError: If `fit` was not called before.
            ValueError: If the ``density`` has no method ``explain``.
        """
        check_is_fitted(self)
        if self.density is not None:
            if not hasattr(self._scorer, "explain"):
                raise ValueError(f"explain expects a density with a method explain, got {type(self.density).__name__}")
            found: Floats = self._scorer.explain(X)
            return found
        rows = self._read(X, reset=False)
        shares = self._scorer.shares(rows)
        if self._schema is None:
            return shares
        whole = np.full((len(rows), self.n_features_in_), np.nan)
        whole[:, [self._schema.columns.index(column) for column in self._schema.used]] = shares
        return whole


class _Coded:
    """Robust scores of rows that may have categories and gaps."""

    def __init__(self, seed: int, categories: list[bool]) -> None:
        self.robust, self.categories = RobustScores(seed=seed), categories

    def fit(self, X: Floats) -> Self:
        self.coding = Coding(X, self.categories)
        self.places = _quantiles(X)
        self.robust.fit(self.coding(X))
        return self

    def score_samples(self, X: Floats) -> Floats:
        return self.robust.score_samples(self.coding(X))

    def shares(self, X: Floats) -> Floats:
        """The share of the values of each column with which a row scores no higher, ``(n_samples, n)``."""
        own, lower = self.score_samples(X), np.ones(X.shape)
        for j, values in enumerate(self.places.T):
            for value in values:
                tried = X.copy()
                tried[:, j] = value
                lower[:, j] += self.score_samples(tried) <= own
        return lower / (len(self.places) + 1)


def _quantiles(rows: Floats) -> Floats:
    """`PLACES` values of each column, evenly spread over its ranks, gaps last."""
    ranks = (np.arange(PLACES) + 0.5) / PLACES * len(rows)
    return np.sort(rows, axis=0)[ranks.astype(int)]


def _keys(rows: Any) -> list[Any]:
    """Keys by which rows of an array or a frame are found again."""
    return rows.rows() if isinstance(rows, polars.DataFrame) else [row.tobytes() for row in rows]


def _fitted(scorer: Any, rows: Any, held: NDArray[np.intp]) -> tuple[Any, Floats]:
    """The scorer, fitted to the rows that are not ``held``, and its scores of those that are."""
    scorer.fit(_safe_indexing(rows, np.setdiff1d(np.arange(len(rows)), held)))
    return scorer, scorer.score_samples(_safe_indexing(rows, held)) if len(held) else np.zeros(0)


def lower_fence(scores: Floats) -> float:
    """The lower fence of the boxplot for skewed distributions, Q1 - 1.5 exp(-a M) (Q3 - Q1).

    M is the `medcouple`, a measure of skewness; a is 4 where it is positive and 3 where it is negative.

    >>> bool(lower_fence(np.linspace(0, 1, 101)) == 0.25 - 1.5 * 0.5)
    True
    """
    low, high = np.quantile(scores, (0.25, 0.75))
    skewness = medcouple(scores)
    return float(low - 1.5 * np.exp(-(4 if skewness >= 0 else 3) * skewness) * (high - low))


def medcouple(values: Floats) -> float:
    """The median of ((b - m) - (m - a)) / (b - a) over all values a <= m <= b around their median m.

    It is from -1 to 1, and 0 for symmetric values. Of many values, `QUANTILES` quantiles are taken.
    """
    if len(values) > QUANTILES:
        values = np.quantile(values, np.linspace(0, 1, QUANTILES))
    centred = values - np.median(values)
    below, above = centred[centred <= 0][:, None], centred[centred >= 0]
    apart = above > below
    if not apart.any():
        return 0.0
    pairs = np.broadcast_to(above + below, apart.shape)[apart] / (above - below)[apart]
    return float(np.median(pairs))
