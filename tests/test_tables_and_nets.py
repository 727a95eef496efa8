"""Probability tables and Bayesian networks, against counting, enumeration and all spanning trees by hand."""

import itertools
import json
import math
import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

import chainrule
from chainrule.conditionals import Bernoulli, Categorical, Conditional
from chainrule.model import AutoregressiveModel, CountedModel
from chainrule.models import BayesNet, Ensemble, Table
from chainrule.nn.conditional_tables import MAX_CELLS, ConditionalTables, PairCounts
from chainrule.tasks.marginal import marginal
from chainrule.tasks.sample import sample
from chainrule.testing import Outcome, check_model, randomised
from chainrule.testing.probes import all_events

Batch = tuple[Tensor, Tensor | None]

BINARY, TERNARY = Bernoulli(), Categorical(3)
FAMILIES = [BINARY, TERNARY, Categorical(3, "scalar")]
each_family = pytest.mark.parametrize("family", FAMILIES, ids=repr)

KINDS: dict[str, Callable[..., CountedModel]] = {
    "table": Table,
    "table of classes": partial(Table, num_classes=2),
    "no edges": BayesNet,
    "chain": partial(BayesNet, structure="previous:1"),
    "previous:2": partial(BayesNet, structure="previous:2"),
    "independent": partial(BayesNet, structure="previous:0"),
    "chain of classes": partial(BayesNet, structure="previous:1", num_classes=3),
}
EVENTS = [((4,), "raster"), ((4,), "random:1"), ((1, 2, 2), "column"), ((3, 1, 2), "diagonal"), ((1,), "raster")]


def receptive_field(model: CountedModel) -> Tensor | None:
    """What a net's edges let each conditional see, along the order; None for a table, which sees all of the past."""
    if not isinstance(model, BayesNet):
        return None
    seen = torch.zeros(model.num_variables, model.num_variables, dtype=torch.bool)
    for child, parents in enumerate(model.parents):
        seen[child, parents] = True
    return model.order.along(model.order.along(seen, 0), 1)


def require_lawful(model: CountedModel) -> None:
    verdicts = check_model(model, receptive_field=receptive_field(model))
    assert all(verdict.startswith(("passed", "does not apply")) for verdict in verdicts.values()), verdicts
    assert {verdicts[name] for name in ("normalised", "causal")} == {"passed"}
    assert verdicts["step_equals_forward"].outcome is Outcome.PASSED  # a table of 12 variables may be too large
    assert {verdicts[name] for name in ("sampling_agrees", "completion_agrees")} == {"passed"}


@pytest.mark.parametrize(("shape", "order"), EVENTS)
@each_family
@pytest.mark.parametrize("kind", KINDS)
def test_all_laws(kind: str, family: Conditional, shape: tuple[int, ...], order: str) -> None:
    require_lawful(KINDS[kind](event_shape=shape, conditional=family, order=order))


EDGES = {
    "tree": [[3, 0], [3, 2], [2, 1]],
    "forest": [[2, 0], [1, 3]],
    "two parents": [[3, 0], [1, 0], [0, 2], [3, 2]],
}


@pytest.mark.parametrize("edges", EDGES.values(), ids=EDGES)
@each_family
def test_all_laws_of_edges(family: Conditional, edges: list[list[int]]) -> None:
    require_lawful(BayesNet(event_shape=(2, 2), conditional=family, structure=edges, num_classes=2))


def data(family: Conditional, shape: tuple[int, ...], count: int, classes: int | None = None, seed: int = 0) -> Batch:
    """Correlated examples: noisy copies of earlier variables, in another way for every class."""
    generator = torch.Generator().manual_seed(seed)
    values = family.values
    assert values is not None
    n = math.prod(shape)
    labels = torch.randint(classes or 1, (count,), generator=generator)
    x = torch.randint(len(values), (count, n), generator=generator)
    for i in range(1, n):
        kept = torch.rand(count, generator=generator) < 0.25 + 0.5 * ((i + labels) % 3 == 0)
        x[:, i] = torch.where(kept, x[:, (i * i + 1) % i], x[:, i])
    return values[x].view(count, *shape), None if classes is None else labels


def split(batch: Batch, size: int = 37) -> list[Batch]:
    x, labels = batch
    return [(x[i : i + size], None if labels is None else labels[i : i + size]) for i in range(0, len(x), size)]


