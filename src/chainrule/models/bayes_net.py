"""Bayesian networks: each variable depends on a few parents only, through a table of its own.

p(x) = prod_i p(x_i | x_parents(i))

Chow and Liu's tree is the best of all networks with one parent per variable: the maximum spanning tree of the mutual
information I(x_i; x_j) of all pairs. With classes, of I(x_i; x_j | class), as in tree-augmented naive Bayes.

Where no variable has two parents, messages about the known values go up the trees: with ch(i) the children of i,

log l_i(k) = [log 0 if x_i is known not to be k] + sum_{j in ch(i)} log sum_v p(x_j = v | x_i = k) l_j(v),

which makes completion exact, in time linear in n.

References:
    Approximating discrete probability distributions with dependence trees (Chow and Liu, 1968),
    https://doi.org/10.1109/TIT.1968.1054142
    Probabilistic reasoning in intelligent systems (Pearl, 1988), chapter 4: belief propagation
    Bayesian network classifiers (Friedman, Geiger and Goldszmidt, 1997), https://doi.org/10.1023/A:1007465528199
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.abilities import FarSighted, LimitedPast
from chainrule.compiled import Compiled
from chainrule.conditionals import Conditional
from chainrule.model import CountedModel
from chainrule.nn.conditional_tables import (
    ConditionalTables,
    PairCounts,
    check_prior,
    listed_values,
    require_examples,
)
from chainrule.nn.native.program import Program
from chainrule.order import Order, OrderSpec
from chainrule.state import Shared, State

Batches = Iterable[tuple[Tensor, Tensor | None]]


class BayesNet(CountedModel, FarSighted, LimitedPast, Compiled):
    """A Bayesian network with tables, whose structure is given or learnt as Chow and Liu's tree.

    It is fitted by `count`. The attribute `parents` holds, for every variable, the positions of its parents, and
    `edges` the same as [parent, child] pairs.

    Args:
        event_shape: Shape of one example.
        conditional: The family of p(x_i | parents); its values must be listed.
        structure: ``"chow-liu"``: no edges at first; `count` learns those of the best tree, which are the structure
            from then on; ``"previous:k"``: the k variables before, in the order; or edges [[parent, child], ...]
            between positions of the flattened event.
        prior: Concentration of the Dirichlet prior: how often each value counts as seen beforehand. At 0, what was
            never seen has the probability 0.
        order: The sequence in which the variables are generated, parents before children. None is raster with
            ``"previous:k"``, and otherwise the order that the edges require, the smallest position first. Chow and
            Liu's tree is rooted at the first variable here; the order then follows the tree.
        num_classes: The number of classes that an example can be conditioned on, each with tables of its own in one
            structure; None for no classes.

    Raises:
        ValueError: If the values can't be listed, the prior is negative, the structure is unknown, an edge is no
            edge, edges make a cycle or contradict the order, or the tables would have more than 2^24 cells.

    >>> from chainrule.conditionals import Bernoulli
    >>> net = BayesNet(event_shape=(4,), conditional=Bernoulli(), structure=[[3, 0], [3, 2], [2, 1]])
    >>> net.order.permutation.tolist(), net.num_parameters
    ([3, 0, 2, 1], 7)
    >>> BayesNet(event_shape=(4,), conditional=Bernoulli(), structure=[[0, 3], [3, 1], [1, 0]])
    Traceback (most recent call last):
    ValueError: structure expects edges without a cycle, got 0 -> 3 -> 1 -> 0
    """

    growth = "n (K - 1) K^k, for K values and k parents"

    def __init__(
        self,
        *,
        event_shape: Sequence[int],
        conditional: Conditional,
        structure: str | Sequence[Sequence[int]] = "chow-liu",
        prior: float = 1.0,
        order: OrderSpec | None = None,
        num_classes: int | None = None,
    ) -> None:
        super().__init__(
            event_shape=event_shape,
            conditional=conditional,
            order="raster" if order is None else order,
            num_classes=num_classes,
        )
        check_prior(prior)
        self.prior = prior
        num_values = len(listed_values(conditional, type(self).__name__))
        self.learns_structure = structure == "chow-liu"
        if self.learns_structure:
            PairCounts.check(self.num_variables, num_values, num_classes)
        sequence: list[int] = self.order.permutation.tolist()
        if isinstance(structure, str) and not self.learns_structure:
            self._build(_edges_of_previous(structure, sequence), sequence)
            return
        edges = [] if isinstance(structure, str) else _checked_edges(structure, self.num_variables)
        asked = _topological(edges, list(range(self.num_variables)))  # also where an order is given: no cycles
        self._build(edges, asked if order is None else sequence)

    def _build(self, edges: list[list[int]], sequence: list[int]) -> None:
        """Set the edges and the order, with uniform tables."""
        _check_sequence(edges, sequence)
        self.edges = edges
        self.parents: list[list[int]] = [[] for _ in sequence]
        for parent, child in edges:
            self.parents[child].append(parent)
        self.order = Order(sequence, self.event_shape)
        self.positions = sequence
        self.tables = ConditionalTables(self.parents, self.conditional, self.num_classes)

    def sees(self) -> Tensor:
        """The parents of each variable, both counted along the order: booleans ``(n, n)``."""
        edges = torch.zeros(self.num_variables, self.num_variables, dtype=torch.bool)
        for child, parents in enumerate(self.parents):
            edges[child, parents] = True
        return edges[self.positions][:, self.positions]

    def count(self, batches: Batches) -> None:
        """Set the tables, and learn a structure that is not given, from all ``(x, context)``, read once.

        Raises:
            ValueError: If there are no examples, or some are not of this model.
        """
        checked = ((self.check(x).flatten(1), self.check_context(context, len(x))) for x, context in batches)
        if self.learns_structure:
            self._learn(checked)
        else:
            self.tables.count(checked, self.prior)

    @torch.no_grad()
    def _learn(self, batches: Batches) -> None:
        """Chow and Liu's tree and its tables, both from the counts of all pairs."""
        n, num_values, device, dtype = self.num_variables, self.tables.num_values, self.device, self.dtype
        pairs = PairCounts(n, num_values, self.num_classes, device)
        for x, context in batches:
            pairs.add(self.tables.indices(x), context)
        require_examples(float(pairs.totals.sum()))
        edges = _spanning_tree(pairs.mutual_information(self.prior), root=self.positions[0])
        self._build(edges, _topological(edges, self.positions))
        self.to(device, dtype).train(self.training)
        self.learns_structure = False
        # The tree is the configuration from now on, so that a copy takes the weights.
        self._arguments["structure"] = [list(edge) for edge in edges]
        if self._arguments.get("order") is not None:
            self._arguments["order"] = list(self.positions)
        self.tables.set_counts(torch.cat([self._counts(pairs, i) for i in range(n)], dim=1), self.prior)

    def _counts(self, pairs: PairCounts, variable: int) -> Tensor:
        """The rows ``(C, K^parents, K)`` of a variable with at most one parent."""
        if not self.parents[variable]:
            return pairs.single(variable)[:, None]
        (parent,) = self.parents[variable]
        return pairs.pairs(parent)[:, :, variable]

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        parameters = self.tables(x.flatten(1), context)
        return self.conditional.distribution(parameters.unflatten(1, self.event_shape))

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        indices = torch.zeros(batch_size, self.num_variables, dtype=torch.long, device=self.device)
        return Shared(-1), indices, context

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        position, indices, context = state
        t = position.value
        if previous is not None:
            indices[:, self.positions[t]] = self.tables.indices(previous)
        t += 1
        parameters = self.tables.lookup(self.tables.row(self.positions[t], indices), context)
        return self.conditional.distribution(parameters), (Shared(t), indices, context)

    def program(self) -> Program | None:
        codes = self.conditional.codes
        return None if codes is None else self.tables.program(self.positions, codes)

    @torch.no_grad()
    def lookahead(self, x: Tensor, observed: Tensor, context: Tensor | None = None) -> Tensor | None:
        if max(map(len, self.parents)) > 1:
            return None
        context = self.check_context(context, len(x))
        indices = self.tables.indices(x.flatten(1))
        labels = torch.zeros_like(indices[:, 0]) if context is None else context
        log_probs, values = self.tables.log_probs(), torch.arange(self.tables.num_values, device=x.device)
        known: list[bool] = observed.flatten().tolist()
        has_evidence = list(known)  # at the variable or a descendant
        ahead = log_probs.new_zeros(len(x), self.num_variables, len(values))
        for i in reversed(self.positions):
            own = indices[:, i]
            if known[i]:
                ahead[:, i].masked_fill_(own[:, None] != values, -torch.inf)
            if not (has_evidence[i] and self.parents[i]):
                continue
            (parent,) = self.parents[i]
            has_evidence[parent] = True
            rows = self.tables.of(log_probs, i)
            if known[i]:  # a sum over one value
                ahead[:, parent] += rows[labels, :, own] + ahead[:, i].gather(1, own[:, None])
            else:
                ahead[:, parent] += (rows[labels] + ahead[:, i, None]).logsumexp(2)
        return ahead[:, self.order.permutation].to(self.dtype)


