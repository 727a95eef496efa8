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

from chainrule.conditionals import Conditional
from chainrule.nn.checks import check_classes, check_frames
from chainrule.nn.masked_linear import Masked
from chainrule.order import Order, OrderSpec

State = Any
"""What a step hands to the next: a nested tuple of tensors whose first dimension is the batch, and of
plain values (a position, a list of weights, None) that all items of the batch share. `walk.map_state` visits its
tensors."""


class Model(nn.Module, ABC):
    """What can be fitted, saved and loaded: a module with an event, a configuration and a loss.

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
    """How the number of parameters grows with the number of variables n."""

    takes_columns: bool = False
    """Whether each variable may have a conditional of its own (`Columns`)."""

    end_symbol: int | None = None
    """The value that ends an example, of a model of documents."""

    frame_size: int | None = None
    """Numbers of a frame, of a model whose context is a sequence of frames and no class."""

    def __new__(cls, *_: Any, **arguments: Any) -> Self:
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
        if not (conditional.uniform or self.takes_columns):
            raise ValueError(f"{type(self).__name__} expects one conditional of all variables, got {conditional!r}")
        self.conditional = conditional
        self.num_classes = num_classes

    @property
    def dtype(self) -> torch.dtype:
        """The type that examples are computed with."""
        return next(self.parameters()).dtype

    @property
    def device(self) -> torch.device:
        """Where examples are computed."""
        return next(self.parameters()).device

    @property
    def any_length(self) -> bool:
        """Whether a sequence of any length is an example, and not only one of ``event_shape``."""
        return False

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
        masked = sum(module.num_masked for module in self.modules() if isinstance(module, Masked))
        return sum(parameter.numel() for parameter in self.parameters()) - masked

    @abstractmethod
    def loss(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """What training minimises the mean of, ``(B,)``."""

    @property
    def loss_unit(self) -> str:
        """What the loss is measured in."""
        return "nats"

    def validation_loss(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """What the epoch to keep is chosen by, ``(B,)``; by default the loss."""
        return self.loss(x, context)

    def features(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """What the hidden layers say of the examples ``x``, ``(B, k)``; which layers, each model documents.

        Raises:
            ValueError: If the model has no hidden layer.
        """
        raise ValueError(f"features expects a model with hidden layers, got {type(self).__name__}, which has none")

    @final
    def check_shape(self, x: Tensor) -> None:
        """Raise ``ValueError``, saying expected and got, where ``x`` is no batch of this model's events."""
        if self.any_length and x.dim() == 2 and x.shape[1] > 0:
            return
        if self.any_length or tuple(x.shape[1:]) != self.event_shape or x.dim() == 0:
            sizes = ("B", "any length") if self.any_length else ("B", *self.event_shape)
            expected = ", ".join(map(str, sizes))
            raise ValueError(f"{type(self).__name__} expects examples of shape ({expected}), got {tuple(x.shape)}")

    @final
    def check(self, x: Tensor) -> Tensor:
        """``x`` as this model's dtype, or ``ValueError`` saying what was expected and what came."""
        self.check_shape(x)
        self.conditional.check(x)
        return x.to(self.dtype)

    @final
    def check_context(self, context: Tensor | None, batch_size: int) -> Tensor | None:
        """The classes ``(B,)`` as int64, or the frames ``(B, F, frame_size)``, on this model's device.

        Raises:
            ValueError: If they are not what the model is conditioned on; the message says expected and got.
        """
        name = type(self).__name__
        if self.frame_size is not None:
            return check_frames(context, batch_size, self.frame_size, name).to(device=self.device, dtype=self.dtype)
        classes = check_classes(context, batch_size, self.num_classes, name)
        return None if classes is None else classes.to(device=self.device, dtype=torch.long)

    def empty(self, *shape: int) -> Tensor:
        """Zeros of this model's dtype and on its device."""
        return torch.zeros(shape, dtype=self.dtype, device=self.device)


class AutoregressiveModel(Model):
    """A model of p(x) = prod_t p(x_t | x_<t), with the variables of x taken in ``self.order``.

    To add a model, write `forward`: the conditionals of all variables of given examples at once.
    Everything else then works. Override `start` and `step` together if one conditional can be had
    for less than a whole `forward`; `chainrule.testing.check_model` proves that both agree.

    Args:
        event_shape: Shape of one example: ``(n,)`` or ``(channels, height, width)``.
        conditional: The family of p(x_t | x_<t).
        order: In which sequence the variables are generated; see `chainrule.order.Order`.
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
        """The conditional of the variable that is generated as the t-th."""
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

        Of an ensemble: the log of the mean of its members' p(x).

        Raises:
            ValueError: If the shape is another than the event's or a value is not of the conditional's.
        """
        x = self.check(x)
        context = self.check_context(context, len(x))
        if not self.members:
            return self(x, context).log_prob(x).flatten(1).sum(1)
        joints = torch.stack([member.log_prob(x, context) for member in self.members])
        return joints.logsumexp(0) - math.log(len(joints))

    def loss(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """What training minimises the mean of, ``(B,)``: -log p(x), or an unbiased estimate of a mean of such."""
        return -self.log_prob(x, context)

    @final
    def validation_loss(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return -self.log_prob(x, context)

    @property
    def members(self) -> Sequence[AutoregressiveModel]:
        """The models whose joint probabilities this one averages; none unless it is an ensemble."""
        return ()

    @property
    def components(self) -> Sequence[AutoregressiveModel]:
        """The models to walk along: this one, or the members of an ensemble whose orders differ.

        The joint probability is the mean of the components'. A mixture over orders has no conditionals that
        can be computed in any one order, so a task walks along one of its components.
        """
        return (self,)

    @property
    def one_joint(self) -> bool:
        """Whether what `reordered` gives has this model's joint probability, and not one of its own."""
        return False

    def variant(self, index: int) -> AutoregressiveModel:
        """One of the models that share these weights (another order, another mask); 0 is this model itself.

        Raises:
            ValueError: If there is no such variant.
        """
        if index != 0:
            raise ValueError(f"{type(self).__name__} has one variant, 0, got {index}")
        return self

    def reordered(self, order: OrderSpec) -> AutoregressiveModel | None:
        """This model with its variables generated in another order, or None where it has only its own.

        See `one_joint` for whether p(x) stays what it is.
        """
        return None

    def lookahead(self, x: Tensor, observed: Tensor, context: Tensor | None = None) -> Tensor | None:
        """How probable the known values that come later are, given each value of each variable.

        With these, a walk that draws x_t with probability proportional to p(x_t | x_<t) times exp(lookahead)
        draws from p(unknown | known) exactly, whatever is known.

        Args:
            x: Examples ``(B, *event_shape)``.
            observed: Which variables are known, booleans ``event_shape``.
            context: What the examples are conditioned on.

        Returns:
            ``(B, n, K)`` in nats, along the order, for K listed values; -inf at values that a known variable does
            not have. None where it can't be had.
        """
        return None


class CountedModel(AutoregressiveModel):
    """A model whose parameters are had by counting: no gradient is needed to fit it."""

    @abstractmethod
    def count(self, batches: Iterable[tuple[Tensor, Tensor | None]]) -> None:
        """Set the parameters from all ``(x, context)`` of the training examples, read once."""
