"""What a class adds to a layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ClassBias(nn.Module):
    """A bias of its own for every class; nothing where there are no classes.

    Args:
        num_classes: How many classes; None for none.
        size: The number of units.
    """

    def __init__(self, num_classes: int | None, size: int) -> None:
        super().__init__()
        self.bias = None if num_classes is None else nn.Parameter(torch.zeros(num_classes, size))

    def forward(self, context: Tensor | None) -> Tensor | float:
        """The biases ``(B, size)`` of the classes ``(B,)``, or 0."""
        if self.bias is None or context is None:
            return 0.0
        return self.bias.index_select(0, context)


def plus(x: Tensor, bias: Tensor | float) -> Tensor:
    """``x`` ``(B, k, ...)`` plus a class's bias ``(B, k)``; without classes ``x`` itself, and nothing is computed.

    >>> plus(torch.zeros(1, 2, 1, 2), torch.tensor([[1.0, 2.0]])).tolist()
    [[[[1.0, 1.0]], [[2.0, 2.0]]]]
    """
    return x + bias.view(*bias.shape, *[1] * (x.dim() - 2)) if isinstance(bias, Tensor) else x
