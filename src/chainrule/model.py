"""The contract that every model keeps, and its slow, correct default for steps."""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Self, final

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from chainrule.conditionals import Conditional
from chainrule.nn.masked_linear import MaskedLinear
from chainrule.order import Order, OrderSpec

State = Any
"""What a step hands to the next: a nested tuple of tensors whose first dimension is the batch, and of
plain values (a position, a list of weights, None) that all items of the batch share. `map_state` visits its tensors."""


class AutoregressiveModel(nn.Module, ABC):
    """A model of p(x) = prod_t p(x_t | x_<t), with the variables of x taken in ``self.order``.

    To add a model, write `forward`: the conditionals of all variables of given examples at once.
    Everything else then works. Override `start` and `step` together if one conditional can be had
    for less than a whole `forward`; `chainrule.testing.check_model` proves that both agree.
    Constructor arguments are keyword-only and plain (numbers, strings, lists, and the conditional),
    because they are the configuration that is saved beside the weights.

    Args:
        event_shape: Shape of one example: ``(n,)`` or ``(channels, height, width)``.
        conditional: The family of p(x_t | x_<t).
        order: In which sequence the variables are generated; see `chainrule.order.Order`.

    Raises:
        ValueError: If ``event_shape`` is empty or has a size below 1, or the order does not fit it.
    """

    _arguments: dict[str, Any]

    growth: str = ""
    """How the number of parameters grows with the number of variables n."""

    def __new__(cls, *_: Any, **arguments: Any) -> Self:
        model = super().__new__(cls)
        model._arguments = arguments
        return model

    def __init__(self, *, event_shape: Sequence[int], conditional: Conditional, order: OrderSpec = "raster") -> None:
        super().__init__()
        self.event_shape = tuple(int(size) for size in event_shape)
        if not self.event_shape or min(self.event_shape) < 1:
            raise ValueError(f"event_shape expects sizes of at least 1, got {self.event_shape}")
        self.conditional = conditional
        self.order = Order(order, self.event_shape)

    @property
    def dtype(self) -> torch.dtype:
        """The type that examples are computed with."""
        return next(self.parameters()).dtype

    @property
    def device(self) -> torch.device:
        """Where examples are computed."""
        return next(self.parameters()).device

    @property
    def num_variables(self) -> int:
        """The number n of variables of one example."""
        return math.prod(self.event_shape)

    @property
    def config(self) -> dict[str, Any]:
        """The constructor's arguments, defaults included: enough to build an untrained copy."""
        bound = inspect.signature(type(self)).bind_partial(**self._arguments)
        bound.apply_defaults()
        return dict(bound.arguments)

    @property
    def num_parameters(self) -> int:
        """Trainable numbers, those that a mask holds at zero left out."""
        masked = sum(module.num_masked for module in self.modules() if isinstance(module, MaskedLinear))
        return sum(parameter.numel() for parameter in self.parameters()) - masked

    @abstractmethod
    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        """All conditionals p(x_t | x_<t) of the examples ``x`` ``(B, *event_shape)``, in parallel.

        Returns:
            A distribution of batch shape ``(B, *event_shape)``.
        """

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        """The state before the first step; by default the empty prefix and the context."""
        return self._empty(batch_size, 0), context

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        """The next conditional, given the value just chosen.

        The default recomputes `forward` on the prefix, for n passes per example.

        Args:
            state: What `start` or the step before returned. It may be updated in place.
            previous: Values ``(B,)`` of the variable before, or None at the first step.

        Returns:
            The conditional of the next variable, of batch shape ``(B,)``, and the next state.
        """
        prefix, context = state
        if previous is not None:
            prefix = torch.cat([prefix, previous.unsqueeze(1)], dim=1)
        t = prefix.shape[1]
        rest = prefix.new_zeros(prefix.shape[0], self.num_variables - t)
        x = self.order.unflatten(torch.cat([prefix, rest], dim=1))
        position = int(self.order.permutation[t])
        return self.conditional.at(self(x, context), position), (prefix, context)

    @final
    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Log p(x) = sum_t log p(x_t | x_<t) in nats, ``(B,)``, of examples ``(B, *event_shape)``.

        Raises:
            ValueError: If the shape is another than the event's or a value is not of the conditional's.
        """
        x = self.check(x)
        return self(x, context).log_prob(x).flatten(1).sum(1)

    @final
    def check(self, x: Tensor) -> Tensor:
        """``x`` as this model's dtype, or ``ValueError`` saying what was expected and what came."""
        if tuple(x.shape[1:]) != self.event_shape or x.dim() == 0:
            expected = ", ".join(map(str, ("B", *self.event_shape)))
            raise ValueError(f"{type(self).__name__} expects examples of shape ({expected}), got {tuple(x.shape)}")
        self.conditional.check(x)
        return x.to(self.dtype)

    def _empty(self, *shape: int) -> Tensor:
        """Zeros of this model's dtype and on its device."""
        return torch.zeros(shape, dtype=self.dtype, device=self.device)


def map_state(function: Callable[[Tensor], Tensor], state: State) -> State:
    """``state`` with ``function`` applied to its tensors, for example to select items of the batch.

    >>> map_state(lambda tensor: tensor[:1], (torch.zeros(3, 2), (4, None)))
    (tensor([[0., 0.]]), (4, None))
    """
    if isinstance(state, Tensor):
        return function(state)
    if isinstance(state, tuple):
        return tuple(map_state(function, part) for part in state)
    return state
