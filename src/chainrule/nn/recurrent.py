"""Layers of recurrent cells, computed for a whole sequence by torch's fused kernels or for one time.

References:
    A theoretically grounded application of dropout in recurrent neural networks (Gal and Ghahramani, 2016),
    https://arxiv.org/abs/1512.05287
    Regularizing and optimizing LSTM language models (Merity, Keskar and Socher, 2018),
    https://arxiv.org/abs/1708.02182
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.backends.cudnn import rnn as cudnn_rnn

from chainrule.nn.class_bias import plus
from chainrule.nn.native.program import Program

Hidden = tuple[tuple[Tensor, ...], ...]
"""The state of every layer: ``(h,)``, of an LSTM ``(h, c)``, each ``(B, hidden_size)``."""

CELLS: dict[str, Callable[..., nn.RNNBase]] = {"tanh": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
"""A layer by the name of its cell: its weights, and how they are initialised."""

KERNELS: dict[str, Callable[..., tuple[Tensor, ...]]] = {"tanh": torch.rnn_tanh, "lstm": torch.lstm, "gru": torch.gru}
"""The functions that compute a layer for a whole sequence, from given weights."""


class LockedDropout(nn.Module):
    """Dropout of units ``(B, k, size)`` that drops the same units at all k times of a sequence.

    Args:
        p: Probability with which a unit is dropped in training.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, states: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return states
        return states * F.dropout(torch.ones_like(states[:, :1]), self.p)


class Weights(nn.Module):
    """The parameters of a torch layer without the layer, which the compiler can't trace.

    Args:
        layer: The layer; its parameters are taken over under their names.
    """

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.mode, self.input_size, self.hidden_size = layer.mode, layer.input_size, layer.hidden_size
        for name, parameter in layer.named_parameters():
            self.register_parameter(name, parameter)

    def _apply(self, *args: Any, **kwargs: Any) -> Weights:
        """Move or convert the parameters, into one chunk of memory where cuDNN computes, which else copies them."""
        super()._apply(*args, **kwargs)  # type: ignore[no-untyped-call]
        weights: list[Tensor] = list(self.parameters())
        if torch.backends.cudnn.is_acceptable(weights[0]):
            mode = cudnn_rnn.get_cudnn_mode(self.mode)
            with torch.no_grad():
                # Numbers for each layer; the size of a projection; one layer; batch first; one direction.
                torch._cudnn_rnn_flatten_weight(
                    weights, len(weights), self.input_size, mode, self.hidden_size, 0, 1, True, False
                )
        return self


