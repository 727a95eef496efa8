"""The scene of tables in a browser, by clicking."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars
import pytest
from browser import check_colours, needs_axe, needs_browser, page_at, screenshot, serious_findings, too_wide
from test_cli_explain import table
from web_client import Client, served

from chainrule.cli import main

pytestmark = needs_browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    table(folder / "people.csv", {}, 1000)
    fast = ["--model", "MADE", "--max-epochs", "4", "--learning-rate", "0.01"]
    assert main(["fit", str(folder / "people.csv"), *fast, "--out", str(folder / "run")]) == 0
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Client]:
    with served([folder / "run", folder / "run"]) as client:
        yield client


@pytest.fixture
def page(chromium: Any, server: Client) -> Iterator[Any]:
    with page_at(chromium, server.port) as page:
        alone(page)
        yield page


def alone(page: Any, run: int = 0) -> None:
    """Show one run."""
    page.get_by_role("combobox", name="Beside it").select_option("")
    page.get_by_role("combobox", name="Run", exact=True).select_option(str(run))
    page.locator(f"body[data-ready='{run}']").wait_for()


def says(card: Any, pattern: str) -> str:
    """Wait until the status of a card has a pattern, and return it."""
    status = card.get_by_role("status")
    status.filter(has_text=re.compile(pattern)).wait_for()
    return str(status.inner_text())


def card(page: Any, name: str) -> Any:
    return page.get_by_role("region", name=name, exact=True)


def cell(page: Any, name: str, run: int = 0) -> Any:
    return page.get_by_role("group", name=name, exact=True).nth(run)


def saved(page: Any, where: Any, name: str) -> tuple[str, str]:
    """The name and the text of the file that a button offers."""
    with page.expect_download() as found:
        where.get_by_role("button", name=name, exact=True).click()
    return found.value.suggested_filename, Path(found.value.path()).read_text(encoding="utf-8")


def test_filled_cells_change_the_others(page: Any) -> None:
    says(card(page, "Row"), "Nothing is filled: each cell by itself; 2,048 samples")
    heights = []
    for height in ("150", "190"):
        cell(page, "height").get_by_role("textbox").fill(height)
        says(card(page, "Row"), "Given 1 filled cell; .*2,?048")
        text = cell(page, "weight").get_by_text("median").inner_text()
        heights.append(float(re.search(r"median ([\d.]+)", text)[1]))
        assert "median" in cell(page, "weight").get_by_role("img").get_attribute("aria-label")
        screenshot(page, "table-filled")
        cell(page, "height").get_by_role("button", name="Make height unknown").click()
        says(card(page, "Row"), "Nothing is filled")
    assert heights[1] - heights[0] > 15


def test_a_bar_fills_its_cell(page: Any) -> None:
    says(card(page, "Row"), "Nothing is filled")
    bar = cell(page, "colour").get_by_role("button", name="red")
    assert 55 < float(re.search(r"([\d.]+) %", bar.inner_text())[1]) < 85
    bar.press("Enter")
    says(card(page, "Row"), "Given 1 filled cell")
    assert cell(page, "colour").get_by_role("combobox").input_value() == "=red"
    assert cell(page, "colour").get_by_role("button", name="blue").count() == 0


def test_a_cell_may_be_known_to_be_empty(page: Any) -> None:
    cell(page, "score").get_by_label("empty").check()
    says(card(page, "Row"), "Given 1 filled cell")
    assert card(page, "Row").get_by_text("No command does the same").is_visible()


def test_a_wrong_cell_is_refused_in_words(page: Any) -> None:
    cell(page, "height").get_by_role("textbox").fill("tall")
    assert "expected a number, got 'tall'" in says(card(page, "Row"), "column 'height'")
    page.wrong.clear()  # the refused request is on the console


def test_a_value_that_training_did_not_have_is_said_beside_its_field(page: Any) -> None:
    field = cell(page, "height").get_by_role("textbox")
    field.fill("300")
    note = cell(page, "height").get_by_text(re.compile(r"^Not in training; seen: 1\d\d\.\d to \d\d\d\.\d$"))
    note.wait_for()
    assert field.get_attribute("aria-describedby") == note.get_attribute("id")
    says(card(page, "Row"), "Given 1 filled cell")
    screenshot(page, "table-unseen")
    field.fill("170")
    note.wait_for(state="hidden")


HEAVY = {
    "type": "curve", "places": [0.0, 5.0, 10.0], "density": [0.1, 0.05, 0.01], "range": [0.0, 10.0],
    "ticks": [{"at": 5.0, "label": "5"}], "low": "1", "median": "2", "high": "20",
    "beyond": [{"side": "above", "share": 0.04, "value": "10"}, {"side": "below", "share": 1e-4, "value": "0"}],
    "spikes": [{"at": 999.0, "value": "999", "share": 0.3}],
}  # fmt: skip


def test_what_lies_beyond_a_curve_is_said_and_a_far_value_stands_at_the_edge(page: Any) -> None:
    shown = """async (found) => {
        const { Distribution } = await import("/static/scenes/table/distribution.js");
        const [one, two] = [0, 1].map(() => new Distribution({ name: "amount" }, () => {}));
        document.querySelector(".cells").prepend(one.element, two.element);
        one.show(found, false);
        two.show({ ...found, spikes: [] }, false);
        const [marked, plain] = [one, two].map((own) => own.element.querySelector("canvas"));
        const edge = (own) => [...own.getContext("2d").getImageData(own.width - 30, 0, 20, own.height).data];
        const other = edge(plain);
        return [one.element.innerText, edge(marked).some((each, i) => each !== other[i])];
    }"""
    words, marked = page.evaluate(shown, HEAVY)
    assert "999: 30 %, beyond the picture; median 2, 90 % from 1 to 20; 4 % above 10, not shown" in words
    assert "below" not in words
    assert marked


def test_plots_follow_the_colours_of_the_system(page: Any) -> None:
    cell(page, "colour").get_by_role("combobox").select_option("red")
    says(card(page, "Row"), "Given 1 filled cell; .*2,?048")
    check_colours(page, cell(page, "height").get_by_role("img"))


def test_rows_that_fit_are_drawn_and_saved(page: Any) -> None:
    cell(page, "height").get_by_role("textbox").fill("171.2")
    cell(page, "colour").get_by_role("combobox").select_option("red")
    says(card(page, "Row"), "Given 2 filled cells")
    rows = card(page, "Rows that fit")
    rows.get_by_label("Rows", exact=True).first.fill("4")
    rows.get_by_role("button", name="Draw rows that fit").click()
    says(rows, "4 rows; ")
    assert rows.get_by_role("row").count() == 5
    assert rows.locator("td.given").all_inner_texts() == ["171.2", "red"] * 4
    name, text = saved(page, rows, "Save as CSV")
    drawn = polars.read_csv(text.encode(), infer_schema=False)
    assert (name, drawn.columns, len(drawn)) == ("rows.csv", ["height", "weight", "colour", "score"], 4)
    assert saved(page, rows, "Save row.csv") == ("row.csv", "height,weight,colour,score\n171.2,,red,\n")
    assert "--draws 4" in rows.locator("code").inner_text()


def test_strange_cells_are_named_with_what_was_expected(page: Any) -> None:
    row = card(page, "Row")
    row.get_by_label("Row", exact=True).fill("3")
    row.get_by_role("button", name="Take this row").click()
    says(row, "All cells are filled")
    cell(page, "weight").get_by_role("textbox").fill("160")
    strange = card(page, "Strange cells")
    strange.get_by_role("button", name="Which cells are strange?").click()
    assert "% of rows held out are as strange" in says(strange, "Strangest: weight is 160, expected about")
    assert "Unusual" in cell(page, "weight").get_by_text("expected about").inner_text()
    screenshot(page, "table-strange")
    assert saved(page, strange, "Save as CSV")[0] == "cells.csv"
    cell(page, "weight").get_by_role("textbox").fill("70")  # what was said of other cells is gone
    says(row, "All cells are filled")
    assert not cell(page, "weight").get_by_text("expected about").is_visible()


def test_two_runs_get_the_same_cells(chromium: Any, server: Client) -> None:
    with page_at(chromium, server.port, viewport={"width": 1500, "height": 900}) as page:
        cell(page, "height", 1).wait_for()
        cell(page, "height").get_by_role("textbox").fill("171.2")
        page.get_by_text("Given 1 filled cell").nth(1).wait_for()
        assert cell(page, "height", 1).get_by_role("textbox").input_value() == "171.2"
        screenshot(page, "table-two-runs")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything(chromium: Any, server: Client, scheme: str) -> None:
    with page_at(chromium, server.port, viewport={"width": 375, "height": 700}, color_scheme=scheme) as page:
        alone(page)
        says(card(page, "Row"), "Nothing is filled")
        card(page, "Rows that fit").get_by_role("button", name="Draw rows that fit").click()
        says(card(page, "Rows that fit"), "10 rows")
        assert not too_wide(page)
        screenshot(page, f"table-phone-{scheme}")


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(chromium: Any, server: Client, scheme: str) -> None:
    with page_at(chromium, server.port, color_scheme=scheme) as page:
        alone(page)
        cell(page, "height").get_by_role("textbox").fill("171.2")
        says(card(page, "Row"), "Given 1 filled cell")
        for name, button in (("Rows that fit", "Draw rows that fit"), ("Strange cells", "Which cells are strange?")):
            card(page, name).get_by_role("button", name=button).click()
            says(card(page, name), "effective|exact|nats")
        assert serious_findings(page) == []


def test_the_first_answer_is_there_at_once(server: Client) -> None:
    """The distributions of few completions come before those of many."""
    shown = [event for event in server.events("distributions", {"cells": {"height": "171.2"}}) if "columns" in event]
    assert [event["walks"] for event in shown][-1] == 2048
    assert json.dumps(shown[0])
    assert len(shown) == 2
