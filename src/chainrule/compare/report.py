"""All comparisons of sampled rows with training rows and with rows that were held out, as plain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.compare.associations import MOST, associations
from chainrule.compare.marginals import marginals
from chainrule.compare.nearest import privacy
from chainrule.compare.table import Table
from chainrule.compare.two_sample import TwoSample, two_sample, two_sample_of_each
from chainrule.compare.usefulness import usefulness

Say = Callable[[str], None]

LARGEST = 5
"""Pairs of columns that are named because their associations differ most."""


def comparison(
    train: Table, held_out: Table, sampled: Table, *, target: str | None, seed: int, say: Say
) -> dict[str, Any]:
    """Compare tables that are coded alike.

    Args:
        train: The rows that the sampler has learnt from.
        held_out: Real rows that it has not seen.
        sampled: Its rows.
        target: The column to predict; None to leave that out.
        seed: Seed of all random choices.
        say: Takes a line of progress before each part.

    Returns:
        ``two_sample``, ``columns`` (those that give most away first), ``pairs``, ``usefulness`` (None without a target)
        and ``privacy``.

    Raises:
        ValueError: If a table has fewer than three rows, or there is no such target.
    """
    say("telling sampled from real rows by gradient boosting")
    test = two_sample(train, sampled, seed=seed, importance=True)
    others = two_sample(held_out, sampled, seed=seed)
    ceiling = two_sample(train, held_out, seed=seed)
    say("the same by each column alone")
    alone = list(two_sample_of_each(train, sampled, seed=seed))
    columns = [
        record | {"auc_alone": each.auc, "score_alone": each.score, "importance": importance}
        for record, each, importance in zip(marginals(train, sampled), alone, test.importances, strict=True)
    ]
    sequence = sorted(range(len(columns)), key=lambda i: -_telling(columns[i]))
    say("comparing pairs of columns")
    pairs = _pairs(train, sampled, np.array(sequence[:MOST]), seed)
    useful = None
    if target is not None:
        say(f"predicting {target}, learnt from sampled and from real rows")
        useful = asdict(usefulness(train, held_out, sampled, target, seed=seed))
    say("looking for the nearest training rows")
    return {
        "two_sample": {"train": _record(test), "held_out": _record(others), "train_and_held_out": _record(ceiling)},
        "columns": [columns[i] for i in sequence],
        "pairs": pairs,
        "usefulness": useful,
        "privacy": asdict(privacy(train, held_out, sampled, seed=seed)),
    }


def _telling(column: dict[str, Any]) -> float:
    """The amount that a column gives away: by itself, or together with others."""
    return max(column["auc_alone"] - 0.5, column["importance"])


def _record(test: TwoSample) -> dict[str, Any]:
    return {"rows": test.rows, "auc": test.auc, "score": test.score, "luck": test.luck}


def _pairs(train: Table, sampled: Table, chosen: NDArray[np.int64], seed: int) -> dict[str, Any]:
    """Associations of the ``chosen`` columns among as many real as sampled rows, and how they differ."""
    count = min(len(train), len(sampled))
    real, drawn = (associations(table.some(count, seed).columns(np.sort(chosen))) for table in (train, sampled))
    names = [train.names[i] for i in np.sort(chosen)]
    below = np.tril_indices(len(names), -1)
    apart = np.abs(real - drawn)[below]
    known = np.flatnonzero(~np.isnan(apart))
    largest = known[np.argsort(-apart[known], kind="stable")[:LARGEST]]
    return {
        "names": names,
        "real": real.tolist(),
        "sampled": drawn.tolist(),
        "mean_difference": float(apart[known].mean()) if len(known) else None,
        "largest": [
            {
                "columns": [names[below[1][k]], names[below[0][k]]],
                "real": float(real[below][k]),
                "sampled": float(drawn[below][k]),
            }
            for k in largest
        ],
    }
