"""The scene of series: history, forecasts from any origin, and how surprising past values were."""

from __future__ import annotations

import contextlib
import json
import shlex
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import polars
import pytest
import torch
from scenes import events

from chainrule.cli import main
from chainrule.runs.opened import open_run
from chainrule.web.link import Link
from chainrule.web.scenes.series import SeriesScene
from chainrule.web.turns import Turns

N = 80
DAYS = [date(2020, 1, 1) + timedelta(days=i) for i in range(N)]
FAST = ["--model", "BayesianAR", "--model.lags", "3", "--max-steps", "4", "--validate-every", "4"]


def fitted(folder: Path, frame: polars.DataFrame, *words: str) -> SeriesScene:
    frame.write_csv(folder / "weather.csv")
    file, run = str(folder / "weather.csv"), str(folder / "run")
    assert main(["fit", file, "--series", "warmth", *words, *FAST, "--out", run]) == 0
    return SeriesScene(open_run(run))


def weather(seed: int) -> polars.DataFrame:
    random = np.random.RandomState(seed)
    warmth = 10 + 5 * np.sin(np.arange(N) / 6) + random.normal(0, 0.5, N)
    warmth[40] += 9
    return polars.DataFrame({"day": DAYS, "warmth": warmth.round(1), "rain": random.gamma(1.0, 5.0, N).round(1)})


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> SeriesScene:
    return fitted(tmp_path_factory.mktemp("one"), weather(0))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> SeriesScene:
    frames = [weather(seed).with_columns(place=polars.lit(name)) for seed, name in enumerate(("Bern", "Oslo"))]
    frames[1] = polars.concat([frames[1][:50], frames[1][52:75]])
    return fitted(tmp_path_factory.mktemp("two"), polars.concat(frames), "--group", "place")


def test_the_page_knows_the_column_its_times_and_the_others(one: SeriesScene) -> None:
    about = one.about()
    assert (about["column"], about["times"]) == ("warmth", {"columns": ["day"], "words": "daily"})
    assert about["series"] == [{"name": "warmth", "size": 80, "train": 64, "valid": 72}]
    (other,) = about["others"]
    assert other["name"] == "rain"
    assert other["command"].endswith("weather.csv --series rain")
    json.dumps(about, allow_nan=False)


