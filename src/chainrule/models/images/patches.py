"""Square patches of pixels, which a network reads and describes at once, exactly.

Within a patch the chain rule goes on: the network gives a table for every variable j of it, with a row for each of the
K^j values of the variables before it in the patch. So a patch has any joint distribution, given the patches before it.
"""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from chainrule.conditionals import Conditional

LARGEST = 4096
"""Numbers of the largest table of a patch, at most."""


class Patches:
    """An image cut into patches of size x size pixels; beyond its edges there are zeros, which are no variables.

    Args:
        size: Pixels of a side.
        event_shape: ``(channels, height, width)``.
        conditional: The family of p(x_t | x_<t), whose values can be listed.

    Raises:
        ValueError: If the size is below 1 or above the longer side, values can't be listed, or a table is too large.

    >>> from chainrule.conditionals import Bernoulli
    >>> patches = Patches(2, (1, 4, 3), Bernoulli())
    >>> patches.order
    [0, 1, 3, 4, 2, 5, 6, 7, 9, 10, 8, 11]
    >>> patches.num_outputs  # 1 + 2 + 4 + 8
    15
    """

    def __init__(self, size: int, event_shape: tuple[int, int, int], conditional: Conditional) -> None:
        if size < 1:
            raise ValueError(f"patch_size expects at least 1, got {size}")
        self.size, self.event_shape = size, event_shape
        channels, height, width = event_shape
        if size > max(height, width):
            raise ValueError(f"patch_size expects at most {max(height, width)}, the longer side, got {size}")
        self.grid = math.ceil(height / size), math.ceil(width / size)
        self.num_variables = channels * size**2
        if conditional.values is None:
            raise ValueError(f"patch_size expects values that can be listed, got {conditional}")
        self.levels, self.num_parameters = len(conditional.values), conditional.num_parameters
        if math.log(self.num_parameters) + (self.num_variables - 1) * math.log(self.levels) > math.log(LARGEST):
            raise ValueError(
                f"patch_size expects tables of at most {LARGEST:,} numbers, got patches of {self.num_variables} "
                f"variables with {self.levels} values each: choose a smaller patch_size, or fewer levels"
            )
        self.num_inputs = self.num_variables * conditional.num_features
        self.sizes = [self.num_parameters * self.levels**j for j in range(self.num_variables)]
        *self.starts, self.num_outputs = itertools.accumulate(self.sizes, initial=0)
        self.order: list[int] = []
        """The positions, in the flattened event, of the variables in sequence."""
        self.places: list[tuple[int, int, int]] = []
        """The row and column of each variable's patch and its place within, along the sequence."""
        positions = self.cut(torch.arange(1.0, math.prod(event_shape) + 1).view(1, *event_shape))[0]
        for row in range(self.grid[0]):
            for column in range(self.grid[1]):
                for place, position in enumerate(positions[:, row, column].long().tolist()):
                    if position:
                        self.order.append(position - 1)
                        self.places.append((row, column, place))

    def cut(self, x: Tensor) -> Tensor:
        """Images ``(B, channels, height, width)`` as patches ``(B, num_variables, *grid)``."""
        size, (rows, columns) = self.size, self.grid
        padded = F.pad(x, (0, columns * size - x.shape[3], 0, rows * size - x.shape[2]))
        return padded.unflatten(3, (-1, size)).unflatten(2, (-1, size)).permute(0, 3, 5, 1, 2, 4).flatten(1, 3)

    def tables(self, colours: Tensor) -> Tensor:
        """Tables ``(num_outputs,)`` in which all rows of a variable are its colour's in ``colours``.

        Args:
            colours: Parameters of each channel, ``(channels, num_parameters)``.
        """
        own = colours.repeat(self.size**2, 1)
        return torch.cat([row.repeat(self.levels**place) for place, row in enumerate(own)])

    def parameters(self, numbers: Tensor, x: Tensor) -> Tensor:
        """Parameters ``(B, channels, height, width, num_parameters)`` of all variables.

        Args:
            numbers: All tables of all patches, ``(B, num_outputs, *grid)``.
            x: The images, ``(B, channels, height, width)``.
        """
        code = torch.zeros_like(numbers[:, 0], dtype=torch.long)
        parts = []
        for table, values in zip(numbers.split(self.sizes, dim=1), self.cut(x).unbind(1), strict=True):
            rows = table.unflatten(1, (-1, self.num_parameters))
            chosen = code[:, None, None].expand(-1, 1, self.num_parameters, -1, -1)
            parts.append(rows.gather(1, chosen).squeeze(1))
            code = code * self.levels + values.long()
        channels, height, width = self.event_shape
        pixels = torch.stack(parts, dim=1).unflatten(1, (self.size, self.size, channels))
        whole = pixels.permute(0, 3, 5, 1, 6, 2, 4).flatten(4, 5).flatten(2, 3)
        return whole[:, :, :height, :width]

    def parameters_at(self, numbers: Tensor, values: Tensor, place: int) -> Tensor:
        """Parameters ``(B, num_parameters)`` of one variable of a patch.

        Args:
            numbers: The tables of the patch, ``(B, num_outputs)``.
            values: The values of its variables, ``(B, num_variables)``, of which those before ``place`` are read.
            place: Which variable.
        """
        code = torch.zeros(len(values), dtype=torch.long, device=values.device)
        for value in values[:, :place].long().unbind(1):
            code = code * self.levels + value
        rows = numbers.narrow(1, self.starts[place], self.sizes[place]).unflatten(1, (-1, self.num_parameters))
        return rows[torch.arange(len(rows), device=code.device), code]