class Recurrent(nn.Module):
    """``num_layers`` layers of cells, with a learned first state.

    Args:
        input_size: Numbers read at each time.
        hidden_size: Units of each layer.
        num_layers: The number of layers.
        cell: ``"tanh"`` (without biases), ``"lstm"`` or ``"gru"``.
        dropout: Probability with which a unit between two layers is dropped in training, at all times of a sequence.
        weight_dropout: Probability with which a weight from state to state is dropped in training (DropConnect).

    Raises:
        ValueError: If a size is below 1 or the cell is unknown.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        cell: str,
        dropout: float = 0.0,
        weight_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        for name, size in {"embedding_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}.items():
            if size < 1:
                raise ValueError(f"{name} expects at least 1, got {size}")
        if cell not in CELLS:
            raise ValueError(f"cell expects 'tanh', 'lstm' or 'gru', got {cell!r}")
        self.cell = cell
        self.dropout = LockedDropout(dropout)
        self.weight_dropout = weight_dropout
        self.layers = nn.ModuleList(
            Weights(CELLS[cell](size, hidden_size, bias=cell != "tanh"))
            for size in (input_size, *[hidden_size] * (num_layers - 1))
        )
        parts = 2 if cell == "lstm" else 1
        self.first = nn.Parameter(torch.zeros(num_layers, parts, hidden_size))
        self.state_size = self.first.numel()
        if cell == "lstm":
            for layer in self.layers:  # remember at first (Gers, Schmidhuber and Cummins, 2000)
                nn.init.ones_(layer.get_parameter("bias_hh_l0").data[hidden_size : 2 * hidden_size])

    def start(self, batch_size: int, change: Tensor | None = None) -> Hidden:
        """The first state of ``batch_size`` sequences, with ``change`` ``(B, state_size)`` added."""
        first = plus(self.first.flatten().expand(batch_size, -1), change)
        states = first.unflatten(1, self.first.shape)
        return tuple(tuple(part.clone() for part in layer.unbind(1)) for layer in states.unbind(1))

    def forward(self, inputs: Tensor, hidden: Hidden) -> tuple[Tensor, Hidden]:
        """The uppermost states ``(B, k, hidden_size)`` along inputs ``(B, k, input_size)``, and the last state."""
        result: list[tuple[Tensor, ...]] = []
        for layer, before in enumerate(hidden):
            weights = self._weights(layer)
            weights[1] = F.dropout(weights[1], self.weight_dropout, self.training)
            parts = [part.unsqueeze(0) for part in before]
            state = parts if self.cell == "lstm" else parts[0]
            inputs = self.dropout(inputs) if layer else inputs
            if torch.compiler.is_compiling() and torch.is_grad_enabled() and not inputs.requires_grad:
                # In a compiled graph torch takes a fused LSTM that has no gradient, unless the input needs one too.
                inputs = inputs + 0 * weights[0].sum()
            # Biases; one layer; no dropout of the kernel's own; whether to train; one direction; batch first.
            inputs, *after = KERNELS[self.cell](
                inputs, state, weights, len(weights) == 4, 1, 0.0, self.training, False, True
            )
            result.append(tuple(part.squeeze(0).to(self.first.dtype) for part in after))
        return inputs, tuple(result)

    def step(self, inputs: Tensor, hidden: Hidden) -> Hidden:
        """The state after one more input ``(B, input_size)``."""
        result: list[tuple[Tensor, ...]] = []
        for layer, before in enumerate(hidden):
            weights = self._weights(layer)
            after: tuple[Tensor, ...]
            if self.cell == "lstm":
                after = torch.lstm_cell(inputs, before, *weights)
            elif self.cell == "gru":
                after = (torch.gru_cell(inputs, before[0], *weights),)
            else:
                after = (torch.rnn_tanh_cell(inputs, before[0], *weights),)
            result.append(after)
            inputs = after[0]
        return tuple(result)

    def instruct(
        self,
        program: Program,
        inputs: Tensor,
        hidden_of: Callable[..., Hidden],
        more_of: Callable[..., Tensor] | None,
    ) -> int:
        """Add the instructions of `step`, and return the uppermost layer's units.

        Args:
            program: The program.
            inputs: The input of every value, ``(K, input_size)``.
            hidden_of: Gives the state, in which the last one is written.
            more_of: Gives what is added to the inputs, ``(B, input_size)``; None for nothing.
        """
        size = self.first.shape[2]
        below = 0
        for layer in range(len(self.layers)):
            weights = self._weights(layer)
            input_bias, state_bias = weights[2:] or (None, None)
            parts = [
                program.give(size, lambda *source, i=layer, j=part: hidden_of(*source)[i][j], keep=True)
                for part in range(self.first.shape[1])
            ]
            count = len(weights[0])
            gates = program.units(count)
            if layer:
                program.linear(gates, weights[0], below, input_bias)
            else:
                program.lookup(gates, F.linear(inputs, weights[0], input_bias), program.value)
                if more_of is not None:
                    more = program.give(count, lambda *source, weight=weights[0]: F.linear(more_of(*source), weight))
                    program.add(gates, more, count)
            if self.cell == "gru":
                seen = program.units(count)
                program.linear(seen, weights[1], parts[0], state_bias)
                program.gru(parts[0], gates, seen, size)
            else:
                program.linear(gates, weights[1], parts[0], state_bias, add=True)
                if self.cell == "lstm":
                    program.lstm(parts[0], parts[1], gates, size)
                else:
                    program.map(parts[0], gates, size, "tanh")
            below = parts[0]
        return below

    @staticmethod
    def top(hidden: Hidden) -> Tensor:
        """The uppermost layer's state, ``(B, hidden_size)``."""
        return hidden[-1][0]

    def _weights(self, layer: int) -> list[Tensor]:
        """From input to state, from state to state, and the biases, if there are any."""
        own: list[Tensor] = list(self.layers[layer].parameters())
        return own
