"""Sequential Monte Carlo over clamped walks: draws of the unknown variables given the known ones.

P walks run side by side for every example. A known variable takes its known value, and multiplies the particle's weight
by its likelihood; where the effective sample size (sum w)^2 / sum w^2 falls below P / 2, particles are resampled in
proportion to their weights. The mean weight estimates p(known) without bias.

A variable of which only bounds are known takes a draw within them. Where values can be listed, the weight changes by
the probability of the bounds; elsewhere by the share of `TRIES` draws that lie within them, which estimates it without
bias.

References:
    Sequential Monte Carlo samplers (Del Moral, Doucet and Jasra, 2006), https://doi.org/10.1111/j.1467-9868.2006.00553.x
    Particle Markov chain Monte Carlo methods (Andrieu, Doucet and Holenstein, 2010): conditional SMC,
    https://doi.org/10.1111/j.1467-9868.2009.00736.x
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.choices import Choose
from chainrule.model import AutoregressiveModel
from chainrule.walk import walk

TRIES = 64
"""Draws of a variable that can't be listed, of which one within its bounds is taken."""


@dataclass(frozen=True)
class Bounds:
    """The values that variables may take: from ``low`` to ``high``, both included.

    Attributes:
        low: The least values, ``event_shape``; -inf for no bound.
        high: The greatest values, ``event_shape``; inf for no bound. A variable whose bounds are equal is known.
    """

    low: Tensor
    high: Tensor

    @property
    def known(self) -> Tensor:
        """The variables with a single value, booleans ``event_shape``."""
        return self.low == self.high

    @property
    def ranged(self) -> Tensor:
        """The variables with bounds that are not known, booleans ``event_shape``."""
        return ((self.low > -math.inf) | (self.high < math.inf)) & ~self.known

    def allow(self, value: Tensor, index: int) -> Tensor:
        """True where values ``(...)`` of variable ``index``, counted in the flattened event, are within its bounds."""
        return (value >= self.low.flatten()[index]) & (value <= self.high.flatten()[index])


@dataclass(frozen=True)
class Particles:
    """Weighted walks.

    Attributes:
        x: ``(B, P, *event_shape)``.
        log_weights: Log-weights ``(B, P)``, normalised per example.
        log_evidence: The estimate of log p(known), ``(B,)`` in nats; exact if every weight is. -inf where no particle
            of an example survived its known values.
        least_size: The smallest effective sample size along the walk, ``(B,)``, before particles were resampled.
    """

    x: Tensor
    log_weights: Tensor
    log_evidence: Tensor
    least_size: Tensor


def run_particles(
    model: AutoregressiveModel,
    x: Tensor,
    observed: Tensor,
    count: int,
    draw: Choose | None,
    *,
    lookahead: Tensor | None = None,
    retain: bool = False,
    bounds: Bounds | None = None,
    context: Tensor | None = None,
) -> Particles:
    """Walk ``count`` particles for each example of ``x``.

    Args:
        model: A model with an order of its own.
        x: Examples ``(B, *event_shape)``, valid where they are observed (and everywhere, to ``retain`` them).
        observed: The known variables: booleans ``event_shape``, or ``(B, *event_shape)`` if each example has its own.
        count: The number P of particles.
        draw: Chooses the unknown values; None samples them from their conditionals.
        lookahead: The result of `FarSighted.lookahead`, along the order.
        retain: Keep each example itself as its first particle (conditional SMC).
        bounds: The bounds of variables that are not observed.
        context: Classes ``(B,)``.
    """
    cloud = _Cloud(model, x, observed, count, draw, lookahead, retain, bounds)
    repeated = None if context is None else context.repeat_interleave(count)
    walked = walk(model, len(x) * count, cloud.choose, repeated, select=cloud.select)
    log_evidence = cloud.log_evidence + cloud.log_weights.logsumexp(1) - math.log(count)
    log_evidence = log_evidence.masked_fill(cloud.dead, -math.inf)
    return Particles(
        x=walked.unflatten(0, (-1, count)),
        log_weights=cloud.log_weights.log_softmax(1),
        log_evidence=log_evidence,
        least_size=cloud.least_size,
    )


def spread(weights: Tensor, count: int) -> Tensor:
    """``count`` indices ``(B, count)`` in proportion to ``weights`` ``(B, M)``, in order: systematic resampling.

    Index i is drawn floor(count w_i) or ceil(count w_i) times, and count w_i times on average.

    >>> spread(torch.tensor([[0.5, 0.0, 0.5]]), 4)
    tensor([[0, 0, 2, 2]])
    """
    ends = weights.double().cumsum(1)
    steps = torch.arange(count, device=weights.device) + torch.rand(len(weights), 1, device=weights.device)
    places = (steps.double() / count).clamp(max=1 - 1e-12) * ends[:, -1:]
    return torch.searchsorted(ends, places, right=True).clamp(max=weights.shape[1] - 1)


