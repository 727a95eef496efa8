"""The plan for series: what it depends on, and that it learns."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars
import pytest

import chainrule.data
from chainrule.kinds import kind_of
from chainrule.plans.series import LEAST_STEPS, LONGEST, MOST_LAGS, MOST_STEPS, series_plan
from chainrule.runs import evaluate_split
from chainrule.runs.run import run


def test_steps_and_lags_follow_the_number_of_values() -> None:
    short, middle, long = (series_plan(values, 3.0).settings for values in (80, 1000, LONGEST))
    assert [plan["model"] for plan in (short, middle, long)] == ["BayesianAR"] * 3
    assert (short["model.lags"], middle["model.lags"]) == (10, MOST_LAGS)
    assert short["max_steps"] == MOST_STEPS >= long["max_steps"] >= LEAST_STEPS
    assert series_plan(LONGEST, 0.5).settings["max_steps"] < MOST_STEPS
    assert series_plan(10, 0.01).settings["model.lags"] >= 2
    assert all(plan["validate_every"] * 10 <= plan["max_steps"] for plan in (short, middle, long))


def test_long_series_and_few_integers_have_networks() -> None:
    assert series_plan(LONGEST + 1, 3.0).settings["model"] == "WaveNet"
    few = series_plan(200, 3.0, categories=7)
    assert few.settings["model"] == "RNN"
    assert "conditional" not in few.settings
    assert "7 integers" in few.reasons[0]
    assert series_plan(200, 3.0, atoms=True).settings["model"] == "RNN"


def test_seasons_and_families_are_tried_where_there_is_a_choice() -> None:
    assert series_plan(200, 3.0).candidates == ()
    days = series_plan(1000, 3.0, periods=(7.0, 365.25)).candidates
    assert [candidate["model.periods"] for candidate in days] == [[], [7.0, 365.25], [365.25]]
    assert series_plan(500, 3.0, periods=(365.25,)).candidates == ()  # a year and a half says little of a year
    curved = series_plan(200, 3.0, curved=True).candidates
    assert [candidate.get("conditional") for candidate in curved] == [None, "GaussianMixture"]


@pytest.mark.parametrize("integers", [False, True])
def test_the_plan_beats_a_random_walk_and_independent_values(tmp_path: Path, integers: bool) -> None:
    noise = np.random.RandomState(1).normal(size=120)
    values = np.zeros(120)
    for t in range(2, 120):
        values[t] = 0.05 + 1.6 * values[t - 1] - 0.7 * values[t - 2] + noise[t]
    values = (20 * values).round() if integers else values.round(3)
    polars.DataFrame({"x": values.astype(int) if integers else values}).write_csv(tmp_path / "x.csv")
    data = chainrule.data.load(tmp_path / "x.csv", series="x")
    plan = kind_of(data).plan(data, 3.0, "cpu")
    assert plan.settings["model"] == "BayesianAR"
    settings = plan.settings | {"data": str(tmp_path / "x.csv"), "series": "x"}
    done = run(settings, tmp_path / "run", verbose=False)
    nats = evaluate_split(done.model, data, "test")[1]["nats_per_value"]
    steps = np.diff(values)
    random_walk = 0.5 + math.log(steps.std() * math.sqrt(2 * math.pi))
    assert nats < random_walk - 0.1
    assert done.config["training"]["valid_nats"] < done.config["training"]["independent_valid_nats"]