def _edges_of_previous(structure: str, sequence: Sequence[int]) -> list[list[int]]:
    """The edges to every variable from the k before it in the sequence."""
    name, _, number = structure.partition(":")
    if name != "previous" or not number.isdecimal():
        raise ValueError(
            f"structure expects 'chow-liu', 'previous:k' or edges [[parent, child], ...], got {structure!r}"
        )
    k = int(number)
    return [[parent, child] for t, child in enumerate(sequence) for parent in sequence[max(0, t - k) : t]]


def _checked_edges(edges: Sequence[Sequence[int]], num_variables: int) -> list[list[int]]:
    """Edges as lists of integers, or ``ValueError`` at the first that is none."""
    checked: list[list[int]] = []
    seen: set[tuple[int, ...]] = set()
    for edge in edges:
        pair = list(edge) if isinstance(edge, Sequence) and not isinstance(edge, str) else [edge]
        if len(pair) != 2 or not all(isinstance(end, int) and 0 <= end < num_variables for end in pair):
            raise ValueError(
                f"structure expects edges [parent, child] of positions from 0 to {num_variables - 1}, got {edge!r}"
            )
        parent, child = (int(end) for end in pair)
        if parent == child:
            raise ValueError(f"structure expects edges between two variables, got {parent} -> {child}")
        if (parent, child) in seen:
            raise ValueError(f"structure expects each edge once, got {parent} -> {child} twice")
        seen.add((parent, child))
        checked.append([parent, child])
    return checked


