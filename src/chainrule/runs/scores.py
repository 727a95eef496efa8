"""Tables of anomaly scores of the items that a kind gives; see `chainrule.tasks.anomaly` for the scores."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import polars
import torch
from torch import Tensor

from chainrule.kinds.items import Items
from chainrule.tasks.anomaly import Calibration, anomaly_scores

Pairs = Iterator[tuple[Items, Items | None]]
"""Items, and the same items under a background model, if there is one."""

Score = Callable[[Items, Items | None], Tensor]
"""Computes the scores ``(k,)`` of items, from them and the same items under a background model; NaN for no score."""

EMPTY = "{} scores are empty, because they would compare with log p of whole rows"


def scorer(name: str, calibration: Calibration | None) -> Score:
    """The score ``name``; ``pvalue`` and ``typicality`` compare with ``calibration``, and only whole items."""

    def score(items: Items, background: Items | None) -> Tensor:
        scores = anomaly_scores(
            name,
            items.log_probs,
            calibration=calibration,
            background=None if background is None else background.log_probs,
            complexity=items.compressed() if name == "complexity" and items.compressed is not None else None,
        )
        return scores if calibration is None or items.partial is None else scores.masked_fill(items.partial, math.nan)

    return score


def score_tables(pairs: Pairs, score: Score, notes: Counter[str]) -> Iterator[tuple[Items, polars.DataFrame]]:
    """Items, some at a time, and the table of their scores: number, names, nats of sequences, log_prob and score.

    Args:
        pairs: The items.
        score: See `scorer`.
        notes: The notes on all items are added up here.
    """
    first = 1
    for items, background in pairs:
        scores = score(items, background)
        notes.update(items.notes)
        notes[EMPTY] += int(scores.isnan().sum())
        columns: dict[str, Any] = {"number": range(first, first + len(scores)), **items.names}
        if items.sizes is not None:
            columns["nats"] = (-items.log_probs * items.sizes).numpy()
        columns |= {"log_prob": items.log_probs.numpy(), "score": scores.numpy()}
        first += len(scores)
        yield items, polars.DataFrame(columns).fill_nan(None)


def typicality_table(pairs: Pairs, calibration: Calibration, group: int, notes: Counter[str]) -> polars.DataFrame:
    """The typicality of ``group`` neighbours taken together, a row for each group: first, last and score.

    Raises:
        ValueError: If the items do not make whole groups.
    """
    parts = [items for items, _ in pairs]
    scores = calibration.typicality(torch.cat([items.log_probs for items in parts]), group)
    for items in parts:
        notes.update(items.notes)
    if parts[0].partial is not None:
        partial = torch.cat([torch.as_tensor(items.partial) for items in parts]).view(-1, group).any(1)
        scores = scores.masked_fill(partial, math.nan)
        notes[EMPTY] += int(partial.sum())
    first = np.arange(len(scores)) * group + 1
    return polars.DataFrame({"first": first, "last": first + group - 1, "score": scores.numpy()}).fill_nan(None)
