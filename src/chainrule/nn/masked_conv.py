"""Convolutions that see the pixels above and to the left only, for a whole image or for one pixel.

Channels come in groups, one a colour: at the pixel itself, the features of a colour see those of the colours before it
(mask A of the paper), or of its own too (mask B).

References:
    Pixel recurrent neural networks (van den Oord, Kalchbrenner and Kavukcuoglu, 2016), section 3.4,
    https://arxiv.org/abs/1601.06759
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chainrule.nn.buffers import write_columns
from chainrule.nn.masked_linear import Masked
from chainrule.state import Shared


class Site(NamedTuple):
    """The place of a variable in an image."""

    row: int
    column: int
    colour: int

    @property
    def begins_row(self) -> bool:
        """True if it is the first of its row."""
        return self.column == 0 and self.colour == 0


FeaturesAt = tuple[Tensor, Site]
"""Features ``(B, k)`` and their site."""

Window = tuple[Tensor, Shared[list[tuple[Tensor, Tensor]]]]
"""The state of a layer: the inputs that the next pixels see, and the weights and biases of each colour."""


class MaskedConv2d(Masked, nn.Conv2d):
    """y = (W * mask) * x + b. The kernel leaves out the rows below; the pixels to the right are masked.

    Args:
        in_channels: Features of each pixel, those of the first colour first.
        out_channels: Features that come out.
        kernel_size: The width k of the kernel, an odd number; it is (k + 1) / 2 rows high.
        colours: Groups of features.
        own: True if a group sees itself at its own pixel (mask B), and not only earlier ones (mask A).
        above: True if it sees the rows above; else it is one row high and ends at the pixel.

    Raises:
        ValueError: If the kernel is even, or the features can't be divided among the colours.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        colours: int = 1,
        own: bool = True,
        above: bool = True,
    ) -> None:
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size expects an odd number, got {kernel_size}")
        for name, size in {"in_channels": in_channels, "out_channels": out_channels}.items():
            if size < 1 or size % colours:
                raise ValueError(f"{name} expects a multiple of {colours}, a share for every colour, got {size}")
        reach = kernel_size // 2
        super().__init__(in_channels, out_channels, (reach + 1, kernel_size) if above else (1, reach + 1))
        self.colours, self.reach = colours, reach
        mask = torch.ones_like(self.weight)
        mask[:, :, -1, reach:] = 0
        mask[:, :, -1, reach] = colour_mask(out_channels, in_channels, colours, own)
        self.hold_at_zero(mask)

    def forward(self, x: Tensor, stride: int = 1) -> Tensor:
        """The output ``(B, out_channels, height, width)``, or every ``stride``-th pixel of it in both directions."""
        rows, columns = self.kernel_size
        padded = F.pad(x, (self.reach, columns - 1 - self.reach, rows - 1, 0)) if self.reach else x
        return F.conv2d(padded, self.weight * self.mask, self.bias, stride)

    def start(self, batch_size: int, width: int) -> Window:
        """The state before the first pixel of images that are ``width`` wide."""
        rows, columns = self.kernel_size
        sites = width + columns - 1 if self.reach else int(self.colours > 1)  # a 1x1 layer sees the pixel itself
        buffer = self.weight.new_zeros(batch_size, sites * rows * self.in_channels)
        assert self.bias is not None
        # Column by column, so that what a pixel sees is one run of the buffer.
        weight = (self.weight * self.mask).permute(0, 3, 2, 1).flatten(1)
        return buffer, Shared(list(zip(weight.chunk(self.colours), self.bias.chunk(self.colours), strict=True)))

    def _next_row(self, state: Window) -> Window:
        """The state when a row is complete."""
        buffer, weights = state
        rows = self.kernel_size[0]
        seen = buffer.unflatten(1, (-1, rows, self.in_channels))
        return F.pad(seen[:, :, 1:], (0, 0, 0, 1)).flatten(1), weights

    def _write(self, state: Window, values: Tensor, site: Site) -> Window:
        """The state with the features ``values`` ``(B, in_channels / colours)`` at ``site``."""
        buffer, weights = state
        rows, share = self.kernel_size[0], self.in_channels // self.colours
        column = (self._column(site) + self.reach) * rows + rows - 1
        return write_columns(buffer, values, column * self.in_channels + site.colour * share), weights

    def _read(self, state: Window, site: Site) -> Tensor:
        """The output at ``site``, ``(B, out_channels / colours)``."""
        buffer, weights = state
        weight, bias = weights.value[site.colour]
        start = self._column(site) * self.kernel_size[0] * self.in_channels
        return F.linear(buffer.narrow(1, start, weight.shape[1]), weight, bias)

    def _column(self, site: Site) -> int:
        """The first column of the buffer that is seen at ``site``."""
        return site.column if self.reach else 0

    def take(self, state: Window, written: FeaturesAt | None, site: Site) -> Window:
        """The state at ``site``, when ``written`` is known: see `step`."""
        new_row = bool(self.reach) and site.begins_row and site.row > 0
        if new_row and written is not None and written[1] == site:
            state, new_row = self._next_row(state), False
        if written is not None:
            state = self._write(state, *written)
        return self._next_row(state) if new_row else state

    def step(self, state: Window, written: FeaturesAt | None, site: Site) -> tuple[Tensor, Window]:
        """The output ``(B, out_channels / colours)`` at ``site``, and the next state.

        Args:
            state: What `start` or the step before returned.
            written: The input at ``site``, or, with mask A, at the variable before it, None at the first.
            site: The place of the variable.
        """
        if self.reach == 0 and self.colours == 1 and written is not None:
            weight, bias = state[1].value[0]
            return F.linear(written[0], weight, bias), state
        state = self.take(state, written, site)
        return self._read(state, site), state


