"""Tables of conditional probabilities: a row for each joint value of a variable's parents, learnt by counting."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution

from chainrule.codes import Codes
from chainrule.nn.native.program import Program

# Shape legend: B examples, n variables, K values, C classes (1 without), R rows of all variables together,
# p parameters of the conditional, m the most parents of a variable, v = n (K - 1) indicators.

Batches = Iterable[tuple[Tensor, Tensor | None]]
"""Flattened examples ``(B, n)`` and classes ``(B,)``, checked."""

MAX_CELLS = 2**24
"""A table of more probabilities than this (128 MiB of counts) is refused."""

MAX_PAIR_CELLS = 2**27
"""Counts of pairs of more cells than this (1 GiB) are refused."""

CHUNK = 2**23
"""Indicators that are multiplied at once."""


class Family(Protocol):
    """The part of a `chainrule.conditionals.Conditional` that tables use; layers do not import conditionals."""

    num_parameters: int

    @property
    def values(self) -> Tensor | None:
        """All values, or None where they can't be listed."""

    def distribution(self, parameters: Tensor) -> Distribution:
        """The distribution with these parameters."""

    def parameters_of(self, log_probs: Tensor) -> Tensor:
        """The parameters that give these log-probabilities."""


def listed_values(conditional: Family, owner: str) -> Tensor:
    """The values that ``conditional`` lists, or ``ValueError`` in the name of ``owner``."""
    if conditional.values is None:
        raise ValueError(
            f"{owner} expects a conditional whose values can be listed, the same for all variables, got {conditional}; "
            "MADE takes any"
        )
    conditional.parameters_of(torch.zeros(len(conditional.values)))  # refuses a family that can't be counted
    return conditional.values


def check_cells(num_parents: Iterable[int], num_values: int, num_classes: int | None, owner: str) -> None:
    """Refuse tables of more than `MAX_CELLS` probabilities, before anything is allocated.

    Raises:
        ValueError: If variables with ``num_parents`` parents each need more, saying how many.
    """
    num_parents = list(num_parents)
    digits = (max(num_parents) + 1) * math.log10(num_values)
    cells = 0 if digits > 30 else (num_classes or 1) * sum(num_values ** (count + 1) for count in num_parents)
    if digits > 30 or cells > MAX_CELLS:
        got = f"more than 10^{int(digits)}" if digits > 30 else f"{cells:,}"
        raise ValueError(
            f"{owner} expects at most {MAX_CELLS:,} cells, got {got}: a cell for each value of a variable, "
            "joint value of its parents and class; take fewer variables, parents or values"
        )


