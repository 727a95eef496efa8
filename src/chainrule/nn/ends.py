"""Examples that end with a symbol: all values after the first one of it are that symbol, with probability 1."""

from __future__ import annotations

import torch
from torch import Tensor

from chainrule.conditionals import Conditional


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


def up_to_end(x: Tensor, end: int) -> Tensor:
    """True for the values of sequences ``(B, k)`` up to the first ``end``, which is included.

    >>> up_to_end(torch.tensor([[1, 0, 0, 0], [0, 0, 0, 0]]), end=0).int()
    tensor([[1, 1, 0, 0],
            [1, 0, 0, 0]], dtype=torch.int32)
    """
    ends = (x == end).long()
    return ends.cumsum(1) - ends == 0
