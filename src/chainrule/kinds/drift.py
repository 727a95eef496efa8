"""Drift of items that have a likelihood, and no columns with names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from chainrule.compare.drift import Pair, drift_figures
from chainrule.kinds.requests import Drifting, Source
from chainrule.model import AutoregressiveModel

if TYPE_CHECKING:
    from chainrule.kinds.scorable import ScorableKind


def items_drift(kind: ScorableKind, model: AutoregressiveModel, request: Drifting) -> dict[str, Any]:
    """Test -log p of new items against that of old ones; see `chainrule.compare.drift.drift_figures`.

    Raises:
        ValueError: If there are too few items, or columns are named.
    """
    for flag, given in {"--time": request.time, "--ignore": request.ignore}.items():
        if given:
            raise ValueError(f"{flag} expects a run on a table with kinds of columns, got one on {kind.name}")
    request.say("scoring the new items")
    new = _nats(_log_probs(kind, model, request.new))
    request.say("scoring the old items")
    if request.old is not None:
        old = _log_probs(kind, model, request.old)
    else:
        dataset = request.new.load()
        old = (kind.calibration_log_probs(model, dataset, split) for split in request.held_out)
    return drift_figures(Pair(_nats(old), new), rate=request.rate, chunks=request.chunks)


def _log_probs(kind: ScorableKind, model: AutoregressiveModel, source: Source) -> Iterator[Tensor]:
    return (items.log_probs for items in kind.items(model, source))


def _nats(log_probs: Iterator[Tensor]) -> NDArray[Any]:
    return -torch.cat(list(log_probs)).double().numpy()
