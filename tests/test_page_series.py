"""The scene of series in a browser, by clicking, dragging and keys."""

import re
from collections.abc import Iterator
from typing import Any

import polars
import pytest
from browser import check_colours, needs_axe, needs_browser, page_at, screenshot, serious_findings, too_wide
from test_page_table import alone, card, saved, says
from test_web_series import FAST, weather
from web_client import Client, served

from chainrule.cli import main

pytestmark = needs_browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Runs on one column of a file, on another, on two groups, and on a column with gaps."""
    folder = tmp_path_factory.mktemp("series")
    weather(0).write_csv(folder / "one.csv")
    groups = [weather(seed).with_columns(place=polars.lit(name)) for seed, name in enumerate(("Bern", "Oslo"))]
    polars.concat(groups).write_csv(folder / "two.csv")
    gap = polars.int_range(polars.len()).is_in([20, 30])
    weather(0).with_columns(warmth=polars.when(gap).then(None).otherwise("warmth")).write_csv(folder / "gaps.csv")
    wanted = {"one": ["warmth"], "rain": ["rain"], "two": ["warmth", "--group", "place"], "gaps": ["warmth"]}
    for name, words in wanted.items():
        file = str(folder / f"{'one' if name == 'rain' else name}.csv")
        assert main(["fit", file, "--series", *words, *FAST, "--out", str(folder / name)]) == 0
    with served([folder / name for name in wanted]) as client:
        yield client


@pytest.fixture
def page(chromium: Any, server: Client) -> Iterator[Any]:
    with page_at(chromium, server.port) as page:
        alone(page)
        yield page


def origin(page: Any) -> Any:
    return page.get_by_role("slider", name="Origin")


def test_the_first_forecast_begins_where_the_test_part_does(page: Any) -> None:
    words = says(card(page, "Forecast"), "exact draws.*median .*Of 8 values that came")
    assert "2020-04-05: median" in words
    assert origin(page).input_value() == "72"
    label = card(page, "Forecast").get_by_role("img").first.get_attribute("aria-label")
    assert re.search(r"warmth up to 2020-03-12.*forecast of 24 values", label)
    assert "complete" in card(page, "Forecast").locator("code").inner_text()
    screenshot(page, "series")


def test_keys_and_the_pointer_move_the_origin(page: Any) -> None:
    says(card(page, "Forecast"), "Of 8 values that came")
    origin(page).focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    says(card(page, "Forecast"), "Of 10 values that came")
    picture = card(page, "Forecast").get_by_role("img").first
    box = picture.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.8 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], middle, steps=4)
    page.mouse.up()
    says(card(page, "Forecast"), "Of 24 values that came")
    assert int(origin(page).input_value()) < 60
    screenshot(page, "series-dragged")


def test_plots_follow_the_colours_of_the_system(page: Any) -> None:
    says(card(page, "Forecast"), "Of 8 values that came")
    says(card(page, "Surprisal"), "nats a value on average")
    for name in ("Forecast", "Surprisal"):
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        check_colours(page, card(page, name).get_by_role("img"))


def test_length_and_draws_are_choices_and_the_forecast_is_a_file(page: Any) -> None:
    forecast = card(page, "Forecast")
    forecast.get_by_label("Length").fill("5")
    forecast.get_by_label("Draws", exact=True).fill("60")
    forecast.get_by_label("Seed").fill("3")
    forecast.get_by_label("Seed").press("Tab")
    says(forecast, "^60 exact draws.*2020-03-17: ")
    assert "--length 5 --draws 60 --out forecast.csv --seed 3" in forecast.locator("code").inner_text()
    name, text = saved(page, forecast, "Save forecast.csv")
    found = polars.read_csv(text.encode())
    assert (name, found.columns, len(found)) == ("forecast.csv", ["time", "5%", "25%", "50%", "75%", "95%"], 5)
    name, text = saved(page, forecast, "Save past.csv")
    assert (name, len(polars.read_csv(text.encode()))) == ("past.csv", 72)
    forecast.get_by_label("Show some draws").check()
    screenshot(page, "series-draws")


def test_the_strangest_value_is_named_and_can_be_forecast(page: Any) -> None:
    surprisal = card(page, "Surprisal")
    assert "80 values" in says(surprisal, "nats a value on average")
    surprisal.get_by_role("button", name="The strangest values").click()
    says(surprisal, "2020-02-10: .* expected about")
    surprisal.get_by_role("button", name="Forecast it: 2020-02-10").click()
    says(card(page, "Forecast"), "Of 24 values that came, ")
    assert origin(page).input_value() == "40"
    assert saved(page, surprisal, "Save as CSV")[0] == "strange.csv"
    name, text = saved(page, surprisal, "Save surprisals as CSV")
    assert (name, len(polars.read_csv(text.encode()))) == ("surprisals.csv", 80)


def test_missing_values_are_said_beside_the_average(page: Any) -> None:
    assert "missing" not in says(card(page, "Surprisal"), "80 values, .*nats a value on average")
    alone(page, 3)
    words = says(card(page, "Surprisal"), "80 values, of which 2 are missing, .* nats a value on average: ")
    found = re.search(r"missing, (\S+) nats .*: (\S+) where there is one, and (\S+) where it is missing", words)
    every, there, gone = (float(each) for each in found.groups())
    assert 80 * every == pytest.approx(78 * there + 2 * gone, rel=1e-3)


def test_a_click_on_a_value_says_what_was_expected(page: Any) -> None:
    surprisal = card(page, "Surprisal")
    says(surprisal, "nats a value on average")
    surprisal.get_by_role("img").click()
    says(surprisal, r"^2020-\d\d-\d\d: .* expected about .*; tail probability")


def test_groups_are_chosen_and_other_columns_have_commands(page: Any) -> None:
    others = card(page, "Other columns")
    others.get_by_text("1 column of numbers: rain").click()
    assert others.locator("code").inner_text().endswith("one.csv --series rain")
    alone(page, 2)
    card(page, "Forecast").get_by_role("combobox", name="place").select_option("Oslo")
    says(card(page, "Forecast"), "exact draws")
    label = card(page, "Forecast").get_by_role("img").first.get_attribute("aria-label")
    last = weather(1)["warmth"][71]
    assert f"the last value is {last:g}" in label


def test_two_runs_show_the_same_origin(chromium: Any, server: Client) -> None:
    with page_at(chromium, server.port, viewport={"width": 1500, "height": 900}) as page:
        page.get_by_text("Of 8 values that came").nth(1).wait_for()
        origin(page).first.focus()
        page.keyboard.press("ArrowLeft")
        page.get_by_text("Of 9 values that came").nth(1).wait_for()
        assert [origin(page).nth(i).input_value() for i in (0, 1)] == ["71", "71"]
        screenshot(page, "series-two-runs")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything(chromium: Any, server: Client, scheme: str) -> None:
    with page_at(chromium, server.port, viewport={"width": 375, "height": 700}, color_scheme=scheme) as page:
        alone(page)
        says(card(page, "Forecast"), "exact draws")
        card(page, "Surprisal").get_by_role("button", name="The strangest values").click()
        says(card(page, "Surprisal"), "expected about")
        assert not too_wide(page)
        screenshot(page, f"series-phone-{scheme}")


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(chromium: Any, server: Client, scheme: str) -> None:
    with page_at(chromium, server.port, color_scheme=scheme) as page:
        alone(page)
        says(card(page, "Forecast"), "exact draws")
        card(page, "Surprisal").get_by_role("button", name="The strangest values").click()
        says(card(page, "Surprisal"), "expected about")
        assert serious_findings(page) == []


def test_the_words_of_ticks_tell_them_apart(page: Any) -> None:
    words = """async ([low, high]) => {
        const { ticks, toldApart } = await import("/static/plots.js");
        return toldApart(ticks(low, high, 4)).map((each) => each[1]);
    }"""
    assert page.evaluate(words, [0, 100]) == ["0", "50", "100"]
    assert page.evaluate(words, [6.79, 6.805]) == ["6.79", "6.795", "6.8", "6.805"]
    assert page.evaluate(words, [12345678, 12345688])[0] == "1.234568e+7"
