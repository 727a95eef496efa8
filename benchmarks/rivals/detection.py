"""How well sampled rows are told from training rows: the figure of models that have no density.

``auc`` is the area under the ROC curve of gradient boosting in three-fold cross-validation (0.5 is best), and ``score``
is 2 (1 - max(auc, 0.5)) (1 is best), as TabSyn, TabDiff and TabPC define it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

ROWS = 20_000
"""Rows of each that are told apart, at most."""
MOST = 255
"""Categories that gradient boosting takes as such, at most."""


def detection(real: polars.DataFrame, sampled: polars.DataFrame) -> dict[str, Any]:
    """The figures of as many sampled as real rows, with the same columns."""
    count = min(len(real), len(sampled), ROWS)
    real, sampled = (frame.sample(count, seed=seed) for seed, frame in enumerate((real, sampled)))
    (x, few), y = encoded(real, sampled), np.repeat([1, 0], count)
    scores = np.zeros(2 * count)
    for train, test in StratifiedKFold(3, shuffle=True, random_state=0).split(x, y):
        model = HistGradientBoostingClassifier(categorical_features=few, random_state=0).fit(x[train], y[train])
        scores[test] = model.predict_proba(x[test])[:, 1]
    auc = float(roc_auc_score(y, scores))
    return {"auc": auc, "score": 2 * (1 - max(auc, 0.5)), "rows": count}


def encoded(real: polars.DataFrame, sampled: polars.DataFrame) -> tuple[np.ndarray, list[bool]]:
    """The rows of both as numbers, one after another, and which columns are categories for gradient boosting."""
    found = [_numbers(real[name], sampled[name]) for name in real.columns]
    few = [is_code and len(np.unique(numbers)) <= MOST for numbers, is_code in found]
    return np.column_stack([numbers for numbers, _ in found]), few


def _numbers(real: polars.Series, sampled: polars.Series) -> tuple[np.ndarray, bool]:
    """Numbers as they are, and anything else as codes that both have, and whether they are codes."""
    if real.dtype.is_numeric() and sampled.dtype.is_numeric():
        return np.concatenate([own.cast(polars.Float64).to_numpy() for own in (real, sampled)]), False
    words = [own.cast(polars.String).str.strip_chars().str.to_lowercase() for own in (real, sampled)]
    both = polars.concat(words).fill_null("(missing)").to_numpy()
    return np.unique(both.astype(str), return_inverse=True)[1].astype(float), True