class RowsAbove(nn.Conv2d):
    """A convolution, k wide and without a mask, over the rows above and, with ``own_row``, over the row itself.

    Args:
        in_channels: Features of each pixel.
        out_channels: Features that come out.
        kernel_size: The width k of the kernel, an odd number; it reaches (k - 1) / 2 rows up, but one at least.
        own_row: True if it sees its own row, which is safe if the input at a row has only seen the rows above.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, own_row: bool) -> None:
        self.above = max(kernel_size // 2, 1)
        super().__init__(in_channels, out_channels, (self.above + own_row, kernel_size))
        self.own_row = own_row

    def forward(self, x: Tensor, stride: int = 1) -> Tensor:
        """The output ``(B, out_channels, height, width)``, or every ``stride``-th pixel of it in both directions."""
        reach = self.kernel_size[1] // 2
        padded = F.pad(x, (reach, reach, self.above, 0 if self.own_row else -1))
        return F.conv2d(padded, self.weight, self.bias, stride)

    def start(self, batch_size: int, width: int) -> Tensor:
        """The rows that the first one sees, its own included: zeros."""
        return self.weight.new_zeros(batch_size, self.in_channels, self.kernel_size[0], width)

    def take(self, rows: Tensor, row: Tensor) -> Tensor:
        """The rows that are seen when ``row`` is known: see `step`."""
        return torch.cat([rows[:, :, 1:], row], dim=2)

    def step(self, rows: Tensor, row: Tensor, stride: int = 1) -> tuple[Tensor, Tensor]:
        """The output ``(B, out_channels, 1, width)`` of a row, or every ``stride``-th pixel of it, and what it sees.

        Args:
            rows: What `start`, `take` or the step before returned.
            row: The input ``(B, in_channels, 1, width)`` of the row itself, or, unless ``own_row``, of the one above.
            stride: See `forward`.
        """
        rows = self.take(rows, row)
        reach = self.kernel_size[1] // 2
        return F.conv2d(F.pad(rows, (reach, reach)), self.weight, self.bias, (1, stride)), rows


def colour_mask(out_channels: int, in_channels: int, colours: int, own: bool) -> Tensor:
    """The mask at a pixel itself, ``(out_channels, in_channels)``: ones where an output sees an input.

    >>> colour_mask(3, 3, 3, own=False)
    tensor([[0., 0., 0.],
            [1., 0., 0.],
            [1., 1., 0.]])
    """
    after = torch.arange(colours).repeat_interleave(out_channels // colours)
    before = torch.arange(colours).repeat_interleave(in_channels // colours)
    seen = after[:, None] >= before if own else after[:, None] > before
    return seen.to(torch.get_default_dtype())
