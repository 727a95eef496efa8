"""Abilities that some models have beyond the contract: a class for each, and a function by which tasks ask for it.

A model has an ability if it subclasses its class beside `AutoregressiveModel`. The functions take any model. For a
model without the ability they return what follows from the contract alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.model import AutoregressiveModel, Model
from chainrule.order import OrderSpec


class Picked(NamedTuple):
    """A member of a mixture, and what is drawn from it.

    Attributes:
        model: The member.
        examples: Which examples ``(k,)``.
        context: What they are conditioned on.
    """

    model: AutoregressiveModel
    examples: Tensor
    context: Tensor | None


class Mixture(ABC):
    """A model whose joint probability is the mean of others'."""

    @property
    @abstractmethod
    def members(self) -> Sequence[AutoregressiveModel]:
        """The models whose joint probabilities this one averages."""

    @property
    @abstractmethod
    def components(self) -> Sequence[AutoregressiveModel]:
        """The equally probable models to walk along: this one, or others if the members' orders differ.

        A mixture over orders has no conditionals that can be computed in any one order, so a task walks along one of
        its components.
        """

    @abstractmethod
    def pick(self, count: int, context: Tensor | None) -> Sequence[Picked]:
        """Draw the model that each of ``count`` examples is a sample of.

        A walk of one member costs less than one of the mixture, whose every step computes all of them.
        """


def members_of(model: Model) -> Sequence[AutoregressiveModel]:
    """The models whose joint probabilities ``model`` averages; none unless it is a `Mixture`."""
    return model.members if isinstance(model, Mixture) else ()


def components_of(model: AutoregressiveModel) -> Sequence[AutoregressiveModel]:
    """The equally probable models to walk along; ``model`` itself unless it is a `Mixture`."""
    return model.components if isinstance(model, Mixture) else (model,)


def picked(models: Sequence[AutoregressiveModel], count: int, context: Tensor | None) -> list[Picked]:
    """One of equally probable ``models`` for each of ``count`` examples."""
    chosen = torch.randint(len(models), (count,), device=models[0].device)
    parts = [(models[i], (chosen == i).nonzero().squeeze(1)) for i in chosen.unique().tolist()]
    return [Picked(model, own, None if context is None else context[own]) for model, own in parts]


class Varied(ABC):
    """Several models that share their weights, each with another order or another mask."""

    @abstractmethod
    def variant(self, index: int) -> AutoregressiveModel:
        """The ``index``-th of the models.

        Raises:
            ValueError: If there is no such variant.
        """


def variant_of(model: AutoregressiveModel, index: int) -> AutoregressiveModel:
    """The ``index``-th of the models that share the weights of ``model``; only 0 unless it is `Varied`.

    Raises:
        ValueError: If there is no such variant.
    """
    if isinstance(model, Varied):
        return model.variant(index)
    if index != 0:
        raise ValueError(f"{type(model).__name__} has one variant, 0, got {index}")
    return model


class Reorderable(ABC):
    """A model that can generate its variables in any order."""

    @property
    @abstractmethod
    def one_joint(self) -> bool:
        """True if p(x) is the same in every order, False if each order has a p(x) of its own."""

    @abstractmethod
    def reordered(self, order: OrderSpec) -> AutoregressiveModel | None:
        """This model with its variables generated in ``order``; None if it was built for one order only."""


class FarSighted(ABC):
    """A model that knows how probable known later values are, given each value of an earlier variable."""

    @abstractmethod
    def lookahead(self, x: Tensor, observed: Tensor, context: Tensor | None = None) -> Tensor | None:
        """Log-probabilities of the known values that come later, given each value of each variable.

        A walk that draws x_t with probability proportional to p(x_t | x_<t) times exp(lookahead) draws from
        p(unknown | known) exactly, whatever is known.

        Args:
            x: Examples ``(B, *event_shape)``.
            observed: The known variables, booleans ``event_shape``.
            context: What the examples are conditioned on.

        Returns:
            ``(B, n, K)`` in nats, along the order, for K listed values; -inf at values that a known variable does
            not have. None where it can't be computed.
        """


class LimitedPast(ABC):
    """A model whose conditionals look at some of the earlier variables only, and that says at which.

    `chainrule.testing.uses_its_past` holds it to that.
    """

    @abstractmethod
    def sees(self) -> Tensor:
        """Booleans ``(n, n)``: True at (t, s) if conditional t looks at variable s, both counted along the order."""


class RepeatedSteps(ABC):
    """A model many of whose steps cost the same, and that says which."""

    @abstractmethod
    def step_group(self, t: int) -> Hashable:
        """The group of step t, counted along the order: the steps of a group do the same products of matrices."""


def step_group_of(model: AutoregressiveModel, t: int) -> Hashable:
    """The group of step t of ``model``; a group of its own unless it has `RepeatedSteps`."""
    return model.step_group(t) if isinstance(model, RepeatedSteps) else t


class PartlyCounted(ABC):
    """A model with a part that is counted beside one that is trained, such as n-grams beside a network."""

    @property
    @abstractmethod
    def counts(self) -> bool:
        """True if this model has such a part."""

    @abstractmethod
    def count(self, batches: Iterable[tuple[Tensor, Tensor | None]]) -> None:
        """Set the counted part from all ``(x, context)`` of the training examples, before the other part is trained."""

    @abstractmethod
    def fit_share(self, batches: Iterable[Batch]) -> None:
        """Set the share of the counted part by the batches of a validation, after the other part is trained."""


def counting(model: Model) -> PartlyCounted | None:
    """``model``, if a part of it is counted beside the part that is trained; else None."""
    return model if isinstance(model, PartlyCounted) and model.counts else None


class OwnUnit(ABC):
    """A model whose loss is not always in nats."""

    @property
    @abstractmethod
    def loss_unit(self) -> str:
        """The unit of the loss."""


def loss_unit_of(model: Model) -> str:
    """The unit of the model's loss: nats, unless it has an `OwnUnit`."""
    return model.loss_unit if isinstance(model, OwnUnit) else "nats"


def validation_loss(model: Model, x: Tensor, context: Tensor | None = None) -> Tensor:
    """The loss ``(B,)`` by which the epoch to keep is chosen: -log p(x) where there is a p(x), else the model's loss.

    The loss of training may be a noisy estimate, over random orders or masks.
    """
    return -model.log_prob(x, context) if isinstance(model, AutoregressiveModel) else model.loss(x, context)


def require_likelihood(model: Model, where: str = "") -> AutoregressiveModel:
    """``model``, which must have a likelihood.

    Raises:
        ValueError: If it has none; ``where`` says where it came from, as " in runs/mine".
    """
    if not isinstance(model, AutoregressiveModel):
        raise ValueError(
            f"expected a model with a likelihood, got the {type(model).__name__}{where}: it has a loss, but no p(x) to "
            "evaluate, sample or compare by (`represent` and `describe` take it); MADE is an autoencoder that has"
        )
    return model
