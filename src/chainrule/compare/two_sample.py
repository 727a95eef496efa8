"""Two-sample test by a classifier: can sampled rows be told from real ones, and by which columns?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from chainrule.compare.table import Table, Values

ROWS = 10_000
"""Real rows, and as many sampled ones, that the classifier sees at most."""

FOLDS = 3
"""Parts of the cross-validation; there must be as many rows of each sort."""

MOST_CATEGORIES = 255
"""Categories of a column that gradient boosting takes as such; the codes of more are taken as numbers."""


@dataclass(frozen=True)
class TwoSample:
    """The test in which gradient boosting tells real from sampled rows.

    Attributes:
        rows: The number of rows of each sort.
        auc: The area under the ROC curve, of all folds together; 0.5 is best.
        importances: The fall of the AUC when one column is shuffled among the rows ``(n,)``.
    """

    rows: int
    auc: float
    importances: tuple[float, ...] = ()

    @property
    def score(self) -> float:
        """2 (1 - max(AUC, 0.5)): 1 is best, 0 worst. The detection score of TabSyn, TabDiff and TabPC."""
        return 2 * (1 - max(self.auc, 0.5))

    @property
    def luck(self) -> float:
        """Two standard errors of the AUC of rows that can't be told apart: sqrt((2m + 1) / 12) / m for m of each."""
        return 2 * math.sqrt((2 * self.rows + 1) / 12) / self.rows


def two_sample(real: Table, sampled: Table, *, seed: int = 0, rows: int = ROWS, importance: bool = False) -> TwoSample:
    """Tell ``sampled`` rows from ``real`` ones by gradient boosting, three-fold cross-validated.

    Args:
        real: Real rows.
        sampled: Sampled rows, coded alike.
        seed: Seed of the choice of rows, of the folds and of the classifier.
        rows: The number of rows of each sort that are used, at most.
        importance: True to compute the importances of the columns also.

    Raises:
        ValueError: If there are fewer than three rows of a sort.
    """
    x, y = _together(real, sampled, seed, rows)
    scores, shuffled = np.zeros(len(x)), np.zeros((x.shape[1] if importance else 0, len(x)))
    random = np.random.default_rng(seed)
    for model, test in _folds(x, y, _few(real, x), seed):
        scores[test] = model.predict_proba(x[test])[:, 1]
        for column in range(len(shuffled)):
            changed = x[test]
            changed[:, column] = random.permutation(changed[:, column])
            shuffled[column, test] = model.predict_proba(changed)[:, 1]
    auc = float(roc_auc_score(y, scores))
    return TwoSample(len(x) // 2, auc, tuple(auc - float(roc_auc_score(y, own)) for own in shuffled))


def two_sample_of_each(real: Table, sampled: Table, *, seed: int = 0, rows: int = ROWS) -> Iterator[TwoSample]:
    """The same for each column by itself: what its values alone give away."""
    x, y = _together(real, sampled, seed, rows)
    few = _few(real, x)
    for column in range(x.shape[1]):
        own, scores = x[:, [column]], np.zeros(len(x))
        for model, test in _folds(own, y, few[[column]], seed):
            scores[test] = model.predict_proba(own[test])[:, 1]
        yield TwoSample(len(x) // 2, float(roc_auc_score(y, scores)))


def _together(real: Table, sampled: Table, seed: int, rows: int) -> tuple[Values, NDArray[np.int64]]:
    """As many real as sampled rows ``(2m, n)``, and 1 for the real ones."""
    count = min(len(real), len(sampled), rows)
    if count < FOLDS:
        raise ValueError(f"a two-sample test expects at least {FOLDS} real and as many sampled rows, got {count}")
    x = np.concatenate([real.some(count, seed).values, sampled.some(count, seed + 1).values])
    return x, np.repeat([1, 0], count)


def _few(table: Table, x: Values) -> NDArray[np.bool_]:
    """True for columns of categories that gradient boosting takes as such ``(n,)``."""
    highest = np.where(np.isnan(x), 0, x).max(axis=0)
    few: NDArray[np.bool_] = ~table.numeric & (highest < MOST_CATEGORIES)
    return few


def _folds(
    x: Values, y: NDArray[np.int64], few: NDArray[np.bool_], seed: int
) -> Iterator[tuple[HistGradientBoostingClassifier, NDArray[np.int64]]]:
    """A classifier that was fitted to the other folds, and the rows of each fold."""
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(x, y):
        model = HistGradientBoostingClassifier(categorical_features=few, random_state=seed)
        yield model.fit(x[train], y[train]), test
