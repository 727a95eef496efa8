"""PixelRNN against an independent, naive reading of its paper."""

import pytest
import torch
from image_formulas import SHAPES, by_hand, images, log_prob, one_hot, subject
from torch import Tensor

from chainrule.models import PixelRNN
from chainrule.nn.pixel_lstm import DiagonalLSTM, RowLSTM


def lstm(gates: Tensor, cell: Tensor, colours: int) -> tuple[Tensor, Tensor]:
    """h and c ``(B, k)`` from the gates of one pixel, i, f, g and o of each colour."""
    parts = [share.tensor_split(4, dim=1) for share in gates.tensor_split(colours, dim=1)]
    i, f, g, o = (torch.cat([part[gate] for part in parts], dim=1) for gate in range(4))
    cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(cell), cell


def rows_by_hand(layer: RowLSTM, x: Tensor, bias: Tensor) -> Tensor:
    gates = by_hand(layer.input_to_state, x)[:, :, :, : x.shape[3]] + bias[:, :, None, None]
    states, (reach, width) = torch.zeros(len(x), layer.hidden_size, *x.shape[2:], dtype=torch.double), (1, x.shape[3])
    cells = torch.zeros_like(states)
    for row in range(x.shape[2]):
        for column in range(width):
            own, cell = gates[:, :, row, column], torch.zeros(len(x), layer.hidden_size, dtype=torch.double)
            if row:
                cell = cells[:, :, row - 1, column]
                for tap in range(-reach, reach + 1):
                    if 0 <= column + tap < width:
                        weight = layer.state_to_state.weight[:, :, reach + tap]
                        own = own + states[:, :, row - 1, column + tap] @ weight.T
            states[:, :, row, column], cells[:, :, row, column] = lstm(own, cell, layer.colours)
    return states


def diagonals_by_hand(layer: DiagonalLSTM, x: Tensor, bias: Tensor, step: int) -> Tensor:
    """From the left (``step`` 1) or from the right (-1)."""
    gates = by_hand(layer.input_to_state, x) + bias[:, :, None, None]
    width, size = x.shape[3], layer.hidden_size
    states = torch.zeros(len(x), size, *x.shape[2:], dtype=torch.double)
    nothing = torch.zeros(len(x), size, dtype=torch.double)
    for row in range(x.shape[2]):
        cell = nothing
        for column in range(width)[::step]:
            beside = states[:, :, row, column - step] if 0 <= column - step < width else nothing
            above = states[:, :, row - 1, column] if row else nothing
            own = gates[:, :, row, column] + torch.cat([beside, above], dim=1) @ layer.state_to_state.weight.T
            states[:, :, row, column], cell = lstm(own, cell, layer.colours)
    return states


@pytest.mark.parametrize("cell", ["diagonal", "row"])
@pytest.mark.parametrize("shape", SHAPES)
def test_pixel_rnn_is_the_table_of_the_paper(shape: tuple[int, ...], cell: str) -> None:
    model = subject(PixelRNN, shape, hidden_size=6, num_layers=2, first_kernel_size=5, num_classes=2, cell=cell)
    x, classes = images(model), torch.tensor([0, 1, 1, 0])
    hidden = by_hand(model.first, one_hot(x), "A")
    for layer in model.layers:
        bias = layer.class_bias.bias[classes]
        if cell == "row":
            states = rows_by_hand(layer.lstm, hidden, bias)
        else:
            states = diagonals_by_hand(layer.lstm.left, hidden, bias, 1)
            states[:, :, 1:] += diagonals_by_hand(layer.lstm.right, hidden, bias, -1)[:, :, :-1]
        hidden = hidden + by_hand(layer.widen, states)
    parameters = by_hand(model.output, by_hand(model.head, hidden.clamp(min=0)).clamp(min=0))
    assert torch.allclose(model.log_prob(x, classes), log_prob(model, parameters, x))
    assert torch.allclose(model.features(x, classes), hidden.clamp(min=0).mean((2, 3)))
