"""Sums and integrals over the support of a conditional, one variable at a time.

A listed value stands for itself. A continuous support is mapped onto the whole line by x = 2 sinh u (all numbers),
x = a + e^u (from a on) or x = a + (b - a) / (1 + e^-u) (between a and b), and integrated by the trapezoidal rule on
evenly spaced u, which for smooth functions is exact to rounding once its steps are small. Where that does not give
one, `chainrule.testing.integration` takes more care.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from chainrule.conditionals import Conditional, Curved, Standardised, WithAtoms, WithMissing
from chainrule.conditionals.support import bound_of, is_in, values_of

REACH = 12.0
"""Towards infinity, u goes as far as this: x to 1.6e5."""

NEAR = 24.0
"""Towards a finite end, u goes as far as this: x comes as close to it as 4e-11, for an interval times its length."""

MAX_CELLS = 16
"""A support is cut into at most this many cells, in which samples are counted."""

STRIDE = 4
"""A panel of `chainrule.testing.integration` reaches over this many nodes."""


@dataclass(frozen=True)
class Nodes:
    """Values at which the distribution of a variable is added up, in increasing order, followed by its atoms.

    Attributes:
        values: The values ``(K,)``, float64.
        log_lengths: The log of the length that each stands for, ``(K,)``; 0 for listed values.
        cells: The cell that each is in, ``(K,)``.
        num_atoms: How many of the last values are atoms.
        open_ends: True at an end, the first or the last, beyond which there are more values.
        continuous: True if values stand for lengths.
    """

    values: Tensor
    log_lengths: Tensor
    cells: Tensor
    num_atoms: int
    open_ends: tuple[bool, bool]
    continuous: bool

    @property
    def edges(self) -> Tensor:
        """The edges ``(E,)`` of the panels into which a continuous support is cut; of listed values, the first."""
        values = self.values[: len(self.values) - self.num_atoms]
        return torch.cat([values[::STRIDE], values[-1:]]) if self.continuous else values[:1]

    def singles(self, masses: Tensor) -> Tensor:
        """The sum of those of ``masses`` ``(K, ...)`` that are no density's: of listed values and atoms."""
        return masses[len(self.values) - self.num_atoms if self.continuous else 0 : len(self.values)].sum(0)

    def mass_at_ends(self, masses: Tensor) -> float:
        """The greatest of ``masses`` ``(K, ...)`` at an open end: beyond it there may be as much."""
        ends = [0, len(self.values) - self.num_atoms - 1]
        return max((float(masses[end].max()) for end, is_open in zip(ends, self.open_ends, strict=True) if is_open),
                   default=0.0)  # fmt: skip

    def cells_of(self, x: Tensor) -> Tensor:
        """The cells of values ``x`` ``(N,)``; those of continuous variables meet midway between two nodes."""
        count = len(self.values) - self.num_atoms
        found = self.cells[:count][self._nearest(x)]
        for value, cell in zip(self.values[count:], self.cells[count:], strict=True):
            found = torch.where(is_in(x.double(), value[None]), cell, found)
        return found

    def lengths_at(self, x: Tensor) -> Tensor:
        """The length of the node that values ``x`` ``(N,)`` are next to; infinite beyond the ends, 0 at atoms."""
        count = len(self.values) - self.num_atoms
        lengths = self.log_lengths[:count].exp()[self._nearest(x)] if self.continuous else torch.zeros_like(x.double())
        outside = (x < self.values[0]) | (x > self.values[count - 1])
        lengths = torch.where(outside, torch.inf, lengths)
        return lengths.masked_fill(is_in(x.double(), self.values[count:]), 0.0) if self.num_atoms else lengths

    def _nearest(self, x: Tensor) -> Tensor:
        ends = self.values[: len(self.values) - self.num_atoms]
        return torch.bucketize(x.double().nan_to_num(), (ends[1:] + ends[:-1]) / 2)


def nodes_of(conditional: Conditional, count: int) -> Nodes | None:
    """The nodes of a variable, ``count`` of them if its values can't be listed; None if the support is no interval."""
    if isinstance(conditional, Standardised):
        return _in_units(nodes_of(conditional.conditional, count), conditional)
    if isinstance(conditional, WithMissing | WithAtoms):
        return _with_atoms(nodes_of(conditional.conditional, count), conditional)
    if isinstance(conditional, Curved) and not conditional.cells:
        return _on_curve(_nodes(constraints.real, count), conditional)
    listed = conditional.values
    found = _listed(listed) if listed is not None else _nodes(conditional.support, count)
    return _with_atoms(found, conditional)


