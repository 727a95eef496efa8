"""Examples that end with a symbol: all values after the first one of it are that symbol, with probability 1."""

from __future__ import annotations

from torch import Tensor


def up_to_end(x: Tensor, end: int) -> Tensor:
    """True for the values of sequences ``(B, k)`` up to the first ``end``, which is included.

    >>> import torch
    >>> up_to_end(torch.tensor([[1, 0, 0, 0], [0, 0, 0, 0]]), end=0).int()
    tensor([[1, 1, 0, 0],
            [1, 0, 0, 0]], dtype=torch.int32)
    """
    ends = (x == end).long()
    return ends.cumsum(1) - ends == 0
