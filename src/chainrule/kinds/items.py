"""The items of a score, and figures per unit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from chainrule.tasks.evaluate import Evaluation


@dataclass(frozen=True)
class Items:
    """Log p of some of the items that a score is asked for: examples, rows, lines, recordings or values.

    Attributes:
        names: Columns that identify the items, ``k`` entries each; none if the number of an item identifies it.
        log_probs: Log p in nats, float64 ``(k,)``; the mean over its variables if items differ in length.
        sizes: The number of variables of each item, ``(k,)``, where ``log_probs`` are means; else None.
        notes: Sentences for the user, each with ``{}`` where its count goes; counts of all items are added up.
        partial: True for items that are scored only in part and so can't be compared with whole ones, ``(k,)``.
        compressed: Computes the size of each item under a general compressor, in nats; None if that means nothing.
        ways: The K ways in which each item may be strange, ``(k, K)``, less for stranger ones, which p-values compare;
            None if they compare log p. See `chainrule.tasks.combined`.
    """

    names: dict[str, list[Any]]
    log_probs: Tensor
    sizes: Tensor | None = None
    notes: Counter[str] = field(default_factory=Counter)
    partial: Tensor | None = None
    compressed: Callable[[], Tensor] | None = None
    ways: Tensor | None = None


def figures_per(unit: str, evaluation: Evaluation, *, perplexity: bool = False) -> dict[str, Any]:
    """Nats and bits per ``unit``, and the number of units; perplexity on request, as it suits symbols only."""
    nats = evaluation.nats * evaluation.examples / evaluation.variables
    figures = {f"nats_per_{unit}": nats, f"bits_per_{unit}": nats / math.log(2), f"{unit}s": evaluation.variables}
    return figures | ({"perplexity": math.exp(nats)} if perplexity else {})
