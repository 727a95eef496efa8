"""Choices of the next value of a walk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.codes import Drawing
from chainrule.conditionals import Conditional
from chainrule.conditionals.drawing import draw_index

Choose = Callable[[int, Distribution], Tensor]
"""Gives the values ``(B,)`` of variable t from ``(t, p(x_t | x_<t))``; t counts along the order."""


@dataclass(frozen=True)
class ChangedDraw:
    """A `Choose` that draws from changed conditionals.

    Args:
        conditional: Their family, whose values can be listed.
        drawing: How they are changed.
    """

    conditional: Conditional
    drawing: Drawing

    def __call__(self, t: int, distribution: Distribution) -> Tensor:
        values = self.conditional.values
        assert values is not None
        logits = self._logits(distribution)
        values = values.to(logits)
        return values[logits.argmax(1) if self.drawing.greedy else draw_index(self._weights(logits))]

    def probabilities(self, distribution: Distribution) -> Tensor:
        """The probabilities ``(B, K)`` of all listed values with which one is drawn."""
        logits = self._logits(distribution)
        if self.drawing.greedy:
            return torch.zeros_like(logits).scatter(1, logits.argmax(1, keepdim=True), 1.0)
        weights = self._weights(logits)
        return weights / weights.sum(1, keepdim=True)

    def _logits(self, distribution: Distribution) -> Tensor:
        logits = self.conditional.log_probs(distribution)
        if self.drawing.undrawn < 0:
            return logits
        values = self.conditional.values
        assert values is not None
        return logits.masked_fill(values.to(logits) == self.drawing.undrawn, -torch.inf)

    def _weights(self, logits: Tensor) -> Tensor:
        """Weights ``(B, K)`` of the values, in double precision; their sum is at most 1."""
        # The largest becomes 0 first, and in double precision, so that no temperature overflows.
        logits = (logits - logits.amax(1, keepdim=True)).double() / self.drawing.temperature
        return restrict(logits.softmax(1), self.drawing.top_k, self.drawing.top_p)


def restrict(probabilities: Tensor, top_k: int, top_p: float) -> Tensor:
    """``probabilities`` ``(B, K)`` without values outside the k most probable (0 for all) or the nucleus of mass p.

    >>> restrict(torch.tensor([[0.5, 0.3, 0.2]]), 0, 0.6)
    tensor([[0.5000, 0.3000, 0.0000]])
    """
    if top_k == 0 and top_p == 1.0:
        return probabilities
    ordered, indices = probabilities.sort(dim=1, descending=True, stable=True)
    drop = torch.zeros_like(ordered, dtype=torch.bool)
    if top_k:
        drop[:, top_k:] = True
    if top_p < 1:
        drop |= ordered.cumsum(1) - ordered >= top_p
    return probabilities.masked_fill(drop.gather(1, indices.argsort(1)), 0)
