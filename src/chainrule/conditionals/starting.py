"""Statistics of training values from which the parameters of a family start."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LOGISTIC_DEVIATION = math.pi / math.sqrt(3)
"""The standard deviation of a logistic distribution of scale 1."""

ROWS = 4096
"""Rows that are counted at once, to bound memory."""


def smoothed_log_frequencies(x: Tensor, values: Tensor) -> Tensor:
    """Log-frequencies of ``values`` ``(K,)`` in ``x`` ``(N, ...)``: ``(..., K)``, in nats.

    (count + 1 / K) / (N + 1): one more example is spread over all values, so that none has the probability 0.

    >>> smoothed_log_frequencies(torch.tensor([0.0, 1.0, 1.0]), torch.tensor([0.0, 1.0])).exp()
    tensor([0.3750, 0.6250])
    """
    values = values.to(device=x.device, dtype=torch.float64)
    counts = torch.zeros(len(values), *x.shape[1:], dtype=torch.float64, device=x.device)
    for rows in x.split(ROWS):
        places = torch.searchsorted(values, rows.double().contiguous())
        counts.scatter_add_(0, places, torch.ones_like(places, dtype=torch.float64))
    return ((counts + 1 / len(values)) / (len(x) + 1)).log().movedim(0, -1).float()


def spread(x: Tensor, components: int) -> tuple[Tensor, Tensor]:
    """Means ``(..., components)`` of equally probable components, and the standard deviation ``(...)`` of each.

    The means stand at quantiles of ``x`` ``(N, ...)``. The mixture has the mean of ``x``, and its variance, or more if
    values come in clumps: components are at least as wide as for evenly spread values, so that a value between two
    clumps is not next to impossible.

    Raises:
        ValueError: If there are no values.
    """
    if len(x) == 0:
        raise ValueError("starting parameters expect at least one value, got none")
    ordered = x.double().sort(0).values
    middles = (torch.arange(components, device=x.device) + 0.5) / components
    means = ordered[(middles * len(x)).long()].movedim(0, -1)
    means = means - (means.mean(-1) - ordered.mean(0)).unsqueeze(-1)
    total = ordered.var(0, correction=0)
    within = total - means.var(-1, correction=0)
    return means, within.maximum(total / components**2).sqrt()
