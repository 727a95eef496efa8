"""The state of recursive least squares along sequences, as `BayesianAR` carries it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from chainrule.state import Shared

MEMORIES = (0.7, 0.95)
"""Decays of the running squares of the errors."""

USUAL = 2.0
"""Errors of the usual size that each running square counts at the start."""


@dataclass(frozen=True)
class Learned:
    """A model's knowledge after some values; D regressors are a one, the level, p differences, and seasons.

    Attributes:
        seen: The number of values, and of missing ones.
        last: The place of the last value, ``(B, 1)``.
        regressors: phi of the next value, ``(B, D)``; before the first value, all values were the same.
        weights: The posterior mean of the weights, ``(B, D)``.
        covariance: Their posterior covariance V, ``(B, D, D)``.
        doubts: V phi, ``(B, D)``.
        squares: The running sums of squared errors, ``(B, len(MEMORIES))``.
        missing: The number of missing values after the last that was there, ``(B, 1)``.
    """

    seen: Shared[int]
    last: Tensor
    regressors: Tensor
    weights: Tensor
    covariance: Tensor
    doubts: Tensor
    squares: Tensor
    missing: Tensor

    @property
    def decisive(self) -> tuple[Tensor, ...]:
        """The parts that decide the next conditional: all but the covariance, which is the largest."""
        return self.last, self.regressors, self.weights, self.doubts, self.squares, self.missing


def counts_of(squares: Tensor, errors: Tensor | int) -> Tensor:
    """The sums of the weights that each running square has after so many errors."""
    decays = squares.new_tensor(MEMORIES)
    return USUAL * decays**errors + (1 - decays**errors) / (1 - decays)


def dot(vectors: Tensor, others: Tensor) -> Tensor:
    """The products ``(..., 1)`` of vectors ``(..., D)``."""
    return (vectors * others).sum(-1, keepdim=True)


def same(known: Tensor, x: Tensor) -> bool:
    """True if two tensors have the same values, NaN included."""
    if known.shape != x.shape or known.dtype != x.dtype or known.device != x.device:
        return False
    return torch.equal(known.isnan(), x.isnan()) and torch.equal(known.nan_to_num(), x.nan_to_num())
