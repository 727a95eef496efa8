"""Numbers of any distribution on the scale of their normal scores, where a mixture of logistics fits them well.

A curve x(z) goes through quantiles of the training values: x(z_j) is the quantile of the probability Phi(z_j), and lies
on straight lines between them. So z is roughly standard normal whatever the units, the skew and the tails of x. With
p_z a mixture of logistics,

p(x) = p_z(z(x)) dz/dx            if x may be any number,
P(k) = F_z(z(k + 1/2)) - F_z(z(k - 1/2))    if x = k is an integer (a `Curved` of cells).

Beyond the outer quantiles the curve goes on as it does before them. Where values have a bound it nears the bound
instead, x = bound + g e^-t, so that hardly anything is beyond; there it goes on as a flat line, so that no number is
impossible, only very improbable.

References:
    Nonparanormal (Liu, Lafferty and Wasserman, 2009): normal scores of each variable, https://arxiv.org/abs/0903.0649
    On embeddings for numerical features in tabular deep learning (Gorishniy et al., 2022): ramps between quantiles as
    features, https://arxiv.org/abs/2203.05556
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, MixtureSameFamily, constraints
from torch.distributions.constraints import Constraint

from chainrule.conditionals.base import Conditional
from chainrule.conditionals.real import Logistic, LogisticMixture
from chainrule.conditionals.support import NO_CONSTRAINTS, integers
from chainrule.conditionals.units import InUnits

FIRM, SOFT = 700.0, 16.0
"""The t at which a curve has come to its bound: e^-t of its last knot's distance is left. Of a density it must not be
too near, where rounding to the bound would change it much; of cells it may."""

RAMPS = (-2.5, 2.5, 16)
"""A network reads z also as ramps between this many evenly spaced places, from and to."""

FARTHEST = 10.0
"""A network reads a z beyond this as this."""


@dataclass(frozen=True)
class Scores:
    """Units of a curve: x is a piecewise linear, increasing function of z; see `chainrule.conditionals.units.Units`.

    Args:
        knots: Values x_j, increasing, ``(Q,)``, or ``(n, Q)`` for n variables; float64.
        scores: Their z_j, increasing, of the same shape.
        lower: The bound of x below, -infinity if there is none; a number, or ``(n,)``.
        upper: The bound of x above.
        last: The t, `FIRM` or `SOFT`, from which a curve that nears its bound is a line.
    """

    knots: Tensor
    scores: Tensor
    lower: Tensor
    upper: Tensor
    last: float = SOFT

    def z(self, x: Tensor) -> Tensor:
        return self.score(x.double()).to(x if x.is_floating_point() else torch.get_default_dtype())

    def score(self, x: Tensor) -> Tensor:
        """Z of x, in double precision."""
        left, right, low, high = self._segment(self.knots, self.scores, x)
        inner = low + (x - left) / (right - left) * (high - low)
        for end in self._ends(x):
            share = ((x - end.bound) / (end.knot - end.bound)).clamp(max=1.0)
            reached = math.exp(-self.last)
            t = torch.where(
                share >= reached, -share.clamp(min=reached).log(), self.last + (reached - share) * math.exp(SOFT)
            )
            tail = end.score - end.sign * t * end.reach
            beyond = end.sign * (x - end.knot) < 0
            inner = torch.where(beyond & end.bound.isfinite(), tail, inner)
        return inner

    def x(self, z: Tensor) -> Tensor:
        wide = z.double()
        low, high, left, right = self._segment(self.scores, self.knots, wide)
        inner = left + (wide - low) / (high - low) * (right - left)
        for end in self._ends(wide):
            t = (end.sign * (end.score - wide) / end.reach).clamp(min=0.0)
            share = torch.where(t <= self.last, (-t).exp(), math.exp(-self.last) - (t - self.last) * math.exp(-SOFT))
            beyond = end.sign * (wide - end.score) < 0
            inner = torch.where(beyond & end.bound.isfinite(), end.bound + (end.knot - end.bound) * share, inner)
        return inner.to(z)

    def log_scale(self, z: Tensor, x: Tensor) -> Tensor:
        """Log dx/dz, by x: rounded, a z may be on the other side of a knot."""
        wide = x.double()
        left, right, low, high = self._segment(self.knots, self.scores, wide)
        slope = ((right - left) / (high - low)).log()
        for end in self._ends(wide):
            share = (wide - end.bound) / (end.knot - end.bound)
            log_share = torch.where(share < math.exp(-self.last), -SOFT, share.clamp(math.exp(-self.last), 1.0).log())
            slope = torch.where(end.bound.isfinite(), slope + log_share, slope)
        return slope.to(z)

    def _segment(self, along: Tensor, other: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The ends of the segment of ``along`` that each of ``v`` is in, and those of ``other``."""
        along, other = along.to(v.device), other.to(v.device)
        if along.dim() == 1:
            right = torch.searchsorted(along, v.contiguous()).clamp(1, len(along) - 1)
            return along[right - 1], along[right], other[right - 1], other[right]
        flat = v.reshape(-1, len(along)).T.contiguous()
        right = torch.searchsorted(along, flat).clamp(1, along.shape[1] - 1)
        parts = [table.gather(1, place) for table in (along, other) for place in (right - 1, right)]
        first, second, third, fourth = (part.T.reshape(v.shape) for part in parts)
        return first, second, third, fourth

    def _ends(self, like: Tensor) -> tuple[_End, _End]:
        """The two outer knots."""
        knots, scores = self.knots.to(like.device), self.scores.to(like.device)
        ends = []
        for bound, near, far, sign in ((self.lower, 0, 1, 1.0), (self.upper, -1, -2, -1.0)):
            knot, score, bound = knots[..., near], scores[..., near], bound.to(like.device)
            slope = (knots[..., far] - knot) / (scores[..., far] - score)
            reach = torch.where(bound.isfinite(), (knot - bound).abs() / slope, 1.0)
            ends.append(_End(bound, knot, score, reach, sign))
        return ends[0], ends[1]

    def of(self, index: int) -> Scores:
        """The units of one of n variables; these, if they are of one."""
        if self.knots.dim() == 1:
            return self
        return Scores(self.knots[index], self.scores[index], self.lower[index], self.upper[index], self.last)

    @staticmethod
    def together(units: Sequence[Scores]) -> Scores:
        """The units of n variables; where one has fewer knots, wide segments are halved, which changes nothing."""
        most = max(len(own.knots) for own in units)
        knots, scores = zip(*(_with_knots(own.knots, own.scores, most) for own in units), strict=True)
        lower, upper = (torch.stack([getattr(own, name) for own in units]) for name in ("lower", "upper"))
        return Scores(torch.stack(knots), torch.stack(scores), lower, upper, units[0].last)


