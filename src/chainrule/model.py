"""The contract that every model keeps, and its slow, correct default for steps."""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, Self, final

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from chainrule.card import Card
from chainrule.conditionals import Conditional
from chainrule.nn.checks import check_classes
from chainrule.nn.masked_linear import Masked
from chainrule.order import Order, OrderSpec
from chainrule.state import State as State


class Model(nn.Module, ABC):
    """A module that can be fitted, saved and loaded: it has an event, a configuration and a loss.

    Constructor arguments are keyword-only and plain (numbers, strings, lists, and the conditional),
    because they are the configuration that is saved beside the weights.

    Args:
        event_shape: Shape of one example: ``(n,)`` or ``(channels, height, width)``.
        conditional: The family of p(x_t | x_<t).
        num_classes: The number of classes that an example can be conditioned on; None for no classes.

    Raises:
        ValueError: If ``event_shape`` is empty or has a size below 1, or ``num_classes`` is below 1.
    """

    _arguments: dict[str, Any]

    growth: str = ""
    """The growth of the number of parameters with the number n of variables, as a formula."""

    def __new__(cls, *_: Any, **arguments: Any) -> Self:
        _check_names(cls, arguments)
        model = super().__new__(cls)
        model._arguments = arguments
        return model

    def __init__(self, *, event_shape: Sequence[int], conditional: Conditional, num_classes: int | None = None) -> None:
        super().__init__()
        self.event_shape = tuple(int(size) for size in event_shape)
        if not self.event_shape or min(self.event_shape) < 1:
            raise ValueError(f"event_shape expects sizes of at least 1, got {self.event_shape}")
        if num_classes is not None and num_classes < 1:
            raise ValueError(f"num_classes expects at least 1, got {num_classes}")
        conditional.check_event(self.event_shape)
        self.conditional = conditional
        self.num_classes = num_classes

    @property
    def dtype(self) -> torch.dtype:
        """The type that examples are computed with."""
        return next(self.parameters()).dtype

    @property
    def device(self) -> torch.device:
        """The device that examples are computed on."""
        return next(self.parameters()).device

    @property
    def any_length(self) -> bool:
        """True if a sequence of any length is an example, and not only one of ``event_shape``."""
        return False

    @property
    def num_variables(self) -> int:
        """The number n of variables of one example."""
        return math.prod(self.event_shape)

    @property
    def config(self) -> dict[str, Any]:
        """The constructor's arguments, defaults included: enough to build an untrained copy."""
        signature = inspect.signature(type(self))
        bound = signature.bind_partial(**self._arguments)
        bound.apply_defaults()
        config = dict(bound.arguments)
        for name, parameter in signature.parameters.items():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:  # **kwargs go to the base class
                config |= config.pop(name)
        return config

    @property
    def num_parameters(self) -> int:
        """The number of trainable numbers, without those that a mask holds at zero."""
        masked = sum(module.num_masked for module in self.modules() if isinstance(module, Masked))
        return sum(parameter.numel() for parameter in self.parameters()) - masked

    def _repr_html_(self) -> str:
        facts = {"conditional": str(self.conditional), "classes": self.num_classes}
        facts |= {"parameters": self.num_parameters, "growing as": self.growth or None}
        title = f"{type(self).__name__} of {self.num_variables:,} variables"
        return Card(title, {"shape of an example": self.event_shape} | facts).html()

    @abstractmethod
    def loss(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The loss of each example, ``(B,)``; training minimises its mean."""

    def features(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Hidden units ``(B, k)`` that represent the examples ``x``; each model documents which.

        Raises:
            ValueError: If the model has no hidden layer.
        """
        raise ValueError(f"features expects a model with hidden layers, got {type(self).__name__}, which has none")

    def start_at(self, x: Tensor) -> None:
        """Set the output so that, before training, every conditional has the frequencies of the values ``x``.

        Whatever the earlier variables are, p(x_t | x_<t) is then the family's distribution of
        `chainrule.conditionals.Conditional.initial_parameters`: for the values of its own variable, or, where variables
        share their output, for those of all that do. By default nothing happens.

        Args:
            x: Training examples ``(N, *event_shape)``, N at least 1.

        Raises:
            ValueError: If the shape or a value does not fit the model.
        """

    def _start_of_each(self, x: Tensor) -> Tensor:
        """The starting parameters ``(n, num_parameters)`` of every variable, given training examples."""
        self.check_shape(x)
        self.conditional.check(x)
        return self.conditional.initial_parameters(x.flatten(1))

    @final
    def check(self, x: Tensor) -> Tensor:
        """``x`` in this model's dtype. While the model is exported or compiled, only the shape is checked.

        Raises:
            ValueError: If the shape or a value does not fit the model; the message says expected and got.
        """
        self.check_shape(x)
        if not torch.compiler.is_compiling():
            self.conditional.check(x)
        return x.to(self.dtype)

    @final
    def check_shape(self, x: Tensor) -> None:
        """Raise ``ValueError``, saying expected and got, where ``x`` is no batch of this model's events."""
        if self.any_length and x.dim() == 2 and x.shape[1] > 0:
            return
        if self.any_length or tuple(x.shape[1:]) != self.event_shape or x.dim() == 0:
            sizes = ("B", "any length") if self.any_length else ("B", *self.event_shape)
            expected = ", ".join(map(str, sizes))
            raise ValueError(f"{type(self).__name__} expects examples of shape ({expected}), got {tuple(x.shape)}")

    def check_context(self, context: Tensor | None, batch_size: int) -> Tensor | None:
        """The classes ``(B,)`` as int64, on this model's device; None if it has no classes.

        Raises:
            ValueError: If the model is conditioned on something else; the message says expected and got.
        """
        classes = check_classes(context, batch_size, self.num_classes, type(self).__name__)
        return None if classes is None else classes.to(device=self.device, dtype=torch.long)

    @classmethod
    def usual_conditional(cls, event_shape: Sequence[int], usual: Conditional) -> Conditional:
        """The family of conditionals that the model takes where its user names none.

        Args:
            event_shape: Shape of one example.
            usual: The family that is usual for the values of the data, and the default.
        """
        return usual

    def empty(self, *shape: int) -> Tensor:
        """Zeros of this model's dtype and on its device."""
        return torch.zeros(shape, dtype=self.dtype, device=self.device)


class AutoregressiveModel(Model):
    """A model of p(x) = prod_t p(x_t | x_<t), with the variables of x taken in ``self.order``.

    To add a model, write `forward`: the conditionals of all variables of given examples at once. Everything else then
    works. Override `start` and `step` together if one conditional costs less than a whole `forward`;
    `chainrule.testing.check_model` proves that both agree. See `chainrule.state` for what a state may be, and
    `chainrule.abilities` for what a model may do beyond this contract.

    Args:
        event_shape: Shape of one example: ``(n,)`` or ``(channels, height, width)``.
        conditional: The family of p(x_t | x_<t).
        order: The sequence in which the variables are generated; see `chainrule.order.Order`.
        num_classes: The number of classes that an example can be conditioned on; None for no classes.

    Raises:
        ValueError: If ``event_shape`` is empty or has a size below 1, or the order does not fit it.
    """

    def __init__(
        self,
        *,
        event_shape: Sequence[int],
        conditional: Conditional,
        order: OrderSpec = "raster",
        num_classes: int | None = None,
    ) -> None:
        super().__init__(event_shape=event_shape, conditional=conditional, num_classes=num_classes)
        self.order = Order(order, self.event_shape)

    def conditional_at(self, t: int) -> Conditional:
        """The conditional of the t-th variable that is generated."""
        return self.conditional if self.conditional.uniform else self.conditional.of(int(self.order.permutation[t]))

    @abstractmethod
    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        """All conditionals p(x_t | x_<t) of the examples ``x`` ``(B, *event_shape)``, in parallel.

        Returns:
            A distribution of batch shape ``(B, *event_shape)``.
        """

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        """The state before the first step; by default the empty prefix and the context."""
        return self.empty(batch_size, 0), context

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        """The next conditional, given the value just chosen.

        The default recomputes `forward` on the prefix, for n passes per example.

        Args:
            state: What `start` or the step before returned. A step may change it: a caller that needs it again copies
                it first.
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
        return self._variable(self(x, context), position), (prefix, context)

    def _variable(self, distribution: Distribution, index: int) -> Distribution:
        """One variable's part ``(B,)`` of what `forward` returns; a model that wraps its conditionals unwraps them."""
        return self.conditional.at(distribution, index)

    @final
    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Log p(x) = sum_t log p(x_t | x_<t) in nats, ``(B,)``, of examples ``(B, *event_shape)``.

        It can be exported (`torch.export`) and compiled as one graph (``torch.compile(fullgraph=True)``).

        Raises:
            ValueError: If the shape or a value does not fit the model; see `check`.
        """
        x = self.check(x)
        return self._log_prob(x, self.check_context(context, len(x)))

    def _log_prob(self, x: Tensor, context: Tensor | None) -> Tensor:
        """`log_prob` of examples that are checked already."""
        return self(x, context).log_prob(x).flatten(1).sum(1)

    def loss(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The loss of each example, ``(B,)``: -log p(x), or an unbiased estimate of its mean over orders or masks."""
        return -self.log_prob(x, context)


def one_variable(model: AutoregressiveModel, distribution: Distribution, index: int) -> Distribution:
    """One variable's part, of batch shape ``(B,)``, of the conditionals that ``model`` returned.

    ``index`` counts the variables of the flattened event, or of a sequence.
    """
    return model._variable(distribution, index)


class CountedModel(AutoregressiveModel):
    """A model that is fitted by counting, without gradients."""

    @abstractmethod
    def count(self, batches: Iterable[tuple[Tensor, Tensor | None]]) -> None:
        """Set the parameters from all ``(x, context)`` of the training examples, read once."""


def _check_names(model: type[Model], arguments: Iterable[str]) -> None:
    """Raise ``TypeError`` where a constructor has no such arguments, saying which it has."""
    parameters = inspect.signature(model).parameters.values()
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [parameter.name for parameter in parameters]
    for name in arguments:
        if name not in known:
            raise TypeError(f"{model.__name__} takes no argument {name!r}, it takes {', '.join(known)}")
