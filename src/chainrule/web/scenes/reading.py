"""Sequences that a page reads and grows: the conditionals of known values, and the one of the next."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.choices import Choose
from chainrule.model import AutoregressiveModel
from chainrule.sequence import SequenceModel
from chainrule.state import map_tensors
from chainrule.walk import CHUNK


class Reading:
    """One sequence, read or drawn up to some place.

    Args:
        model: Any model of one order. A `SequenceModel` reads many values in a parallel pass, others a step at a time.
        context: What the sequence is conditioned on: a class ``(1,)``.

    Attributes:
        length: The number of values so far.

    >>> from chainrule.conditionals import Bernoulli
    >>> from chainrule.models import FVSBN
    >>> reading = Reading(FVSBN(event_shape=(3,), conditional=Bernoulli()))
    >>> reading.read(torch.tensor([1.0, 0.0])), reading.next().probs
    (tensor([0.6931, 0.6931]), tensor([0.5000]))
    """

    def __init__(self, model: AutoregressiveModel, context: Tensor | None = None) -> None:
        self.model, self.length = model, 0
        self._state = model.start(1, model.check_context(context, 1))
        self._previous: Tensor | None = None

    @torch.no_grad()
    def read(self, values: Tensor) -> Tensor:
        """-log p(x_t | x_<t) in nats, ``(k,)``, of the next ``values`` ``(k,)``.

        Raises:
            ValueError: If a value is not one of the conditional's.
        """
        model, x = self.model, values.to(device=self.model.device, dtype=self.model.dtype).unsqueeze(0)
        self.model.conditional.check(x)
        self.length += len(values)
        if isinstance(model, SequenceModel):
            conditionals, self._state = model.advance(self._state, self._previous, x)
            self._previous = x[:, -1]
            return -conditionals.log_prob(x)[0].cpu()
        nats = []
        for value in x.unbind(1):
            conditional, self._state = model.step(self._state, self._previous)
            self._previous = value
            nats.append(-conditional.log_prob(value))
        return torch.cat(nats).cpu()

    @torch.no_grad()
    def next(self) -> Distribution:
        """The conditional of the next value, of batch shape ``(1,)``."""
        state = map_tensors(Tensor.clone, self._state)  # a step may change the state that it is given
        conditional, _ = self.model.step(state, self._previous)
        return conditional

    @torch.no_grad()
    def draw(self, count: int, choose: Choose | None) -> tuple[Tensor, Tensor]:
        """Draw the next values ``(count,)``; also give their -log p(x_t | x_<t) in nats, ``(count,)``.

        Raises:
            ValueError: If the model is no `SequenceModel`.
        """
        model, before = self.model, map_tensors(Tensor.clone, self._state)
        if not isinstance(model, SequenceModel):
            raise ValueError(f"draw expects a model of sequences (WaveNet, RNN), got {type(model).__name__}")
        values, self._state = model.draw(self._state, self._previous, count, choose)
        conditionals, _ = model.advance(before, self._previous, values)
        self._previous = values[:, -1]
        self.length += count
        return values[0], -conditionals.log_prob(values)[0].cpu()


def chunks(values: Tensor) -> tuple[Tensor, ...]:
    """``values`` ``(n,)``, cut for `Reading.read`; nothing where there are none."""
    return values.split(CHUNK) if len(values) else ()


def entropy(log_probs: Tensor) -> Tensor:
    """-sum_k p_k log p_k in nats, ``(...)``, of log-probabilities ``(..., K)``, of which some may be -infinity.

    >>> entropy(torch.tensor([0.5, 0.5, 0.0]).log())
    tensor(0.6931)
    """
    return torch.special.entr(log_probs.exp()).sum(-1)


def rounded(values: Tensor) -> Any:
    """Numbers of four digits as (nested) lists, for JSON.

    >>> rounded(torch.tensor([[1.23456, 0.0000987654]]).double())
    [[1.235, 9.877e-05]]
    """
    values = values.double().cpu()
    scale = 10.0 ** (3 - values.abs().clamp(min=1e-12).log10().floor())
    return ((values * scale).round() / scale).tolist()
