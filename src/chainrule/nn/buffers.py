"""Parts of a step's state: buffers, updated in place unless gradients still need them, and cut weights."""

from __future__ import annotations

import torch
from torch import Tensor


def write_columns(buffer: Tensor, values: Tensor, start: int) -> Tensor:
    """``buffer`` ``(B, n)`` with ``values`` ``(B, k)`` in its columns from ``start`` on."""
    if torch.is_grad_enabled():
        return buffer.slice_scatter(values, 1, start, start + values.shape[1])
    buffer.narrow(1, start, values.shape[1]).copy_(values)
    return buffer


def cut_rows(weight: Tensor, bias: Tensor, rows: int | list[int]) -> list[tuple[Tensor, Tensor]]:
    """The rows of a layer that each step needs, cut once for all: a view costs as much as a small product.

    Args:
        weight: A layer's weight, ``(out_features, in_features)``.
        bias: Its bias, ``(out_features,)``.
        rows: The number of rows that each step takes.

    >>> len(cut_rows(torch.zeros(6, 4), torch.zeros(6), 2))
    3
    """
    return list(zip(weight.split(rows), bias.split(rows), strict=True))
