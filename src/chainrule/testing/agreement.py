"""Statistical tests of whether values were drawn from the distributions that a model gives."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.stats import chi2
from torch import Tensor
from torch.distributions import Distribution

from chainrule.model import AutoregressiveModel
from chainrule.testing.quadrature import Nodes, nodes_of
from chainrule.testing.verdicts import require

SIGNIFICANCE = 1e-6
"""Samples with a p-value below this are judged not to come from the model; the seed is fixed."""

DEVIATIONS = 6.5
"""Counts that are off by more than this many standard deviations are judged not to come from the model."""

LEAST_VARIANCE = 25.0
"""Counts that are expected to vary less than this are too far from normal to be judged."""

UNRESOLVED = 0.02
"""Conditionals whose sum over the nodes differs from one by this much are not judged."""

CHUNK = 2**21
"""Probabilities that are computed at once, to bound memory."""


def chi_square(observed: Tensor, expected: Tensor) -> float:
    """The p-value of Pearson's test; events that are expected fewer than five times count as one."""
    rare = expected < 5
    if bool(rare.any()):
        pooled = [torch.stack([counts[rare].sum()]) for counts in (observed, expected)]
        observed = torch.cat([observed[~rare], pooled[0]])
        expected = torch.cat([expected[~rare], pooled[1]])
        if float(expected[-1]) < 1 and float(observed[-1]) < 5:
            observed, expected = observed[:-1], expected[:-1]
    if len(observed) < 2:
        return 1.0
    statistic = float(((observed - expected) ** 2 / expected.clamp(min=1e-9)).sum())
    return float(chi2.sf(statistic, len(observed) - 1))


def require_agreement(numbers: Tensor, expected: Tensor, message: str) -> None:
    """Require that event ``numbers`` were drawn with probabilities ``expected``, by a chi-square test."""
    observed = torch.bincount(numbers, minlength=len(expected)).double()
    probability = chi_square(observed.cpu(), expected.cpu() * len(numbers))
    worst = int((observed - expected * len(numbers)).abs().argmax())
    require(
        probability >= SIGNIFICANCE,
        f"{message}: chi-square expected a p-value of at least {SIGNIFICANCE:g}, got {probability:.3g}; "
        f"the most off is event {worst}: expected {float(expected[worst]) * len(numbers):.1f} times, "
        f"got {int(observed[worst])}",
    )


@dataclass(frozen=True)
class Grid:
    """The nodes of all variables of a model's event, in one table.

    Attributes:
        nodes: The nodes of each variable, by its position.
        values: Their values ``(K, *event_shape)``; where a variable has fewer, its first is repeated.
        log_lengths: The log of the length that each stands for, ``(K, *event_shape)``; -inf where it is repeated.
        cells: The cell of each, ``(K, n)``.
    """

    nodes: list[Nodes]
    values: Tensor
    log_lengths: Tensor
    cells: Tensor

    @property
    def edges(self) -> Tensor:
        """The edges ``(E, *event_shape)`` of the panels of all variables; the last is repeated where one has fewer."""
        rows = [nodes.edges for nodes in self.nodes]
        most = torch.arange(max(map(len, rows)))
        columns = torch.stack([row[most.clamp(max=len(row) - 1)] for row in rows], dim=1)
        return columns.unflatten(1, self.values.shape[1:])

    @property
    def num_cells(self) -> int:
        """The cells of the variable that has most."""
        return int(self.cells.max()) + 1


