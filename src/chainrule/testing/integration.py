"""Integrals of densities, and how far each may be off.

The trapezoidal rule of `chainrule.testing.quadrature` is exact to rounding for smooth densities, but not where a
density has a kink (Laplace) or a jump (uniform). There, an interval is cut into ever smaller panels, each integrated by
two rules. Their difference says which panels to cut, and how far the sum may be off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.testing.verdicts import Verdict, cannot_tell

TOLERANCE = 1e-5
"""The most that a sum of probabilities may differ from one."""

SMALL = 0.1 * TOLERANCE
"""An integral that may be off by more than this can't tell whether a sum is one."""


def _gauss(num_points: int, parts: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """Points in (0, 1) and their weights: Gauss's rule on each of the ``parts`` of the unit interval."""
    points, weights = np.polynomial.legendre.leggauss(num_points)
    ends = np.cumsum(parts)
    values = [end - part * (1 - points) / 2 for end, part in zip(ends, parts, strict=True)]
    return torch.from_numpy(np.concatenate(values)), torch.from_numpy(np.concatenate([p * weights / 2 for p in parts]))


FINE = _gauss(6, (0.38, 0.62))
"""Points of a panel and their weights. Wherever in a panel there is a jump, this rule and `ROUGH` differ: parts of
unequal length see to it. No point is the middle, where there may be an atom."""

ROUGH = (
    torch.tensor([0, 0.5 - 0.05**0.5, 0.5 + 0.05**0.5, 1], dtype=torch.float64),
    torch.tensor([1, 5, 5, 1], dtype=torch.float64) / 12,
)
"""The same for Lobatto's rule of four points, the ends among them."""

ROUNDS = 8
"""Panels are cut at most this often."""

WORST = 64
"""Panels of each density that are cut in a round."""

PIECES = 8
"""A panel is cut into this many."""


@dataclass(frozen=True)
class Sums:
    """Sums of probabilities that should be one.

    Attributes:
        values: The sums, of any shape.
        errors: How far each may be off, of the same shape.
    """

    values: Tensor
    errors: Tensor

    @property
    def wrong(self) -> int | None:
        """The index, in the flattened ``values``, of the one that is farthest from one for certain; None if none is."""
        off = (self.values - 1).abs().nan_to_num(torch.inf)
        off = off.masked_fill(~(self.errors <= SMALL), 0.0).flatten()
        worst = int(off.argmax())
        return worst if float(off[worst]) > TOLERANCE else None

    def unless_exact(self, verdict: Verdict) -> Verdict:
        """``verdict``, or *cannot tell* if a sum that is not one may be off by too much to say so."""
        rough = ~((self.values - 1).abs() <= TOLERANCE) & (self.errors > SMALL)
        if not bool(rough.any()):
            return verdict
        return cannot_tell(
            f"a density is too rough to be integrated: an integral may be off by {float(self.errors[rough].max()):.1g}",
            "a density with fewer jumps, or a wider one",
        )


def careful_sums(distribution: Distribution, sums: Tensor, singles: Tensor, edges: Tensor) -> Sums:
    """The sums of the probabilities of all values; where ``sums`` are not one, densities are integrated anew.

    Args:
        distribution: The distributions.
        sums: The sums over all nodes, of its batch shape.
        singles: The sums over listed values and atoms only.
        edges: Edges ``(E, *batch_shape)`` of the panels into which continuous supports are cut.
    """
    if not bool(((sums - 1).abs() > TOLERANCE).any()):
        return Sums(sums, torch.zeros_like(sums))
    integrals, errors = integrate(distribution.log_prob, edges)
    known = sums.isnan() | ((sums - 1).abs() <= TOLERANCE)
    return Sums(torch.where(known, sums, singles + integrals), errors.masked_fill(known, 0.0))


def integrate(log_density: Callable[[Tensor], Tensor], edges: Tensor) -> tuple[Tensor, Tensor]:
    """Integrals between the first and the last of ``edges``, and how far each may be off.

    Args:
        log_density: Gives log-densities ``(K, *batch_shape)`` at values of this shape.
        edges: Values ``(E, *batch_shape)`` in increasing order.

    Returns:
        Both of shape ``batch_shape``.

    >>> value, error = integrate(lambda x: -(x - 0.3).abs(), torch.linspace(-40, 40, 81, dtype=torch.float64))
    >>> round(float(value), 9), float(error) < 1e-9
    (2.0, True)
    """
    if len(edges) == 1:
        return torch.zeros_like(edges[0]), torch.zeros_like(edges[0])
    left, right = edges[:-1], edges[1:]
    values, errors = _panels(log_density, left, right)
    cuts = torch.linspace(0, 1, PIECES + 1, dtype=edges.dtype).reshape(-1, *[1] * edges.dim())
    for _ in range(ROUNDS):
        if bool((errors.sum(0) <= SMALL**2).all()):
            break
        worst = errors.topk(min(WORST, len(errors)), dim=0).indices
        start, end = left.gather(0, worst), right.gather(0, worst)
        inner = start + (end - start) * cuts
        inner[-1] = end
        lower, upper = inner[:-1], inner[1:]
        new = _panels(log_density, lower.flatten(0, 1), upper.flatten(0, 1))
        # The first piece takes the place of its panel, and the others follow at the end.
        left, right, values, errors = (
            torch.cat([old.scatter(0, worst, pieces[0]), pieces[1:].flatten(0, 1)])
            for old, pieces in (
                (left, lower),
                (right, upper),
                *((old, each.unflatten(0, (PIECES, -1))) for old, each in zip((values, errors), new, strict=True)),
            )
        )
    return values.sum(0), errors.sum(0)


def _panels(log_density: Callable[[Tensor], Tensor], left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """The integrals over panels ``(P, *batch_shape)``, and how much two rules differ, infinite where not finite."""
    fine, rough = (_rule(log_density, left, right, *rule) for rule in (FINE, ROUGH))
    errors = torch.where((fine - rough).isfinite(), (fine - rough).abs(), torch.inf)
    return fine, errors


def _rule(
    log_density: Callable[[Tensor], Tensor], left: Tensor, right: Tensor, points: Tensor, weights: Tensor
) -> Tensor:
    shape = (-1, *[1] * left.dim())
    share = points.reshape(shape)
    densities = log_density((left * (1 - share) + right * share).flatten(0, 1)).unflatten(0, (len(points), -1)).exp()
    return (densities * weights.reshape(shape)).sum(0) * (right - left)
