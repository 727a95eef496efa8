"""Tables of anomaly scores of the items that a kind gives; see `chainrule.tasks.anomaly` for the scores."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars
import torch
from torch import Tensor

from chainrule.kinds.items import Items
from chainrule.tasks.anomaly import anomaly_scores
from chainrule.tasks.calibration import Calibration, alarm_range, check_rate, discoveries
from chainrule.tasks.combined import Combined

Pairs = Iterator[tuple[Items, Items | None]]
"""Items, and the same items under a background model, if there is one."""

Score = Callable[[Items, Items | None], Tensor]
"""Computes the scores ``(k,)`` of items, from them and the same items under a background model; NaN for no score."""

SMALLER = "the last group has only {} items, so its score varies more"
EMPTY = "{} scores are empty, because they would compare with log p of whole rows"
BEYOND = "less probable than all of the %d calibration examples: {}; their p-values are of %s"


@dataclass(frozen=True)
class Rule:
    """Which items are anomalous, by their p-values: at most ``rate`` of ordinary items, or of those named (``fdr``).

    Raises:
        ValueError: If a share is not in (0, 1).
    """

    rate: float | None = None
    fdr: float | None = None

    def __post_init__(self) -> None:
        for name, share in {"rate": self.rate, "fdr": self.fdr}.items():
            if share is not None:
                check_rate(name, share)

    def applied(self, table: polars.DataFrame) -> polars.DataFrame:
        """The table with a column ``anomalous``, if there is a rule; empty where there is no p-value."""
        if self.rate is not None:
            return table.with_columns(anomalous=polars.col("pvalue") <= self.rate)
        if self.fdr is None:
            return table
        pvalues = torch.tensor(table["pvalue"].fill_null(1.0).to_list(), dtype=torch.float64)
        found = polars.Series(discoveries(pvalues, self.fdr).tolist(), dtype=polars.Boolean)
        return table.with_columns(anomalous=polars.when(polars.col("pvalue").is_not_null()).then(found))

    def words_of(self, table: polars.DataFrame, compared_with: int | None) -> list[str]:
        """How many items of a table are anomalous, in a sentence; none if there is no rule. See `words`."""
        return [] if self == Rule() else self.words(int(table["anomalous"].sum()), len(table), compared_with)

    def words(self, anomalous: int, count: int, compared_with: int | None = None) -> list[str]:
        """How many of ``count`` items are anomalous, in a sentence; none if there is no rule.

        Args:
            anomalous: The number of anomalous items.
            count: The number of all items.
            compared_with: The number of calibration examples, if it is known: the fewer, the less sure the share.
        """
        if self.rate is not None:
            share = f"of ordinary ones, at most {self.rate:.2%} are"
            if compared_with is not None and self.rate * (compared_with + 1) >= 1:
                low, high = alarm_range(self.rate, compared_with)
                share += f" on average, and {low:.1%} to {high:.1%} with {compared_with} to compare with"
        elif self.fdr is not None:
            share = f"of these, at most {self.fdr:.2%} are ordinary, on average"
        else:
            return []
        return [f"anomalous: {anomalous} of {count}; {share}"]


def compared(name: str, calibration: Calibration | None) -> tuple[Calibration | None, Callable[[Items], Tensor]]:
    """The calibration that the score ``name`` compares with, and what it compares of items: log p, or all their ways.

    Args:
        name: The score.
        calibration: The calibration of log p, with the ways of its examples if they have several.
    """
    if name == "pvalue" and calibration is not None and calibration.ways is not None:
        combined = Combined.of(calibration.ways)
        return combined.least, lambda items: combined.statistics(_ways(items))
    return calibration, lambda items: items.log_probs


def _ways(items: Items) -> Tensor:
    assert items.ways is not None  # their kind gave those of the calibration, too
    return items.ways


def _scorer(name: str, calibration: Calibration | None, of: Callable[[Items], Tensor]) -> Score:

    def score(items: Items, background: Items | None) -> Tensor:
        scores = anomaly_scores(
            name,
            of(items),
            calibration=calibration,
            background=None if background is None else background.log_probs,
            complexity=items.compressed() if name == "complexity" and items.compressed is not None else None,
        )
        return scores if calibration is None or items.partial is None else scores.masked_fill(items.partial, math.nan)

    return score


def score_tables(
    pairs: Pairs, name: str, calibration: Calibration | None, notes: Counter[str]
) -> Iterator[tuple[Items, polars.DataFrame]]:
    """Items, some at a time, and the table of their scores: number, names, nats of sequences, log_prob and score.

    Args:
        pairs: The items.
        name: The score; of ``pvalue``, the table has the p-values too.
        calibration: What ``pvalue`` and ``typicality`` compare with; only whole items are.
        notes: The notes on all items are added up here.
    """
    first = 1
    calibration, of = compared(name, calibration)
    score = _scorer(name, calibration, of)
    for items, background in pairs:
        scores = score(items, background)
        notes.update(items.notes)
        notes[EMPTY] += int(scores.isnan().sum())
        if name == "pvalue" and calibration is not None:
            beyond = calibration.beyond(of(items)) & ~scores.isnan()
            notes[BEYOND % (len(calibration.log_probs), calibration.tail)] += int(beyond.sum())
        columns: dict[str, Any] = {"number": range(first, first + len(scores)), **items.names}
        if items.sizes is not None:
            columns["nats"] = (-items.log_probs * items.sizes).numpy()
        columns["log_prob"] = items.log_probs.numpy()
        if name == "pvalue":
            columns["pvalue"] = (-scores).exp().numpy()
        columns["score"] = scores.numpy()
        first += len(scores)
        yield items, polars.DataFrame(columns).fill_nan(None)


def typicality_table(pairs: Pairs, calibration: Calibration, group: int, notes: Counter[str]) -> polars.DataFrame:
    """The typicality of ``group`` neighbours taken together, a row for each group: first, last and score.

    The last group has what is left.

    Raises:
        ValueError: If ``group`` is below 1.
    """
    if group < 1:
        raise ValueError(f"group expects at least 1, got {group}")
    parts = [items for items, _ in pairs]
    for items in parts:
        notes.update(items.notes)
    groups = torch.cat([items.log_probs for items in parts]).split(group)
    scores = torch.cat([calibration.typicality(own, len(own)) for own in groups])
    if parts[0].partial is not None:
        partials = torch.cat([torch.as_tensor(items.partial) for items in parts]).split(group)
        partial = torch.stack([own.any() for own in partials])
        scores = scores.masked_fill(partial, math.nan)
        notes[EMPTY] += int(partial.sum())
    last = np.cumsum([len(own) for own in groups])
    notes[SMALLER] += len(groups[-1]) % group
    first = np.concatenate([[1], last[:-1] + 1])
    return polars.DataFrame({"first": first, "last": last, "score": scores.numpy()}).fill_nan(None)
