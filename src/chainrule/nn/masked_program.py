"""Masked convolutions as instructions of a compiled walk."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule.nn.masked_conv import MaskedConv2d, RowsAbove
from chainrule.nn.native.program import Places, Program

Integers = NDArray[np.int64]


class Sites(NamedTuple):
    """The places of all variables of an image, along the order: each ``(n,)``."""

    row: Integers
    column: Integers
    colour: Integers
    width: int

    @classmethod
    def of(cls, height: int, width: int, colours: int) -> Sites:
        """Those of an image in raster order."""
        pixel, colour = np.divmod(np.arange(height * width * colours), colours)
        return cls(*np.divmod(pixel, width), colour, width)

    @property
    def begins(self) -> Integers:
        """1 for the first variable of a row, 0 for the others."""
        return ((self.column == 0) & (self.colour == 0)).astype(np.int64)


class MaskedInstructions:
    """The instructions of a `MaskedConv2d`: those of its `MaskedConv2d.step`, with the same window.

    Args:
        layer: The layer.
        program: The program that they are added to.
        sites: The places of all variables.
    """

    def __init__(self, layer: MaskedConv2d, program: Program, sites: Sites) -> None:
        self.layer, self.program, self.sites = layer, program, sites
        self.rows, columns = layer.kernel_size
        self.share = layer.in_channels // layer.colours
        self.seen = columns * self.rows * layer.in_channels
        self.slots = sites.width + columns - 1 if layer.reach else 1
        self.size = self.slots * self.rows * layer.in_channels
        self.window = program.units(self.size)

    @property
    def place(self) -> Integers:
        """Where the features of each variable are written, ``(n,)``."""
        column = self.sites.column + self.layer.reach if self.layer.reach else 0 * self.sites.column
        pixel = column * self.rows + self.rows - 1
        return self.window + pixel * self.layer.in_channels + self.sites.colour * self.share

    def next_row(self) -> None:
        """Move the window down where a row begins."""
        if not self.layer.reach:
            return
        channels, begins = self.layer.in_channels, self.sites.begins * (self.sites.row > 0)
        gap = (self.layer.reach * self.rows - 1) * channels
        _move_up(self.program, self.window, self.size, channels, gap, begins)

    def write(self, source: Places) -> None:
        """Note the features of the variable itself."""
        self.program.map(self.place, source, self.share, "same")

    def read(self, to: Places, *, add: bool = False) -> None:
        """The output at the variable."""
        layer, colour = self.layer, self.sites.colour
        count = layer.out_channels // layer.colours
        weight = (layer.weight * layer.mask).permute(0, 3, 2, 1).flatten(1)
        column = self.sites.column if layer.reach else 0
        source = self.window + column * self.rows * layer.in_channels
        self.program.linear(
            to, weight, source, layer.bias, rows=count, columns=self.seen,
            weight_at=colour * count * self.seen, bias_at=colour * count, add=add,
        )  # fmt: skip

    def step(self, to: Places, source: Places, *, add: bool = False) -> None:
        """The output at the variable, given its own features."""
        self.next_row()
        self.write(source)
        self.read(to, add=add)


class RowInstructions:
    """The instructions of a `RowsAbove`, which are run for a whole row where one begins.

    Args:
        layer: The layer.
        program: The program that they are added to.
        sites: The places of all variables.
    """

    def __init__(self, layer: RowsAbove, program: Program, sites: Sites) -> None:
        self.layer, self.program, self.sites = layer, program, sites
        self.height, self.reach = layer.kernel_size[0], layer.kernel_size[1] // 2
        self.size = (sites.width + 2 * self.reach) * self.height * layer.in_channels
        self.window = program.units(self.size)

    def step(self, to: int, source: int) -> None:
        """The output of all pixels of a row, of ``source``, the row itself or the one above.

        Args:
            to: Units ``(width, out_channels)``.
            source: Units ``(width, in_channels)``.
        """
        channels, width, begins = self.layer.in_channels, self.sites.width, self.sites.begins
        column = self.height * channels
        _move_up(self.program, self.window, self.size, channels, (self.reach * self.height - 1) * channels, begins)
        with self.program.repeated(width, column, channels):
            newest = self.window + self.reach * column + column - channels
            self.program.map(newest, source, begins * channels, "same")
        weight = self.layer.weight.permute(0, 3, 2, 1).flatten(1)
        with self.program.repeated(width, self.layer.out_channels, column):
            self.program.linear(to, weight, self.window, self.layer.bias, rows=begins * self.layer.out_channels)


def instruct_outputs(program: Program, sites: Sites, hidden: int, *layers: MaskedConv2d) -> int:
    """Add 1x1 ``layers`` after the units ``hidden``, with ReLUs before them, and return the units of the last."""
    for layer in layers:
        size, count = layer.in_channels // layer.colours, layer.out_channels // layer.colours
        program.map(hidden, hidden, size, "relu")
        between = program.units(count)
        MaskedInstructions(layer, program, sites).step(between, hidden)
        hidden = between
    return hidden


def _move_up(program: Program, window: int, size: int, channels: int, gap: int, begins: Integers) -> None:
    """Move the rows of a window, whose pixels lie column by column, into the places above.

    All move at once, so the lowest place of a column gets the uppermost of the next. It is written anew, or lies to the
    right of all that is seen, but for the last column left of the image, at ``gap``, which must be zero.
    """
    program.map(window, window + channels, begins * (size - channels), "same")
    program.map(window + gap, window + gap, begins * channels, "zero")
