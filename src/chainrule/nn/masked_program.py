"""Masked convolutions as instructions of a compiled walk."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule.nn.masked_conv import MaskedConv2d
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
    def begins_row(self) -> NDArray[np.bool_]:
        """True for the first variable of every row but the uppermost."""
        return (self.column == 0) & (self.colour == 0) & (self.row > 0)


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
        channels, begins = self.layer.in_channels, self.sites.begins_row
        # All rows at once move into the place above. So the last place of a column gets what follows it, which is to
        # the right of the next pixels, where the mask is zero, or, left of the image, must be zero.
        self.program.map(self.window, self.window + channels, begins * (self.size - channels), "same")
        last = (self.layer.reach * self.rows - 1) * channels
        self.program.map(self.window + last, self.window + last, begins * channels, "zero")

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
