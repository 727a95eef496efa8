"""Tail probabilities of values, and what was expected in their place: the parts that all explanations share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.distributions.constraints import Constraint

from chainrule.conditionals import Conditional
from chainrule.conditionals.support import Affine, is_in, values_of

EXPECTED = (0.05, 0.5, 0.95)
"""The quantiles of a number that was expected."""

LIKELIEST = 3
"""Listed values that are given as expected, at most."""


@dataclass(frozen=True)
class Explanation:
    """How unusual each variable is, and what was expected in its place.

    Attributes:
        tails: Tail probabilities, ``(B, n)`` float64, as all others.
        suspicion: Higher for the variable that is likelier to be wrong, compared within an example, ``(B, n)`` nats.
        quantiles: Those of the shares `EXPECTED` of a number that is there, ``(B, n, 3)``; NaN for listed values.
        missing: The probability that a number is missing, ``(B, n)``; NaN for listed values.
        likeliest: The likeliest listed values, ``(B, n, 3)``; NaN for numbers, and where there are fewer.
        shares: Their probabilities; 0 for numbers, and where there are fewer.
    """

    tails: Tensor
    suspicion: Tensor
    quantiles: Tensor
    missing: Tensor
    likeliest: Tensor
    shares: Tensor

    def map(self, function: Callable[[Tensor], Tensor]) -> Explanation:
        """The explanation with ``function`` applied to each of its tensors."""
        return Explanation(*(function(getattr(self, field.name)) for field in fields(self)))


def joined(parts: list[Explanation], join: Callable[[list[Tensor]], Tensor]) -> Explanation:
    """The parts of several explanations, joined by ``join``, such as `torch.cat`."""
    return Explanation(*(join([getattr(part, field.name) for part in parts]) for field in fields(Explanation)))


def listed_values(conditional: Conditional) -> Tensor | None:
    """All values of a variable, float64 ``(K,)``, NaN last if it may be missing; None if they can't be listed."""
    values = values_of(conditional.support) if conditional.values is None else conditional.values
    if values is None or conditional.atoms is None:
        return None if values is None else values.double()
    return torch.cat([values, conditional.atoms[~is_in(conditional.atoms, values)].to(values)]).double()


def step_of(conditional: Conditional) -> float:
    """The distance of the values of a variable on a grid; 0 if they are on none."""
    support: Constraint = conditional.support
    if isinstance(support, Affine):
        return support.scale if support.is_discrete else 0.0
    return 1.0 if support.is_discrete else 0.0


def tails_of_listed(shares: Tensor, own: Tensor, values: Tensor) -> Tensor:
    """The mass of values ``(K,)`` of probabilities ``(B, K)`` that are at most as probable as ``own``, ``(B,)``."""
    mine = torch.where(same(own, values), shares, 0.0).sum(1, keepdim=True)
    return torch.where(shares <= mine * (1 + 1e-9), shares, 0.0).sum(1).clamp(max=1.0)


def likeliest_of(shares: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """The `LIKELIEST` of the values ``(K,)`` and their probabilities; NaN and 0 where there are fewer."""
    top = torch.nn.functional.pad(shares, (0, LIKELIEST)).topk(LIKELIEST, dim=1)
    return torch.nn.functional.pad(values, (0, LIKELIEST), value=math.nan)[top.indices], top.values


def tails_with_missing(tails: Tensor, missing: Tensor, gap: Tensor) -> Tensor:
    """The tails of numbers that may be missing, given those of numbers that are there, all ``(B,)``.

    A missing value is as unusual as a number whose tail is the probability of a missing one.

    Args:
        tails: Tails given that the number is there.
        missing: The probability that it is missing.
        gap: True where it is.
    """
    of_number = (1 - missing) * tails + torch.where(missing <= tails, missing, 0.0)
    return torch.where(gap, missing + (1 - missing) * missing, of_number)


def same(own: Tensor, values: Tensor) -> Tensor:
    """True where a value ``(B,)`` is one of ``values`` ``(K,)``, ``(B, K)``; missing ones are equal."""
    return (own[:, None] == values) | (own.isnan()[:, None] & values.isnan())
