"""Families of a user's own, written exactly as the docstring of `Conditional` says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, LogNormal, Poisson, constraints

from chainrule.conditionals import Conditional


class Inflated(Distribution):
    """0 with probability sigmoid(logit), else a value of ``base``.

    Args:
        logit: Log-odds of the inflation.
        base: The distribution of the other values; a density has no 0 among them.
        fill: A value of ``base``.
    """

    arg_constraints: dict[str, Any] = {}  # noqa: RUF012  # as torch declares it

    def __init__(self, logit: Tensor, base: Distribution, fill: float) -> None:
        self.logit, self.base, self.fill = logit, base, fill
        super().__init__(logit.shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        zero = value == 0
        other = F.logsigmoid(-self.logit) + self.base.log_prob(value.masked_fill(zero, self.fill))
        inflated = F.logsigmoid(self.logit)
        if self.fill == 0:  # the base may be 0 too
            inflated = torch.logaddexp(inflated, other)
        return torch.where(zero, inflated, other)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn = self.base.sample(torch.Size(sample_shape))
        return drawn * torch.bernoulli(torch.sigmoid(-self.logit.detach()).expand_as(drawn))


class ZeroInflatedPoisson(Conditional):
    """Counts: 0 with a probability of its own, else a Poisson distribution."""

    num_parameters, num_features = 2, 1
    support = constraints.nonnegative_integer

    def distribution(self, parameters: Tensor) -> Distribution:
        logit, log_rate = parameters.unbind(-1)
        return self._inflated(logit, log_rate.clamp(-20, 4))

    def at(self, distribution: Distribution, index: int) -> Distribution:
        assert isinstance(distribution, Inflated)
        return self._inflated(
            distribution.logit.flatten(1)[:, index], distribution.base.rate.log().flatten(1)[:, index]
        )

    def _inflated(self, logit: Tensor, log_rate: Tensor) -> Inflated:
        return Inflated(logit, Poisson(log_rate.exp(), validate_args=False), 0.0)

    def encode(self, x: Tensor) -> Tensor:
        return x.log1p().unsqueeze(-1)


class ZeroInflatedLogNormal(Conditional):
    """Amounts: 0 with a probability of its own, else a log-normal density."""

    num_parameters, num_features = 3, 2
    support = constraints.positive
    atoms = torch.zeros(1)

    def distribution(self, parameters: Tensor) -> Distribution:
        logit, mean, log_scale = parameters.unbind(-1)
        return self._inflated(logit, mean, log_scale.clamp(-3, 2).exp())

    def at(self, distribution: Distribution, index: int) -> Distribution:
        assert isinstance(distribution, Inflated)
        parts = distribution.logit, distribution.base.loc, distribution.base.scale
        return self._inflated(*(part.flatten(1)[:, index] for part in parts))

    def _inflated(self, logit: Tensor, mean: Tensor, scale: Tensor) -> Inflated:
        return Inflated(logit, LogNormal(mean, scale, validate_args=False), 1.0)

    def encode(self, x: Tensor) -> Tensor:
        zero = x == 0
        return torch.stack([x.log1p(), (~zero).to(x)], dim=-1)
