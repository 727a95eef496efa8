"""What a family of conditionals must provide, independently of any model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution


class Conditional(ABC):
    """The family of p(x_t | x_<t): how numbers become a distribution, and values become features.

    A model gives ``num_parameters`` numbers for every variable; `distribution` turns them into
    p(x_t | x_<t). A model reads every earlier value as ``num_features`` numbers, made by
    `encode`. To add a family, implement the two sizes and the four methods
    below; every model then works with it.

    Attributes:
        num_parameters: Numbers that a model must produce per variable.
        num_features: Numbers that a model reads per variable.
    """

    num_parameters: int
    num_features: int

    @abstractmethod
    def distribution(self, parameters: Tensor) -> Distribution:
        """The distribution with ``parameters`` ``(..., num_parameters)``, of batch shape ``(...)``.

        It computes in single precision at least, whatever the precision of the network (`at_least_single`).
        """

    @abstractmethod
    def at(self, distribution: Distribution, index: int) -> Distribution:
        """One variable's part, of batch shape ``(B,)``, of a distribution of batch shape ``(B, *event_shape)``.

        ``index`` counts the variables of the flattened event.
        """

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Features ``(..., num_features)`` of the values ``x`` ``(...)``; the value 0 is all zeros."""

    @abstractmethod
    def check(self, x: Tensor) -> None:
        """Raise ``ValueError``, saying expected and got, where ``x`` has values outside the family's."""

    def parameters_of(self, log_probs: Tensor) -> Tensor:
        """The ``parameters`` ``(..., num_parameters)`` that give the listed values ``log_probs`` ``(..., K)``.

        The inverse of `distribution`, for counts and mixtures.

        Raises:
            ValueError: If the family can't have any probabilities.
        """
        raise ValueError(f"expected conditionals that can have any probabilities of listed values, got {self!r}")

    def mixture(self, log_weights: Tensor, distributions: Sequence[Distribution]) -> Distribution:
        """The distribution sum_k w_k p_k, again of this family.

        Args:
            log_weights: Log w_k, ``(len(distributions), *batch_shape)``.
            distributions: p_k, of this family and of one batch shape.

        Raises:
            ValueError: If the family is not closed under mixtures.
        """
        tables = torch.stack([self.log_probs(distribution) for distribution in distributions])
        return self.distribution(self.parameters_of((log_weights.unsqueeze(-1) + tables).logsumexp(0)))

    def log_probs(self, distribution: Distribution) -> Tensor:
        """Log-probabilities of all listed values, ``(*batch_shape, K)``.

        Raises:
            ValueError: If the values of the family can't be listed.
        """
        if self.values is None:
            raise ValueError(f"log_probs expects a conditional whose values can be listed, got {self!r}")
        return torch.stack([distribution.log_prob(value) for value in self.values], dim=-1)

    def of(self, index: int) -> Conditional:
        """The conditional of one variable, counted in the flattened event; this one, unless variables have their own.

        Steps, which meet one variable at a time, must ask for it.
        """
        return self

    @property
    def family(self) -> Conditional:
        """The family itself, of one that `Columns` fills up to the size of the others."""
        return self

    @property
    def uniform(self) -> bool:
        """Whether all variables have the same conditional, so that a model needs not know which variable it is at."""
        return True

    def check_event(self, event_shape: tuple[int, ...]) -> None:  # noqa: B027  # most families fit any event
        """Raise ``ValueError``, saying expected and got, where the family can't be that of such events."""

    @property
    def probes(self) -> Tensor:
        """A few values that a variable can take, for the laws to try: all of them, where they can be listed."""
        return torch.tensor([-0.75, 0.0, 0.5, 1.0]) if self.values is None else self.values

    @property
    def values(self) -> Tensor | None:
        """All values that a variable can take, in order, or None where they can't be listed."""
        return None

    @property
    def config(self) -> dict[str, Any]:
        """The arguments that build an equal conditional, of plain types."""
        return {}

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.config.items())
        return f"{type(self).__name__}({arguments})"


def at_least_single(parameters: Tensor) -> Tensor:
    """``parameters``, in single precision if they are of half: log-probabilities are not rounded to two digits.

    >>> at_least_single(torch.zeros(1, dtype=torch.bfloat16)).dtype
    torch.float32
    """
    return parameters.float() if parameters.dtype in (torch.bfloat16, torch.float16) else parameters


def check_integers(x: Tensor, count: int, family: str) -> None:
    """Raise ``ValueError`` unless every value of ``x`` is one of 0, 1, ..., count - 1."""
    numbers = x if torch.is_floating_point(x) else x.long()  # a comparison with 256 would wrap in bytes
    valid = (numbers >= 0) & (numbers < count) & (numbers == numbers.round())
    if not bool(valid.all()):
        value = x[~valid][0].item()
        number = "NaN" if value != value else f"{value:g}"
        expected = "0 or 1" if count == 2 else f"integers from 0 to {count - 1}"
        raise ValueError(f"{family} expects values {expected}, got {number}")