def grid_of(model: AutoregressiveModel, count: int) -> Grid | None:
    """The grid of ``count`` nodes where values can't be listed; None if a support is no interval."""
    kinds = model.num_variables if not model.conditional.uniform else 1
    found = [nodes_of(model.conditional.of(i).family, count) for i in range(kinds)]
    nodes = [each for each in found if each is not None]
    if len(nodes) < kinds:
        return None
    nodes = nodes if len(nodes) == model.num_variables else nodes * model.num_variables
    most = max(len(each.values) for each in nodes)
    rows = [torch.arange(most).where(torch.arange(most) < len(each.values), 0) for each in nodes]
    values = torch.stack([each.values[row] for each, row in zip(nodes, rows, strict=True)], dim=1)
    cells = torch.stack([each.cells[row] for each, row in zip(nodes, rows, strict=True)], dim=1)
    lengths = torch.stack([each.log_lengths[row] for each, row in zip(nodes, rows, strict=True)], dim=1)
    repeated = torch.stack([torch.arange(most) >= len(each.values) for each in nodes], dim=1)
    lengths = lengths.masked_fill(repeated, -torch.inf)
    return Grid(nodes, values.unflatten(1, model.event_shape), lengths.unflatten(1, model.event_shape), cells)


def log_probs_on(grid: Grid, distribution: Distribution) -> Tensor:
    """Log-probabilities, or log-densities, at all nodes: ``(K, *batch_shape)``."""
    return distribution.log_prob(grid.values.unsqueeze(1).expand(-1, *distribution.batch_shape))


@torch.no_grad()
def require_conditional_agreement(model: AutoregressiveModel, grid: Grid, x: Tensor, first: int, message: str) -> None:
    """Require that each variable of ``x`` was drawn from its conditional, given those before it.

    An event may have any length. For every t, the number of samples in a cell minus the sum of the probabilities of
    that cell, and the sum of log p(x_t | x_<t) minus that of its expectations, are sums of terms with mean zero, given
    any past. Each is compared with its standard deviation.

    Args:
        model: The model, in double precision.
        grid: Its nodes.
        x: Samples ``(B, *event_shape)``.
        first: The first time, along the order, that is judged; what comes before was given.
        message: The law, and the samples.
    """
    num_cells, n = grid.num_cells, model.num_variables
    off, variance = torch.zeros(num_cells + 1, n).double(), torch.zeros(num_cells + 1, n).double()
    indicators = torch.nn.functional.one_hot(grid.cells, num_cells).double()  # (K, n, C)
    for chunk in x.split(max(1, CHUNK // grid.values.numel())):
        distribution = model(chunk)
        log_probs = log_probs_on(grid, distribution).flatten(2)  # (K, b, n)
        masses = (log_probs + grid.log_lengths.flatten(1).unsqueeze(1)).exp()
        total = masses.sum(0)
        # A variable is not judged where its density, given its past, is too narrow for the nodes.
        judged = ((total - 1).abs() < UNRESOLVED).double()
        masses = masses / total.clamp(min=UNRESOLVED)
        expected = torch.einsum("kbn,knc->cbn", masses, indicators)
        got = [nodes.cells_of(column) for nodes, column in zip(grid.nodes, chunk.flatten(1).unbind(1), strict=True)]
        counted = torch.nn.functional.one_hot(torch.stack(got, 1), num_cells).movedim(2, 0)
        off[:-1] += ((counted - expected) * judged).sum(1)
        variance[:-1] += (expected * (1 - expected) * judged).sum(1)
        scores = log_probs.masked_fill(masses == 0, 0.0)
        mean = (masses * scores).sum(0)
        off[-1] += ((distribution.log_prob(chunk).flatten(1) - mean) * judged).sum(0)
        variance[-1] += ((masses * (scores - mean).square()).sum(0) * judged).sum(0)
    times = model.order.permutation.cpu()[first:]
    far = (off / variance.clamp(min=LEAST_VARIANCE).sqrt()).abs()[:, times]
    far = torch.cat([far[:-1].masked_fill(variance[:-1, times] < LEAST_VARIANCE, 0.0), far[-1:]])
    kind, t = divmod(int(far.argmax()), far.shape[1])
    what = "the mean of log p(x_t | x_<t)" if kind == num_cells else f"how often it is in cell {kind}"
    require(
        float(far.max()) <= DEVIATIONS,
        f"{message}: {what} of variable {first + t} along the order expected within {DEVIATIONS:g} standard deviations "
        f"of p(x_t | x_<t), got {float(far.max()):.1f}",
    )
