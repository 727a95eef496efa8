"""The plans for tables and for rows of levels."""

import pytest
import torch

from chainrule.conditionals import Bernoulli, Columns, LogisticMixture
from chainrule.plans import Plan
from chainrule.plans.table import rows_plan, table_plan
from chainrule.runs.settings import model_class
from chainrule.training.settings import Training

pytestmark = pytest.mark.quick

REALS = ["real"] * 10
PLANS = [table_plan(rows, kinds, 3.0) for rows in (80, 2000, 100_000) for kinds in (["integer"] * 4, ["real"] * 4)]
PLANS += [rows_plan(rows, 40, levels, 3.0) for rows in (80, 2000, 100_000) for levels in (2, 5)]


@pytest.mark.parametrize("plan", PLANS)
def test_every_candidate_is_a_model_and_a_training(plan: Plan) -> None:
    for candidate in plan.candidates or ({},):
        settings = plan.settings | candidate
        arguments = {name[6:]: value for name, value in settings.items() if name.startswith("model.")}
        model = model_class(settings["model"])(event_shape=(4,), conditional=Bernoulli(), **arguments)
        model.start_at(torch.bernoulli(torch.full((20, 4), 0.5)))
        others = ("model", "model.", "conditional", "members", "orders")
        Training.of({name: value for name, value in settings.items() if not name.startswith(others)})


def test_few_rows_have_members_and_many_have_one_large_network() -> None:
    few, many = table_plan(300, REALS, 3.0), table_plan(100_000, REALS, 3.0)
    assert few.settings["members"] == 8
    assert "members" not in many.settings
    assert many.candidates == ()
    assert many.settings["max_steps"] > few.settings["max_steps"]
    assert sum(many.settings["model.hidden_sizes"]) > sum(few.settings["model.hidden_sizes"])


def test_a_tiny_table_trains_no_whitened_network() -> None:
    for candidate in table_plan(60, REALS, 3.0).candidates:
        assert candidate["model"] == "MADE" or candidate["max_steps"] == 1
    assert len(table_plan(60, [*REALS, "rough"], 3.0).candidates) == 1  # a density of values that repeat has spikes
    assert not any("max_steps" in candidate for candidate in table_plan(300, REALS, 3.0).candidates)


def test_less_time_means_fewer_members() -> None:
    assert table_plan(300, REALS, 0.5).settings["members"] < 8
    assert "members" not in table_plan(300, REALS, 0.1).settings


def test_categories_come_first_and_members_differ_in_the_rest() -> None:
    orders = table_plan(300, [*REALS, "category", "boolean"], 3.0).settings["orders"]
    assert all(set(order[:2]) == {10, 11} for order in orders)
    assert len({tuple(order) for order in orders}) == 8
    alone = table_plan(100_000, ["real", "category"], 3.0).settings
    assert alone["model.order"] == [1, 0]


def test_numbers_have_their_own_families_or_are_whitened() -> None:
    candidates = table_plan(300, ["real", "real", "boolean"], 3.0).candidates
    assert [candidate for candidate in candidates if "conditional" not in candidate]
    for candidate in candidates:
        if "conditional" in candidate:
            real = LogisticMixture(candidate["conditional.components"])
            assert Columns([real, real, Bernoulli()]).num_parameters >= 2
    assert not any("conditional" in own for own in table_plan(300, ["integer"] * 3, 3.0).candidates)
