"""The search among a plan's candidates, by their validation NLL."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

from chainrule.data.dataset import Dataset
from chainrule.plans import Plan
from chainrule.runs.settings import Settings, build, member_settings, share_of, training_until
from chainrule.training import TrainingError, fit

SHARE = 0.4
"""The share of the minutes that a search may take."""

MARGIN = 1.5
"""A member may take so many times the minutes of the candidate, which its limit may have ended early."""


def search(plan: Plan, dataset: Dataset, deadline: float, *, verbose: bool) -> list[dict[str, Any]]:
    """Fit one model with each candidate, and return the record of each, that of the best first.

    Args:
        plan: The settings and the candidates.
        dataset: Candidates learn from its training part, and are compared by its validation part.
        deadline: The time, by `time.monotonic`, at which the fit must end.
        verbose: Show progress.

    Returns:
        ``change``, ``valid_nats``, ``steps`` and ``minutes`` of each candidate that could be fitted.

    Raises:
        TrainingError: If none could.
    """
    ends = time.monotonic() + SHARE * (deadline - time.monotonic())
    records: list[dict[str, Any]] = []
    failed = TrainingError("a search expects at least one candidate, got none")
    for i, candidate in enumerate(plan.candidates):
        settings = member_settings(plan.settings | candidate)[0]
        training = training_until(share_of(ends, len(plan.candidates) - i), settings, dataset)
        model = build(settings, dataset)
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
    return sorted(records, key=lambda record: float(record["valid_nats"]))


def members_that_fit(settings: Settings, minutes: float, each: float) -> Settings:
    """The settings with as many members as fit into the ``minutes``; each member takes about ``each``."""
    planned = settings.get("members", 1)
    count = planned if minutes == math.inf else min(planned, max(1, int(minutes / (MARGIN * each))))
    if planned == 1 or count == planned:
        return settings
    fewer = settings | {"members": count, "orders": settings["orders"][:count]}
    return fewer if count > 1 else member_settings(fewer)[0]
