"""Adversarial random forests (arfpy), and the density of their leaves (FORDE) at new rows.

p(x) is the mean over trees of the share of training rows in the leaf of x, times the densities of its columns in that
leaf: a normal truncated to the leaf, or frequencies. Frequencies are smoothed by those of all rows, and deviations are
at least a thousandth of the column's, so that no row is impossible. A number that is missing is a category of its own
beside the column.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from common import Clock, Data
from scipy.special import logsumexp
from scipy.stats import norm

ROWS = 5000
"""Training rows, at most: more take many times the minutes of the other rivals."""
SMOOTHING = (0.01, 0.1, 1.0)
LEAST = 1e-3


def adversarial_forest(data: Data, clock: Clock) -> dict[str, Any]:
    """arfpy with its defaults: 30 trees, leaves of at least 5 rows."""
    np.in1d = np.isin  # noqa: NPY201 (arfpy needs it, and numpy 2.4 has it no longer)
    from arfpy import arf

    columns = _columns(data)
    chosen = np.random.RandomState(0).permutation(len(data.train))[:ROWS]
    frame = _frame(data.train[chosen], columns)
    forest = arf.arf(frame, verbose=False, random_state=0)
    leaves = Leaves(forest.clf, frame, columns)
    frames = {split: _frame(data.arrays[split], columns) for split in ("valid", "test")}
    valid = {smoothing: leaves.nats(frames["valid"], smoothing) for smoothing in SMOOTHING}
    best = min(valid, key=lambda smoothing: valid[smoothing])
    found = {"valid_nats": valid[best], "nats": leaves.nats(frames["test"], best)}
    return found | {"smoothing": best, "train_rows": len(frame)}


def _columns(data: Data) -> list[dict[str, Any]]:
    """The columns, each missing number with a category beside it; ``values`` is the number of categories."""
    columns = []
    for index, column in enumerate(data.about["columns"]):
        own = column | {"index": index, "values": None, "gap_of": None}
        if column["kind"] in ("category", "boolean"):
            own["values"] = len(column.get("categories", (0, 1))) + column["missing"]
        elif column["missing"]:
            columns.append(own | {"values": 2, "gap_of": column["name"], "name": f"{column['name']} is missing"})
        own["mean"] = float(np.nanmean(data.train[:, index]))
        own["std"] = float(np.nanstd(data.train[:, index]))
        columns.append(own)
    return columns


def _frame(x: np.ndarray, columns: list[dict[str, Any]]) -> pd.DataFrame:
    found = {}
    for column in columns:
        values = x[:, column["index"]].astype(np.float64)
        if column["gap_of"]:
            values = np.isnan(values).astype(float)
        elif column["values"]:
            values = np.where(np.isnan(values), column["values"] - 1, values)
        else:
            values = np.where(np.isnan(values), column["mean"], values)
        if column["values"]:
            categories = range(column["values"])
            found[column["name"]] = pd.Categorical(values.astype(int), categories=list(categories))
        else:
            found[column["name"]] = values
    return pd.DataFrame(found)


class Leaves:
    """The parameters of each leaf of a fitted forest."""

    def __init__(self, forest: Any, train: pd.DataFrame, columns: list[dict[str, Any]]) -> None:
        self.forest, self.columns = forest, columns
        self.x = self._numbers(train)
        self.leaves = forest.apply(self.x)
        self.bounds = [_bounds(tree.tree_, self.x.shape[1]) for tree in forest.estimators_]

    def _numbers(self, frame: pd.DataFrame) -> np.ndarray:
        codes = {name: own.cat.codes if own.dtype == "category" else own for name, own in frame.items()}
        return pd.DataFrame(codes).to_numpy(np.float64)

    def nats(self, frame: pd.DataFrame, smoothing: float) -> float:
        """Mean NLL of rows; integers as the probability of the unit interval within the leaf."""
        x = self._numbers(frame)
        trees = [self._tree(tree, x, leaf, smoothing) for tree, leaf in enumerate(self.forest.apply(x).T)]
        return -float((logsumexp(trees, axis=0) - math.log(len(trees))).mean())

    def _tree(self, tree: int, x: np.ndarray, leaf: np.ndarray, smoothing: float) -> np.ndarray:
        ids, of_train = np.unique(self.leaves[:, tree], return_inverse=True)
        counts = np.bincount(of_train).astype(float)
        place = np.searchsorted(ids, leaf).clip(max=len(ids) - 1)
        empty = ids[place] != leaf  # a leaf without training rows
        total = np.log(counts[place] / len(self.x))
        low, high = (side[leaf] for side in self.bounds[tree])
        gap = {}
        for i, column in enumerate(self.columns):
            if column["values"]:
                frequencies = np.zeros((len(ids), column["values"]))
                np.add.at(frequencies, (of_train, self.x[:, i].astype(int)), 1.0)
                overall = (frequencies.sum(0) + 1) / (len(self.x) + column["values"])
                smooth = (frequencies + smoothing * overall) / (counts[:, None] + smoothing)
                total += np.log(smooth[place, x[:, i].astype(int)])
                gap[column["gap_of"]] = x[:, i] > 0
            else:
                mean = np.bincount(of_train, self.x[:, i]) / counts
                std = np.sqrt(np.bincount(of_train, (self.x[:, i] - mean[of_train]) ** 2) / np.maximum(counts - 1, 1))
                std = np.maximum(std, LEAST * column["std"])
                logs = _truncated(x[:, i], mean[place], std[place], low[:, i], high[:, i], column["kind"] == "integer")
                total += np.where(gap.get(column["name"], False), 0.0, logs)
        return np.where(empty, -np.inf, total)


def _truncated(
    x: np.ndarray, mean: np.ndarray, std: np.ndarray, low: np.ndarray, high: np.ndarray, is_integer: bool
) -> np.ndarray:
    inside = np.maximum(norm.cdf(high, mean, std) - norm.cdf(low, mean, std), 1e-12)
    if not is_integer:
        return norm.logpdf(x, mean, std) - np.log(inside)
    share = norm.cdf(np.minimum(x + 0.5, high), mean, std) - norm.cdf(np.maximum(x - 0.5, low), mean, std)
    return np.log(np.maximum(share, 1e-12) / inside)


def _bounds(tree: Any, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest values of each node ``(nodes, columns)``."""
    low, high = np.full((tree.node_count, columns), -np.inf), np.full((tree.node_count, columns), np.inf)
    left, right = tree.children_left, tree.children_right
    stack = [0]
    while stack:
        node = stack.pop()
        if left[node] < 0:
            continue
        column, cut, same = tree.feature[node], tree.threshold[node], left[node] == right[node]
        for child, side in ((left[node], high), (right[node], low)):
            low[child], high[child] = low[node], high[node]
            if not same:  # pruning gives a node one child twice
                side[child, column] = cut
            stack.append(child)
    return low, high
