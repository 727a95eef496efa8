"""One number for many weighted values: mean, quantiles, the most probable value, the mode."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

POINTS = 256
"""Equally weighted values that stand for weighted ones where a mode is looked for."""


def mean(values: Tensor, weights: Tensor) -> Tensor:
    """The mean ``(B,)`` of values ``(B, M)`` with weights ``(B, M)`` that sum to 1.

    >>> mean(torch.tensor([[1.0, 4.0]]), torch.tensor([[0.75, 0.25]]))
    tensor([1.7500], dtype=torch.float64)
    """
    return (values.double() * weights.double()).sum(1)


def quantiles(values: Tensor, weights: Tensor, shares: Sequence[float]) -> Tensor:
    """The least of the values ``(B, M)`` up to which their weights reach each of ``shares``: ``(B, len(shares))``.

    >>> quantiles(torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([[0.2, 0.4, 0.4]]), [0.3, 0.5, 0.9])
    tensor([[1., 2., 3.]], dtype=torch.float64)
    """
    ordered, places = values.double().sort(1)
    reached = weights.double().gather(1, places).cumsum(1)
    wanted = torch.tensor(shares, dtype=torch.float64, device=values.device) * reached[:, -1:]
    # Rounding of the sums must not lift a quantile beyond the value that reaches it.
    found = torch.searchsorted(reached, wanted - 1e-9)
    return ordered.gather(1, found.clamp(max=values.shape[1] - 1))


def most_probable(codes: Tensor, weights: Tensor) -> Tensor:
    """The code ``(B,)`` whose weights have the greatest sum, of codes ``(B, M)`` 0, 1, ...

    >>> most_probable(torch.tensor([[2.0, 0.0, 2.0]]), torch.tensor([[0.3, 0.4, 0.3]]))
    tensor([2.], dtype=torch.float64)
    """
    sums = weights.new_zeros(len(codes), int(codes.max()) + 1).scatter_add_(1, codes.long(), weights)
    return sums.argmax(1).double()


def mode(values: Tensor, weights: Tensor) -> Tensor:
    """The half-sample mode ``(B,)`` of values ``(B, M)``: the narrowest half, of it the narrowest half, and so on.

    A value that repeats has no width, so it wins over any density.

    References:
        On a fast, robust estimator of the mode (Bickel and Fruehwirth, 2006), https://doi.org/10.1016/j.csda.2005.07.011

    >>> mode(torch.tensor([[0.0, 0.0, 5.0, 9.0]]), torch.full((1, 4), 0.25))
    tensor([0.], dtype=torch.float64)
    """
    shares = ((torch.arange(POINTS, dtype=torch.float64) + 0.5) / POINTS).tolist()
    part = quantiles(values, weights, shares)
    while part.shape[1] > 2:
        half = (part.shape[1] + 1) // 2
        start = (part[:, half - 1 :] - part[:, : part.shape[1] - half + 1]).argmin(1)
        part = part.gather(1, start[:, None] + torch.arange(half, device=part.device))
    return part[:, 0]
