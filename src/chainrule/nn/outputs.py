"""Output layers, and where they start."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor

from chainrule.nn.class_bias import ClassBias


class Spread:
    """The parameters of n variables that mean something, among the ``n * width`` of families of different sizes.

    An output layer has only these, and the others are zeros.

    Args:
        counts: The number of parameters of each variable that mean something: its first ones.
        width: The number of parameters that each has.

    Attributes:
        rows: For each variable, which of the parameters that mean something are its own.
    """

    def __init__(self, counts: Sequence[int], width: int) -> None:
        self.width, self.size = width, len(counts) * width
        ends = accumulate(counts)
        self.rows = [slice(end - count, end) for count, end in zip(counts, ends, strict=True)]
        places = torch.cat([index * width + torch.arange(count) for index, count in enumerate(counts)])
        self.places = places if len(places) < self.size else None

    def __call__(self, parameters: Tensor) -> Tensor:
        """All parameters ``(B, n * width)``, from those that mean something."""
        if self.places is None:
            return parameters
        every = parameters.new_zeros(len(parameters), self.size)
        return every.index_copy_(1, self.places.to(parameters.device), parameters)

    def narrow(self, values: Tensor) -> Tensor:
        """Those of ``values`` ``(n * width,)`` that mean something."""
        return values if self.places is None else values[self.places.to(values.device)]

    def of_one(self, parameters: Tensor) -> Tensor:
        """The parameters ``(B, width)`` of one variable, from its own."""
        return F.pad(parameters, (0, self.width - parameters.shape[1]))


@torch.no_grad()
def start_output(
    weight: Tensor, bias: Tensor | None, parameters: Tensor, *others: Tensor | ClassBias | None, keep: float = 0.0
) -> None:
    """Set an output layer so that it gives ``parameters``, whatever it reads.

    The first step of training moves only this layer, since no gradient passes its zeros; from the second on, all move.

    Args:
        weight: The weight of the layer, which becomes zero, but for ``keep``.
        bias: The bias, with as many entries as ``parameters``.
        parameters: Parameters of the conditionals, in the sequence of the bias.
        *others: What else is added to the output, such as direct connections and biases of classes: it becomes zero.
        keep: The share of the weight that stays, where the network needs it for something else too.
    """
    assert bias is not None
    weight.mul_(keep)
    bias.copy_(parameters.reshape(bias.shape))
    for other in others:
        if (added := other.bias if isinstance(other, ClassBias) else other) is not None:
            added.zero_()
