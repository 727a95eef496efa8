"""Values that have a probability of their own beside a family: zeros, caps, round numbers."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch.distributions import Categorical as TorchCategorical
from torch.distributions import Distribution
from torch.distributions.constraints import Constraint

from chainrule.conditionals.base import Conditional, at_least_single
from chainrule.conditionals.support import NO_CONSTRAINTS

TOGETHER = 10_000
"""Values that are compared with the atoms at once."""


class WithAtoms(Conditional):
    """A family some of whose values have a probability of their own.

    A network gives a logit l_a for each of these values a, the family has the logit 0:

    P(a) = e^l_a / (1 + sum_b e^l_b),    P(rest) = 1 / (1 + sum_b e^l_b).

    Beside a density f an atom has the probability P(a), which is no density and has no unit, and other values have the
    density P(rest) f(x). Beside probabilities p of integers all add up: P(a) + P(rest) p(a). The features of a value
    are those of the family, and a one for the atom that it is.

    Args:
        conditional: The family of the rest, whose values can't be listed.
        values: The atoms, all different.

    Raises:
        ValueError: If there are none, or two are equal.

    >>> import torch
    >>> from chainrule.conditionals import Gaussian
    >>> often_zero = WithAtoms(Gaussian(), [0.0]).distribution(torch.zeros(2, 3))
    >>> often_zero.log_prob(torch.tensor([0.0, 1.0])).exp()  # half of N(1; 0, 1)
    tensor([0.5000, 0.1210])
    """

    def __init__(self, conditional: Conditional, values: Sequence[float]) -> None:
        if not values or len(set(values)) < len(values):
            raise ValueError(f"WithAtoms expects one or more different values, got {list(values)}")
        self.conditional, self.own_values = conditional, [float(value) for value in values]
        self.points = torch.tensor(self.own_values, dtype=torch.float64)
        self.num_parameters = conditional.num_parameters + len(values)
        self.num_features = conditional.num_features + len(values)

    @property
    def _of_integers(self) -> bool:
        return bool(self.conditional.support.is_discrete)

    def distribution(self, parameters: Tensor) -> Distribution:
        inner, logits = self._split(at_least_single(parameters))
        return Spiked(self.conditional.distribution(inner), self.points, logits, adds_up=self._of_integers)

    def _split(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """The parameters of the family, and the logits, of which those of no atom are -infinity."""
        count = self.conditional.num_parameters
        logits = parameters[..., count : count + self.points.shape[-1]]
        return parameters[..., :count], logits.masked_fill(self.points.isnan().to(logits.device), -math.inf)

    def at(self, distribution: Distribution, index: int) -> Distribution:
        assert isinstance(distribution, Spiked)
        points = self.points if self.points.dim() == 1 else self.points[index]
        inner = self.conditional.at(distribution.rest, index)
        return Spiked(inner, points, distribution.logits.flatten(1, -2)[:, index], adds_up=self._of_integers)

    def encode(self, x: Tensor) -> Tensor:
        return torch.cat([self.conditional.encode(x), is_atom(x, self.points).to(x)], dim=-1)

    @property
    def support(self) -> Constraint:
        return self.conditional.support

    @property
    def atoms(self) -> Tensor | None:
        return self.conditional.atoms if self._of_integers else self.points

    @property
    def spikes(self) -> Tensor:
        return self.points

    @property
    def probes(self) -> Tensor:
        own = self.conditional.probes
        return torch.cat([own[~torch.isin(own, self.points.to(own))], self.points.to(own)])

    def initial_parameters(self, x: Tensor) -> Tensor:
        """The starting parameters of the rest, and the log-odds of each atom against it.

        One more example is spread over the atoms and the rest.
        """
        if x.dim() == 2:
            return torch.stack([self.initial_parameters(column) for column in x.unbind(1)])
        rest = x[~torch.isin(x, self.points.to(x))]
        inner = self.conditional.initial_parameters(rest if len(rest) else x)
        hits = torch.stack([is_atom(some, self.points).sum(0) for some in x.split(TOGETHER)]).sum(0)
        more = 1 / (len(self.points) + 1)
        logits = ((hits + more) / (len(rest) + more)).log()
        return torch.cat([inner, logits.to(inner)])

    @property
    def group(self) -> str:
        return f"WithAtoms({self.conditional.group})"

    def together(self, families: Sequence[Conditional]) -> Self:
        own = [family for family in families if isinstance(family, WithAtoms)]
        joint = copy.copy(self)
        joint.conditional = self.conditional.together([family.conditional for family in own])
        joint.points = torch.nn.utils.rnn.pad_sequence(
            [family.points for family in own], batch_first=True, padding_value=math.nan
        )
        joint.num_parameters = joint.conditional.num_parameters + joint.points.shape[1]
        joint.num_features = joint.conditional.num_features + joint.points.shape[1]
        return joint

    @property
    def config(self) -> dict[str, Any]:
        return {"conditional": self.conditional, "values": self.own_values}


def is_atom(x: Tensor, points: Tensor) -> Tensor:
    """For each value of ``x`` ``(...)`` which of ``points`` ``(A,)``, or ``(n, A)``, it is: booleans ``(..., A)``."""
    return x.unsqueeze(-1) == points.to(x)


class Spiked(Distribution):
    """An atom with its probability, or else a value of ``rest``.

    Args:
        rest: The distribution of the rest.
        points: The atoms ``(A,)``, or ``(n, A)`` for n variables; NaN where there is none.
        logits: Their log-odds against the rest, ``(*batch_shape, A)``.
        adds_up: True if atoms are also values of ``rest`` with a probability.
    """

    arg_constraints = NO_CONSTRAINTS

    def __init__(self, rest: Distribution, points: Tensor, logits: Tensor, *, adds_up: bool) -> None:
        self.rest, self.points, self.logits, self.adds_up = rest, points, logits, adds_up
        super().__init__(logits.shape[:-1], validate_args=False)

    def _all_logits(self) -> Tensor:
        """The logits of the rest, which is 0, and of the atoms: ``(*batch_shape, 1 + A)``."""
        return torch.cat([torch.zeros_like(self.logits[..., :1]), self.logits], dim=-1)

    def log_prob(self, value: Tensor) -> Tensor:
        log_total = self._all_logits().logsumexp(-1)
        hits = is_atom(value, self.points)
        hit = hits.any(-1)
        own = torch.where(hits, self.logits, 0.0).sum(-1)
        rest = self.rest.log_prob(value)
        return torch.where(hit, torch.logaddexp(own, rest) if self.adds_up else own, rest) - log_total

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with torch.no_grad():
            chosen = TorchCategorical(logits=self._all_logits(), validate_args=False).sample(torch.Size(sample_shape))
            rest = self.rest.sample(torch.Size(sample_shape))
            points = self.points.to(rest).expand(*rest.shape, -1)
            atom = points.gather(-1, (chosen - 1).clamp(min=0).unsqueeze(-1)).squeeze(-1)
            return torch.where(chosen == 0, rest, atom)
