"""Layers of recurrent cells, computed for a whole sequence by torch's fused kernels or for one time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

Hidden = tuple[tuple[Tensor, ...], ...]
"""The state of every layer: ``(h,)``, of an LSTM ``(h, c)``, each ``(B, hidden_size)``."""

CELLS = {"tanh": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
"""Fused kernels by the name of their cell."""


class Recurrent(nn.Module):
    """``num_layers`` layers of cells, with a learned first state.

    Args:
        input_size: Numbers read at each time.
        hidden_size: Units of each layer.
        num_layers: How many layers.
        cell: ``"tanh"`` (without biases), ``"lstm"`` or ``"gru"``.
        dropout: Probability with which a unit between two layers is dropped in training.

    Raises:
        ValueError: If a size is below 1 or the cell is unknown.
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int, cell: str, dropout: float) -> None:
        super().__init__()
        for name, size in {"embedding_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}.items():
            if size < 1:
                raise ValueError(f"{name} expects at least 1, got {size}")
        if cell not in CELLS:
            raise ValueError(f"cell expects 'tanh', 'lstm' or 'gru', got {cell!r}")
        self.cell = cell
        self.layers = CELLS[cell](
            input_size,
            hidden_size,
            num_layers,
            bias=cell != "tanh",
            dropout=dropout if num_layers > 1 else 0.0,  # torch warns of dropout between fewer than two layers
            batch_first=True,
        )
        parts = 2 if cell == "lstm" else 1
        self.first = nn.Parameter(torch.zeros(num_layers, parts, hidden_size))
        self.state_size = self.first.numel()
        if cell == "lstm":
            for layer in range(num_layers):  # remember at first (Gers, Schmidhuber and Cummins, 2000)
                bias = getattr(self.layers, f"bias_hh_l{layer}")
                nn.init.ones_(bias.data[hidden_size : 2 * hidden_size])

    def start(self, batch_size: int, change: Tensor | float = 0.0) -> Hidden:
        """The first state of ``batch_size`` sequences, with ``change`` ``(B, state_size)`` added."""
        first = self.first.flatten().expand(batch_size, -1) + change
        return self._cut(first.unflatten(1, self.first.shape))

    def forward(self, inputs: Tensor, hidden: Hidden) -> tuple[Tensor, Hidden]:
        """The uppermost states ``(B, k, hidden_size)`` along inputs ``(B, k, input_size)``, and the last state."""
        parts = tuple(torch.stack(part).to(self.first.dtype) for part in zip(*hidden, strict=True))
        states, last = self.layers(inputs, parts if len(parts) > 1 else parts[0])
        last = last if len(parts) > 1 else (last,)
        return states, self._cut(torch.stack([part.to(self.first.dtype) for part in last], dim=1).movedim(2, 0))

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

    @staticmethod
    def top(hidden: Hidden) -> Tensor:
        """The uppermost layer's state, ``(B, hidden_size)``."""
        return hidden[-1][0]

    def _weights(self, layer: int) -> list[Tensor]:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")[: 4 if self.layers.bias else 2]
        return [getattr(self.layers, f"{name}_l{layer}") for name in names]

    @staticmethod
    def _cut(states: Tensor) -> Hidden:
        """States ``(B, num_layers, parts, hidden_size)`` layer by layer."""
        return tuple(tuple(part.contiguous() for part in layer.unbind(1)) for layer in states.unbind(1))
