"""Buffers of a step's state: updated in place, unless gradients still need what they held."""

from __future__ import annotations

import torch
from torch import Tensor


def write_columns(buffer: Tensor, values: Tensor, start: int) -> Tensor:
    """``buffer`` ``(B, n)`` with ``values`` ``(B, k)`` in its columns from ``start`` on."""
    if torch.is_grad_enabled():
        return buffer.slice_scatter(values, 1, start, start + values.shape[1])
    buffer.narrow(1, start, values.shape[1]).copy_(values)
    return buffer


def replace_rows(buffer: Tensor, rows: Tensor, values: Tensor) -> Tensor:
    """``buffer`` ``(B, n)`` with ``values`` ``(R, n)`` in its rows ``rows`` ``(R,)``."""
    if torch.is_grad_enabled():
        return buffer.index_copy(0, rows, values)
    return buffer.index_copy_(0, rows, values)
