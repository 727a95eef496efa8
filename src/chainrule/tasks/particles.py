"""Sequential Monte Carlo over clamped walks: draws of the unknown variables given the known ones.

P walks run side by side for every example. A known variable takes its known value, and multiplies the particle's weight
by its likelihood; where the effective sample size (sum w)^2 / sum w^2 falls below P / 2, particles are resampled in
proportion to their weights. The mean weight estimates p(known) without bias.

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

from chainrule.model import AutoregressiveModel
from chainrule.walk import Choose, walk


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
    context: Tensor | None = None,
) -> Particles:
    """Walk ``count`` particles for each example of ``x``.

    Args:
        model: A model with an order of its own.
        x: Examples ``(B, *event_shape)``, valid where they are observed (and everywhere, to ``retain`` them).
        observed: Booleans ``event_shape``.
        count: The number P of particles.
        draw: Chooses the unknown values; None samples them from their conditionals.
        lookahead: The result of `FarSighted.lookahead`, along the order.
        retain: Keep each example itself as its first particle (conditional SMC).
        context: Classes ``(B,)``.
    """
    cloud = _Cloud(model, x, observed, count, draw, lookahead, retain)
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
    ) -> None:
        self.conditional, self.count, self.draw, self.lookahead, self.retain = (
            model.conditional, count, draw, lookahead, retain,
        )  # fmt: skip
        self.given = model.order.flatten(x)
        self.known: list[bool] = model.order.flatten(observed.unsqueeze(0).to(x.device))[0].tolist()
        self.log_weights = torch.zeros(len(x), count, dtype=torch.float64, device=x.device)
        self.log_evidence = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        self.least_size = torch.full((len(x),), float(count), dtype=torch.float64, device=x.device)
        self.dead = torch.zeros(len(x), dtype=torch.bool, device=x.device)

    def choose(self, t: int, distribution: Distribution) -> Tensor:
        """The known value, or a draw; weights change by the likelihood of the known value."""
        given = self.given[:, t].repeat_interleave(self.count)
        if self.lookahead is not None:
            return self._choose_ahead(t, distribution, given)
        if not self.known[t]:
            drawn = self._drawn(t, distribution)
            if self.retain:
                drawn = drawn.to(given).unflatten(0, (-1, self.count))
                drawn[:, 0] = self.given[:, t]
                drawn = drawn.flatten()
            return drawn
        self._weigh(distribution.log_prob(given))
        return given

    def _drawn(self, t: int, distribution: Distribution) -> Tensor:
        return distribution.sample() if self.draw is None else self.draw(t, distribution)

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
        chosen = given if self.known[t] else self._drawn(t, self.conditional.distribution(numbers)).to(given)
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
        if not self.known[t] or self.count == 1:
            return None
        weights = self.log_weights.softmax(1)
        size = 1 / weights.square().sum(1)
        self.least_size = torch.minimum(self.least_size, size)
        poor = size < self.count / 2
        if not bool(poor.any()):
            return None
        ancestors = torch.arange(self.count, device=weights.device).repeat(len(weights), 1)
        ancestors[poor] = torch.multinomial(weights[poor], self.count, replacement=True)
        if self.retain:
            ancestors[:, 0] = 0
        mean = self.log_weights.logsumexp(1) - math.log(self.count)
        self.log_evidence = torch.where(poor, self.log_evidence + mean, self.log_evidence)
        self.log_weights = torch.where(poor[:, None], 0.0, self.log_weights)
        offsets = torch.arange(len(weights), device=weights.device) * self.count
        return (ancestors + offsets[:, None]).flatten()
