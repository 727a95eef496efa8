"""The plan of a fit, and how the user's settings override it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chainrule.settings import ENSEMBLE

Settings = dict[str, Any]
"""The settings of a fit, by name.

``model``, ``model.<argument>``, ``conditional``, ``conditional.<argument>`` and ``data``; how the data are read
(`chainrule.data.READING`); the settings of `chainrule.training.fit`; ``validation_size``; and those of an ensemble:
``members`` (models to fit, each with a seed of its own), ``orders`` (theirs, in turn) and ``variants`` (orders or masks
of each model to average)."""

MINUTES = 5.0
"""Minutes of a fit, at most, where nothing else is said."""

BUDGET = ("max_steps", "max_epochs", "minutes")
"""Settings by which a user decides how long a training is."""

OF_BUDGET = (*BUDGET, "patience", "validate_every")
"""Settings that have no meaning with another budget."""

OF_MODEL = ("batch_size", "learning_rate", "weight_decay", "schedule", "warmup", "precision")
"""Settings that were chosen for the plan's model; another one has its defaults, and the usual number of steps."""


@dataclass(frozen=True)
class Plan:
    """The settings of a fit, and changes to them that are tried first.

    Attributes:
        settings: The settings.
        candidates: Changes to them. Each is fitted, and the one with the lowest validation NLL is kept; none: the
            settings are fitted as they are.
        reasons: The reasons, in sentences.
    """

    settings: Settings
    candidates: tuple[Settings, ...] = ()
    reasons: tuple[str, ...] = ()

    def overridden(self, given: Mapping[str, Any]) -> Plan:
        """The plan with the settings that a user gives, and without what contradicts them.

        A model that is named is fitted once, as it is said; another one than the plan's takes none of its arguments.
        Steps or epochs replace the whole budget.

        >>> plan = Plan({"model": "MADE", "model.dropout": 0.1, "minutes": 5.0}, ({"model.dropout": 0.3}, {}))
        >>> plan.overridden({"model": "NADE", "max_epochs": 2})
        Plan(settings={'model': 'NADE', 'max_epochs': 2}, candidates=(), reasons=())
        """
        kept = {name: value for name, value in self.settings.items() if not self._contradicts(name, given)}
        candidates: list[Settings] = []
        for candidate in () if "model" in given else self.candidates:
            left = {
                name: value
                for name, value in candidate.items()
                if name not in given and not self._contradicts(name, given)
            }
            if self.settings | left not in [self.settings | other for other in candidates]:
                candidates.append(left)
        if len(candidates) == 1:
            kept |= candidates.pop()
        return Plan(kept | dict(given), tuple(candidates), () if "model" in given else self.reasons)

    def _contradicts(self, name: str, given: Mapping[str, Any]) -> bool:
        """True if the plan's setting ``name`` has no meaning beside those ``given``."""
        other_model = given.get("model") not in (None, self.settings.get("model"))
        of_model = name.startswith(("model.", "conditional")) or name in (*OF_MODEL, *OF_BUDGET)
        if of_model and name != "minutes" and other_model:
            return True
        if name.startswith("conditional.") and given.get("conditional") not in (None, self.settings.get("conditional")):
            return True
        if name in ENSEMBLE and any(each in given for each in ("model", "model.order", *ENSEMBLE)):
            return True
        steps = "max_steps" in given or "max_epochs" in given
        return name in OF_BUDGET and steps
