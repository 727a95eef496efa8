"""Structures, priors and sizes that probability tables and Bayesian networks refuse."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from counted import BINARY

from chainrule.conditionals import Bernoulli, Categorical, Columns, Curved, Standardised
from chainrule.model import CountedModel
from chainrule.models import BayesNet, Table
from chainrule.nn.conditional_tables import MAX_CELLS, ConditionalTables


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
    with pytest.raises(ValueError, match=r"conditional whose values can be listed, .* got Unlisted\(\); MADE"):
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


def test_a_refusal_names_columns_in_a_line_however_many_knots_they_have() -> None:
    numbers = Standardised(Curved(knots=list(range(100)), scores=[value / 50 - 1 for value in range(100)]))
    assert str(numbers).startswith("Standardised(conditional=Curved(knots=[100 values], scores=[100 values], lower=")
    with pytest.raises(ValueError, match=r"Table expects .* got Columns of 2 Curved, 1 Bernoulli; MADE"):
        Table(event_shape=(3,), conditional=Columns([numbers, numbers, BINARY]))
