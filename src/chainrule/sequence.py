"""The contract of models that read a sequence of any length, a piece at a time."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TypeGuard

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.model import AutoregressiveModel, Model, State


class SequenceModel(AutoregressiveModel):
    """An autoregressive model whose parallel pass can start from any state.

    `step` gives one conditional and a state; `advance` gives those of k variables at once, and the same state as k
    steps. A long text or recording is so read a piece at a time, with p(x) as exact as in one pass. An event of one
    dimension, in raster order, may have any length: ``event_shape`` is then only the length that is sampled by default.
    """

    @property
    def any_length(self) -> bool:
        return len(self.event_shape) == 1 and self.order.is_identity

    @property
    def receptive_field(self) -> int | None:
        """How many variables before x_t its conditional looks at; None for all."""
        return None

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

    def draw(self, state: State, previous: Tensor | None, steps: int) -> tuple[Tensor, State]:
        """Values ``(B, steps)`` drawn from the next conditionals, and the state of the last step.

        A model may know a faster way than a step at a time; with the same random numbers it draws the same values.
        """
        values = []
        for _ in range(steps):
            distribution, state = self.step(state, previous)
            previous = distribution.sample().to(self.dtype)
            values.append(previous)
        return torch.stack(values, dim=1), state


def reads_streams(model: Model) -> TypeGuard[SequenceModel]:
    """Whether ``model`` reads a long sequence a piece at a time, given all before; others read its windows."""
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
    """How many variables before x_t ``model`` looks at: ``math.inf`` for all, None if it reads whole examples only.

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
