"""LSTMs over the pixels of an image, for all of it at once, row by row or diagonal by diagonal, or for one pixel.

Features come in groups, one a colour, as those of `chainrule.nn.masked_conv`; each group of gates is (i, f, g, o).

References:
    Pixel recurrent neural networks (van den Oord, Kalchbrenner and Kavukcuoglu, 2016), sections 3.1 to 3.3,
    https://arxiv.org/abs/1601.06759
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chainrule.nn.buffers import write_columns
from chainrule.nn.class_bias import plus
from chainrule.nn.masked_conv import MaskedConv2d, Site
from chainrule.state import Shared, State


class PixelLSTM(nn.Module, ABC):
    """An LSTM whose state at a pixel depends on that of pixels before it, and on its input at the pixel.

    Args:
        in_channels: Features of each pixel.
        hidden_size: Units, a multiple of ``colours``.
        colours: Groups of features.
    """

    def __init__(self, in_channels: int, hidden_size: int, colours: int) -> None:
        super().__init__()
        self.in_channels, self.hidden_size, self.colours = in_channels, hidden_size, colours

    @abstractmethod
    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """The states ``(B, hidden_size, height, width)`` of inputs ``(B, in_channels, height, width)``.

        Args:
            x: The inputs.
            bias: What is added to the gates, ``(B, 4 * hidden_size)``.
        """

    @abstractmethod
    def start(self, batch_size: int, width: int, bias: Tensor | None) -> State:
        """The state before the first pixel of images that are ``width`` wide."""

    @abstractmethod
    def step(self, state: State, x: Tensor, site: Site) -> tuple[Tensor, State]:
        """The units ``(B, hidden_size / colours)`` of a colour at ``site``, given input ``x``, and the next state."""


class RowLSTM(PixelLSTM):
    """Row after row: the state of a pixel depends on those of the k pixels around it in the row above.

    Args:
        in_channels: Features of each pixel.
        hidden_size: Units, a multiple of ``colours``.
        colours: Groups of features.
        kernel_size: k, an odd number; the inputs of the row up to the pixel are read by half of such a kernel.
    """

    def __init__(self, in_channels: int, hidden_size: int, colours: int, kernel_size: int = 3) -> None:
        super().__init__(in_channels, hidden_size, colours)
        self.input_to_state = MaskedConv2d(in_channels, 4 * hidden_size, kernel_size, colours=colours, above=False)
        self.state_to_state = nn.Conv1d(hidden_size, 4 * hidden_size, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        gates = plus(self.input_to_state(x), bias)
        hidden = cell = gates.new_zeros(len(x), self.hidden_size, x.shape[3])
        rows = []
        for row in gates.unbind(2):
            hidden, cell = update(row + self.state_to_state(hidden), cell, self.colours)
            rows.append(hidden)
        return torch.stack(rows, dim=2)

    def start(self, batch_size: int, width: int, bias: Tensor | None) -> State:
        row = self.input_to_state.weight.new_zeros(batch_size, width * self.hidden_size)
        shares = None if bias is None else bias.unflatten(1, (self.colours, -1))
        return self.input_to_state.start(batch_size, width), row, row.clone(), row.clone(), None, shares

    def step(self, state: State, x: Tensor, site: Site) -> tuple[Tensor, State]:
        window, hidden, cell, cell_above, above, bias = state
        if site.begins_row:
            seen = self.state_to_state(hidden.unflatten(1, (-1, self.hidden_size)).transpose(1, 2))
            above = seen.unflatten(1, (self.colours, -1)).permute(0, 3, 1, 2).contiguous()
            cell, cell_above = cell_above, cell  # swap the buffers: the last row is now above
        gates, window = self.input_to_state.step(window, (x, site), site)
        gates = gates + above[:, site.column, site.colour]
        gates = gates if bias is None else gates + bias[:, site.colour]
        share = self.hidden_size // self.colours
        place = (site.column * self.colours + site.colour) * share
        units, units_cell = update(gates, cell_above.narrow(1, place, share), 1)
        hidden, cell = write_columns(hidden, units, place), write_columns(cell, units_cell, place)
        return units, (window, hidden, cell, cell_above, above, bias)


class DiagonalLSTM(nn.Module):
    """Diagonal after diagonal: the state of a pixel depends on those of the pixels to its left and above it.

    Args:
        in_channels: Features of each pixel.
        hidden_size: Units, a multiple of ``colours``.
        colours: Groups of features.
    """

    def __init__(self, in_channels: int, hidden_size: int, colours: int) -> None:
        super().__init__()
        self.hidden_size, self.colours = hidden_size, colours
        self.input_to_state = MaskedConv2d(in_channels, 4 * hidden_size, 1, colours=colours)
        self.state_to_state = nn.Linear(2 * hidden_size, 4 * hidden_size, bias=False)

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """The states ``(B, hidden_size, height, width)``."""
        height, width = x.shape[2:]
        gates = skewed((self.input_to_state(x)).permute(0, 2, 3, 1))
        # The states of the last pixels of every row, after a row of zeros.
        hidden, cell = (gates.new_zeros(len(x), height + 1, self.hidden_size) for _ in range(2))
        diagonals = []
        for diagonal in range(height + width - 1):
            first, last = max(0, diagonal - width + 1), min(height, diagonal + 1)
            before = torch.cat([hidden[:, first + 1 : last + 1], hidden[:, first:last]], dim=2)
            own = gates[:, first:last, diagonal]
            own = own if bias is None else own + bias[:, None]
            own = own + self.state_to_state(before)
            units, units_cell = update(own.flatten(0, 1), cell[:, first + 1 : last + 1].flatten(0, 1), self.colours)
            units, units_cell = (part.unflatten(0, (len(x), last - first)) for part in (units, units_cell))
            hidden = torch.cat([hidden[:, : first + 1], units, hidden[:, last + 1 :]], dim=1)
            cell = torch.cat([cell[:, : first + 1], units_cell, cell[:, last + 1 :]], dim=1)
            diagonals.append(F.pad(units, (0, 0, first, height - last)))
        return unskewed(torch.stack(diagonals, dim=2), width).permute(0, 3, 1, 2)


class DiagonalBiLSTM(PixelLSTM):
    """Two diagonal LSTMs, from the left and from the right; the latter's states are moved down a row, to be causal.

    Together they have read the inputs of all pixels before.
    """

    def __init__(self, in_channels: int, hidden_size: int, colours: int) -> None:
        super().__init__(in_channels, hidden_size, colours)
        self.left = DiagonalLSTM(in_channels, hidden_size, colours)
        self.right = DiagonalLSTM(in_channels, hidden_size, 1)  # it reads whole rows above: all of their colours

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        from_right = self.right(x.flip(3), bias).flip(3)
        states: Tensor = self.left(x, bias) + F.pad(from_right, (0, 0, 1, -1))
        return states

    def start(self, batch_size: int, width: int, bias: Tensor | None) -> State:
        weight = self.left.state_to_state.weight
        inputs = weight.new_zeros(batch_size, width * self.in_channels)
        row = weight.new_zeros(batch_size, width * self.hidden_size)
        left = (
            self.left.input_to_state.start(batch_size, width),
            row,  # the states above
            weight.new_zeros(batch_size, (width + 1) * self.hidden_size),  # those of the row, after zeros
            weight.new_zeros(batch_size, self.hidden_size),  # the cell
            Shared(weight.chunk(self.colours)),
        )
        right = row.clone()  # the states of the row above, from the right
        shares = None if bias is None else bias.unflatten(1, (self.colours, -1))
        return inputs, left, right, (bias, shares)

    def step(self, state: State, x: Tensor, site: Site) -> tuple[Tensor, State]:
        inputs, left, right, (bias, shares) = state
        window, above, row, cell, weights = left
        size, share = self.hidden_size, self.hidden_size // self.colours
        if site.begins_row and site.row:
            right = self._from_right(inputs, right, bias)
            above, row, cell = row.narrow(1, size, above.shape[1]), torch.zeros_like(row), torch.zeros_like(cell)
        inputs = write_columns(inputs, x, (site.column * self.colours + site.colour) * x.shape[1])
        gates, window = self.left.input_to_state.step(window, (x, site), site)
        before = torch.cat([row.narrow(1, site.column * size, size), above.narrow(1, site.column * size, size)], dim=1)
        gates = gates + F.linear(before, weights.value[site.colour])
        gates = gates if shares is None else gates + shares[:, site.colour]
        place = site.colour * share
        units, units_cell = update(gates, cell.narrow(1, place, share), 1)
        row = write_columns(row, units, (site.column + 1) * size + place)
        cell = write_columns(cell, units_cell, place)
        output = units + right.narrow(1, site.column * size + place, share) if site.row else units
        return output, (inputs, (window, above, row, cell, weights), right, (bias, shares))

    def _from_right(self, inputs: Tensor, above: Tensor, bias: Tensor | None) -> Tensor:
        """The states ``(B, width * hidden_size)`` of a row of inputs, read from the right, given those above it."""
        layer, size = self.right, self.hidden_size
        gates = layer.input_to_state(inputs.unflatten(1, (1, -1, self.in_channels)).permute(0, 3, 1, 2)).squeeze(2)
        gates = gates if bias is None else gates + bias[:, :, None]
        hidden = cell = inputs.new_zeros(len(inputs), size)
        columns = []
        for column in reversed(range(gates.shape[2])):
            before = torch.cat([hidden, above.narrow(1, column * size, size)], dim=1)
            hidden, cell = update(gates[:, :, column] + layer.state_to_state(before), cell, 1)
            columns.append(hidden)
        return torch.cat(columns[::-1], dim=1)


def update(gates: Tensor, cell: Tensor, colours: int) -> tuple[Tensor, Tensor]:
    """The units and the cell that follow from ``gates`` ``(B, 4 * size, ...)`` and a ``cell`` ``(B, size, ...)``."""
    if colours == 1:
        i, f, g, o = gates.chunk(4, dim=1)
    else:
        i, f, g, o = (part.flatten(1, 2) for part in gates.unflatten(1, (colours, 4, -1)).unbind(2))
    cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    return o.sigmoid() * cell.tanh(), cell


def skewed(x: Tensor) -> Tensor:
    """``x`` ``(B, height, width, k)`` with row i moved right by i: its diagonals are columns.

    >>> skewed(torch.tensor([[1, 2], [3, 4]])[None, :, :, None]).squeeze()
    tensor([[1, 2, 0],
            [0, 3, 4]])
    """
    height, width = x.shape[1:3]
    padded = F.pad(x, (0, 0, 0, height)).flatten(1, 2)
    return padded[:, : height * (width + height - 1)].unflatten(1, (height, -1))


def unskewed(x: Tensor, width: int) -> Tensor:
    """The inverse of `skewed`.

    >>> unskewed(torch.tensor([[1, 2, 0], [0, 3, 4]])[None, :, :, None], 2).squeeze()
    tensor([[1, 2],
            [3, 4]])
    """
    height = x.shape[1]
    return F.pad(x.flatten(1, 2), (0, 0, 0, height)).unflatten(1, (height, -1))[:, :, :width]
