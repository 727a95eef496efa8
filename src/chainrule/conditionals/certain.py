"""A conditional that is certain of one value."""

from __future__ import annotations

import torch
from torch import Tensor

from chainrule.conditionals.base import Conditional


def certain_parameters(conditional: Conditional, value: int | None) -> Tensor | None:
    """The parameters ``(num_parameters,)`` of the conditional that has ``value`` with probability 1; None for None.

    Raises:
        ValueError: If ``value`` is none of its values.
    """
    if value is None:
        return None
    if conditional.values is None or not 0 <= value < len(conditional.values):
        raise ValueError(f"end_symbol expects a value of {conditional!r}, got {value}")
    log_probs = torch.full((len(conditional.values),), -torch.inf)
    log_probs[value] = 0.0
    return conditional.parameters_of(log_probs)
