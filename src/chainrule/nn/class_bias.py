"""Biases that depend on the class of an example."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ClassBias(nn.Module):
    """A bias of its own for every class; nothing where there are no classes.

    Args:
        num_classes: The number of classes; None for none.
        size: The number of units.

    Attributes:
        size: The number of units; 0 where there are no classes.
    """

    def __init__(self, num_classes: int | None, size: int) -> None:
        super().__init__()
        self.size = 0 if num_classes is None else size
        self.bias = None if num_classes is None else nn.Parameter(torch.zeros(num_classes, size))

    def forward(self, context: Tensor | None) -> Tensor | None:
        """The biases ``(B, size)`` of the classes ``(B,)``; None without classes."""
        if self.bias is None or context is None:
            return None
        return self.bias.index_select(0, context)


def plus(x: Tensor, bias: Tensor | None) -> Tensor:
    """``x`` ``(B, k, ...)`` plus a bias ``(B, k)`` of each example; ``x`` itself where there is no bias.

    >>> plus(torch.zeros(1, 2, 1, 2), torch.tensor([[1.0, 2.0]])).tolist()
    [[[[1.0, 1.0]], [[2.0, 2.0]]]]
    """
    return x if bias is None else x + bias.view(*bias.shape, *[1] * (x.dim() - 2))
