"""The one loop over steps that every sequential task shares."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.model import AutoregressiveModel, State

Choose = Callable[[int, Distribution], Tensor]
"""Gives the values ``(B,)`` of variable t from ``(t, p(x_t | x_<t))``; t counts along the order."""

Select = Callable[[int], Tensor | None]
"""Says, once variable t is chosen, which items of the batch go on: indices ``(B,)``, or None for all as they are."""


def walk(
    model: AutoregressiveModel,
    batch_size: int,
    choose: Choose,
    context: Tensor | None = None,
    *,
    select: Select | None = None,
) -> Tensor:
    """Build examples variable by variable, in the model's order.

    Args:
        model: Whose conditionals to walk along.
        batch_size: The number B of examples that are built side by side.
        choose: See `Choose`.
        context: What the examples are conditioned on: classes ``(B,)``.
        select: See `Select`; None to let every item go on.

    Returns:
        Examples ``(B, *event_shape)``.

    Raises:
        ValueError: If the context does not fit the model.
    """
    dtype = model.dtype
    state = model.start(batch_size, model.check_context(context, batch_size))
    previous: Tensor | None = None
    chosen: list[Tensor] = []
    for t in range(model.num_variables):
        distribution, state = model.step(state, previous)
        previous = choose(t, distribution).to(dtype)
        chosen.append(previous)
        if select is not None and (kept := select(t)) is not None:
            state = select_items(state, kept)
            chosen = list(torch.stack(chosen).index_select(1, kept))
            previous = chosen[-1]
    return model.order.unflatten(torch.stack(chosen, dim=1))


def map_state(function: Callable[[Tensor], Tensor], state: State) -> State:
    """``state`` with ``function`` applied to its tensors.

    >>> map_state(lambda tensor: tensor[:1], (torch.zeros(3, 2), (4, None)))
    (tensor([[0., 0.]]), (4, None))
    """
    if isinstance(state, Tensor):
        return function(state)
    if isinstance(state, tuple):
        return tuple(map_state(function, part) for part in state)
    return state


def select_items(state: State, indices: Tensor) -> State:
    """``state`` of the items of the batch at ``indices``, which may repeat."""
    return map_state(lambda tensor: tensor.index_select(0, indices), state)
