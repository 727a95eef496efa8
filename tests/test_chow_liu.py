"""Chow-Liu trees, against all spanning trees."""

import itertools
import math
from collections import Counter

import pytest
import torch
from counted import BINARY, TERNARY, data, each_family, split

from chainrule.conditionals import Conditional
from chainrule.models import BayesNet
from chainrule.nn.conditional_tables import PairCounts


def log_likelihood_of_tree(x: list[list[int]], edges: tuple[tuple[int, int], ...]) -> float:
    """The greatest log-likelihood of the undirected tree: products of pair frequencies over those of single values."""
    pairs = [Counter((row[a], row[b]) for row in x) for a, b in edges]
    singles = [Counter(row[i] for row in x) for i in range(len(x[0]))]
    total = 0.0
    for row in x:
        total += sum(math.log(singles[i][row[i]] / len(x)) for i in range(len(row)))
        for (a, b), counts in zip(edges, pairs, strict=True):
            joint = counts[row[a], row[b]] / len(x)
            total += math.log(joint / (singles[a][row[a]] / len(x)) / (singles[b][row[b]] / len(x)))
    return total


def spanning_trees(n: int) -> list[tuple[tuple[int, int], ...]]:
    """All n^(n - 2) of them, as those sets of n - 1 edges that connect everything."""

    def connected(edges: tuple[tuple[int, int], ...]) -> bool:
        reached = {0}
        for _ in edges:
            reached |= {end for edge in edges if reached & set(edge) for end in edge}
        return len(reached) == n

    candidates = itertools.combinations(itertools.combinations(range(n), 2), n - 1)
    return [edges for edges in candidates if connected(edges)]


@pytest.mark.parametrize("seed", range(6))
@each_family
def test_chow_liu_is_the_most_likely_of_all_trees(family: Conditional, seed: int) -> None:
    x, _ = data(family, (5,), 40, seed=seed)
    rows = x.int().tolist()
    scores = {edges: log_likelihood_of_tree(rows, edges) for edges in spanning_trees(5)}
    assert len(scores) == 125
    model = BayesNet(event_shape=(5,), conditional=family, prior=0.0).double()
    model.count(split((x, None), 7))
    learnt = tuple(sorted((min(edge), max(edge)) for edge in model.edges))
    assert scores[learnt] == pytest.approx(max(scores.values()), rel=1e-12)  # two trees can be equally likely
    assert model.log_prob(x).sum().item() == pytest.approx(scores[learnt], rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_chow_liu_with_classes_weights_their_trees(seed: int) -> None:
    """The shared tree is the one whose log-likelihoods, summed over classes, are greatest."""
    x, labels = data(TERNARY, (4,), 90, 3, seed)
    assert labels is not None
    parts = [x[labels == label].int().tolist() for label in range(3)]
    scores = {edges: sum(log_likelihood_of_tree(part, edges) for part in parts) for edges in spanning_trees(4)}
    assert len(scores) == 16
    model = BayesNet(event_shape=(4,), conditional=TERNARY, prior=0.0, num_classes=3).double()
    model.count(split((x, labels)))
    learnt = tuple(sorted((min(edge), max(edge)) for edge in model.edges))
    assert scores[learnt] == pytest.approx(max(scores.values()), rel=1e-12)  # two trees can be equally likely
    assert model.log_prob(x, labels).sum().item() == pytest.approx(scores[learnt], rel=1e-12)


@pytest.mark.parametrize("classes", [None, 3])
@pytest.mark.parametrize("num_values", [2, 3, 5])
def test_pairs_are_counted_exactly(num_values: int, classes: int | None) -> None:
    generator = torch.Generator().manual_seed(0)
    indices = torch.randint(num_values, (50, 4), generator=generator)
    labels = torch.randint(classes or 1, (50,), generator=generator)
    pairs = PairCounts(4, num_values, classes, torch.device("cpu"))
    for i in range(0, 50, 20):
        pairs.add(indices[i : i + 20], None if classes is None else labels[i : i + 20])
    expected = Counter((c, i, row[i], j, row[j]) for row, c in zip(indices.tolist(), labels.tolist(), strict=True)
                       for i in range(4) for j in range(4))  # fmt: skip
    for i in range(4):
        got = pairs.pairs(i)
        for place in itertools.product(range(classes or 1), range(num_values), range(4), range(num_values)):
            c, a, j, b = place
            assert got[place] == expected[c, i, a, j, b]
        assert pairs.single(i).equal(got[:, :, i].diagonal(dim1=1, dim2=2))


def test_a_chow_liu_tree_starts_at_the_first_variable_of_its_order() -> None:
    x, _ = data(BINARY, (6,), 100)
    trees = []
    for order, first in ((None, 0), ("reversed", 5), ([2, 0, 1, 3, 4, 5], 2)):
        model = BayesNet(event_shape=(6,), conditional=BINARY, order=order)
        assert model.edges == []
        model.count([(x, None)])
        assert model.order.permutation[0] == first
        assert [len(parents) for parents in model.parents].count(0) == 1
        assert model.config["structure"] == model.edges
        trees.append(model.log_prob(x))
    for other in trees[1:]:  # whatever its root, a tree is the same distribution, up to the prior
        torch.testing.assert_close(trees[0], other, atol=0.1, rtol=0.02)


def test_counting_again_keeps_the_learnt_structure() -> None:
    model = BayesNet(event_shape=(5,), conditional=BINARY)
    model.count([data(BINARY, (5,), 100)])
    edges = model.edges
    x = data(BINARY, (5,), 100, seed=9)
    model.count([x])
    assert model.edges == edges
    other = BayesNet(event_shape=(5,), conditional=BINARY, structure=edges)
    other.count([x])
    assert other.log_prob(x[0]).equal(model.log_prob(x[0]))
