"""Figures of sampled rows: whether they are told from real ones, and whether they teach what real rows teach."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import polars
from detection import detection, encoded
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

GAPS = ["", "NA", "?", "NaN", "nan"]


def read(path: Path) -> polars.DataFrame:
    """The rows of a CSV file, as ``two_sample.py`` reads them."""
    return polars.read_csv(path, infer_schema_length=None, null_values=GAPS)


def told_from_held_out(held_out: polars.DataFrame, sampled: polars.DataFrame) -> float:
    """The mean AUC of telling held-out rows from as many sampled ones, over disjoint sets of sampled rows."""
    size = len(held_out)
    parts = [sampled.slice(start, size) for start in range(0, max(len(sampled) - size, 0) + 1, size)]
    return fmean(detection(held_out, part)["auc"] for part in parts)


def taught(rows: polars.DataFrame, held_out: polars.DataFrame, target: str) -> float:
    """How well gradient boosting that is fitted to ``rows`` predicts a column of held-out rows.

    Returns:
        R^2 of a number with more than ten values, else the accuracy.
    """
    is_number = held_out[target].dtype.is_numeric() and held_out[target].n_unique() > 10
    known = [frame.filter(frame[target].is_not_null()) for frame in (rows, held_out)]
    x, few = encoded(*(frame.drop(target) for frame in known))
    learn, test = np.split(x, [len(known[0])])
    if is_number:
        y, real = (frame[target].cast(polars.Float64, strict=False).to_numpy() for frame in known)
        model: Any = HistGradientBoostingRegressor(categorical_features=few, random_state=0)
    else:
        y, real = _labels(*(frame[target] for frame in known))
        model = HistGradientBoostingClassifier(categorical_features=few, random_state=0)
        if len(np.unique(y)) < 2:
            return float((real == y[0]).mean())
    return float(model.fit(learn, y).score(test, real))


def _labels(*columns: polars.Series) -> list[np.ndarray]:
    """The values as words; 0, 0.0 and -0.0 are the same if all columns are numbers."""
    if all(own.dtype.is_numeric() for own in columns):
        return [(own.cast(polars.Float64).to_numpy() + 0.0).astype(str) for own in columns]  # -0.0 becomes 0.0
    return [own.cast(polars.String).str.strip_chars().str.to_lowercase().to_numpy().astype(str) for own in columns]


def judged(
    train: polars.DataFrame, sampled: polars.DataFrame, held_out: polars.DataFrame | None, target: str | None
) -> dict[str, Any]:
    """All figures of sampled rows; ``train`` are the rows that were fitted to.

    A column that the samples lack counts as empty there.
    """
    lacking = [name for name in train.columns if name not in sampled.columns]
    sampled = sampled.with_columns(polars.lit(None, dtype=train[name].dtype).alias(name) for name in lacking)
    sampled = sampled[train.columns]
    found: dict[str, Any] = {"fitted_rows": detection(train, sampled)}
    if held_out is not None and target is not None:
        found["held_out_auc"] = told_from_held_out(held_out, sampled)
        found["taught"] = taught(sampled, held_out, target)
    return found | ({"lacking": lacking} if lacking else {})
