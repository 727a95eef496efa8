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

from chainrule.choices import ChangedDraw, Choose
from chainrule.codes import Drawing
from chainrule.compiled import compiled_particles
from chainrule.conditionals import present
from chainrule.model import AutoregressiveModel
from chainrule.nn.native.walk import Weights
from chainrule.sequence import SequenceModel, frame_size_of
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
        context: What each example is conditioned on, ``(B, ...)``.
    """
    offsets = torch.zeros(1, len(x), dtype=torch.float64, device=x.device)  # one particle is not resampled
    if count > 1:
        offsets = torch.rand_like(offsets.expand(model.num_variables, -1))
    repeated = None if context is None else context.repeat_interleave(count, dim=0)
    weights, sequence = Weights.begin(offsets, count), None
    plain = lookahead is None and bounds is None and not retain
    if plain and frame_size_of(model) is None and (drawing := _drawing(draw)) is not None:  # a frame has its own run
        given, known = (model.order.flatten(part.expand_as(x)) for part in (x, observed))
        source = model.start(len(x) * count, repeated) if isinstance(model, SequenceModel) else repeated
        sequence = compiled_particles(model, given, known, weights, drawing, source)
    if sequence is None:
        cloud = _Cloud(model, x, observed, draw, lookahead, retain, bounds, weights)
        walked = walk(model, len(x) * count, cloud.choose, repeated, select=cloud.select)
    else:
        walked = model.order.unflatten(sequence)
    log_evidence = weights.log_evidence + weights.log_weights.logsumexp(1) - math.log(count)
    return Particles(
        x=walked.unflatten(0, (-1, count)),
        log_weights=weights.log_weights.log_softmax(1),
        log_evidence=log_evidence.masked_fill(weights.dead, -math.inf),
        least_size=weights.least_size,
    )


def draw_present(t: int, distribution: Distribution) -> Tensor:
    """Draw a value that is not missing, because gaps are to be filled."""
    return present(distribution).sample()


def _drawing(draw: Choose | None) -> Drawing | None:
    """The settings with which a compiled walk draws as ``draw`` does; None if it can't. It draws no missing values."""
    if isinstance(draw, ChangedDraw):
        return draw.drawing
    return Drawing() if draw in (None, draw_present) else None


def spread(weights: Tensor, count: int, offsets: Tensor | None = None) -> Tensor:
    """``count`` indices ``(B, count)`` in proportion to ``weights`` ``(B, M)``, in order: systematic resampling.

    Index i is drawn floor(count w_i) or ceil(count w_i) times, and count w_i times on average. ``offsets`` are uniform
    random numbers ``(B,)``; None draws them.

    >>> spread(torch.tensor([[0.5, 0.0, 0.5]]), 4)
    tensor([[0, 0, 2, 2]])
    """
    ends = weights.double().cumsum(1)
    if offsets is None:
        offsets = torch.rand(len(weights), dtype=torch.float64, device=weights.device)
    steps = torch.arange(count, device=weights.device) + offsets[:, None]
    places = (steps / count).clamp(max=1 - 1e-12) * ends[:, -1:]
    return torch.searchsorted(ends, places, right=True).clamp(max=weights.shape[1] - 1)


class _Cloud:
    """The weights of the particles of a walk, and the functions that `walk` calls at every step."""

    def __init__(
        self,
        model: AutoregressiveModel,
        x: Tensor,
        observed: Tensor,
        draw: Choose | None,
        lookahead: Tensor | None,
        retain: bool,
        bounds: Bounds | None,
        weights: Weights,
    ) -> None:
        self.model, self.conditional, self.draw = model, model.conditional, draw
        self.weights, self.count = weights, weights.log_weights.shape[1]
        self.lookahead, self.retain, self.bounds = lookahead, retain, bounds
        self.given = model.order.flatten(x)
        self.known = model.order.flatten(observed.to(x.device).expand(len(x), *model.event_shape))
        self.some: list[bool] = self.known.any(0).tolist()
        self.every: list[bool] = self.known.all(0).tolist()
        self.ranged = [False] * model.num_variables
        if bounds is not None:
            self.ranged = model.order.flatten(bounds.ranged.to(x.device).unsqueeze(0))[0].tolist()

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
        self.weights.log_weights.add_(change.double().unflatten(0, (-1, self.count)))

    def select(self, t: int) -> Tensor | None:
        """New particles where the effective sample size is below half of their number."""
        log_weights, log_evidence, least_size, dead, offsets = self.weights
        died = (log_weights == -math.inf).all(1)
        dead |= died
        log_weights[died] = 0.0  # such walks go on, and count for nothing
        if not (self.some[t] or self.ranged[t]) or self.count == 1:
            return None
        weights = log_weights.softmax(1)
        size = 1 / weights.square().sum(1)
        least_size.copy_(torch.minimum(least_size, size))
        poor = size < self.count / 2
        if not bool(poor.any()):
            return None
        ancestors = torch.arange(self.count, device=weights.device).repeat(len(weights), 1)
        if self.retain:  # the others must be drawn independently of the example itself
            ancestors[poor] = torch.multinomial(weights[poor], self.count, replacement=True)
            ancestors[:, 0] = 0
        else:
            ancestors[poor] = spread(weights[poor], self.count, offsets[t, poor])
        log_evidence[poor] += log_weights[poor].logsumexp(1) - math.log(self.count)
        log_weights[poor] = 0.0
        offsets = torch.arange(len(weights), device=weights.device) * self.count
        return (ancestors + offsets[:, None]).flatten()