def test_data_that_moved_are_said_and_no_crash(one: SeriesScene, monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_run(one.run.folder)
    run.config["data"]["path"] = "gone.csv"
    about = SeriesScene(run).about()
    assert about["series"] == []
    assert "gone.csv" in about["problem"]


def test_a_history_has_its_times_and_an_overview(one: SeriesScene) -> None:
    (found,) = events(one, "history", first=2, count=3)
    assert (found["first"], found["size"]) == (2, 80)
    assert found["times"] == ["2020-01-03", "2020-01-04", "2020-01-05"]
    assert found["values"] == weather(0)["warmth"][2:5].to_list()
    assert found["overview"]["low"] == found["overview"]["high"] == weather(0)["warmth"].to_list()


def test_missing_times_are_gaps_of_their_group(two: SeriesScene) -> None:
    assert [(own["name"], own["size"]) for own in two.about()["series"]] == [("Bern", 80), ("Oslo", 75)]
    (found,) = events(two, "history", series=1, first=49, count=4)
    assert found["values"][1:3] == [None, None]
    assert found["times"][:2] == ["2020-02-19", "2020-02-20"]


@pytest.mark.parametrize("origin", [80, 41])
def test_a_forecast_is_that_of_the_command(
    one: SeriesScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: int
) -> None:
    monkeypatch.chdir(tmp_path)
    command, quick, found = events(one, "forecast", origin=origin, length=6, draws=200, seed=5)
    assert (quick["draws"], found["draws"]) == (50, 200)
    if origin < 80:
        (past,) = events(one, "past", origin=origin)
        Path(past["file"]).write_text(past["text"], encoding="utf-8")
    assert main(shlex.split(command["command"])[1:]) == 0
    written = polars.read_csv("forecast.csv")
    assert written["day"].to_list() == found["times"]
    for name in ("5%", "25%", "50%", "75%", "95%"):
        assert written[name].to_list() == pytest.approx(found["bands"][name], abs=0.11)


def test_a_forecast_lets_others_go_on_and_has_the_same_draws(one: SeriesScene) -> None:
    """Others draw random numbers of their own meanwhile."""
    asked = {"origin": 60, "length": 400, "draws": 400, "seed": 3}
    *_, alone = events(one, "forecast", **asked)
    turns, ended, taken = Turns(), threading.Event(), []

    def other() -> None:
        while not ended.is_set():
            with turns.turn(lambda: None):
                torch.rand(7)
                taken.append(time.monotonic())

    with ThreadPoolExecutor(1) as pool, turns.turn(lambda: None):
        pool.submit(other)
        try:
            *_, shared = one.forecast(asked, Link(lambda event: None, turns))
        finally:
            ended.set()
    assert shared == alone
    assert len(taken) > 4  # one between the forecasts of a few draws and of all, and those within


def test_an_explanation_lets_others_go_on(one: SeriesScene) -> None:
    checks = []

    class Counted(Link):
        def check(self) -> None:
            checks.append(None)

    list(one.explain({"place": 40}, Counted(lambda event: None, Turns())))
    assert checks


def test_a_forecast_of_the_past_says_what_came(one: SeriesScene) -> None:
    *_, found = events(one, "forecast", origin=70, length=20)
    assert found["came"] == weather(0)["warmth"][70:].to_list()
    low, high = (np.array(found["bands"][name][:10]) for name in ("5%", "95%"))
    came = np.array(found["came"])
    assert (found["known"], found["inside"]) == (10, int(((came >= low) & (came <= high)).sum()))
    assert found["times"][-1] == "2020-03-30"


def test_surprisals_are_those_of_the_command(two: SeriesScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    nats = []
    for series in (0, 1):
        command, *parts = events(two, "surprisal", series=series)
        nats += [value for part in parts for value in part["nats"]]
    assert main(shlex.split(command["command"])[1:]) == 0
    assert polars.read_csv("scores.csv")["nats"].to_list() == pytest.approx(nats, rel=1e-4, abs=1e-4)


def test_missing_values_are_counted_and_named(two: SeriesScene) -> None:
    _, found = events(two, "surprisal", series=1)
    assert found["missing"] == [50, 51]
    x = two._examples[[1]]
    assert x[0, 50:52].isnan().all()
    assert found["nats"] == pytest.approx((-two.model(x).log_prob(x)[0]).tolist(), abs=1e-3)


def test_the_strangest_value_is_named_with_what_was_expected(
    one: SeriesScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command, found = events(one, "explain", count=3)
    assert main(shlex.split(command["command"])[1:]) == 0
    written = polars.read_csv("strange.csv")
    assert [part["place"] + 1 for part in found["parts"]] == written.sort("tail")["row"].to_list()
    assert found["parts"][0]["place"] == 40
    assert float(found["parts"][0]["value"]) > float(found["parts"][0]["high"])
    (only,) = events(one, "explain", place=40)
    expected = [float(parts[0]["expected"]) for parts in (only["parts"], found["parts"])]
    assert expected[0] == pytest.approx(expected[1], abs=0.5)  # medians of draws


@pytest.mark.parametrize(
    ("action", "request_", "words"),
    [
        ("forecast", {"origin": 0}, "origin expects an integer from 1 to 80"),
        ("forecast", {"length": 501}, "length expects an integer from 1 to 500"),
        ("forecast", {"draws": "9"}, "draws expects an integer"),
        ("history", {"series": 1}, "series expects an integer from 0 to 0"),
        ("explain", {"place": 80}, "place expects an integer from 0 to 79"),
    ],
)
def test_wrong_requests_are_refused_by_name(
    one: SeriesScene, action: str, request_: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        events(one, action, **request_)


def test_no_request_is_a_crash(one: SeriesScene) -> None:
    """Whatever fields have, an action answers, or raises a ValueError in words."""
    random = Random(0)
    values = (None, True, -1, 0, 1, 7, 80, 1.5, "", "x", [], {}, 2**70, float("inf"))
    names = ("series", "first", "count", "origin", "length", "draws", "seed", "place", "temperature", "top_k", "greedy")
    for _ in range(300):
        asked = {name: random.choice(values) for name in names if random.random() < 0.3}
        with contextlib.suppress(ValueError):
            json.dumps(events(one, random.choice(list(one.actions)), **asked), allow_nan=False)
