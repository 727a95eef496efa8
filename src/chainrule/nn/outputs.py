"""Output layers, and where they start."""

from __future__ import annotations

import torch
from torch import Tensor

from chainrule.nn.class_bias import ClassBias


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
