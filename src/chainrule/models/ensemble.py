"""An ensemble: the mean of the joint probabilities of several models.

p(x) = (1/K) sum_k p_k(x)

Whole examples are averaged, never logits: the mean of normalised joints is normalised. Its conditionals weight each
member by the evidence that the earlier variables give for it,

p(x_t | x_<t) = sum_k w_k(x_<t) p_k(x_t | x_<t),    w_k(x_<t) = p_k(x_<t) / sum_j p_j(x_<t),

which needs members that generate in one order.

References:
    A deep and tractable density estimator (Uria, Murray and Larochelle, 2014): ensembles over orders,
    https://arxiv.org/abs/1310.1757
    MADE: masked autoencoder for distribution estimation (Germain et al., 2015): ensembles over masks,
    https://arxiv.org/abs/1502.03509
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from chainrule.abilities import Mixture, Picked, components_of, picked, variant_of
from chainrule.model import AutoregressiveModel
from chainrule.state import State


class Ensemble(AutoregressiveModel, Mixture):
    """The mean of the joints of ``models``, each with ``variants`` variants.

    Members that generate in one order make a model like any other. Members of different orders make a mixture
    that has no conditionals: its likelihood is exact, and samples and completions are drawn from a member.

    `features` are the members' features side by side.

    Args:
        models: Models of the same events, conditionals and classes.
        variants: The number of variants of each model to average: orders of an order-agnostic NADE, masks of a MADE.

    Raises:
        ValueError: If there are no models, they do not fit together, or a model has fewer variants.

    >>> from chainrule.conditionals import Bernoulli
    >>> from chainrule.models import NADE
    >>> nade = NADE(event_shape=(4,), conditional=Bernoulli(), hidden_size=8, order_agnostic=True)
    >>> len(Ensemble(models=[nade], variants=16).members)
    16
    """

    growth = "the sum of its models"

    def __init__(self, *, models: Sequence[AutoregressiveModel], variants: int = 1) -> None:
        if not models:
            raise ValueError("models expects at least one model, got none")
        if variants < 1:
            raise ValueError(f"variants expects at least 1, got {variants}")
        first = models[0]
        for i, model in enumerate(models):
            for name in ("event_shape", "num_classes", "conditional"):
                expected, got = getattr(first, name), getattr(model, name)
                if repr(got) != repr(expected):
                    raise ValueError(f"models expects one {name}, {expected} as of the first, got {got} of model {i}")
        order = first.order.permutation.tolist()
        super().__init__(
            event_shape=first.event_shape,
            conditional=first.conditional,
            order=order,
            num_classes=first.num_classes,
        )
        self.models: Sequence[AutoregressiveModel] = nn.ModuleList(models)  # type: ignore[assignment]
        self.variants = variants
        self._variants = self._views()
        # Where values can't be listed, a mixture is walked along one of its members, as over orders.
        self.in_one_order = self.conditional.values is not None and all(
            len(components_of(member)) == 1 and member.order.permutation.tolist() == order for member in self.members
        )

    @property
    def config(self) -> dict[str, Any]:
        return {"models": [type(model)(**model.config) for model in self.models], "variants": self.variants}

    @property
    def num_parameters(self) -> int:
        return sum(model.num_parameters for model in self.models)

    @property
    def members(self) -> Sequence[AutoregressiveModel]:
        return list(self.models) if self.variants == 1 else self._variants

    def _views(self) -> list[AutoregressiveModel]:
        """The variants of the models. They share weights, but not masks and orders, and take long to build."""
        if self.variants == 1:
            return []
        return [variant_of(model, index) for model in self.models for index in range(self.variants)]

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for view in self._variants:
            view.train(mode)
        return self

    def _apply(self, *arguments: Any, **named: Any) -> Self:
        """Move to another device or type, and build the variants anew, whose masks and orders would not follow."""
        super()._apply(*arguments, **named)  # type: ignore[no-untyped-call]
        self._variants = self._views()
        return self

    @property
    def components(self) -> Sequence[AutoregressiveModel]:
        if self.in_one_order:
            return (self,)
        parts = [components_of(member) for member in self.members]
        # Components are equally probable, so those of a member that has few of them are repeated.
        count = math.lcm(*map(len, parts))
        return [component for own in parts for component in list(own) * (count // len(own))]

    def pick(self, count: int, context: Tensor | None) -> Sequence[Picked]:
        return picked(self.members, count, context)

    def _log_prob(self, x: Tensor, context: Tensor | None) -> Tensor:
        """The log of the mean of the members' p(x)."""
        joints = torch.stack([member.log_prob(x, context) for member in self.members])
        return joints.logsumexp(0) - math.log(len(joints))

    def start_at(self, x: Tensor) -> None:
        for model in self.models:
            model.start_at(x)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        """The conditionals of the mixture, each member weighted by its evidence.

        Raises:
            ValueError: If the members generate in different orders.
        """
        self._require_one_order()
        return mixed(self, x, [member(x, context) for member in self.members])

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        self._require_one_order()
        states = tuple(member.start(batch_size, context) for member in self.members)
        return states, self.empty(batch_size, len(states)), None

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        return mixed_step(self, self.members, state, previous)

    def features(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return torch.cat([member.features(x, context) for member in self.members], dim=1)

    def loss(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The mean of the members' losses: each member is trained to be a model by itself."""
        return torch.stack([model.loss(x, context) for model in self.models]).mean(0)

    def _require_one_order(self) -> None:
        if not self.in_one_order:
            raise ValueError(
                "the conditionals of an Ensemble expect one order and values that can be listed, got others: "
                "such a mixture has a likelihood (log_prob) and samples, but no p(x_t | x_<t); use its components"
            )


def mixed(
    model: AutoregressiveModel, x: Tensor, distributions: Sequence[Distribution], log_prior: Tensor | None = None
) -> Distribution:
    """The conditionals of a mixture in one order, each member weighted by the evidence of the earlier variables.

    Args:
        model: The mixture, whose order and family the members have.
        x: Examples ``(B, *event_shape)``.
        distributions: The members' conditionals of ``x``.
        log_prior: The log of each member's share ``(members,)``; None if all are equally probable.
    """
    own = torch.stack([model.order.flatten(distribution.log_prob(x)) for distribution in distributions])
    evidence = torch.cat([torch.zeros_like(own[..., :1]), own[..., :-1]], dim=-1).cumsum(-1)
    if log_prior is not None:
        evidence = evidence + log_prior[:, None, None]
    weights = [model.order.unflatten(weight) for weight in log_weights(evidence, 0)]
    return model.conditional.mixture(torch.stack(weights), distributions)


def mixed_step(
    model: AutoregressiveModel, members: Sequence[AutoregressiveModel], state: State, previous: Tensor | None
) -> tuple[Distribution, State]:
    """`AutoregressiveModel.step` of a mixture in one order, whose values can be listed.

    The state has those of the members, the evidence for each ``(B, members)``, and the log of the probability that each
    gives to every value of the variable before, ``(B, members, values)``.
    """
    states, evidence, tables = state
    if previous is not None:
        values = model.conditional.values
        assert values is not None  # as the mixture has checked
        indices = torch.searchsorted(values.to(previous), previous.contiguous())
        evidence = evidence + tables.gather(-1, indices[:, None, None].expand(-1, len(members), 1)).squeeze(-1)
    steps = [member.step(own, previous) for member, own in zip(members, states, strict=True)]
    distributions = [distribution for distribution, _ in steps]
    tables = torch.stack([model.conditional.log_probs(distribution) for distribution in distributions], dim=1)
    conditional = model.conditional.mixture(log_weights(evidence, 1).T, distributions)
    return conditional, (tuple(own for _, own in steps), evidence, tables)


def log_weights(evidence: Tensor, dim: int) -> Tensor:
    """Log of the members' shares of the joint so far; uniform if every member finds the values impossible.

    >>> log_weights(torch.tensor([-torch.inf, -torch.inf]), 0).exp()
    tensor([0.5000, 0.5000])
    """
    impossible = evidence.amax(dim, keepdim=True) == -torch.inf
    return evidence.masked_fill(impossible, 0.0).log_softmax(dim)
