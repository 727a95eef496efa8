"""The contract of models that read a sequence of any length, a chunk at a time."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Hashable, Sequence
from typing import TypeGuard

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.abilities import RepeatedSteps
from chainrule.choices import Choose
from chainrule.conditionals import Conditional
from chainrule.model import AutoregressiveModel, Model
from chainrule.order import OrderSpec
from chainrule.state import State


class SequenceModel(AutoregressiveModel, RepeatedSteps):
    """An autoregressive model whose parallel pass can start from any state.

    `step` gives one conditional and a state; `advance` gives those of k variables at once, and the same state as k
    steps. So a long text or recording is read a chunk at a time, with p(x) as exact as in one pass. An event of one
    dimension, in raster order, may have any length: ``event_shape`` is then only the length that is sampled by default.

    Args:
        event_shape: Shape of one example.
        conditional: The family of p(x_t | x_<t), the same for all variables.
        order: The sequence in which the variables are generated.
        num_classes: The number of classes that an example can be conditioned on; None for no classes.

    Raises:
        ValueError: As of `AutoregressiveModel`, and if variables have conditionals of their own (`Columns`).
    """

    end_symbol: int | None = None
    """The value that ends an example, in a model of documents."""

    frame_size: int | None = None
    """Numbers of a frame, in a model whose context is a sequence of frames and not a class."""

    def __init__(
        self,
        *,
        event_shape: Sequence[int],
        conditional: Conditional,
        order: OrderSpec = "raster",
        num_classes: int | None = None,
    ) -> None:
        super().__init__(event_shape=event_shape, conditional=conditional, order=order, num_classes=num_classes)
        conditional.require_uniform(type(self).__name__)

    @property
    def any_length(self) -> bool:
        return len(self.event_shape) == 1 and self.order.is_identity

    @property
    def receptive_field(self) -> int | None:
        """The number of variables before x_t that its conditional sees; None for all."""
        return None

    def step_group(self, t: int) -> Hashable:
        """Two groups: the first step, and all others. A model whose steps grow with the past gives each its own."""
        return min(t, 1)

    @abstractmethod
    def advance(self, state: State, previous: Tensor | None, x: Tensor) -> tuple[Distribution, State]:
        """The conditionals of the next k variables, in parallel.

        Args:
            state: What `start`, `step` or the `advance` before returned.
            previous: Values ``(B,)`` of the variable before ``x``, or None at the beginning.
            x: Values ``(B, k)`` of the next variables along the order, with k at least 1.

        Returns:
            The conditionals, of batch shape ``(B, k)``, and the state that a step at the last of ``x`` returns.
        """

    def _log_prob(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Of the parallel pass, which reads long sequences faster than steps."""
        return AutoregressiveModel._log_prob(self, x, context)

    def _start_of_all(self, x: Tensor) -> Tensor:
        """The starting parameters ``(num_parameters,)`` that all variables share, given training values.

        Args:
            x: Examples ``(N, *event_shape)``, or values ``(M,)`` of examples of any length.
        """
        if x.dim() > 1:
            self.check_shape(x)
        self.conditional.check(x)
        return self.conditional.initial_parameters(x.flatten())

    def draw(
        self, state: State, previous: Tensor | None, steps: int, choose: Choose | None = None
    ) -> tuple[Tensor, State]:
        """Draw values ``(B, steps)`` of the next variables; also return the state of the last step.

        A model may know a faster way than a step at a time; with the same random numbers it draws the same values.

        Args:
            state: What `start`, `step` or `advance` returned.
            previous: Values ``(B,)`` of the variable before, or None at the beginning.
            steps: The number of variables.
            choose: See `chainrule.choices.Choose`; None samples every value from its conditional.
        """
        values = []
        for t in range(steps):
            distribution, state = self.step(state, previous)
            previous = (distribution.sample() if choose is None else choose(t, distribution)).to(self.dtype)
            values.append(previous)
        return torch.stack(values, dim=1), state


def reads_streams(model: Model) -> TypeGuard[SequenceModel]:
    """True if ``model`` reads a long sequence a chunk at a time, given all before; others read its windows."""
    return isinstance(model, SequenceModel) and model.any_length


def sequence_model(model: Model) -> SequenceModel:
    """``model``, which must take sequences of any length, as recordings are.

    Raises:
        ValueError: If it does not.
    """
    if not reads_streams(model):
        got = type(model).__name__
        if isinstance(model, SequenceModel):
            got += f" of events {model.event_shape} in an order of its own"
        raise ValueError(f"recordings expect a model of sequences of any length (WaveNet, RNN), got {got}")
    return model


def history_of(model: Model, *, ragged: bool = False) -> float | None:
    """The number of variables before x_t that ``model`` looks at: ``math.inf`` for all, None for whole examples.

    Args:
        model: Any model.
        ragged: True if its examples have lengths of their own, see `chainrule.batch.BatchSource.ragged`.

    Raises:
        ValueError: If the examples are ragged and the model takes one length only.
    """
    if ragged:
        model = sequence_model(model)
    if not reads_streams(model):
        return None
    return math.inf if model.receptive_field is None else model.receptive_field


def end_symbol_of(model: Model) -> int | None:
    """The value that ends an example of ``model``; None if it is no model of documents."""
    return model.end_symbol if isinstance(model, SequenceModel) else None


def frame_size_of(model: Model) -> int | None:
    """The numbers of a frame that ``model`` is conditioned on; None if its context is no sequence of frames."""
    return model.frame_size if isinstance(model, SequenceModel) else None