@dataclass(frozen=True)
class _End:
    """An outer knot, and how the curve goes on to its bound: over ``reach`` of z by a factor e.

    ``sign`` is 1 at the lower end, and -1 at the upper.
    """

    bound: Tensor
    knot: Tensor
    score: Tensor
    reach: Tensor
    sign: float


def _with_knots(knots: Tensor, scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    while len(knots) < count:
        widest = int(scores.diff().argmax())
        middle = [(part[widest] + part[widest + 1]).unsqueeze(0) / 2 for part in (knots, scores)]
        knots, scores = (
            torch.cat([part[: widest + 1], own, part[widest + 1 :]])
            for part, own in zip((knots, scores), middle, strict=True)
        )
    return knots, scores


class Curved(Conditional):
    """A mixture of logistics of the normal scores of a number.

    A network gives the mixture's parameters, and reads z, and z between places that are evenly spaced (ramps), which
    let it bend at each of them.

    Args:
        knots: Values through which the curve goes, at least two, increasing.
        scores: Their z, increasing.
        lower: A bound below the least knot; None if there is none. Hardly anything is beyond it.
        upper: A bound above the greatest knot; None if there is none.
        cells: True if values are integers, which have probabilities and no densities.
        components: Logistics of the mixture.
        min_scale: The least scale of a logistic.

    Raises:
        ValueError: If knots or scores do not increase, or a bound is not beyond them.

    >>> import torch
    >>> counts = Curved([0.0, 3.0, 10.0], [-1.0, 0.0, 1.0], lower=-0.5, cells=True, components=1)
    >>> probabilities = counts.distribution(torch.zeros(2)).log_prob(torch.arange(1000.0)).exp()
    >>> torch.allclose(probabilities.sum(), torch.ones(()))
    True
    """

    def __init__(
        self,
        knots: Sequence[float],
        scores: Sequence[float],
        lower: float | None = None,
        upper: float | None = None,
        cells: bool = False,
        components: int = 10,
        min_scale: float = 1e-3,
    ) -> None:
        self.knots, self.scores = [float(x) for x in knots], [float(z) for z in scores]
        if len(self.knots) < 2 or len(self.knots) != len(self.scores):
            raise ValueError(
                f"Curved expects two or more knots and as many scores, got {len(self.knots)}, {len(self.scores)}"
            )
        if any(a >= b for part in (self.knots, self.scores) for a, b in pairwise(part)):
            raise ValueError("Curved expects increasing knots and scores, got others")
        if (lower is not None and lower >= self.knots[0]) or (upper is not None and upper <= self.knots[-1]):
            raise ValueError(f"Curved expects bounds beyond its knots, got {lower} and {upper}")
        self.lower, self.upper, self.cells = lower, upper, cells
        self.components, self.min_scale = components, min_scale
        self.mixture_of_scores = LogisticMixture(components, min_scale)
        self.units = Scores(
            torch.tensor(self.knots, dtype=torch.float64),
            torch.tensor(self.scores, dtype=torch.float64),
            torch.tensor(-math.inf if lower is None else lower, dtype=torch.float64),
            torch.tensor(math.inf if upper is None else upper, dtype=torch.float64),
            FIRM if cells else SOFT,
        )
        self.num_parameters, self.num_features = self.mixture_of_scores.num_parameters, RAMPS[2]

    def distribution(self, parameters: Tensor) -> Distribution:
        return self._in_units(self.mixture_of_scores.distribution(parameters), self.units)

    def _in_units(self, scores: Distribution, units: Scores) -> Distribution:
        return InCells(scores, units) if self.cells else InUnits(scores, units)

    def at(self, distribution: Distribution, index: int) -> Distribution:
        assert isinstance(distribution, InCells | InUnits)
        return self._in_units(self.mixture_of_scores.at(distribution.base, index), self.units.of(index))

    def encode(self, x: Tensor) -> Tensor:
        z = self.units.z(x).unsqueeze(-1)
        places = torch.linspace(*RAMPS, dtype=z.dtype, device=z.device)
        width = places[1] - places[0]
        ramps = ((z - places[:-1]) / width).clamp(0, 1) - (-places[:-1] / width).clamp(0, 1)
        return torch.cat([z.clamp(-FARTHEST, FARTHEST), ramps], dim=-1)

    @property
    def support(self) -> Constraint:
        return integers if self.cells else constraints.real

    @property
    def probes(self) -> Tensor:
        places = [0, len(self.knots) // 3, 2 * len(self.knots) // 3, -1]
        chosen = torch.tensor(self.knots)[places].unique()
        return chosen.round().unique() if self.cells else chosen

    def initial_parameters(self, x: Tensor) -> Tensor:
        """Equally probable components at quantiles of z, narrow where values are dense."""
        return self.mixture_of_scores.initial_parameters(self.units.z(x.float() if self.cells else x))

    def on_line(self, x: Tensor) -> Tensor:
        return self.units.z(x)

    def components_of(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.mixture_of_scores.components_of(parameters)

    def of_components(self, logits: Tensor, means: Tensor, log_deviations: Tensor) -> Tensor:
        return self.mixture_of_scores.of_components(logits, means, log_deviations)

    @property
    def group(self) -> str:
        return f"Curved({self.cells}, {self.mixture_of_scores!r})"

    def together(self, families: Sequence[Conditional]) -> Self:
        joint = copy.copy(self)
        joint.units = Scores.together([family.units for family in families if isinstance(family, Curved)])
        return joint

    @property
    def config(self) -> dict[str, Any]:
        return {
            "knots": self.knots, "scores": self.scores, "lower": self.lower, "upper": self.upper, "cells": self.cells,
            "components": self.components, "min_scale": self.min_scale,
        }  # fmt: skip


class InCells(Distribution):
    """Integers, each with the probability of the cell from k - 1/2 to k + 1/2 under a mixture of logistics of z.

    Args:
        base: The mixture, or a single logistic.
        units: The curve.
    """

    arg_constraints = NO_CONSTRAINTS

    def __init__(self, base: Distribution, units: Scores) -> None:
        self.base, self.units = base, units
        super().__init__(base.batch_shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log sum_i pi_i [sigmoid(b_i) - sigmoid(a_i)], without cancellation.

        With a and b the standardised ends of the cell, sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a)
        (1 - e^(a - b)).
        """
        wide = value.double()
        low, high = self.units.score(wide - 0.5), self.units.score(wide + 0.5)
        if isinstance(self.base, MixtureSameFamily):
            log_weights, parts = self.base.mixture_distribution.logits.log_softmax(-1), self.base.component_distribution
            low, high = low.unsqueeze(-1), high.unsqueeze(-1)
        else:
            log_weights, parts = None, self.base
        assert isinstance(parts, Logistic)
        inverse = 1 / parts.scale
        width = (high - low).to(inverse) * inverse
        below = F.logsigmoid((high.to(inverse) - parts.loc) * inverse)
        above = F.logsigmoid((parts.loc - low.to(inverse)) * inverse)
        tiny = torch.finfo(width.dtype).tiny
        log_mass = below + above + (-torch.expm1(-width.clamp(min=tiny))).log()
        return log_mass if log_weights is None else (log_weights + log_mass).logsumexp(-1)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.units.x(self.base.sample(torch.Size(sample_shape))).round()
