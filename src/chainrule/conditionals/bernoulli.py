"""Binary variables: p(x_t = 1 | x_<t) = sigmoid(logit_t)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Distribution, constraints
from torch.distributions.constraints import Constraint

from chainrule.codes import Codes
from chainrule.conditionals.base import Conditional, at_least_single, check_integers


class Bernoulli(Conditional):
    """One logit per variable: log p(x) = x log sigmoid(l) + (1 - x) log sigmoid(-l), in nats.

    >>> import torch
    >>> Bernoulli().distribution(torch.zeros(3, 1)).log_prob(torch.ones(3)).exp()
    tensor([0.5000, 0.5000, 0.5000])
    """

    num_parameters = 1
    num_features = 1

    def distribution(self, parameters: Tensor) -> Distribution:
        return _BernoulliOfLogits(at_least_single(parameters.squeeze(-1)))

    def at(self, distribution: Distribution, index: int) -> Distribution:
        assert isinstance(distribution, TorchBernoulli)
        return _BernoulliOfLogits(distribution.logits.flatten(1)[:, index])

    def encode(self, x: Tensor) -> Tensor:
        return x.unsqueeze(-1)

    def check(self, x: Tensor) -> None:
        check_integers(x, 2, "Bernoulli")

    def parameters_of(self, log_probs: Tensor) -> Tensor:
        return log_probs[..., 1:] - log_probs[..., :1]

    @property
    def values(self) -> Tensor:
        return torch.tensor([0.0, 1.0])

    @property
    def support(self) -> Constraint:
        return constraints.boolean

    @property
    def codes(self) -> Codes | None:
        return Codes("logit", "number") if type(self) is Bernoulli else None


class _BernoulliOfLogits(TorchBernoulli):
    """torch's Bernoulli without the general constructor and sampler, which cost more than a step of FVSBN."""

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits
        self._param = logits
        self._batch_shape = logits.shape
        self._validate_args = False

    def log_prob(self, value: Tensor) -> Tensor:
        # torch's own is NaN at infinite logits (0 times inf), which counts without a prior give; this costs the same.
        return F.logsigmoid((2 * value - 1) * self.logits)

    def entropy(self) -> Tensor:
        entropy = F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")
        return torch.where(self.logits.isinf(), 0.0, entropy)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        probabilities = torch.sigmoid(self.logits.detach())
        uniform = torch.rand(
            (*sample_shape, *probabilities.shape), dtype=probabilities.dtype, device=probabilities.device
        )
        return (uniform < probabilities).to(probabilities.dtype)
