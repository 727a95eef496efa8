"""What a step's state is made of: buffers, updated in place unless gradients still need them, and cut weights."""

from __future__ import annotations

import torch
from torch import Tensor


def write_columns(buffer: Tensor, values: Tensor, start: int) -> Tensor:
    """``buffer`` ``(B, n)`` with ``values`` ``(B, k)`` in its columns from ``start`` on."""
    if torch.is_grad_enabled():
        return buffer.slice_scatter(values, 1, start, start + values.shape[1])
    buffer.narrow(1, start, values.shape[1]).copy_(values)
    return buffer


def rows_of_variables(weight: Tensor, bias: Tensor, rows: int) -> list[tuple[Tensor, Tensor]]:
    """The ``rows`` output rows of every variable, cut once for all steps: a view costs as much as a small product.

    >>> len(rows_of_variables(torch.zeros(6, 4), torch.zeros(6), 2))
    3
    """
    return list(zip(weight.split(rows), bias.split(rows), strict=True))
