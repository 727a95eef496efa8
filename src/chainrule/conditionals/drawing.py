"""Uniform numbers, and one of listed values drawn by one of them."""

from __future__ import annotations

import torch
from torch import Tensor


def draw_index(weights: Tensor) -> Tensor:
    """Indices ``(...)``, drawn with probabilities in proportion to ``weights`` ``(..., K)``.

    The first index whose cumulative weight exceeds u times the total, with u uniform: one random number for each, in
    double precision, so that weights of 1e-15 of the total are still drawn.

    >>> draw_index(torch.tensor([[0.0, 2.0, 0.0], [0.0, 0.0, 1.0]])).tolist()
    [1, 2]
    """
    precise = torch.float32 if weights.device.type == "mps" else torch.float64
    cumulative = weights.to(precise).cumsum(-1)
    uniform = torch.rand(weights.shape[:-1], dtype=precise, device=weights.device)
    return (cumulative <= (uniform * cumulative[..., -1]).unsqueeze(-1)).sum(-1).clamp_(max=weights.shape[-1] - 1)


def uniform_like(like: Tensor) -> Tensor:
    """Uniform numbers of the shape of ``like``, in double precision where there is one, and never 0 or 1."""
    precise, half_step = (torch.float32, 2.0**-25) if like.device.type == "mps" else (torch.float64, 2.0**-54)
    return torch.rand(like.shape, dtype=precise, device=like.device) + half_step
