"""Recurrent networks: a hidden state that has read all of the past, with the same weights at every time.

h_0 = b_0,  h_t = tanh(W_hh h_{t-1} + W_xh x_t),  p(x_{t+1} | x_1, ..., x_t) = softmax(W_hy h_t + b_y)

References:
    Finding structure in time (Elman, 1990), https://doi.org/10.1207/s15516709cog1402_1
    Generating text with recurrent neural networks (Sutskever, Martens and Hinton, 2011),
    https://icml.cc/2011/papers/524_icmlpaper.pdf
    Long short-term memory (Hochreiter and Schmidhuber, 1997), https://doi.org/10.1162/neco.1997.9.8.1735
    Learning phrase representations using RNN encoder-decoder (Cho et al., 2014), https://arxiv.org/abs/1406.1078
    Using the output embedding to improve language models (Press and Wolf, 2017), https://arxiv.org/abs/1608.05859
    Regularizing and optimizing LSTM language models (Merity, Keskar and Socher, 2018),
    https://arxiv.org/abs/1708.02182
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution

from chainrule.choices import Choose
from chainrule.compiled import Compiled, compiled_draw
from chainrule.conditionals import Conditional
from chainrule.conditionals.certain import certain_parameters
from chainrule.models.ngram_mixture import NgramMixture
from chainrule.nn.checks import check_dropout
from chainrule.nn.class_bias import ClassBias
from chainrule.nn.ends import has_ended, up_to_end
from chainrule.nn.native.program import Program
from chainrule.nn.outputs import start_output
from chainrule.nn.recurrent import LockedDropout, Recurrent
from chainrule.order import OrderSpec
from chainrule.state import State

TIED = 0.03
"""The length of the longest tied weight at the start: states of length 1 then move a conditional by under 1e-3 nats."""


class RNN(NgramMixture, Compiled):
    """A recurrent network over the variables; its parameters do not grow with their number.

    With the defaults it is the network of the lecture, whose cells have no biases: values are read one-hot, and the
    first conditional is that of the learned h_0. The lecture leaves out b_y too, which lets a training start at the
    frequencies of the values. The LSTM and the GRU have biases. A class, where there are classes, has an h_0 of its own
    and adds to every input.

    With an ``ngram_order`` the conditionals are mixed with those of n-grams: see `NgramMixture`.

    Args:
        event_shape: Shape of one example. A sequence ``(n,)`` in raster order may also be shorter or longer.
        conditional: The family of p(x_t | x_<t).
        hidden_size: Units of each layer.
        num_layers: Layers; each reads the states of the one below.
        cell: ``"tanh"``, ``"lstm"`` or ``"gru"``.
        embedding_size: Numbers that stand for a value in place of its one-hot vector; None for one-hot.
        tied: True if W_hy is the transposed embedding, which must then be of ``hidden_size``.
        dropout: Probability with which a unit is dropped in training, between the layers and before W_hy; the same
            units are dropped along a whole example.
        weight_dropout: Probability with which a weight of W_hh is dropped in training, for a whole batch.
        end_symbol: The value that ends an example: all after it have this value, with probability 1.
        ngram_order: The number of last values that the n-grams are given; None for no n-grams. They see no class.
        ngram_share: The share s of the n-grams, from 0 to 1; `fit_share` finds a better one.
        order: The sequence in which the variables are generated.
        num_classes: The number of classes that an example can be conditioned on; None for no classes.

    Raises:
        ValueError: If a size is below 1, the cell unknown, a dropout not in [0, 1), ``end_symbol`` no value, ``tied``
            weights do not fit, or n-grams are asked for values that can't be listed or a share out of range.

    The chain rule on the lecture's word: p(hello) = p(h) p(e | h) p(l | he) p(l | hel) p(o | hell).

    >>> from chainrule.conditionals import Categorical
    >>> model = RNN(event_shape=(5,), conditional=Categorical(4), hidden_size=3)
    >>> hello = torch.tensor([[0.0, 1.0, 2.0, 2.0, 3.0]])
    >>> product, state, previous = 1.0, model.start(1), None
    >>> for letter in hello.unbind(1):
    ...     conditional, state = model.step(state, previous)
    ...     product, previous = product * conditional.log_prob(letter).exp(), letter
    >>> torch.allclose(product, model.log_prob(hello).exp())
    True
    """

    growth = "constant in n"

    _at_end: Tensor

    def __init__(
        self,
        *,
        event_shape: Sequence[int],
        conditional: Conditional,
        hidden_size: int = 128,
        num_layers: int = 1,
        cell: Literal["tanh", "lstm", "gru"] = "tanh",
        embedding_size: int | None = None,
        tied: bool = False,
        dropout: float = 0.0,
        weight_dropout: float = 0.0,
        end_symbol: int | None = None,
        ngram_order: int | None = None,
        ngram_share: float = 0.7,
        order: OrderSpec = "raster",
        num_classes: int | None = None,
    ) -> None:
        super().__init__(event_shape=event_shape, conditional=conditional, order=order, num_classes=num_classes)
        inputs = conditional.num_features + 1
        input_size = inputs if embedding_size is None else embedding_size
        check_dropout(dropout)
        check_dropout(weight_dropout, "weight_dropout")
        self.net = Recurrent(input_size, hidden_size, num_layers, cell, dropout, weight_dropout)
        self.embedding = None if embedding_size is None else nn.Linear(inputs, embedding_size, bias=False)
        if tied and (self.embedding is None or embedding_size != hidden_size or inputs != conditional.num_parameters):
            raise ValueError(
                f"tied expects values read one-hot and an embedding_size of hidden_size, {hidden_size}, "
                f"got {embedding_size} and {conditional}"
            )
        self.output = None if tied else nn.Linear(hidden_size, conditional.num_parameters)
        self.tied_bias = nn.Parameter(torch.zeros(conditional.num_parameters)) if tied else None
        self.dropout = LockedDropout(dropout)
        self.class_start = ClassBias(num_classes, self.net.state_size)
        self.class_input = ClassBias(num_classes, input_size)
        self.end_symbol = end_symbol
        self.register_buffer("_at_end", certain_parameters(conditional, end_symbol), persistent=False)
        self.set_ngrams(ngram_order, ngram_share)

    def start_at(self, x: Tensor) -> None:
        """`Model.start_at`; tied weights become small and not zero, since the network reads by them too."""
        if self.end_symbol is not None and x.dim() > 1:
            self.check_shape(x)
            sequence = x if self.any_length else self.order.flatten(x)
            x = sequence[up_to_end(sequence, self.end_symbol)]
        weight, bias = self._output()
        keep = 0.0 if self.output is not None else TIED / max(float(weight.detach().norm(dim=1).max()), TIED)
        start_output(weight, bias, self._start_of_all(x), keep=keep)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        sequence = x if self.any_length else self.order.flatten(x)
        parameters, _ = self._pass(self.start(len(x), context), None, sequence)
        return self.conditional.distribution(parameters if self.any_length else self.order.unflatten(parameters))

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        ended = torch.zeros(batch_size, dtype=torch.bool, device=self.device)
        class_input = self.class_input(context)
        return ended, self.net.start(batch_size, self.class_start(context)), class_input, self.no_recent(batch_size)

    def advance(self, state: State, previous: Tensor | None, x: Tensor) -> tuple[Distribution, State]:
        parameters, state = self._pass(state, previous, x)
        return self.conditional.distribution(parameters), state

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        ended, hidden, class_input, recent = state
        if previous is not None:
            hidden = self.net.step(self._read(previous, class_input), hidden)
            ended = ended | (previous == self.end_symbol) if self.end_symbol is not None else ended
            recent = self.recent_of(recent, previous.unsqueeze(1), 1)
        parameters = self.mixed(self._write(self.net.top(hidden)).unsqueeze(1), recent).squeeze(1)
        return self.conditional.distribution(self._ended(parameters, ended)), (ended, hidden, class_input, recent)

    def draw(
        self, state: State, previous: Tensor | None, steps: int, choose: Choose | None = None
    ) -> tuple[Tensor, State]:
        values = compiled_draw(self, state, previous, steps, choose)
        if values is None:
            return super().draw(state, previous, steps, choose)
        ended, *others = state
        return values, (has_ended(ended, previous, values, self.end_symbol), *others)

    def program(self) -> Program | None:
        if (codes := self.conditional.codes) is None or self.conditional.values is None:
            return None
        if (ngram := self.counted_ngrams) is not None and codes.draws != "logits":
            return None
        program = Program()
        program.end = self.end_symbol
        read = self._read(self.conditional.values.to(self.dtype), None)
        class_input = self.class_input if self.class_input.size else None
        top = self.net.instruct(program, read, lambda _, state: state[1], class_input and (lambda _, state: state[2]))
        if ngram is not None:
            recent = program.give(ngram.order, lambda _, state: state[3], keep=True)
            program.map(recent, recent + 1, ngram.order - 1, "same")
            program.map(recent + ngram.order - 1, program.value, 1, "same")
        program.begin()
        parameters = program.units(self.conditional.num_parameters)
        weight, bias = self._output()
        program.linear(parameters, weight, top, bias)
        if ngram is not None:
            ngram.instruct(program, parameters, float(self.share), recent)
        program.choose(parameters, self.conditional.num_parameters, codes)
        return program

    def features(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The uppermost layer's mean state over the variables up to the end, ``(B, hidden_size)``."""
        x = self.check(x)
        sequence = x if self.any_length else self.order.flatten(x)
        _, hidden, class_input, _ = self.start(len(x), self.check_context(context, len(x)))
        states, _ = self.net(self._read(sequence, _over_time(class_input)), hidden)
        counts = torch.ones_like(states[..., :1])
        if self.end_symbol is not None:
            counts = up_to_end(sequence, self.end_symbol).to(states).unsqueeze(-1)
        return (states * counts).sum(1) / counts.sum(1)

    def _pass(self, state: State, previous: Tensor | None, x: Tensor) -> tuple[Tensor, State]:
        """Parameters ``(B, k, num_parameters)`` of the next conditionals, and the state at the last of them."""
        ended, hidden, class_input, recent = state
        past = x[:, :-1] if previous is None else torch.cat([previous.unsqueeze(1), x[:, :-1]], dim=1)
        after = ended.unsqueeze(1).expand(past.shape)
        alive = past.shape[1]
        if self.end_symbol is not None:
            after = after | ((past == self.end_symbol).cumsum(1) > 0)
            if not torch.compiler.is_compiling():  # a graph has a size that does not depend on values
                alive = int((~after).any(0).sum())  # where every example has ended, there is nothing to compute
        states = []
        if previous is None:
            states.append(self.net.top(hidden).unsqueeze(1))
            after = torch.cat([ended.unsqueeze(1), after], dim=1)
        if alive:
            read, hidden = self.net(self._read(past[:, :alive], _over_time(class_input)), hidden)
            states.append(read)
        if states:
            parameters = self._write(self.dropout(torch.cat(states, dim=1)))
            parameters = self.mixed(parameters, self.recent_of(recent, past[:, :alive], parameters.shape[1]))
        else:
            parameters = self.empty(len(x), 0, self.conditional.num_parameters)
        parameters = F.pad(parameters, (0, 0, 0, x.shape[1] - parameters.shape[1]))
        return self._ended(parameters, after), (after[:, -1], hidden, class_input, self.recent_of(recent, past, 1))

    def _read(self, x: Tensor, class_input: Tensor | None) -> Tensor:
        """The input of the network for values: one-hot, since `Conditional.encode` omits the indicator of 0."""
        features = self.conditional.encode(x)
        features = torch.cat([1 - features.sum(-1, keepdim=True), features], dim=-1)
        read = features if self.embedding is None else self.embedding(features)
        return read if class_input is None else read + class_input

    def _write(self, states: Tensor) -> Tensor:
        return F.linear(states, *self._output())

    def _output(self) -> tuple[Tensor, Tensor]:
        """The output's weight ``(num_parameters, hidden_size)`` and bias."""
        if self.output is not None:
            return self.output.weight, self.output.bias
        assert self.embedding is not None
        assert self.tied_bias is not None
        return self.embedding.weight.T, self.tied_bias

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *arguments: Any) -> None:
        """Load weights; those of version 0.1, whose tanh networks and tied outputs had no bias, have the bias 0."""
        name = "tied_bias" if self.output is None else "output.bias"
        state_dict.setdefault(prefix + name, torch.zeros(self.conditional.num_parameters))
        super()._load_from_state_dict(state_dict, prefix, *arguments)

    def _ended(self, parameters: Tensor, ended: Tensor) -> Tensor:
        if self.end_symbol is None:
            return parameters
        return torch.where(ended.unsqueeze(-1), self._at_end.to(parameters), parameters)


def _over_time(class_input: Tensor | None) -> Tensor | None:
    return None if class_input is None else class_input.unsqueeze(1)
