"""The scene of tables: the distributions of unknown cells, whole rows that fit, and strange cells."""

from __future__ import annotations

import contextlib
import json
import shlex
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import polars
import pytest
import torch
from scenes import events
from scipy.special import ndtri
from test_cli_explain import table

from chainrule.cli import main
from chainrule.data.codecs import Categories
from chainrule.data.column import Column
from chainrule.data.schema import TableSchema
from chainrule.data.shape import Shape
from chainrule.runs.opened import open_run
from chainrule.web.link import Link, Stopped
from chainrule.web.scenes.distributions import density, distribution_of
from chainrule.web.scenes.form import form_of, read_row, unseen_notes
from chainrule.web.scenes.table import TableScene
from chainrule.web.turns import Turns


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    table(folder / "people.csv", {}, 2000)
    fast = ["--model", "MADE", "--max-epochs", "4", "--learning-rate", "0.01"]
    assert main(["fit", str(folder / "people.csv"), *fast, "--out", str(folder / "run")]) == 0
    return folder


@pytest.fixture(scope="module")
def scene(folder: Path) -> TableScene:
    return TableScene(open_run(folder / "run"))


def test_the_form_has_the_columns_of_the_schema(scene: TableScene) -> None:
    about = scene.about()
    columns = {column["name"]: column for column in about["columns"]}
    assert list(columns) == ["height", "weight", "colour", "score"]
    assert columns["colour"]["choices"] == ["blue", "red", "another value"]
    assert [column["missing"] for column in columns.values()] == [False, False, False, True]
    assert about["splits"] == {"train": 1600, "valid": 200, "test": 200}
    json.dumps(about, allow_nan=False)


def test_a_category_has_its_conditional_probabilities(scene: TableScene) -> None:
    cells = {"height": "171.2", "weight": "70.3", "score": "4"}
    *_, last = events(scene, "distributions", cells=cells)
    x = read_row(scene.schema, cells).x.repeat(3, 1)
    x[:, 2] = torch.arange(3.0)
    expected = scene.model.log_prob(x).softmax(0)
    colour = last["columns"]["colour"]
    found = dict(zip(colour["values"], colour["shares"], strict=True))
    assert [found[word] for word in ("blue", "red", "another value")] == pytest.approx(expected.tolist(), abs=1e-4)
    assert (list(last["columns"]), last["exact"], last["effective_sample_size"]) == (["colour"], True, None)


def test_a_number_that_is_filled_moves_the_others(scene: TableScene) -> None:
    medians = []
    for height in ("150.0", "190.0"):
        first, _, last = events(scene, "distributions", cells={"height": height})
        assert first["command"].endswith("--out rows.csv")
        weight = last["columns"]["weight"]
        assert weight["type"] == "curve"
        assert np.trapezoid(weight["density"], weight["places"]) == pytest.approx(1, abs=0.03)
        assert float(weight["low"]) < float(weight["median"]) < float(weight["high"])
        medians.append(float(weight["median"]))
    assert medians[1] - medians[0] > 15


def test_a_cell_before_the_known_one_is_approximate_and_says_its_effective_sample_size(scene: TableScene) -> None:
    last_of_order = scene.schema.used[int(scene.model.order.permutation[-1])].name
    filled = {"height": "171.2", "weight": "70.3", "colour": "red", "score": "4"}
    *_, last = events(scene, "distributions", cells={last_of_order: filled[last_of_order]})
    assert not last["exact"]
    assert "sequential Monte Carlo" in last["method"]
    assert 1 < last["effective_sample_size"] <= last["walks"]


@pytest.mark.parametrize(("height", "outside"), [("", False), ("least", False), ("0", True), ("1e300", True)])
def test_a_number_that_training_did_not_have_is_said_with_the_range_that_it_had(
    scene: TableScene, folder: Path, height: str, outside: bool
) -> None:
    seen = scene.run.dataset().train[np.arange(1600)][:, 0]
    low, high = (f"{float(end):.1f}" for end in (seen.min(), seen.max()))
    first, *_, last = events(scene, "distributions", cells={"height": low if height == "least" else height or high})
    assert first["notes"] == ({"height": f"Not in training; seen: {low} to {high}"} if outside else {})
    assert set(last["columns"]) == {"weight", "colour", "score"}  # it is computed all the same


