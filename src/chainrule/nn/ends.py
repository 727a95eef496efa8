"""Examples that end with a symbol: all values after the first one of it are that symbol, with probability 1."""

from __future__ import annotations

import torch
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


def has_ended(ended: Tensor | None, previous: Tensor | None, values: Tensor, end: int | None) -> Tensor | None:
    """True ``(B,)`` for examples that ended before the last of ``values`` ``(B, k)``; None without an end.

    Args:
        ended: Those that had ended before ``previous``.
        previous: The values ``(B,)`` before.
        values: The next values.
        end: The value that ends an example.
    """
    if ended is None or end is None:
        return ended
    past = values[:, :-1] if previous is None else torch.cat([previous.unsqueeze(1), values[:, :-1]], dim=1)
    return ended | (past == end).any(1)