def _with_atoms(found: Nodes | None, conditional: Conditional) -> Nodes | None:
    """Nodes of a family without its atoms, and all of its atoms."""
    if found is None or conditional.atoms is None:
        return found
    found = dataclasses.replace(found, **{
        name: getattr(found, name)[: len(found.values) - found.num_atoms] for name in ("values", "log_lengths", "cells")
    }, num_atoms=0)  # fmt: skip
    atoms = conditional.atoms.double()
    values, log_lengths, cells = found.values, found.log_lengths, found.cells
    if found.continuous:  # of a density, single values weigh nothing
        log_lengths = log_lengths.masked_fill(is_in(values, atoms), -torch.inf)
    else:
        kept = ~is_in(values, atoms)
        values, log_lengths, cells = values[kept], log_lengths[kept], cells[kept]
    return Nodes(
        values=torch.cat([values, atoms]),
        log_lengths=torch.cat([log_lengths, torch.zeros_like(atoms)]),
        cells=torch.cat([cells, cells.max() + 1 + torch.arange(len(atoms))]),
        num_atoms=len(atoms),
        open_ends=found.open_ends,
        continuous=found.continuous,
    )


def _on_curve(nodes: Nodes | None, conditional: Curved) -> Nodes | None:
    """Nodes of z as those of x: dense where a curve nears its bound."""
    if nodes is None:
        return None
    x = conditional.units.x(nodes.values)
    return dataclasses.replace(
        nodes, values=x, log_lengths=nodes.log_lengths + conditional.units.log_scale(nodes.values, x)
    )


def _in_units(nodes: Nodes | None, conditional: Standardised) -> Nodes | None:
    """Nodes of z = (x - shift) / scale as those of x: dense where the density of x is not small."""
    if nodes is None:
        return None
    longer = math.log(conditional.scale)
    atoms = torch.arange(len(nodes.values)) >= len(nodes.values) - nodes.num_atoms
    return dataclasses.replace(
        nodes,
        values=nodes.values * conditional.scale + conditional.shift,
        log_lengths=nodes.log_lengths + torch.where(atoms, 0.0, longer),
    )


def _listed(values: Tensor, *, has_end: bool = True) -> Nodes:
    values = values.double()
    number = torch.arange(len(values))
    # Of open ends the first values get cells of their own: most of the probability is there.
    cells = number.clamp(max=MAX_CELLS - 1) if not has_end else number * min(len(values), MAX_CELLS) // len(values)
    return Nodes(values, torch.zeros_like(values), cells, 0, (False, not has_end), False)


def _nodes(support: Constraint, count: int) -> Nodes | None:
    if (listed := values_of(support)) is not None:
        return _listed(listed)
    lower, upper = bound_of(support, "lower_bound"), bound_of(support, "upper_bound")
    if support.is_discrete:
        return _integers(lower, upper, count)
    if lower is None and upper is None and support is not constraints.real:
        return None
    first, last = -REACH if lower is None else -NEAR, REACH if upper is None else NEAR
    u = torch.linspace(first, last, count, dtype=torch.float64)
    if lower is not None and upper is not None:
        values = torch.where(u < 0, lower + (upper - lower) * u.sigmoid(), upper - (upper - lower) * (-u).sigmoid())
        slopes, cuts = (upper - lower) * u.sigmoid() * (-u).sigmoid(), torch.linspace(-3, 3, 7)
    elif lower is not None:
        values, slopes, cuts = lower + u.exp(), u.exp(), torch.linspace(-3, 3, 9)
    elif upper is not None:
        values, slopes, cuts = upper - (-u).exp(), (-u).exp(), torch.linspace(-3, 3, 9)
    else:
        values, slopes, cuts = 2 * u.sinh(), 2 * u.cosh(), torch.linspace(-1.5, 1.5, 9)
    return Nodes(values, (slopes * (u[1] - u[0])).log(), torch.bucketize(u, cuts.double()), 0, (True, True), True)


def _integers(lower: float | None, upper: float | None, count: int) -> Nodes:
    """Integers from or up to a bound, or around zero."""
    if lower is not None:
        return _listed(lower + torch.arange(count, dtype=torch.float64), has_end=False)
    if upper is not None:
        found = _listed(torch.arange(count, dtype=torch.float64), has_end=False)
        return Nodes((upper - found.values).flip(0), found.log_lengths, found.cells.flip(0), 0, (True, False), False)
    values = torch.arange(count, dtype=torch.float64) - count // 2
    return Nodes(values, torch.zeros_like(values), (values.clamp(-7, 7) + 7).long(), 0, (True, True), False)