def test_a_word_that_training_did_not_have_is_said_with_what_it_is_taken_for(scene: TableScene) -> None:
    words = "Not in training; taken for 'another value', which all such values share"
    for cells, notes in (
        ({"colour": "green"}, {"colour": words}),
        ({"colour": "another value"}, {}),
        ({"colour": "red"}, {}),
        ({"score": ""}, {}),
        ({"score": "99"}, {"score": "Not in training; seen: 0 to 8"}),
    ):
        first, *_ = events(scene, "distributions", cells=cells)
        assert first["notes"] == notes


def test_rare_words_are_told_from_new_ones() -> None:
    codec = Categories(categories=("red",), rare=("ochre",), others=True)
    schema = TableSchema((Column("colour", "category", codec=codec), Column("size", "real", mean=3.0)))
    for text, words in (("ochre", "Rare in training"), ("puce", "Not in training")):
        row = read_row(schema, {"colour": text, "size": "1e6"})  # of the size no range is known
        assert unseen_notes(schema, row) == {
            "colour": f"{words}; taken for 'another value', which all such values share"
        }


def test_rows_that_fit_are_those_of_the_command(
    scene: TableScene, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command, drawn = events(scene, "rows", cells={"height": "171.2", "colour": "red"}, count=5, seed=7)
    for name, text in command["files"].items():
        Path(name).write_text(text, encoding="utf-8")
    assert main(shlex.split(command["command"])[1:]) == 0
    written = polars.read_csv("rows.csv", infer_schema=False).drop("row", "draw")
    assert drawn["names"] == written.columns
    assert drawn["rows"] == [list(row) for row in written.iter_rows()]
    assert {(row[0], row[2]) for row in drawn["rows"]} == {("171.2", "red")}


@pytest.mark.parametrize("height", ["-1e200", "123456789.123", "0171.20"])
def test_rows_that_fit_have_the_filled_cells_as_they_were_filled(scene: TableScene, height: str) -> None:
    """A model's numbers have 24 bits and a range; a cell is what was typed, as in the file of the command."""
    _, drawn = events(scene, "rows", cells={"height": height, "colour": "red"}, count=2)
    assert {(row[0], row[2]) for row in drawn["rows"]} == {(height, "red")}


def test_rows_of_an_empty_form_are_samples(scene: TableScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command, drawn = events(scene, "rows", cells={}, count=4, seed=3)
    assert main(shlex.split(command["command"])[1:]) == 0
    written = polars.read_csv("rows.csv", infer_schema=False).fill_null("")
    assert drawn["rows"] == [list(row) for row in written.iter_rows()]


def test_a_cell_that_is_known_to_be_empty_stays_empty(scene: TableScene) -> None:
    command, drawn = events(scene, "rows", cells={"score": "", "height": "171.2"}, count=5)
    assert command["command"] is None
    assert {(row[0], row[3]) for row in drawn["rows"]} == {("171.2", "")}
    *_, last = events(scene, "distributions", cells={"score": ""})
    assert list(last["columns"]) == ["height", "weight", "colour"]


def test_strange_cells_are_those_of_the_command(
    scene: TableScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cells = {"height": "171.2", "weight": "160.0", "colour": "red", "score": "4"}
    command, *_, found = events(scene, "strange", cells=cells)
    for name, text in command["files"].items():
        Path(name).write_text(text, encoding="utf-8")
    assert main(shlex.split(command["command"])[1:]) == 0
    written = polars.read_csv("cells.csv", infer_schema=False)
    assert [part["column"] for part in found["cells"]] == written["column"].to_list()
    assert [part["expected"] for part in found["cells"]] == written["expected"].to_list()
    strangest = found["cells"][0]
    assert (strangest["column"], strangest["value"]) == ("weight", "160.0")
    assert strangest["tail"] < 1e-3
    assert found["pvalue"] < 0.05
    log_p = scene.model.log_prob(read_row(scene.schema, cells).x).item()
    assert found["log_p"] == pytest.approx(log_p, abs=1e-3)


def test_filled_cells_are_judged_by_the_other_filled_ones_alone(scene: TableScene) -> None:
    """A weight of 100 is unusual, and more so for a short person: what others are drawn must not hide that."""
    why, *_, found = events(scene, "strange", cells={"height": "155.0", "weight": "100.0"})
    assert why["command"] is None
    assert {part["column"] for part in found["cells"]} == {"height", "weight"}
    assert found["cells"][0]["column"] == "weight"
    assert found["cells"][0]["tail"] < 0.01
    assert found["pvalue"] is None
    *_, alone = events(scene, "strange", cells={"weight": "68.0"})
    (weight,) = alone["cells"]
    assert weight["tail"] > 0.8  # the mean of all rows
    assert float(weight["low"]) < 55 < 81 < float(weight["high"])


def test_a_tail_given_some_cells_is_that_of_the_sum_over_the_others(scene: TableScene) -> None:
    *_, found = events(scene, "strange", cells={"colour": "blue", "score": "4"})
    tails = {part["column"]: part for part in found["cells"]}
    assert 0.2 < tails["colour"]["tail"] < 0.42  # blue has 30 % in the data
    assert "red" in tails["colour"]["expected"]


def test_a_value_that_training_did_not_have_is_impossible(scene: TableScene) -> None:
    cells = {"height": "171.2", "weight": "70.0", "colour": "red", "score": "99"}
    *_, whole = events(scene, "strange", cells=cells)
    *_, part = events(scene, "strange", cells={"score": "99", "height": "171.2", "weight": "70.0"})
    for found in (whole, part):
        assert found["cells"][0]["column"] == "score"
        assert found["cells"][0]["tail"] < 1e-3


def test_an_example_is_a_row_of_the_file(scene: TableScene, folder: Path) -> None:
    rows = {tuple(row) for row in polars.read_csv(folder / "people.csv", infer_schema=False).fill_null("").iter_rows()}
    for index in range(10):
        (found,) = events(scene, "example", split="test", index=index)
        assert tuple(found["cells"].values()) in rows
        x = read_row(scene.schema, found["cells"])
        assert not x.unknown.any()
        assert form_of(scene.schema, x.x[0]) == found["cells"]
    assert found["count"] == 200


@pytest.mark.parametrize(
    ("action", "request_", "words"),
    [
        ("distributions", {}, "cells expects texts by column"),
        ("distributions", {"cells": {"heigth": "1"}}, "got 'heigth', did you mean height"),
        ("distributions", {"cells": {"height": 1}}, "expects texts of at most 1000 characters"),
        ("distributions", {"cells": {"height": "tall"}}, "column 'height'.*expected a number, got 'tall'"),
        ("distributions", {"cells": {"height": ""}}, "height expects a value, got an empty cell"),
        ("distributions", {"cells": {"score": "NA"}}, "score expects a value, got 'NA'"),
        ("rows", {"cells": {}, "count": 201}, "count expects an integer from 1 to 200"),
        ("strange", {"cells": {}}, "cells expects a filled cell at least"),
        ("example", {"split": "test", "index": 200}, "index expects an integer from 0 to 199"),
    ],
)
def test_wrong_requests_are_refused_by_name(
    scene: TableScene, action: str, request_: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        events(scene, action, **request_)


def test_density_keeps_its_mass_and_its_bounds() -> None:
    random = np.random.RandomState(0)
    values = random.exponential(1.0, 4000)
    places, heights = density(values, np.full(4000, 0.5 / 4000))
    assert places[0] == pytest.approx(values.min(), abs=1e-6)
    assert np.trapezoid(heights, places) == pytest.approx(0.5, abs=0.01)
    assert heights[0] == pytest.approx(0.5, rel=0.15)  # half an exponential density, at its bound
    places, heights = density(np.array([3.0, 3.0]), np.array([0.5, 0.5]))
    assert np.trapezoid(heights, places) == pytest.approx(1, abs=0.01)
    assert [len(part) for part in density(np.zeros(0), np.zeros(0))] == [0, 0]


def amounts() -> np.ndarray:
    """Quantiles of a Pareto distribution: a few are very far away."""
    return 10 * (1 - (np.arange(2048) + 0.5) / 2048) ** -1.0


def test_the_curve_of_heavy_tails_has_room_for_most_values(scene: TableScene) -> None:
    """One axis to the farthest value, or of 99 % of them, is an L: the half of all values has a fiftieth of it."""
    values, weights = amounts(), np.full(2048, 1 / 2048)
    found = distribution_of(Column("amount", "real", std=100.0), values, weights)
    low, high = found["range"]
    assert low == pytest.approx(10, abs=0.5)
    assert np.median(values) - low > 0.04 * (high - low)
    (above,) = found["beyond"]
    assert (above["side"], float(above["value"])) == ("above", pytest.approx(high, rel=1e-3))
    assert above["share"] == pytest.approx((values > high).mean())
    assert 0.03 < above["share"] < 0.06
    assert all(low <= tick["at"] <= high for tick in found["ticks"])


def test_a_curve_without_heavy_tails_holds_nearly_all(scene: TableScene) -> None:
    found = distribution_of(
        scene.schema.used[0], 170 + 10 * ndtri((np.arange(2048) + 0.5) / 2048), np.full(2048, 1 / 2048)
    )
    assert sum(part["share"] for part in found["beyond"]) < 0.01


def test_a_far_value_with_a_probability_of_its_own_does_not_stretch_the_axis() -> None:
    shape = Shape(atoms=(0.0, 99999.0), knots=(100.0, 900.0), scores=(-1.0, 1.0))
    values = np.concatenate([np.linspace(100, 900, 600), np.zeros(200), np.full(200, 99999.0)])
    found = distribution_of(Column("debt", "real", std=100.0, shape=shape), values, np.full(1000, 1e-3))
    assert [(spike["at"], spike["share"]) for spike in found["spikes"]] == [
        (0, pytest.approx(0.2)),
        (99999, pytest.approx(0.2)),
    ]
    assert (found["range"][0], found["beyond"]) == (0, [])
    assert found["range"][1] == pytest.approx(900, abs=1)


def test_a_number_on_few_places_has_bars(scene: TableScene) -> None:
    score = scene.schema.used[3]
    found = distribution_of(score, np.array([1.0, 1.0, 8.0]), np.array([0.25, 0.25, 0.5]))
    assert found == {
        "type": "bars", "values": ["1", "8"], "shares": [0.5, 0.5], "low": "1", "median": "1", "high": "8",
    }  # fmt: skip


def test_no_request_is_a_crash(scene: TableScene) -> None:
    """Whatever fields have, an action answers, or raises a ValueError in words."""
    random = Random(0)
    values = (None, True, -1, 0, 1.5, 1e308, "", "x", "170", "NA", "\x00", "9" * 400, [], {}, {"height": {}}, 2**70)
    cells = ("height", "weight", "colour", "score", "heigth", "")
    for _ in range(300):
        asked: dict[str, Any] = {name: random.choice(values) for name in ("count", "seed", "split", "index", "label")}
        asked["cells"] = {name: random.choice(values) for name in random.sample(cells, random.randint(0, 3))}
        asked = {name: value for name, value in asked.items() if random.random() < 0.5}
        with contextlib.suppress(ValueError):
            json.dumps(events(scene, random.choice(("strange", "example", "rows")), **asked), allow_nan=False)


@pytest.mark.parametrize(("action", "known"), [("distributions", 1), ("rows", 1), ("strange", 1), ("strange", 4)])
def test_work_ends_when_the_page_is_gone(scene: TableScene, action: str, known: int) -> None:
    cells = list({"height": "171.2", "weight": "70.3", "colour": "red", "score": "4"}.items())[:known]
    link = Link(lambda event: None, Turns())
    answers = iter(scene.actions[action]({"cells": dict(cells)}, link))
    assert "command" in next(answers)
    link.leave()
    with pytest.raises(Stopped):
        next(answers)
