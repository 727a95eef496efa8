"""Train on samples, test on real rows: do sampled rows teach as much about a column as real ones?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import r2_score, roc_auc_score

from chainrule.compare.table import Table, Values
from chainrule.compare.two_sample import MOST_CATEGORIES
from chainrule.words import suggestion

ROWS = 10_000
"""Rows that are learnt from, at most."""

FEW = 10
"""Numbers with at most this many different values are predicted as classes."""

CLASSES = 20
"""Classes that are told apart, at most; the rarest of more share one."""


@dataclass(frozen=True)
class Usefulness:
    """The quality of predictions of a column on real rows that were held out.

    Attributes:
        target: The column.
        measure: The figure to compare by: ``AUC`` of classes, the mean over them of one against the rest; ``R^2`` of
            numbers.
        on_samples: The figure after learning from sampled rows.
        on_real: The figure after learning from as many training rows.
        accuracy: The shares of right classes after learning from sampled and from training rows, and of the commonest
            class in training; None of numbers.
        rows: The number of rows that were learnt from, and of those that were predicted.
    """

    target: str
    measure: str
    on_samples: float
    on_real: float
    accuracy: tuple[float, float, float] | None
    rows: tuple[int, int]


def usefulness(train: Table, held_out: Table, sampled: Table, target: str, *, seed: int = 0) -> Usefulness:
    """Predict ``target`` by gradient boosting, learnt from sampled rows and from as many training rows.

    Raises:
        ValueError: If there is no such column, or it does not vary.
    """
    column = target_column(train, target)
    parts = [table.rows(np.flatnonzero(~np.isnan(table.values[:, column]))) for table in (train, held_out, sampled)]
    count = min(len(parts[0]), len(parts[2]), ROWS)
    if not count or not len(parts[1]):
        raise ValueError(f"--target expects a column with values, got {target!r}, which is empty in some rows' part")
    real, samples = parts[0].some(count, seed), parts[2].some(count, seed)
    classes = train.categories[column] is not None or len(np.unique(parts[0].values[:, column])) <= FEW
    compare = _by_classes if classes else _by_numbers
    found = compare([samples, real], parts[1], column, seed)
    return Usefulness(target=target, rows=(count, len(parts[1])), **found)


def target_column(table: Table, target: str) -> int:
    """The position of the column ``target``.

    Raises:
        ValueError: If there is none, with the nearest name.
    """
    if target not in table.names:
        names = ", ".join(table.names)
        raise ValueError(f"--target expects a column ({names}), got {target!r}{suggestion(target, table.names)}")
    return table.names.index(target)


def _by_numbers(parts: list[Table], test: Table, column: int, seed: int) -> dict[str, Any]:
    figures = []
    for part in parts:
        x, y, few = _features(part, column)
        model = HistGradientBoostingRegressor(categorical_features=few, random_state=seed).fit(x, y)
        x, y, _ = _features(test, column)
        figures.append(float(r2_score(y, model.predict(x))) if len(y) > 1 and y.std() > 0 else float("nan"))
    return {"measure": "R^2", "on_samples": figures[0], "on_real": figures[1], "accuracy": None}


def _by_classes(parts: list[Table], test: Table, column: int, seed: int) -> dict[str, Any]:
    values, counts = np.unique(parts[1].values[:, column], return_counts=True)
    kept = values[np.argsort(-counts, kind="stable")[: CLASSES - (len(values) > CLASSES)]]
    truth = _classes(test, column, kept)
    aucs, accuracies = [], []
    for part in parts:
        shares = _class_shares(part, test, column, kept, seed)
        aucs.append(_mean_auc(truth, shares))
        accuracies.append(float((shares.argmax(axis=1) == truth).mean()))
    accuracy = (*accuracies, float((truth == 0).mean()))
    return {"measure": "AUC", "on_samples": aucs[0], "on_real": aucs[1], "accuracy": accuracy}


def _classes(table: Table, column: int, kept: Values) -> NDArray[np.int64]:
    """Positions among the ``kept`` values; all others have the last position, one behind them."""
    same = table.values[:, [column]] == kept
    return np.where(same.any(axis=1), same.argmax(axis=1), len(kept))


def _class_shares(part: Table, test: Table, column: int, kept: Values, seed: int) -> Values:
    """p(class | other columns) of the ``test`` rows ``(N, classes)``, learnt from ``part``."""
    shares = np.zeros((len(test), len(kept) + 1))
    x, _, few = _features(part, column)
    y = _classes(part, column, kept)
    if (y == y[0]).all():
        shares[:, y[0]] = 1
        return shares
    model = HistGradientBoostingClassifier(categorical_features=few, random_state=seed).fit(x, y)
    shares[:, model.classes_] = model.predict_proba(_features(test, column)[0])
    return shares


def _mean_auc(truth: NDArray[np.int64], shares: Values) -> float:
    """The mean AUC of each class against the rest; of two classes they are equal."""
    aucs = [roc_auc_score(truth == each, shares[:, each]) for each in np.unique(truth)]
    return float(np.mean(aucs)) if len(aucs) > 1 else float("nan")


def _features(table: Table, column: int) -> tuple[Values, Values, NDArray[np.bool_]]:
    """The other columns, the column itself, and which of the others are of a few categories."""
    others = np.arange(len(table.names)) != column
    few = np.array([own is not None and len(own) <= MOST_CATEGORIES for own in table.categories])
    return table.values[:, others], table.values[:, column], few[others]