class ConditionalTables(nn.Module):
    """p(x_i | parents of x_i) for every variable: row r_i of a table, with one row per joint value of the parents.

    r_i = offset_i + sum_j k(x_{parent j of i}) K^j

    where k counts the K listed values. Variables are positions of the flattened event.

    Args:
        parents: For every variable, the positions of its parents.
        conditional: The family of the conditionals; its values must be listed.
        num_classes: The number of classes, each with tables of its own; None for no classes.

    Raises:
        ValueError: If the values can't be listed, or the tables would have more than `MAX_CELLS` cells.

    >>> from chainrule.conditionals import Bernoulli
    >>> ConditionalTables([[], [0], [0, 1]], Bernoulli()).table.shape
    torch.Size([1, 7, 1])
    """

    values: Tensor
    positions: Tensor
    strides: Tensor
    offsets: Tensor

    def __init__(self, parents: Sequence[Sequence[int]], conditional: Family, num_classes: int | None = None):
        super().__init__()
        values = listed_values(conditional, type(self).__name__)
        self.num_values = len(values)
        counts = [len(positions) for positions in parents]
        check_cells(counts, self.num_values, num_classes, type(self).__name__)
        self.parents = [list(positions) for positions in parents]
        self.conditional = conditional
        self.num_classes = num_classes
        self.starts = [0]
        for count in counts:
            self.starts.append(self.starts[-1] + self.num_values**count)
        most = max(counts)
        # Missing parents are position 0 with stride 0, so that a parallel pass is m gathers, whatever the parents.
        padded = [[*positions, *[0] * (most - len(positions))] for positions in parents]
        strides = [[self.num_values**j if j < count else 0 for j in range(most)] for count in counts]
        for name, numbers in {"positions": padded, "strides": strides}.items():
            self.register_buffer(name, torch.tensor(numbers, dtype=torch.long).T.contiguous(), persistent=False)
        self.register_buffer("offsets", torch.tensor(self.starts[:-1]), persistent=False)
        self.register_buffer("values", values, persistent=False)
        self.table = nn.Parameter(torch.zeros(num_classes or 1, self.starts[-1], conditional.num_parameters))

    def indices(self, x: Tensor) -> Tensor:
        """The index of each value of ``x`` among the listed values, int64."""
        return torch.searchsorted(self.values.to(x.dtype), x.contiguous()).clamp_(max=self.num_values - 1)

    def rows(self, indices: Tensor) -> Tensor:
        """The rows ``(B, n)`` of all variables, from value indices ``(B, n)``."""
        rows = self.offsets.expand_as(indices)
        for positions, strides in zip(self.positions, self.strides, strict=True):
            rows = rows + indices.index_select(1, positions) * strides
        return rows

    def row(self, variable: int, indices: Tensor) -> Tensor:
        """The rows ``(B,)`` of one variable, from value indices ``(B, n)``; only its parents' are read."""
        rows = torch.full_like(indices[:, 0], self.starts[variable])
        for j, position in enumerate(self.parents[variable]):
            rows = rows + indices[:, position] * self.num_values**j
        return rows

    def lookup(self, rows: Tensor, context: Tensor | None) -> Tensor:
        """The parameters ``(B, ..., p)`` in the rows ``(B, ...)``, given classes ``(B,)``."""
        return F.embedding(self._in_class(rows, context), self.table.flatten(0, 1))

    def program(self, positions: Sequence[int], codes: Codes) -> Program:
        """The instructions of a walk that generates the variables at ``positions``, in their sequence.

        The row of a variable is a sum over its parents' values, exact in single precision, as there are at most 2^24.
        """
        t, p, program = np.arange(len(positions)), self.table.shape[2], Program()
        values, row, parameters = program.units(len(positions)), program.units(1), program.units(p)
        program.map(values + t - 1, program.value, 1, "same")
        program.begin()
        starts = torch.tensor([[float(self.starts[position])] for position in positions])
        program.linear(row, starts, values, starts.flatten(), rows=1, columns=0, bias_at=t)
        time = {position: t for t, position in enumerate(positions)}
        parents = [[time[parent] for parent in self.parents[position]] for position in positions]
        for j in range(max(map(len, parents))):
            own = [(place[j], 1) if j < len(place) else (0, 0) for place in parents]
            place, rows = np.array(own).T
            program.linear(row, torch.tensor([[float(self.num_values**j)]]), values + place, add=True, rows=rows)
        if len(self.table) > 1:
            rows_of_class = self.starts[-1]
            program.add(row, program.give(1, lambda _, context: (context * rows_of_class).unsqueeze(1)), 1)
        program.lookup(parameters, self.table.flatten(0, 1), row)
        program.choose(parameters, p, codes)
        return program

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The parameters ``(B, n, p)`` of all conditionals of flattened examples ``(B, n)``."""
        return self.lookup(self.rows(self.indices(x)), context)

    def log_probs(self) -> Tensor:
        """Log-probabilities ``(C, R, K)`` of every value in every row, in nats and double precision."""
        distribution = self.conditional.distribution(self.table.detach().double())
        shape = distribution.batch_shape
        return torch.stack([distribution.log_prob(value.expand(shape)) for value in self.values.double()], dim=-1)

    def of(self, log_probs: Tensor, variable: int) -> Tensor:
        """The rows ``(C, K^parents, K)`` of one variable in the result of `log_probs`."""
        return log_probs[:, self.starts[variable] : self.starts[variable + 1]]

    @torch.no_grad()
    def count(self, batches: Batches, prior: float) -> None:
        """Set the table from the frequencies of all examples; see `set_counts`.

        Raises:
            ValueError: If there are no examples.
        """
        counts = torch.zeros(self._shape(), dtype=torch.long, device=self.table.device)
        for x, context in batches:
            indices = self.indices(x)
            cells = self._in_class(self.rows(indices), context) * self.num_values + indices
            counts.view(-1).scatter_add_(0, cells.flatten(), torch.ones_like(cells).flatten())
        require_examples(int(self.of(counts, 0).sum()))
        self.set_counts(counts, prior)

    @torch.no_grad()
    def set_counts(self, counts: Tensor, prior: float) -> None:
        """Set p(value | row) = (N(row, value) + prior) / (N(row) + prior K), from N of shape ``(C, R, K)``.

        This is the mean under a Dirichlet distribution of concentration ``prior``. With the prior 0, values that
        were never seen in a row have the probability 0, and a row that was never seen is uniform.
        """
        weights = counts.double() + prior
        totals = weights.sum(-1, keepdim=True)
        probabilities = torch.where(totals > 0, weights / totals, 1 / self.num_values)
        self.set_log_probs(probabilities.log())

    @torch.no_grad()
    def set_log_probs(self, log_probs: Tensor) -> None:
        """Set the table from log-probabilities ``(C, R, K)`` in nats."""
        self.table.copy_(self.conditional.parameters_of(log_probs))

    def _shape(self) -> tuple[int, int, int]:
        return len(self.table), self.starts[-1], self.num_values

    def _in_class(self, rows: Tensor, context: Tensor | None) -> Tensor:
        """Rows of the table with its classes one after the other."""
        if self.num_classes is None:
            return rows
        if context is None:
            raise ValueError(f"context expects the classes of {len(rows)} examples, got None")
        return rows + (context * self.starts[-1]).view(-1, *[1] * (rows.dim() - 1))


class PairCounts:
    """Counts of each pair of values of each pair of variables: n^2 K^2 numbers, from matrix products.

    With f(x) the indicators of the values after the first, and a constant 1, the sum of f(x) f(x)^T over the examples
    holds the counts of all pairs without a first value; the others are differences of these.

    Args:
        num_variables: The number n of variables.
        num_values: The number K of values.
        num_classes: The number of classes, each with counts of its own; None for no classes.
        device: The device to count on.

    Raises:
        ValueError: If there would be more than `MAX_PAIR_CELLS` counts.
    """

    def __init__(self, num_variables: int, num_values: int, num_classes: int | None, device: torch.device):
        self.check(num_variables, num_values, num_classes)
        self.num_variables, self.num_values = num_variables, num_values
        size = 1 + num_variables * (num_values - 1)
        self.products_Cvv = torch.zeros(num_classes or 1, size, size, dtype=torch.float64, device=device)

    @staticmethod
    def check(num_variables: int, num_values: int, num_classes: int | None) -> None:
        """Refuse counts of too many pairs, before anything is allocated."""
        cells = (num_classes or 1) * (1 + num_variables * (num_values - 1)) ** 2
        if cells > MAX_PAIR_CELLS:
            raise ValueError(
                f"counts of pairs expect at most {MAX_PAIR_CELLS:,} cells, got {cells:,}: the square of the number "
                "of variables times values, for each class; take fewer variables or values, or name the edges"
            )

    def add(self, indices: Tensor, context: Tensor | None) -> None:
        """Count the examples of value indices ``(B, n)`` and classes ``(B,)``."""
        labels = torch.zeros_like(indices[:, 0]) if context is None else context
        for label in labels.unique().tolist():
            for chunk in indices[labels == label].split(max(1, CHUNK // self.products_Cvv.shape[1])):
                # Sums of up to 2^23 zeros and ones are exact in single precision, which is faster.
                indicators = self._indicators(chunk)
                self.products_Cvv[label] += indicators.T @ indicators

    def _indicators(self, indices: Tensor) -> Tensor:
        later = torch.arange(1, self.num_values, device=indices.device)
        indicators = (indices[..., None] == later).flatten(1).float()
        return torch.cat([torch.ones_like(indicators[:, :1]), indicators], dim=1)

    @property
    def totals(self) -> Tensor:
        """The number of examples of each class, ``(C,)``."""
        return self.products_Cvv[:, 0, 0]

    def single(self, i: int) -> Tensor:
        """The count of each value of variable i, ``(C, K)``."""
        later = self.products_Cvv[:, 0, 1:].unflatten(1, (self.num_variables, -1))[:, i]
        return torch.cat([self.totals[:, None] - later.sum(1, keepdim=True), later], dim=1)

    def pairs(self, i: int) -> Tensor:
        """The counts ``(C, a, j, b)`` of value a of variable i together with value b of variable j."""
        after = 1 + i * (self.num_values - 1)
        split = (self.num_variables, -1)
        later = self.products_Cvv[:, after : after + self.num_values - 1, 1:].unflatten(2, split)
        singles = self.products_Cvv[:, 0, 1:].unflatten(1, split)
        with_first = torch.cat([(singles - later.sum(1))[:, None], later], dim=1)
        first = self.single(i)[:, :, None, None] - with_first.sum(3, keepdim=True)
        return torch.cat([first, with_first], dim=3)

    def mutual_information(self, prior: float) -> Tensor:
        """I(x_i; x_j | class) in nats, ``(n, n)``, from each class's counts + prior, weighted by its frequency."""
        weights = self.totals / self.totals.sum()
        return torch.stack(list(self._information(prior, weights)))

    def _information(self, prior: float, weights: Tensor) -> Iterator[Tensor]:
        for i in range(self.num_variables):
            counts = self.pairs(i) + prior
            joint = counts / counts.sum((1, 3), keepdim=True).clamp(min=torch.finfo(counts.dtype).tiny)
            apart = joint.sum(3, keepdim=True) * joint.sum(1, keepdim=True)
            terms = torch.xlogy(joint, joint) - torch.xlogy(joint, apart)
            yield (weights[:, None] * terms.sum((1, 3))).sum(0)


def check_prior(prior: float) -> None:
    """Refuse a prior that is negative or no number."""
    if not 0 <= prior < math.inf:
        raise ValueError(f"prior expects a number of at least 0, got {prior}")


def require_examples(count: float) -> None:
    """Refuse to estimate anything from no examples."""
    if count == 0:
        raise ValueError("count expects at least one example, got none")
