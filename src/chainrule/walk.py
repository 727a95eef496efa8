"""The one loop over steps that every sequential task shares."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.model import AutoregressiveModel

Choose = Callable[[int, Distribution], Tensor]


def walk(model: AutoregressiveModel, batch_size: int, choose: Choose, context: Tensor | None = None) -> Tensor:
    """Build examples variable by variable, in the model's order.

    Args:
        model: Whose conditionals to walk along.
        batch_size: The number B of examples that are built side by side.
        choose: Gives the values ``(B,)`` of variable t from ``(t, p(x_t | x_<t))``; t counts along
            the order.
        context: What the examples are conditioned on.

    Returns:
        Examples ``(B, *event_shape)``.
    """
    dtype = model.dtype
    state = model.start(batch_size, context)
    previous: Tensor | None = None
    chosen = []
    for t in range(model.num_variables):
        distribution, state = model.step(state, previous)
        previous = choose(t, distribution).to(dtype)
        chosen.append(previous)
    return model.order.unflatten(torch.stack(chosen, dim=1))