class _Cloud:
    """The weights of the particles of a walk, and the functions that `walk` calls at every step."""

    def __init__(
        self,
        model: AutoregressiveModel,
        x: Tensor,
        observed: Tensor,
        count: int,
        draw: Choose | None,
        lookahead: Tensor | None,
        retain: bool,
        bounds: Bounds | None,
    ) -> None:
        self.model, self.conditional, self.count, self.draw = model, model.conditional, count, draw
        self.lookahead, self.retain, self.bounds = lookahead, retain, bounds
        self.given = model.order.flatten(x)
        self.known = model.order.flatten(observed.to(x.device).expand(len(x), *model.event_shape))
        self.some: list[bool] = self.known.any(0).tolist()
        self.every: list[bool] = self.known.all(0).tolist()
        self.ranged = [False] * model.num_variables
        if bounds is not None:
            self.ranged = model.order.flatten(bounds.ranged.to(x.device).unsqueeze(0))[0].tolist()
        self.log_weights = torch.zeros(len(x), count, dtype=torch.float64, device=x.device)
        self.log_evidence = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        self.least_size = torch.full((len(x),), float(count), dtype=torch.float64, device=x.device)
        self.dead = torch.zeros(len(x), dtype=torch.bool, device=x.device)

    def choose(self, t: int, distribution: Distribution) -> Tensor:
        """The known value, or a draw; weights change by the likelihood of the known value."""
        given = self.given[:, t].repeat_interleave(self.count)
        if self.lookahead is not None:
            return self._choose_ahead(t, distribution, given)
        if self.every[t]:
            self._weigh(distribution.log_prob(given))
            return given
        drawn = self._drawn_within(t, distribution) if self.ranged[t] else self._drawn(t, distribution)
        drawn = drawn.to(given)
        if self.retain:
            drawn = drawn.unflatten(0, (-1, self.count)).clone()
            drawn[:, 0] = self.given[:, t]
            drawn = drawn.flatten()
        if self.some[t]:
            known = self.known[:, t].repeat_interleave(self.count)
            drawn = torch.where(known, given, drawn)
            self._weigh(distribution.log_prob(drawn).masked_fill(~known, 0.0))
        return drawn

    def _drawn(self, t: int, distribution: Distribution) -> Tensor:
        return distribution.sample() if self.draw is None else self.draw(t, distribution)

    def _drawn_within(self, t: int, distribution: Distribution) -> Tensor:
        """A draw within the bounds; weights change by their probability, or an unbiased estimate of it."""
        assert self.bounds is not None
        index = int(self.model.order.permutation[t])
        conditional = self.model.conditional_at(t)
        if (values := conditional.values) is not None:
            allowed = self.bounds.allow(values.to(self.given), index)
            log_probs = conditional.log_probs(distribution).masked_fill(~allowed, -math.inf)
            total = log_probs.logsumexp(1)
            self._weigh(total)
            probabilities = (log_probs - total[:, None]).exp()
            probabilities[total == -math.inf] = allowed.to(probabilities)  # such a particle is dead, and goes on
            return values.to(self.given)[torch.multinomial(probabilities, 1).squeeze(1)]
        tries = distribution.sample(torch.Size([TRIES]))
        allowed = self.bounds.allow(tries, index)
        self._weigh(allowed.double().mean(0).log())
        return tries.gather(0, allowed.to(torch.uint8).argmax(0, keepdim=True)).squeeze(0)

    def _choose_ahead(self, t: int, distribution: Distribution, given: Tensor) -> Tensor:
        """Draw from the conditional times the lookahead; the weights change by its normaliser less the earlier one."""
        values = self.conditional.values
        assert values is not None
        assert self.lookahead is not None
        ahead = self.lookahead[:, t].repeat_interleave(self.count, dim=0)
        scores = self.conditional.log_probs(distribution) + ahead
        total = scores.logsumexp(1)
        possible = total > -math.inf
        numbers = self.conditional.parameters_of((scores - total[:, None]).masked_fill(~possible[:, None], 0.0))
        chosen = given if self.every[t] else self._drawn(t, self.conditional.distribution(numbers)).to(given)
        index = torch.searchsorted(values.to(given), chosen.contiguous())
        change = total - ahead.gather(1, index[:, None]).squeeze(1)
        self._weigh(change.masked_fill(~possible, -math.inf))
        return chosen

    def _weigh(self, change: Tensor) -> None:
        self.log_weights = self.log_weights + change.double().unflatten(0, (-1, self.count))

    def select(self, t: int) -> Tensor | None:
        """New particles where the effective sample size is below half of their number."""
        died = (self.log_weights == -math.inf).all(1)
        self.dead |= died
        self.log_weights = self.log_weights.masked_fill(died[:, None], 0.0)  # such walks go on, and count for nothing
        if not (self.some[t] or self.ranged[t]) or self.count == 1:
            return None
        weights = self.log_weights.softmax(1)
        size = 1 / weights.square().sum(1)
        self.least_size = torch.minimum(self.least_size, size)
        poor = size < self.count / 2
        if not bool(poor.any()):
            return None
        ancestors = torch.arange(self.count, device=weights.device).repeat(len(weights), 1)
        if self.retain:  # the others must be drawn independently of the example itself
            ancestors[poor] = torch.multinomial(weights[poor], self.count, replacement=True)
            ancestors[:, 0] = 0
        else:
            ancestors[poor] = spread(weights[poor], self.count)
        mean = self.log_weights.logsumexp(1) - math.log(self.count)
        self.log_evidence = torch.where(poor, self.log_evidence + mean, self.log_evidence)
        self.log_weights = torch.where(poor[:, None], 0.0, self.log_weights)
        offsets = torch.arange(len(weights), device=weights.device) * self.count
        return (ancestors + offsets[:, None]).flatten()
