"""The one loop over steps that every sequential task shares."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from chainrule.choices import ChangedDraw, Choose
from chainrule.compiled import compiled_walk
from chainrule.model import AutoregressiveModel
from chainrule.sequence import SequenceModel
from chainrule.state import select as select_items

CHUNK = 1024
"""Variables of a long sequence that are computed at once, to bound memory."""

Select = Callable[[int], Tensor | None]
"""Gives the items of the batch that go on once variable t is chosen: indices ``(B,)``, or None for all of them."""


def walk(
    model: AutoregressiveModel,
    batch_size: int,
    choose: Choose | None = None,
    context: Tensor | None = None,
    *,
    select: Select | None = None,
    prefix: Tensor | None = None,
    length: int | None = None,
) -> Tensor:
    """Build examples variable by variable, in the model's order.

    Args:
        model: The model whose conditionals to walk along.
        batch_size: The number B of examples that are built side by side.
        choose: See `chainrule.choices.Choose`; None samples every value from its conditional.
        context: What the examples are conditioned on: classes ``(B,)``.
        select: See `Select`; None to let every item go on.
        prefix: Values ``(B, k)`` of the first k variables, which are not chosen. A `SequenceModel` reads many of them
            in a parallel pass.
        length: The number of variables to build, for a model of sequences of any length; None for its event's.

    Returns:
        Examples ``(B, *event_shape)``, or ``(B, length)``.

    Raises:
        ValueError: If the context, the prefix or the length does not fit the model.
    """
    dtype = model.dtype
    context = model.check_context(context, batch_size)
    n = _length(model, length)
    known = model.empty(batch_size, 0) if prefix is None else prefix.to(device=model.device, dtype=dtype)
    if known.shape[0] != batch_size or known.dim() != 2 or known.shape[1] > n:
        raise ValueError(f"prefix expects ({batch_size}, at most {n}) values, got {tuple(known.shape)}")
    if known.shape[1]:
        for t, values in enumerate(known.unbind(1) if not model.conditional.uniform else [known]):
            model.conditional_at(t).check(values)
    drawing = choose.drawing if isinstance(choose, ChangedDraw) else None
    if select is None and (choose is None or drawing) and not isinstance(model, SequenceModel):
        compiled = compiled_walk(model, batch_size, drawing, context, known)
        if compiled is not None:
            return model.order.unflatten(compiled)
    state = model.start(batch_size, context)
    previous: Tensor | None = None
    chosen = list(known.unbind(1))
    if chosen and isinstance(model, SequenceModel):
        for chunk in known.split(CHUNK, dim=1):
            _, state = model.advance(state, previous, chunk)
            previous = chunk[:, -1]
    elif chosen:
        for value in chosen:
            _, state = model.step(state, previous)
            previous = value
    if select is None and (choose is None or drawing) and isinstance(model, SequenceModel) and len(chosen) < n:
        values, _ = model.draw(state, previous, n - len(chosen), choose)
        sequence = torch.cat([known, values], dim=1)
        return sequence if model.any_length else model.order.unflatten(sequence)
    for t in range(len(chosen), n):
        distribution, state = model.step(state, previous)
        previous = (distribution.sample() if choose is None else choose(t, distribution)).to(dtype)
        chosen.append(previous)
        if select is not None and (kept := select(t)) is not None:
            state = select_items(state, kept, len(previous))
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
