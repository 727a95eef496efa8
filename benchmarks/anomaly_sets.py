"""The tables of `anomaly`: half of ADBench's classical sets, split as its rivals and chainrule see them.

It needs numpy and none of ours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from default_sets import SHARED

FOLDER = SHARED / "anomaly"
ROWS = 4000
"""Rows of a set, at most: drawn at random where there are more."""
SEEDS = (0, 1, 2)
SETTINGS = ("clean", "contaminated")
SHARES = (0.05, 0.1)
"""The shares of usual rows that detectors are asked to refuse."""


class Split(NamedTuple):
    """Training rows, and test rows of which some are anomalies.

    Attributes:
        train: ``(n, columns)``: half of the usual rows, and half of the anomalies if it is contaminated.
        test: The other rows.
        strange: 1 for the anomalies among the test rows.
    """

    train: np.ndarray
    test: np.ndarray
    strange: np.ndarray


def names() -> list[str]:
    """The names of the sets, in the order of their numbers in ADBench."""
    return sorted((path.stem for path in FOLDER.glob("*.npz")), key=lambda name: int(name.split("_")[0]))


def split(name: str, seed: int, setting: str) -> Split:
    """The rows of a set; the labels are for judging only."""
    with np.load(FOLDER / f"{name}.npz") as file:
        rows, labels = file["X"].astype(np.float64), file["y"]
    generator = np.random.default_rng(seed)
    if len(rows) > ROWS:
        some = np.sort(generator.permutation(len(rows))[:ROWS])
        rows, labels = rows[some], labels[some]
    usual, strange = (generator.permutation(np.flatnonzero(labels == label)) for label in (0, 1))
    learnt = len(strange) // 2 if setting == "contaminated" else 0
    train = np.concatenate([usual[: len(usual) // 2], strange[:learnt]])
    test = np.concatenate([usual[len(usual) // 2 :], strange[learnt:]])
    return Split(rows[generator.permutation(train)], rows[test], labels[test])
