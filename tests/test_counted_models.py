"""Probability tables and Bayesian networks: the laws, and counts against dictionaries of counts."""

import json
import math
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from counted import BINARY, EDGES, TERNARY, data, each_family, require_lawful, split

import chainrule
from chainrule.conditionals import Conditional
from chainrule.model import CountedModel
from chainrule.models import BayesNet, Table
from chainrule.tasks.sample import sample
from chainrule.testing.probes import all_events

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


@pytest.mark.parametrize(("shape", "order"), EVENTS)
@each_family
@pytest.mark.parametrize("kind", KINDS)
def test_all_laws(kind: str, family: Conditional, shape: tuple[int, ...], order: str) -> None:
    require_lawful(KINDS[kind](event_shape=shape, conditional=family, order=order))


@pytest.mark.parametrize("edges", EDGES.values(), ids=EDGES)
@each_family
def test_all_laws_of_edges(family: Conditional, edges: list[list[int]]) -> None:
    require_lawful(BayesNet(event_shape=(2, 2), conditional=family, structure=edges, num_classes=2))


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
