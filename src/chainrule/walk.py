"""The one loop over steps that every sequential task shares."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.model import AutoregressiveModel, State
from chainrule.sequence import SequenceModel

PIECE = 1024
"""Variables of a long sequence that are computed at once, to bound memory."""

Choose = Callable[[int, Distribution], Tensor]
"""Gives the values ``(B,)`` of variable t from ``(t, p(x_t | x_<t))``; t counts along the order."""


def drawn(t: int, distribution: Distribution) -> Tensor:
    """The `Choose` that draws each value from its conditional."""
    return distribution.sample()


Select = Callable[[int], Tensor | None]
"""Says, once variable t is chosen, which items of the batch go on: indices ``(B,)``, or None for all as they are."""


def walk(
    model: AutoregressiveModel,
    batch_size: int,
    choose: Choose,
    context: Tensor | None = None,
    *,
    select: Select | None = None,
    prefix: Tensor | None = None,
    length: int | None = None,
) -> Tensor:
    """Build examples variable by variable, in the model's order.

    Args:
        model: Whose conditionals to walk along.
        batch_size: The number B of examples that are built side by side.
        choose: See `Choose`.
        context: What the examples are conditioned on: classes ``(B,)``.
        select: See `Select`; None to let every item go on.
        prefix: Values ``(B, k)`` of the first k variables, which are not chosen. A `SequenceModel` reads many of them
            in a parallel pass.
        length: How many variables to build, for a model of sequences of any length; None for its event's.

    Returns:
        Examples ``(B, *event_shape)``, or ``(B, length)``.

    Raises:
        ValueError: If the context, the prefix or the length does not fit the model.
    """
    dtype = model.dtype
    state = model.start(batch_size, model.check_context(context, batch_size))
    n = _length(model, length)
    known = model.empty(batch_size, 0) if prefix is None else prefix.to(device=model.device, dtype=dtype)
    if known.shape[0] != batch_size or known.dim() != 2 or known.shape[1] > n:
        raise ValueError(f"prefix expects ({batch_size}, at most {n}) values, got {tuple(known.shape)}")
    for t, values in enumerate(known.unbind(1) if not model.conditional.uniform else [known]):
        model.conditional_at(t).check(values)
    previous: Tensor | None = None
    chosen = list(known.unbind(1))
    if chosen and isinstance(model, SequenceModel):
        for part in known.split(PIECE, dim=1):
            _, state = model.advance(state, previous, part)
            previous = part[:, -1]
    elif chosen:
        for value in chosen:
            _, state = model.step(state, previous)
            previous = value
    if choose is drawn and select is None and isinstance(model, SequenceModel) and len(chosen) < n:
        values, _ = model.draw(state, previous, n - len(chosen))
        sequence = torch.cat([known, values], dim=1)
        return sequence if model.any_length else model.order.unflatten(sequence)
    for t in range(len(chosen), n):
        distribution, state = model.step(state, previous)
        previous = choose(t, distribution).to(dtype)
        chosen.append(previous)
        if select is not None and (kept := select(t)) is not None:
            state = select_items(state, kept)
            chosen = list(torch.stack(chosen).index_select(1, kept))
            previous = chosen[-1]
    sequence = torch.stack(chosen, dim=1)
    return sequence if model.any_length else model.order.unflatten(sequence)


def _length(model: AutoregressiveModel, length: int | None) -> int:
    if length is None:
        return model.num_variables
    if length < 1 or not (model.any_length or length == model.num_variables):
        least = "at least 1" if model.any_length else f"{model.num_variables}, the number of its variables"
        raise ValueError(f"length expects {least}, got {length}")
    return length


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
