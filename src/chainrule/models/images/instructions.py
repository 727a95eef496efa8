"""Images as instructions of a compiled walk: pixels one after the other, or the variables of patches."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

import numpy as np
import torch

from chainrule.conditionals import Conditional
from chainrule.models.images.patches import Patches
from chainrule.nn.masked_program import Integers, Sites
from chainrule.nn.native.program import Program


class ImageInstructions:
    """The two ends of a program of images: the features that its network reads, and the choice of a variable.

    Args:
        conditional: The family of p(x_t | x_<t), which has codes.
        sites: The places of all pixels, or patches.
        patches: The patches, if the network reads such.
    """

    def __init__(self, conditional: Conditional, sites: Sites, patches: Patches | None) -> None:
        assert conditional.codes is not None
        self.conditional, self.codes, self.sites, self.patches = conditional, conditional.codes, sites, patches
        self.program = Program()
        if patches is not None:
            rows, columns, self._place = np.array(patches.places, dtype=np.int64).T
            self._site = rows * sites.width + columns
            # The values of a patch so far, as the digits of a number, name the row of the table of the next. It is
            # continued by the value before, which lies beside it, and by a 0 for each variable beyond the edge.
            self._code = self.program.units(1)
            steps = np.where(self._place == 0, 0, self._place - np.roll(self._place, 1))
            powers = float(patches.levels) ** torch.arange(patches.num_variables)
            weight = torch.cat([torch.zeros(1, 2), torch.stack([powers[:-1], powers[1:]], dim=1)])
            self.program.linear(self._code, weight, self.program.value, rows=1, weight_at=2 * steps)

    def network(self) -> AbstractContextManager[None]:
        """Instructions of the network, whose places are those of `sites`: they are run where it reads a new one."""
        return contextlib.nullcontext() if self.patches is None else self.program.only_at(self._place == 0)

    def read(self, to: Integers) -> None:
        """The features of the value before, in the units ``to`` ``(n,)`` of its pixel or patch."""
        count = self.conditional.num_features
        if self.patches is None:
            self.program.encode(np.roll(to, 1), self.codes, count)
            return
        site, place = np.roll(self._site, 1), np.roll(self._place, 1)
        # A patch at the edge has fewer variables: nothing else may be left there.
        self.program.map(to[site], to[site], (place == 0) * self.patches.num_inputs, "zero")
        self.program.encode(to[site] + place * count, self.codes, count)

    def choose(self, numbers: int) -> None:
        """The choice of the variable, by the ``numbers`` that the network gives for its pixel or patch."""
        count = self.conditional.num_parameters
        if self.patches is None:
            self.program.choose(numbers, count, self.codes)
            return
        parameters = self.program.units(count)
        table = numbers + np.array(self.patches.starts, dtype=np.int64)[self._place]
        self.program.pick(parameters, table, self._code, count)
        self.program.choose(parameters, count, self.codes)
