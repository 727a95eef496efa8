"""The scene of text in a browser, by clicking."""

import csv
import io
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from browser import needs_axe, needs_browser, page_at, screenshot, serious_findings, too_wide
from web_client import Client, served

from chainrule.conditionals import Categorical
from chainrule.data.text import TextFormat
from chainrule.data.vocabulary import Vocabulary
from chainrule.models import RNN
from chainrule.runs import folder
from chainrule.runs.opened import open_run
from chainrule.tasks.sample import sample

pytestmark = needs_browser

FORMATS = {
    "stream": TextFormat(Vocabulary("\n abcdefghijklmnopqrstuvwxyz"), documents=False),
    "bytes": TextFormat(Vocabulary(None), documents=False),
    "lines": TextFormat(Vocabulary("\n abcdefghij"), documents=True),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Models that were never fitted, whose conditionals are far from uniform."""
    home = tmp_path_factory.mktemp("runs")
    for seed, (name, form) in enumerate(FORMATS.items()):
        torch.manual_seed(seed)
        end = form.vocabulary.end if form.documents else None
        model = RNN(event_shape=(40,), conditional=Categorical(form.levels), hidden_size=8, cell="gru", end_symbol=end)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(torch.randn_like(parameter))
            if form.vocabulary.unknown is not None:
                model.output.bias[form.vocabulary.unknown] = -20
        (home / name).mkdir()
        folder.save(model, home / name, settings={}, data={"name": name, "kind": "text", "text": form.config})
    return [home / name for name in FORMATS]


@pytest.fixture(scope="module")
def server(runs: list[Path]) -> Iterator[Client]:
    with served(runs) as client:
        yield client


def panel(page: Any, name: str) -> Any:
    return page.get_by_role("region", name=name, exact=True)


def alone(page: Any, name: str) -> Any:
    """Show one run, at full speed; returns its panel."""
    page.get_by_label("Beside it").select_option("")
    page.locator(".panel").nth(1).wait_for(state="detached")
    page.locator("#choices select").first.select_option(label=name)
    found = panel(page, name)
    found.get_by_label("Prompt").wait_for()
    fast(found)
    return found


def fast(where: Any) -> None:
    where.get_by_label("Speed").fill("11")


def click(where: Any, name: str) -> None:
    where.get_by_role("button", name=name, exact=True).click()


def type_prompt(where: Any, text: str) -> None:
    where.get_by_label("Prompt").fill(text)
    sums(where, f"Prompt: {len(text)} ")


def sums(where: Any, pattern: str) -> None:
    where.get_by_text(re.compile(pattern)).first.wait_for()


def says(where: Any, pattern: str) -> None:
    where.get_by_role("status").filter(has_text=re.compile(pattern)).wait_for()


def text_of(where: Any) -> str:
    """The text on the page, as it is."""
    return "".join(where.locator(".text .symbol:not(.next)").all_text_contents()).replace("↵\n", "\n")


def drawn(run: Path, prompt: str, count: int, **settings: Any) -> str:
    """What the library draws after a prompt."""
    opened = open_run(run, device="cpu")
    prefix = opened.kind.prefix(prompt)
    x = sample(opened.likelihood, 1, prefix=prefix, length=count, undrawn=opened.kind.undrawn, **settings)
    return opened.kind.format.decode(x[0])


def bars(where: Any) -> list[str]:
    return where.locator(".expected .mark").all_text_contents()


def test_a_prompt_is_coloured_and_the_next_character_has_bars(page: Any) -> None:
    where = alone(page, "stream")
    type_prompt(where, "the cat\nand")
    assert text_of(where) == "the cat\nand"
    shades = where.locator(".text .symbol:not(.next)").evaluate_all("all => all.map(each => each.className)")
    assert len(set(shades)) > 2
    where.get_by_text("Character 12, after “the␣cat↵and”").wait_for()
    assert len(bars(where)) == 12
    where.get_by_text("chainrule score").wait_for()


def test_a_text_goes_on_as_the_library_draws_it(page: Any, runs: list[Path]) -> None:
    where = alone(page, "stream")
    type_prompt(where, "the cat")
    where.get_by_label("Seed").fill("5")
    where.get_by_label("Characters to draw").fill("60")
    click(where, "Go on")
    says(where, r"^60 characters drawn\.$")
    sums(where, "drawn: 60 characters")
    assert text_of(where) == drawn(runs[0], "the cat", 60, seed=5)
    command = where.get_by_text("chainrule sample").inner_text()
    assert command.endswith(" '--prompt=the cat' --length 60 --seed 5")
    click(where, "Another")
    says(where, r"^60 characters drawn\.$")
    where.get_by_text("--seed 6").wait_for()
    sums(where, "drawn: 60 characters")
    assert text_of(where) == drawn(runs[0], "the cat", 60, seed=6)
    screenshot(page, "text")


def test_the_first_character_is_there_in_a_blink(page: Any) -> None:
    where = alone(page, "stream")
    type_prompt(where, "the cat")
    click(where, "Go on")
    says(where, "drawn")
    took = page.evaluate(
        """async () => {
          const go = [...document.querySelectorAll("button")].find((each) => each.textContent === "Go on");
          const started = performance.now();
          go.click();
          while (document.querySelector(".text .drawn") !== null) await new Promise(requestAnimationFrame);
          while (document.querySelector(".text .drawn") === null) await new Promise(requestAnimationFrame);
          return performance.now() - started;
        }"""
    )
    assert took < 300


def test_playback_stops_steps_and_scrubs(page: Any) -> None:
    where = alone(page, "stream")
    type_prompt(where, "the cat")
    where.get_by_label("Characters to draw").fill("50")
    click(where, "Go on")
    sums(where, "drawn: 50 characters")
    click(where, "Step back")
    sums(where, "drawn: 49 characters")
    where.get_by_label("Shown").fill("10")
    sums(where, "drawn: 10 characters")
    assert len(text_of(where)) == len("the cat") + 10
    click(where, "Step on")
    sums(where, "drawn: 11 characters")


def test_another_character_is_put_in_place_and_goes_on(page: Any, runs: list[Path]) -> None:
    where = alone(page, "stream")
    type_prompt(where, "the cat")
    where.get_by_label("Characters to draw").fill("40")
    click(where, "Go on")
    sums(where, "drawn: 40 characters")
    before = text_of(where)
    where.locator(".text .symbol").nth(15).click()
    where.get_by_text("Character 16, after").wait_for()
    other = next(mark for mark in bars(where) if mark not in (before[15], "new"))
    text = {"␣": " ", "↵": "\n"}.get(other, other)
    where.locator(".expected button").filter(
        has=page.locator(".mark", has_text=re.compile(f"^{re.escape(other)}$"))
    ).first.click()
    sums(where, "Prompt: 16 characters.*drawn: 40 characters")
    assert text_of(where) == drawn(runs[0], before[:15] + text, 40, seed=0)
    assert where.get_by_label("Prompt").input_value() == before[:15] + text
    click(where, "Take back")
    says(where, "Took the last replacement back")
    sums(where, "drawn: 40 characters")
    assert text_of(where) == before


def test_a_text_is_read_by_keys_alone(page: Any, runs: list[Path]) -> None:
    where = alone(page, "stream")
    type_prompt(where, "the cat")
    where.get_by_label("Characters to draw").fill("10")
    where.get_by_role("listbox").focus()
    page.keyboard.press("Home")
    where.get_by_text("Character 1, at the beginning: t has").wait_for()
    page.keyboard.press("ArrowRight")
    where.get_by_text("Character 2, after “t”: h has").wait_for()
    selected = where.locator("[aria-selected=true]")
    assert selected.get_attribute("aria-label").startswith("h, ")
    assert where.get_by_role("listbox").get_attribute("aria-activedescendant") == selected.get_attribute("id")
    page.keyboard.press("Tab")
    first = bars(where)[0]
    assert page.evaluate("document.activeElement.querySelector('.mark').textContent") == first
    page.keyboard.press("Enter")
    sums(where, "drawn: 10 characters")
    kept = "t" + {"␣": " ", "↵": "\n"}.get(first, first)
    assert text_of(where) == drawn(runs[0], kept, 10, seed=0)


def test_temperature_and_top_k_change_what_is_drawn(page: Any, runs: list[Path]) -> None:
    where = alone(page, "stream")
    type_prompt(where, "the cat")
    assert where.locator(".expected .q").count() == 0
    where.get_by_label("Temperature").fill("0.5")
    where.get_by_label("Top k").fill("3")
    where.get_by_label("Top k").press("Enter")
    where.locator(".expected .q").nth(5).wait_for()
    where.get_by_label("Characters to draw").fill("30")
    click(where, "Go on")
    sums(where, "drawn: 30 characters")
    assert text_of(where) == drawn(runs[0], "the cat", 30, seed=0, temperature=0.5, top_k=3)
    assert where.get_by_text("chainrule sample").inner_text().endswith("--temperature 0.5 --top-k 3")
    where.get_by_label("Greedy").check()
    click(where, "Go on")
    where.get_by_text("--greedy").wait_for()
    sums(where, "drawn: 30 characters")
    assert text_of(where) == drawn(runs[0], "the cat", 30, greedy=True)


def test_a_line_ends(page: Any) -> None:
    where = alone(page, "lines")
    type_prompt(where, "a")
    where.get_by_label("Characters to draw").fill("2000")
    click(where, "Go on")
    says(where, "drawn: the line ended")
    sums(where, "drawn: ")
    assert text_of(where).endswith("\n")
    assert text_of(where).count("\n") == 1
    type_prompt(where, "ab\nc")
    where.get_by_text("Character 5, after “c”: ").wait_for()  # the line before is another example


def test_a_text_stops_before_a_text(page: Any, runs: list[Path]) -> None:
    where = alone(page, "stream")
    type_prompt(where, "the cat")
    whole = drawn(runs[0], "the cat", 60, seed=0)
    end = whole[20:22]
    where.get_by_label("Characters to draw").fill("60")
    where.get_by_label("Stop before").fill(end)
    click(where, "Go on")
    says(where, "up to the text that stops")
    assert text_of(where) == whole[: whole.index(end, 7)]


def test_a_dropped_file_is_read(page: Any) -> None:
    where = alone(page, "stream")
    page.evaluate(
        """() => {
          const given = new DataTransfer();
          given.items.add(new File(["dropped text\\nof two lines™"], "mine.txt"));
          document.querySelector(".drop").dispatchEvent(new DragEvent("drop", { dataTransfer: given, bubbles: true }));
        }"""
    )
    sums(where, "Prompt: 26 characters")
    says(where, "1 characters are new to the model")
    assert text_of(where) == "dropped text\nof two lines™"
    where.locator("input[type=file]").set_input_files(
        {"name": "mine.txt", "mimeType": "text/plain", "buffer": b"chosen"}
    )
    sums(where, "Prompt: 6 characters")
    assert where.get_by_label("Prompt").input_value() == "chosen"
    page.wrong.clear()
    where.locator("input[type=file]").set_input_files(
        {"name": "mine.bin", "mimeType": "text/plain", "buffer": b"\xff\x00"}
    )
    says(where, r"mine\.bin: expected")
    assert page.wrong  # the browser names the answer of status 400
    page.wrong.clear()


def test_all_that_is_shown_can_be_saved(page: Any, runs: list[Path]) -> None:
    where = alone(page, "bytes")
    type_prompt(where, "the cat")
    where.get_by_label("Bytes to draw").fill("20")
    click(where, "Go on")
    sums(where, "drawn: 20 bytes")
    saved = {}
    for name in ("text.txt", "prompt.txt", "surprisals.csv", "expected.csv"):
        with page.expect_download() as download:
            click(where, f"Save {name}")
        saved[name] = Path(download.value.path()).read_bytes()
    model = open_run(runs[1], device="cpu").likelihood
    x = sample(model, 1, seed=0, length=20, prefix=torch.tensor([*b"the cat"]).float())
    assert saved["text.txt"] == bytes(x[0].long().tolist())
    assert saved["prompt.txt"] == b"the cat"
    rows = list(csv.DictReader(io.StringIO(saved["surprisals.csv"].decode())))
    assert len(saved["expected.csv"].splitlines()) == 13
    assert [row["drawn"] for row in rows] == ["0"] * 7 + ["1"] * 20
    total = sum(float(row["surprisal in nats"]) for row in rows)
    assert total == pytest.approx(-model.log_prob(x).item(), rel=1e-3)


def test_two_runs_read_and_go_on_with_the_same_text(page: Any, runs: list[Path]) -> None:
    both = [panel(page, "stream"), panel(page, "bytes")]
    for where in both:
        fast(where)
    type_prompt(both[0], "the cat")
    sums(both[1], "Prompt: 7 bytes")
    both[0].get_by_label("Characters to draw").fill("30")
    click(both[0], "Go on")
    sums(both[0], "drawn: 30 characters")
    sums(both[1], "drawn: 30 bytes")
    assert text_of(both[0]) == drawn(runs[0], "the cat", 30, seed=0)
    screenshot(page, "text-two-runs")
    page.get_by_label("Same input for both").uncheck()
    type_prompt(both[1], "a dog")
    assert both[0].get_by_label("Prompt").input_value() == "the cat"


def test_bytes_are_characters_where_they_end_one(page: Any) -> None:
    where = alone(page, "bytes")
    where.get_by_label("Prompt").fill("né€")
    sums(where, "Prompt: 6 bytes")
    assert text_of(where) == "n·é··€"
    where.locator(".text .symbol").nth(2).click()
    where.get_by_text("Byte 3, after “n·”").wait_for()
    module = "import('/static/scenes/text/utf8.js')"
    ends = f"{module}.then((own) => [own.endOf([0xc3], 0xa9), own.endOf([], 0xc3), own.endOf([0xff], 0x80)])"
    assert page.evaluate(ends) == ["é", "\\xc3", "\\x80"]


def test_a_growth_is_stopped(page: Any) -> None:
    where = alone(page, "bytes")
    where.get_by_label("Bytes to draw").fill("5000")
    click(where, "Go on")
    where.locator(".text .drawn").nth(3).wait_for()
    click(where, "Stop")
    says(where, r"^\d+ bytes drawn\.$")


def test_a_prompt_with_a_new_character_is_read_and_not_gone_on_from(page: Any) -> None:
    where = alone(page, "stream")
    type_prompt(where, "the cat™")
    says(where, "1 characters are new to the model")
    click(where, "Go on")
    says(where, "got a new one at place 8: change it")
    page.wrong.clear()  # the browser names the answer of status 400


@pytest.mark.parametrize("scheme", ["light", "dark"])
@needs_axe
def test_it_is_accessible(chromium: Any, server: Client, scheme: str) -> None:
    with page_at(chromium, server.port, color_scheme=scheme) as page:
        where = alone(page, "stream")
        type_prompt(where, "the cat\nand zzzzzzz")
        click(where, "Go on")
        sums(where, "drawn: 300 characters")
        assert serious_findings(page) == []


def test_it_fits_a_phone(chromium: Any, server: Client) -> None:
    with page_at(chromium, server.port, viewport={"width": 360, "height": 780}, color_scheme="dark") as page:
        where = alone(page, "stream")
        type_prompt(where, "the cat\nand")
        click(where, "Go on")
        sums(where, "drawn: 300 characters")
        assert not too_wide(page)
        screenshot(page, "text-phone")


def test_a_long_file_is_shown_whole(page: Any) -> None:
    where = alone(page, "stream")
    content = ("the cat and the dog " * 999).encode()
    started = time.monotonic()
    where.locator("input[type=file]").set_input_files({"name": "long.txt", "mimeType": "text/plain", "buffer": content})
    sums(where, "Prompt: 19980 characters")
    assert time.monotonic() - started < 8