def by_counting(
    x: list[list[int]], labels: list[int], parents: list[list[int]], num_values: int, prior: float
) -> Callable[[list[int], int], float]:
    """p(x | class) from dictionaries of counts."""
    together: Counter[Any] = Counter()
    past: Counter[Any] = Counter()
    for row, label in zip(x, labels, strict=True):
        for i, own in enumerate(parents):
            key = (label, i, *(row[j] for j in own))
            past[key] += 1
            together[(*key, row[i])] += 1

    def probability(row: list[int], label: int) -> float:
        result = 1.0
        for i, own in enumerate(parents):
            key = (label, i, *(row[j] for j in own))
            total = past[key] + prior * num_values
            result *= (together[(*key, row[i])] + prior) / total if total else 1 / num_values
        return result

    return probability


def parents_of(model: CountedModel) -> list[list[int]]:
    if isinstance(model, BayesNet):
        return model.parents
    order = model.order.permutation.tolist()
    return [order[: order.index(i)] for i in range(len(order))]


@pytest.mark.parametrize("prior", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("classes", [None, 2])
@each_family
@pytest.mark.parametrize(
    "build",
    [Table, partial(BayesNet, structure="previous:2"), partial(BayesNet, structure=EDGES["two parents"]), BayesNet],
    ids=["table", "previous", "edges", "chow-liu"],
)
def test_counts_are_those_of_dictionaries(
    build: Callable[..., CountedModel], family: Conditional, classes: int | None, prior: float
) -> None:
    model = build(event_shape=(2, 2), conditional=family, prior=prior, num_classes=classes).double()
    x, labels = data(family, (2, 2), 60, classes)
    model.count(iter(split((x, labels))))
    numbers = [0] * len(x) if labels is None else labels.tolist()
    num_values = len(family.values)
    expected = by_counting(x.flatten(1).int().tolist(), numbers, parents_of(model), num_values, prior)
    events = all_events(model)
    for label in range(classes or 1):
        context = None if classes is None else torch.full((len(events),), label)
        got = model.log_prob(events, context).exp()
        assert not got.isnan().any()
        by_hand = [expected(row, label) for row in events.flatten(1).int().tolist()]
        torch.testing.assert_close(got, torch.tensor(by_hand, dtype=torch.float64), rtol=1e-12, atol=1e-15)
        assert got.sum().item() == pytest.approx(1)


@pytest.mark.parametrize("build", [Table, partial(BayesNet, structure="previous:1"), BayesNet])
def test_a_class_is_counted_on_its_own_examples(build: Callable[..., CountedModel]) -> None:
    x, labels = data(TERNARY, (4,), 200, 3)
    assert labels is not None
    model = build(event_shape=(4,), conditional=TERNARY, num_classes=3)
    model.count(split((x, labels)))
    structure = {"structure": model.config["structure"]} if isinstance(model, BayesNet) else {}
    for label in range(3):
        alone = type(model)(event_shape=(4,), conditional=TERNARY, **structure)
        alone.count([(x[labels == label], None)])
        context = torch.full((len(x),), label)
        torch.testing.assert_close(model.log_prob(x, context), alone.log_prob(x), rtol=1e-6, atol=1e-6)


def test_a_class_without_examples_is_uniform() -> None:
    for build in (Table, BayesNet):
        model = build(event_shape=(2,), conditional=BINARY, num_classes=2, prior=0.0)
        model.count([(torch.tensor([[0.0, 1], [1, 1]]), torch.tensor([0, 0]))])
        got = model.log_prob(torch.tensor([[0.0, 0], [1, 1]]), torch.tensor([1, 1])).exp()
        torch.testing.assert_close(got, torch.full((2,), 0.25))


@each_family
@pytest.mark.parametrize("build", [Table, BayesNet, partial(BayesNet, structure="previous:1")])
def test_without_a_prior_the_unseen_is_impossible(build: Callable[..., CountedModel], family: Conditional) -> None:
    model = build(event_shape=(3,), conditional=family, prior=0.0)
    model.count([(torch.tensor([[0.0, 0, 1], [1, 1, 1], [1, 1, 1], [1, 1, 0]]), None)])
    assert model.log_prob(torch.tensor([[0.0, 1, 0], [1, 0, 1]])).tolist() == [-math.inf] * 2
    assert model(torch.zeros(2, 3)).log_prob(torch.zeros(2, 3)).isnan().sum() == 0
    drawn = sample(model, 200, seed=0)
    assert model.log_prob(drawn).isfinite().all()
    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert not model(drawn).entropy().isnan().any()


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


def random_forest(n: int, seed: int) -> list[list[int]]:
    generator = random.Random(seed)
    positions = generator.sample(range(n), n)
    return [[positions[generator.randrange(t)], positions[t]] for t in range(1, n) if generator.random() < 0.85]


@pytest.mark.parametrize("classes", [None, 2])
@pytest.mark.parametrize("seed", range(5))
@each_family
def test_lookahead_is_exact(family: Conditional, seed: int, classes: int | None) -> None:
    """p(x_t | x_<t, known) and p(known), as against enumeration, for every set of known variables."""
    model = randomised(
        BayesNet(event_shape=(1, 5), conditional=family, structure=random_forest(5, seed), num_classes=classes),
        scale=3.0,
    ).double()
    assert isinstance(model, BayesNet)
    events = all_events(model)
    labels = None if classes is None else torch.randint(classes, (1,)).expand(len(events))
    joint = model.log_prob(events, labels).exp()
    conditionals = model.order.flatten(values_table(model, events, labels))
    sequences = model.order.flatten(events).int()
    generator = torch.Generator().manual_seed(seed)
    for known in itertools.islice(itertools.product([False, True], repeat=5), seed % 2, None, 3):
        x = events[torch.randint(len(events), (1,), generator=generator)]
        observed = torch.tensor(known).view(1, 5)
        ahead = model.lookahead(x, observed, None if labels is None else labels[:1])
        assert ahead is not None
        assert ahead.shape == (1, 5, len(family.values))
        fits = (events == x)[:, observed].all(1)
        weights = joint * fits
        # the conditionals of the walk, times each other, are p(unknown | known)
        posterior = (conditionals + ahead).log_softmax(-1)
        walked = posterior.gather(-1, sequences[..., None].long()).squeeze(-1).sum(1).exp()
        torch.testing.assert_close(walked.nan_to_num(0.0) * fits, weights / weights.sum(), rtol=1e-10, atol=1e-12)
        # each tree's evidence is that of its root
        roots = [t for t, i in enumerate(model.positions) if not model.parents[i]]
        evidence = (conditionals[0] + ahead[0]).logsumexp(-1)[roots].sum().exp()
        torch.testing.assert_close(evidence, weights.sum(), rtol=1e-10, atol=1e-15)


def values_table(model: AutoregressiveModel, x: Tensor, context: Tensor | None) -> Tensor:
    distribution = model(x, context)
    return torch.stack([distribution.log_prob(value.expand(x.shape)) for value in model.conditional.values], dim=-1)


def test_lookahead_needs_single_parents() -> None:
    model = BayesNet(event_shape=(4,), conditional=BINARY, structure=EDGES["two parents"])
    assert model.lookahead(torch.zeros(1, 4), torch.tensor([True, False, False, True])) is None


@pytest.mark.parametrize("classes", [None, 2])
@pytest.mark.parametrize("order", ["reversed", "random:3", "raster"])
@each_family
def test_a_reordered_table_is_the_same_joint(family: Conditional, order: str, classes: int | None) -> None:
    model = Table(event_shape=(1, 2, 2), conditional=family, order="random:1", prior=0.0, num_classes=classes).double()
    x, labels = data(family, (1, 2, 2), 15, classes)  # few, so that much is impossible
    for subject in (model, randomised(model)):
        assert isinstance(subject, Table)
        if subject is model:
            model.count([(x, labels)])
        other = subject.reordered(order)
        assert other.order.permutation.equal(chainrule.order.Order(order, (1, 2, 2)).permutation)
        events = all_events(model)
        context = None if classes is None else torch.arange(len(events)) % classes
        got, expected = other.log_prob(events, context), subject.log_prob(events, context)
        torch.testing.assert_close(got.exp(), expected.exp(), rtol=1e-12, atol=1e-15)
        assert got.isinf().equal(expected.isinf())
    assert (model.reordered("random:1")) is model


def test_a_table_holds_any_distribution() -> None:
    """With a prior of 0, its probabilities are the frequencies of whole examples."""
    x, _ = data(TERNARY, (4,), 500)
    model = Table(event_shape=(4,), conditional=TERNARY, prior=0.0, order="random:2").double()
    model.count(split((x, None)))
    frequencies = Counter(map(tuple, x.int().tolist()))
    expected = [frequencies[tuple(row)] / 500 for row in all_events(model).int().tolist()]
    torch.testing.assert_close(model.log_prob(all_events(model)).exp(), torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize(
    "build",
    [
        partial(Table, order="random:1"),
        partial(Table, num_classes=2, prior=0.0),
        BayesNet,
        partial(BayesNet, order="reversed"),
        partial(BayesNet, num_classes=2),
        partial(BayesNet, structure="previous:2", order="reversed"),
        partial(BayesNet, structure=[[4, 0], [4, 1], [1, 0]]),
    ],
)
def test_a_saved_copy_is_equal(build: Callable[..., CountedModel], tmp_path) -> None:
    model = build(event_shape=(5,), conditional=TERNARY)
    x, labels = data(TERNARY, (5,), 80, model.num_classes)
    model.count(split((x, labels)))
    chainrule.save(model, tmp_path)
    loaded = chainrule.load(tmp_path)
    assert json.loads(json.dumps(loaded.config["order"])) == model.config["order"]
    assert loaded.order.permutation.equal(model.order.permutation)
    assert loaded.log_prob(x, labels).equal(model.log_prob(x, labels))
    copy = type(model)(**model.config)
    copy.load_state_dict(model.state_dict())
    assert copy.log_prob(x, labels).equal(model.log_prob(x, labels))


def test_learning_keeps_type_and_mode() -> None:
    model = BayesNet(event_shape=(4,), conditional=BINARY).double().eval()
    model.count([data(BINARY, (4,), 30)])
    assert model.dtype == torch.float64
    assert model.num_parameters == 7
    assert not model.tables.training
    require_lawful(model)


@pytest.mark.parametrize(
    ("structure", "message"),
    [
        ([[0, 3], [3, 2], [2, 0]], "structure expects edges without a cycle, got 0 -> 3 -> 2 -> 0"),
        ([[1, 2], [2, 1], [1, 0]], "got 1 -> 2 -> 1$"),
        ([[1, 1]], "structure expects edges between two variables, got 1 -> 1"),
        ([[0, 1], [2, 1], [0, 1]], "structure expects each edge once, got 0 -> 1 twice"),
        ([[0, 4]], r"structure expects edges \[parent, child\] of positions from 0 to 3, got \[0, 4\]"),
        ([[-1, 0]], r"from 0 to 3, got \[-1, 0\]"),
        ([[0, 1.5]], r"got \[0, 1.5\]"),
        ([[0, 1, 2]], r"got \[0, 1, 2\]"),
        ([0, 1], "got 0$"),
        ("tree", r"structure expects 'chow-liu', 'previous:k' or edges \[\[parent, child\], ...\], got 'tree'"),
        ("previous", "got 'previous'"),
        ("previous:-1", "got 'previous:-1'"),
    ],
)
def test_invalid_structures_say_expected_and_got(structure: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BayesNet(event_shape=(4,), conditional=BINARY, structure=structure)


def test_an_order_must_fit_the_edges() -> None:
    message = "order expects the parent of every edge before its child, got 1 before 2 with the edge 2 -> 1"
    with pytest.raises(ValueError, match=message):
        BayesNet(event_shape=(3,), conditional=BINARY, structure=[[0, 1], [2, 1]], order="raster")
    with pytest.raises(ValueError, match="without a cycle"):
        BayesNet(event_shape=(3,), conditional=BINARY, structure=[[0, 1], [1, 0]], order="raster")
    model = BayesNet(event_shape=(3,), conditional=BINARY, structure=[[0, 1], [2, 1]], order=[2, 0, 1])
    assert model.order.permutation.tolist() == [2, 0, 1]


def test_previous_variables_are_those_of_the_order() -> None:
    model = BayesNet(event_shape=(4,), conditional=BINARY, structure="previous:2", order=[2, 0, 3, 1])
    assert model.parents == [[2], [0, 3], [], [2, 0]]
    image = BayesNet(event_shape=(2, 1, 2), conditional=BINARY, structure="previous:0")
    assert image.order.permutation.tolist() == [0, 2, 1, 3]  # raster


class Unlisted(Bernoulli):
    """A family whose values can't be listed, as those of numbers."""

    @property
    def values(self) -> None:  # type: ignore[override]
        return None


@pytest.mark.parametrize("build", [Table, BayesNet, partial(BayesNet, structure="previous:1")])
def test_refusals(build: Callable[..., CountedModel]) -> None:
    with pytest.raises(ValueError, match=r"expects a conditional whose values can be listed, got Unlisted\(\)"):
        build(event_shape=(3,), conditional=Unlisted())
    with pytest.raises(ValueError, match=r"prior expects a number of at least 0, got -0\.5"):
        build(event_shape=(3,), conditional=BINARY, prior=-0.5)
    model = build(event_shape=(3,), conditional=BINARY)
    with pytest.raises(ValueError, match="count expects at least one example, got none"):
        model.count([])
    with pytest.raises(ValueError, match="count expects at least one example, got none"):
        model.count([(torch.zeros(0, 3), None)])
    with pytest.raises(ValueError, match="Bernoulli expects values 0 or 1, got 2"):
        model.count([(torch.full((1, 3), 2.0), None)])
    with pytest.raises(ValueError, match="context expects None"):
        model.count([(torch.zeros(1, 3), torch.zeros(1))])
    with pytest.raises(ValueError, match="context expects the class"):
        build(event_shape=(3,), conditional=BINARY, num_classes=2).count([(torch.zeros(1, 3), None)])
    with pytest.raises(ValueError, match="context expects the classes of 1 examples, got None"):
        build(event_shape=(3,), conditional=BINARY, num_classes=2)(torch.zeros(1, 3))


@pytest.mark.parametrize(
    ("build", "got"),
    [
        (lambda: Table(event_shape=(24,), conditional=BINARY), "33,554,430"),
        (lambda: Table(event_shape=(23,), conditional=BINARY, num_classes=2), "33,554,428"),
        (lambda: Table(event_shape=(28, 28), conditional=BINARY), r"more than 10\^236"),
        (lambda: Table(event_shape=(3, 100, 100), conditional=Categorical(256, "scalar")), r"more than 10\^72247"),
        (
            lambda: BayesNet(event_shape=(1002,), conditional=Categorical(1000), structure="previous:1"),
            "1,001,001,000",
        ),
        (lambda: ConditionalTables([[]], Categorical(MAX_CELLS + 1, "scalar")), "16,777,217"),
    ],
)
def test_too_large_tables_are_refused(build: Callable[[], Any], got: str) -> None:
    with pytest.raises(ValueError, match=f"expects at most 16,777,216 cells, got {got}: .*take fewer"):
        build()


def test_too_many_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 134,217,728 cells, got 39,968,406,241: .*name the edges"):
        BayesNet(event_shape=(28, 28), conditional=Categorical(256, "scalar"))


@pytest.mark.parametrize("build", [Table, partial(BayesNet, structure="previous:1"), BayesNet])
def test_an_impossible_completion_says_so(build: Callable[..., CountedModel]) -> None:
    model = build(event_shape=(3,), conditional=BINARY, prior=0)
    model.count([(torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]]), None)])
    x = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    for observed in ([False, False, True], [True, False, True]):
        with pytest.raises(ValueError, match=r"possible under the model, got p = 0 for example 1"):
            chainrule.complete(model, x, torch.tensor(observed), seed=0)
        with pytest.raises(ValueError, match=r"possible under the model, got p = 0 for example 1"):
            marginal(model, x, torch.tensor(observed), seed=0)


@pytest.mark.parametrize("particles", [1, 16])
def test_an_impossible_completion_by_particles_says_so(particles: int) -> None:
    members = [BayesNet(event_shape=(4,), conditional=BINARY, prior=0, structure="previous:2") for _ in range(2)]
    for member in members:
        member.count([(torch.tensor([[0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]]), None)])
    model = Ensemble(models=members)
    x, observed = torch.tensor([[0.0, 0.0, 1.0, 0.0]]), torch.tensor([False, False, True, True])
    tried = rf"p = 0, or too few particles \({particles}\) to meet its values, for example 0"
    with pytest.raises(ValueError, match=f"possible under the model, got {tried}"):
        chainrule.complete(model, x, observed, particles=particles, seed=0)


def test_an_ensemble_goes_on_after_what_all_members_exclude() -> None:
    members = [Table(event_shape=(3,), conditional=BINARY, prior=0) for _ in range(2)]
    for member in members:
        member.count([(torch.tensor([[0.0, 0.0, 1.0]]), None)])
    model = Ensemble(models=members)
    x = torch.tensor([[1.0, 0.0, 1.0]])
    assert model.log_prob(x).tolist() == [-math.inf]
    assert not model(x).log_prob(x).isnan().any()
