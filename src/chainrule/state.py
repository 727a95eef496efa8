"""The state of a walk, as a value: it can be selected, repeated, detached, copied and pickled."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from torch import Tensor

State = Any
"""The value that `AutoregressiveModel.step` hands to the next step.

Tensors whose first dimension is the batch, in any nesting of tuples, named tuples, lists, dicts and dataclasses.
`Shared` wraps the parts that all items of the batch have in common: the position in the sequence, or weights laid out
for the steps. None is an empty state. A state holds no modules and no compiled code, so that it can be copied and
pickled. A step may change the state it is given, for speed: a caller that needs it again copies it first
(`select` and `repeat` do, and ``map_tensors(Tensor.clone, state)``). It never changes what is `Shared`.
"""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shared(Generic[T]):
    """The part of a state that all items of the batch have in common. Selecting items leaves it as it is.

    Args:
        value: Any value, such as a position or a list of weights.
    """

    value: T


def map_tensors(function: Callable[[Tensor], Tensor], state: State) -> State:
    """Apply ``function`` to all tensors of ``state`` that belong to single items; what is `Shared` stays as it is.

    Raises:
        TypeError: If a part of the state is neither a tensor, a container of such parts, `Shared` nor None.

    >>> import torch
    >>> map_tensors(lambda tensor: tensor[:1], (torch.zeros(3, 2), Shared(4), {"above": None}))
    (tensor([[0., 0.]]), Shared(value=4), {'above': None})
    """
    if isinstance(state, Tensor):
        return function(state)
    if state is None or isinstance(state, Shared):
        return state
    if isinstance(state, tuple):
        parts = [map_tensors(function, part) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)
    if isinstance(state, list):
        return [map_tensors(function, part) for part in state]
    if isinstance(state, dict):
        return {key: map_tensors(function, part) for key, part in state.items()}
    if dataclasses.is_dataclass(state) and not isinstance(state, type):
        fields = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
        return dataclasses.replace(state, **{name: map_tensors(function, part) for name, part in fields.items()})
    raise TypeError(
        "a state expects tensors whose first dimension is the batch, in tuples, lists, dicts and dataclasses, "
        f"got {type(state).__name__}: if all items of the batch have it in common, wrap it in Shared"
    )


def select(state: State, indices: Tensor, batch_size: int | None = None) -> State:
    """Take the items of the batch at ``indices``, which may repeat.

    Args:
        state: The state of a batch.
        indices: Items ``(k,)``, int64.
        batch_size: The number of items in ``state``; None if it is not known. All tensors must then agree.

    Raises:
        TypeError: If a part of the state is of a type that can't be selected.
        ValueError: If the first dimension of a tensor is not the batch.

    >>> import torch
    >>> select((torch.tensor([10, 20, 30]), Shared(2)), torch.tensor([2, 2]))
    (tensor([30, 30]), Shared(value=2))
    """
    size = batch_size

    def take(tensor: Tensor) -> Tensor:
        nonlocal size
        size = size if size is not None or tensor.dim() == 0 else len(tensor)
        if tensor.dim() == 0 or len(tensor) != size:
            raise ValueError(
                f"a state of {'a batch' if size is None else f'{size} items'} expects tensors whose first dimension is "
                f"the batch, got the shape {tuple(tensor.shape)}: if all items have it in common, wrap it in Shared"
            )
        return tensor.index_select(0, indices)

    return map_tensors(take, state)


def repeat(state: State, times: int) -> State:
    """Repeat every item of the batch ``times`` times in a row.

    >>> import torch
    >>> repeat(torch.tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])
    """
    return map_tensors(lambda tensor: tensor.repeat_interleave(times, dim=0), state)


def detach(state: State) -> State:
    """Cut the gradients that lead from ``state`` into the past. What is `Shared` (weights) keeps its own."""
    return map_tensors(Tensor.detach, state)


def tensors_of(state: State) -> list[Tensor]:
    """The tensors of ``state`` that belong to single items, in a fixed sequence.

    >>> import torch
    >>> tensors_of((torch.tensor([1]), Shared(4), {"above": None, "left": torch.tensor([2])}))
    [tensor([1]), tensor([2])]
    """
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    map_tensors(note, state)
    return found


def with_tensors(state: State, tensors: Iterable[Tensor]) -> State:
    """``state`` with its tensors, in the sequence of `tensors_of`, replaced by ``tensors``."""
    values = iter(tensors)
    return map_tensors(lambda _: next(values), state)
