"""Statistics of training values from which the parameters of a family start."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LOGISTIC_DEVIATION = math.pi / math.sqrt(3)
"""The standard deviation of a logistic distribution of scale 1."""

ROWS = 4096
"""Rows that are counted at once, to bound memory."""

CLUSTERED, ROUNDS = 20_000, 10
"""At most this many rows are put into clusters, in as many rounds of k-means."""


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


def spread(x: Tensor, components: int, local: float) -> tuple[Tensor, Tensor]:
    """Means and standard deviations ``(..., components)`` of equally probable components, from ``x`` ``(N, ...)``.

    The sorted values are cut into as many groups of equal size, one for each component. A group that is one value again
    and again has a component at this value, of deviation 0. Others are made smooth: with the mean m and the variance v
    of a group, the median c, and half the distance s from the 16th to the 84th percentile,

    mean = c + a (m - c),    variance = a^2 v + (1 - a^2) s^2,    a = ``local``.

    One component has the mean and the variance of all values.

    Raises:
        ValueError: If there are no values.
    """
    if len(x) == 0:
        raise ValueError("starting parameters expect at least one value, got none")
    ordered = x.sort(0).values.double()
    if components == 1:
        return ordered.mean(0).unsqueeze(-1), ordered.std(0, correction=0).unsqueeze(-1)
    size = math.ceil(len(x) / components)
    places = (torch.arange(components * size, dtype=torch.float64, device=x.device) + 0.5) / (components * size)
    groups = ordered[(places * len(x)).long()].unflatten(0, (components, size))
    means, variances = (part.movedim(0, -1) for part in (groups.mean(1), groups.var(1, correction=0)))
    low, centre, high = (ordered[int(share * len(x))].unsqueeze(-1) for share in (0.16, 0.5, 0.84))
    smooth = local**2 * variances + (1 - local**2) * ((high - low) / 2).square()
    repeats = (groups[:, 0] == groups[:, -1]).movedim(0, -1) & (len(x) >= 2 * components)
    means = torch.where(repeats, means, centre + local * (means - centre))
    return means, torch.where(repeats, 0.0, smooth).sqrt()


def clusters(x: Tensor, components: int) -> tuple[Tensor, Tensor, Tensor]:
    """Shares ``(components,)``, means and deviations ``(components, n)`` of groups of similar rows of ``x`` ``(N, n)``.

    k-means, which begins at rows that are evenly spread along the sorted means of rows. A group that has lost all its
    rows keeps its mean, a share of less than one row, and the deviations of all rows.
    """
    x = x[:: math.ceil(len(x) / CLUSTERED)].double()
    places = (torch.arange(components, device=x.device) + 0.5) / components * len(x)
    means = x[x.mean(1).argsort(stable=True)[places.long()]]
    for _ in range(ROUNDS):
        member = torch.nn.functional.one_hot(torch.cdist(x, means).argmin(1), components).double()
        counts = member.sum(0).unsqueeze(1)
        means = torch.where(counts > 0, member.T @ x / counts.clamp(min=1), means)
    squares = (x.unsqueeze(1) - means).square()
    variances = (member.unsqueeze(2) * squares).sum(0) / counts.clamp(min=1)
    variances = torch.where(counts > 0, variances, x.var(0, correction=0))
    shares = (counts.squeeze(1) + 1 / components) / (len(x) + 1)
    return shares, means, variances.sqrt()
