"""The sum over the classes of a model that is conditioned on them.

p(x) = sum_c p(c) p(x | c)

Its conditionals weight each class by what the earlier variables say of it,

p(x_t | x_<t) = sum_c p(c | x_<t) p(x_t | x_<t, c).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.abilities import Mixture, Picked, components_of
from chainrule.model import AutoregressiveModel
from chainrule.models.ensemble import mixed, mixed_step
from chainrule.state import State


class ClassMixture(AutoregressiveModel, Mixture):
    """A model of examples whose class is not known, from one that is conditioned on classes.

    A mixture over orders stays one: its likelihood is exact, and its components are such models of one order each.

    Args:
        model: The model of each class, whose values can be listed.
        shares: p(c) of each class; None if all are equally probable.

    Raises:
        ValueError: If the model has no classes, or values that can't be listed, or the shares are no distribution over
            its classes.

    >>> from chainrule.conditionals import Bernoulli
    >>> from chainrule.models import FVSBN
    >>> ClassMixture(model=FVSBN(event_shape=(4,), conditional=Bernoulli(), num_classes=3)).shares
    [0.3333333333333333, 0.3333333333333333, 0.3333333333333333]
    """

    growth = "the model's, times the number of classes"

    def __init__(self, *, model: AutoregressiveModel, shares: Sequence[float] | None = None) -> None:
        if model.num_classes is None:
            raise ValueError("model expects one with num_classes, got one without")
        if model.conditional.values is None:
            raise ValueError(f"model expects values that can be listed, got {model.conditional}")
        shares = [1 / model.num_classes] * model.num_classes if shares is None else list(shares)
        if len(shares) != model.num_classes or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
            raise ValueError(f"shares expects probabilities of {model.num_classes} classes, got {shares}")
        super().__init__(
            event_shape=model.event_shape, conditional=model.conditional, order=model.order.permutation.tolist()
        )
        self.model, self.shares = model, shares
        self.train(model.training)  # else a task would leave the model itself in training mode

    @property
    def config(self) -> dict[str, Any]:
        return {"model": type(self.model)(**self.model.config), "shares": self.shares}

    @property
    def num_parameters(self) -> int:
        return self.model.num_parameters

    @property
    def members(self) -> Sequence[AutoregressiveModel]:
        return ()

    @property
    def components(self) -> Sequence[AutoregressiveModel]:
        parts = components_of(self.model)
        return (self,) if len(parts) == 1 else [ClassMixture(model=part, shares=self.shares) for part in parts]

    def pick(self, count: int, context: Tensor | None) -> Sequence[Picked]:
        classes = torch.multinomial(torch.tensor(self.shares), count, replacement=True).to(self.device)
        return [Picked(self.model, torch.arange(count, device=self.device), classes)]

    def _classes(self, batch_size: int) -> list[Tensor]:
        """Every class, for each of ``batch_size`` examples."""
        return [torch.full((batch_size,), c, device=self.device) for c in range(len(self.shares))]

    def _log_shares(self) -> Tensor:
        return torch.tensor(self.shares, dtype=self.dtype, device=self.device).log()

    def _log_prob(self, x: Tensor, context: Tensor | None) -> Tensor:
        joints = torch.stack([self.model.log_prob(x, own) for own in self._classes(len(x))])
        return (joints + self._log_shares()[:, None]).logsumexp(0)

    def start_at(self, x: Tensor) -> None:
        self.model.start_at(x)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        """The conditionals, each class weighted by the evidence of the earlier variables."""
        distributions = [self.model(x, own) for own in self._classes(len(x))]
        return mixed(self, x, distributions, self._log_shares())

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        states = tuple(self.model.start(batch_size, own) for own in self._classes(batch_size))
        return states, self._log_shares().repeat(batch_size, 1), None

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        return mixed_step(self, [self.model] * len(self.shares), state, previous)
