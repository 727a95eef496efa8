"""Nodes and weights over all examples of a model some of whose variables are real, and cells to count samples in."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from chainrule.conditionals import Conditional, Standardised, WithMissing
from chainrule.model import AutoregressiveModel

NODES, REACH = 600, 150.0
"""Real variables are integrated over [-REACH, REACH], on nodes that stand denser towards zero."""

MAX_NODES = 2**22
"""Events of more nodes than this are not integrated."""

CUTS = (-1.0, 0.0, 1.0)
"""Where the cells of a real variable meet, about."""


def nodes_of(conditional: Conditional) -> tuple[Tensor, Tensor, Tensor]:
    """Values of a variable, the log of what each stands for, and which cell it is in, ``(K,)`` each.

    A listed value stands for itself; a real one for the length around it: x = 2 sinh u on even u (the trapezoidal rule,
    which for smooth functions on the whole line is exact to rounding once its steps are small).
    """
    if conditional.values is not None:
        values = conditional.values.double()
        return values, torch.zeros_like(values), torch.arange(len(values))
    conditional = conditional.family
    if isinstance(conditional, Standardised):
        values, lengths, cells = nodes_of(conditional.conditional)
        length = 0.0 if conditional.conditional.values is not None else math.log(conditional.scale)
        lengths = torch.where(values.isnan(), 0.0, lengths + length)
        return values * conditional.scale + conditional.shift, lengths, cells
    if isinstance(conditional, WithMissing):
        values, lengths, cells = nodes_of(conditional.conditional)
        missing = values.new_tensor([math.nan])
        more = torch.tensor([int(cells.max()) + 1])
        return torch.cat([values, missing]), torch.cat([lengths, torch.zeros(1).double()]), torch.cat([cells, more])
    u = torch.linspace(-math.asinh(REACH / 2), math.asinh(REACH / 2), NODES, dtype=torch.float64)
    values = 2 * u.sinh()
    lengths = (2 * u.cosh() * (u[1] - u[0])).log()
    return values, lengths, torch.bucketize(values, torch.tensor(CUTS).double())


def cell_of(conditional: Conditional, x: Tensor) -> Tensor:
    """The cells of values ``(N,)`` of a variable; cells meet midway between two nodes."""
    values, _, cells = nodes_of(conditional)
    missing = values.isnan()
    ends = values[~missing]
    middles = (ends[1:] + ends[:-1]) / 2
    found = cells[~missing][torch.bucketize(x.double().nan_to_num(), middles)]
    return torch.where(x.isnan(), int(cells.max()), found)


def not_integrable(model: AutoregressiveModel) -> str | None:
    """Why p(x) can't be integrated over all x, or None where it can."""
    count = math.prod(len(nodes_of(model.conditional.of(i))[0]) for i in range(model.num_variables))
    if count > MAX_NODES:
        return f"does not apply: {count:.1e} nodes are too many to integrate over (more than {MAX_NODES})"
    return None


def all_nodes(model: AutoregressiveModel) -> tuple[Tensor, Tensor, Tensor]:
    """Examples ``(N, *event_shape)``, the log of what each stands for ``(N,)``, and the number of its cell ``(N,)``."""
    parts = [nodes_of(model.conditional.of(i)) for i in range(model.num_variables)]
    grids = torch.meshgrid(*[torch.arange(len(values)) for values, _, _ in parts], indexing="ij")
    indices = [grid.flatten() for grid in grids]
    x = torch.stack([values[index] for (values, _, _), index in zip(parts, indices, strict=True)], dim=1)
    lengths = sum(lengths[index] for (_, lengths, _), index in zip(parts, indices, strict=True))
    cells = torch.stack([cells[index] for (_, _, cells), index in zip(parts, indices, strict=True)], dim=1)
    return x.unflatten(1, model.event_shape), torch.as_tensor(lengths), _number(model, cells)


def cells_of(model: AutoregressiveModel, x: Tensor) -> Tensor:
    """The number of the cell of each example of ``x``."""
    columns = [cell_of(model.conditional.of(i), column) for i, column in enumerate(x.flatten(1).unbind(1))]
    return _number(model, torch.stack(columns, dim=1))


def _number(model: AutoregressiveModel, cells: Tensor) -> Tensor:
    number = torch.zeros(len(cells), dtype=torch.long)
    for i, column in enumerate(cells.unbind(1)):
        number = number * (int(nodes_of(model.conditional.of(i))[2].max()) + 1) + column
    return number