def _check_sequence(edges: Sequence[Sequence[int]], sequence: Sequence[int]) -> None:
    time = {position: t for t, position in enumerate(sequence)}
    for parent, child in edges:
        if time[parent] > time[child]:
            raise ValueError(
                f"order expects the parent of every edge before its child, got {child} before {parent} "
                f"with the edge {parent} -> {child}"
            )


def _topological(edges: Sequence[Sequence[int]], preference: Sequence[int]) -> list[int]:
    """All positions, parents first (Kahn, 1962); of those that may come next, the first in ``preference``."""
    rank = {position: t for t, position in enumerate(preference)}
    children: dict[int, list[int]] = {position: [] for position in preference}
    missing = dict.fromkeys(preference, 0)
    for parent, child in edges:
        children[parent].append(child)
        missing[child] += 1
    ready = [rank[position] for position in preference if missing[position] == 0]
    sequence = []
    while ready:
        position = preference[heapq.heappop(ready)]
        sequence.append(position)
        for child in children[position]:
            missing[child] -= 1
            if missing[child] == 0:
                heapq.heappush(ready, rank[child])
    if len(sequence) < len(preference):
        cycle = " -> ".join(map(str, _cycle(edges, set(preference) - set(sequence))))
        raise ValueError(f"structure expects edges without a cycle, got {cycle}")
    return sequence


def _cycle(edges: Sequence[Sequence[int]], stuck: set[int]) -> list[int]:
    """A cycle, from its smallest position back to it, among positions that all have a parent there."""
    parent_of = {child: parent for parent, child in edges if parent in stuck and child in stuck}
    path = [min(stuck)]
    while parent_of[path[-1]] not in path:
        path.append(parent_of[path[-1]])
    cycle = path[path.index(parent_of[path[-1]]) :][::-1]
    first = cycle.index(min(cycle))
    return [*cycle[first:], *cycle[:first], cycle[first]]


def _spanning_tree(weights: Tensor, root: int) -> list[list[int]]:
    """Edges [parent, child] of the maximum spanning tree of ``weights`` ``(n, n)``, away from ``root`` (Prim, 1957)."""
    weights = (weights + weights.T) / 2
    best, parent = weights[root].clone(), torch.full_like(weights[root], root, dtype=torch.long)
    best[root] = -torch.inf
    edges, inside = [], torch.zeros_like(parent, dtype=torch.bool)
    inside[root] = True
    for _ in range(len(weights) - 1):
        child = int(best.argmax())
        edges.append([int(parent[child]), child])
        inside[child] = True
        closer = (weights[child] > best) & ~inside
        best = torch.where(closer, weights[child], best)
        parent[closer] = child
        best[child] = -torch.inf
    return edges
