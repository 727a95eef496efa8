"""The search among a plan's candidates, by their validation NLL."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

from chainrule.data.dataset import Dataset
from chainrule.plans import Plan
from chainrule.runs.settings import Settings, build, classes_of, member_settings, training_settings
from chainrule.training import TrainingError, fit

SHARE = 0.4
"""The share of the minutes that a search may take."""

MARGIN = 1.5
"""A member may take so many times the minutes of the candidate, which its limit may have ended early."""


def search(plan: Plan, dataset: Dataset, deadline: float, *, verbose: bool) -> tuple[Settings, list[dict[str, Any]]]:
    """Fit one model with each candidate, and return the settings of the best, and the record of all.

    Args:
        plan: The settings and the candidates.
        dataset: Candidates learn from its training part, and are compared by its validation part.
        deadline: The time, by `time.monotonic`, at which the fit must end.
        verbose: Show progress.
    """
    ends = time.monotonic() + SHARE * (deadline - time.monotonic())
    records: list[dict[str, Any]] = []
    failed = TrainingError("a search expects at least one candidate, got none")
    for i, candidate in enumerate(plan.candidates):
        settings = member_settings(plan.settings | candidate)[0]
        training = training_settings(settings)
        if ends < math.inf:
            left = (ends - time.monotonic()) / (len(plan.candidates) - i) / 60
            training["minutes"] = max(left, 1e-3)
        model = build(settings, dataset)
        training |= {f"{split}_context": classes_of(settings, dataset, split) for split in ("train", "valid")}
        label = f"candidate {i + 1} of {len(plan.candidates)}: "
        try:
            done = fit(model, dataset.train, dataset.valid, verbose=verbose, label=label, **training)
        except TrainingError as error:  # the others may do
            if verbose:
                print(f"{label}{error}", file=sys.stderr)
            failed = error
            continue
        records.append(
            {"change": candidate, "valid_nats": done.best_nats, "steps": done.steps, "minutes": done.minutes}
        )
    if not records:
        raise failed
    best = min(records, key=lambda record: record["valid_nats"])
    return plan.settings | best["change"], records


def members_that_fit(settings: Settings, minutes: float, each: float) -> Settings:
    """The settings with as many members as fit into the ``minutes``, if one takes so many as ``each``."""
    planned = settings.get("members", 1)
    count = planned if minutes == math.inf else min(planned, max(1, int(minutes / (MARGIN * each))))
    if planned == 1 or count == planned:
        return settings
    fewer = settings | {"members": count, "orders": settings["orders"][:count]}
    return fewer if count > 1 else member_settings(fewer)[0]
