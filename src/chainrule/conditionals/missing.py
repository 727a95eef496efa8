"""Conditionals of values that may be missing."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution
from torch.distributions.constraints import Constraint

from chainrule.conditionals.base import Conditional
from chainrule.conditionals.support import NO_CONSTRAINTS


class WithMissing(Conditional):
    """A family whose variable may be missing. Missing is then a value of its own: NaN.

    P(missing) = sigmoid(m), and p(x) = (1 - P(missing)) times that of the family; m is the last parameter. A network
    reads a missing value as zeros and a one that says that it is missing.

    Args:
        conditional: The family of a value that is there.

    >>> import torch
    >>> from chainrule.conditionals import Bernoulli
    >>> maybe = WithMissing(Bernoulli()).distribution(torch.zeros(3, 2))
    >>> maybe.log_prob(torch.tensor([0.0, 1.0, torch.nan])).exp()
    tensor([0.2500, 0.2500, 0.5000])
    """

    def __init__(self, conditional: Conditional) -> None:
        self.conditional = conditional
        self.num_parameters, self.num_features = conditional.num_parameters + 1, conditional.num_features + 1
        self.fill = conditional.probes[0]
        self.last_parameter = torch.tensor(conditional.num_parameters)
        self.last_feature = torch.tensor(conditional.num_features)

    def distribution(self, parameters: Tensor) -> Distribution:
        inner = self.conditional.distribution(parameters[..., : self.conditional.num_parameters])
        place = self.last_parameter.to(parameters.device).expand(parameters.shape[:-1]).unsqueeze(-1)
        return MaybeMissing(inner, parameters.gather(-1, place).squeeze(-1), self.fill)

    def at(self, distribution: Distribution, index: int) -> Distribution:
        assert isinstance(distribution, MaybeMissing)
        inner = self.conditional.at(distribution.present, index)
        return MaybeMissing(inner, distribution.logit.flatten(1)[:, index], self._fill_of(index))

    def encode(self, x: Tensor) -> Tensor:
        missing = x.isnan()
        features = self.conditional.encode(torch.where(missing, self.fill.to(x), x))
        features = features.masked_fill(missing.unsqueeze(-1), 0.0)
        features = F.pad(features, (0, 1))
        place = self.last_feature.to(x.device).expand(x.shape).unsqueeze(-1)
        return features.scatter_add(-1, place, missing.unsqueeze(-1).to(features))

    def _fill_of(self, index: int) -> Tensor:
        return self.fill if self.fill.dim() == 0 else self.fill[index]

    def check(self, x: Tensor) -> None:
        self.conditional.check(x[~x.isnan()])

    @property
    def support(self) -> Constraint:
        return self.conditional.support

    @property
    def atoms(self) -> Tensor:
        return _with_nan(self.conditional.atoms)

    @property
    def spikes(self) -> Tensor:
        return _with_nan(self.conditional.spikes)

    @property
    def probes(self) -> Tensor:
        return torch.cat([self.conditional.probes, torch.tensor([math.nan])])

    def initial_parameters(self, x: Tensor) -> Tensor:
        """The starting parameters of the values that are there, and the log-odds of a missing value."""
        if x.dim() == 2:
            return torch.stack([self.initial_parameters(column) for column in x.unbind(1)])
        missing = x.isnan()
        share = (missing.sum() + 0.5) / (len(x) + 1)
        given = x[~missing]
        inner = torch.zeros(self.conditional.num_parameters, device=x.device)
        if len(given):
            inner = self.conditional.initial_parameters(given)
        return torch.cat([inner, share.logit().to(inner).unsqueeze(0)])

    def on_line(self, x: Tensor) -> Tensor:
        """The places of the values that are there; NaN for a missing one."""
        missing = x.isnan()
        return self.conditional.on_line(torch.where(missing, self.fill.to(x), x)).masked_fill(missing, math.nan)

    def components_of(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.conditional.components_of(parameters[..., :-1])

    def of_components(self, logits: Tensor, means: Tensor, log_deviations: Tensor) -> Tensor:
        """The parameters of these components, with a logit of 0 of a missing value."""
        return F.pad(self.conditional.of_components(logits, means, log_deviations), (0, 1))

    @property
    def group(self) -> str:
        return f"WithMissing({self.conditional.group})"

    def together(self, families: Sequence[Conditional]) -> Self:
        own = [family for family in families if isinstance(family, WithMissing)]
        joint = copy.copy(self)
        joint.conditional = self.conditional.together([family.conditional for family in own])
        joint.num_parameters = joint.conditional.num_parameters + 1
        joint.num_features = joint.conditional.num_features + 1
        joint.fill = torch.stack([family.fill for family in own])
        joint.last_parameter = torch.stack([family.last_parameter for family in own])
        joint.last_feature = torch.stack([family.last_feature for family in own])
        return joint

    @property
    def config(self) -> dict[str, Any]:
        return {"conditional": self.conditional}


def _with_nan(values: Tensor | None) -> Tensor:
    missing = torch.tensor([math.nan])
    return missing if values is None else torch.cat([values, missing])


class MaybeMissing(Distribution):
    """A value of ``present``, or NaN with probability sigmoid(logit).

    Args:
        present: The distribution of a value that is there.
        logit: The log-odds of NaN.
        fill: A value of ``present``, which stands in for NaN where its ``log_prob`` is computed and then not used.
    """

    arg_constraints = NO_CONSTRAINTS

    def __init__(self, present: Distribution, logit: Tensor, fill: Tensor) -> None:
        self.present, self.logit, self.fill = present, logit, fill
        super().__init__(logit.shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        missing = value.isnan()
        there = self.present.log_prob(torch.where(missing, self.fill.to(value), value)) + F.logsigmoid(-self.logit)
        return torch.where(missing, F.logsigmoid(self.logit), there)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn = self.present.sample(torch.Size(sample_shape)).to(self.logit)
        missing = torch.bernoulli(torch.sigmoid(self.logit.detach()).expand(drawn.shape)).bool()
        return drawn.masked_fill(missing, math.nan)
