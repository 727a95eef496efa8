"""The scene of recordings in a browser, by clicking."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from browser import check_colours, needs_axe, needs_browser, page_at, screenshot, serious_findings, too_wide
from numpy.typing import NDArray
from web_client import Client, served

from chainrule.conditionals import Categorical
from chainrule.data.audio import AudioFormat
from chainrule.data.read.recordings import write_wav
from chainrule.models import WaveNet
from chainrule.runs import folder
from chainrule.runs.opened import open_run
from chainrule.tasks.sample import sample

pytestmark = needs_browser

FORM = AudioFormat(8000, 64)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Models that were never fitted, the second of which has classes."""
    home = tmp_path_factory.mktemp("runs")
    for seed, (name, classes) in enumerate({"sounds": None, "spoken": 3}.items()):
        torch.manual_seed(seed)
        model = WaveNet(
            event_shape=(400,), conditional=Categorical(64), residual_channels=8, layers=4, num_classes=classes
        )
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(0.4 * torch.randn_like(parameter))
        (home / name).mkdir()
        record = {"name": name, "kind": "audio", "audio": FORM.config}
        folder.save(
            model, home / name, settings={}, data=record | ({"classes": ["one", "two", "six"]} if classes else {})
        )
    return [home / "sounds", home / "spoken"]


@pytest.fixture(scope="module")
def server(runs: list[Path]) -> Iterator[Client]:
    with served(runs) as client:
        yield client


def alone(page: Any, name: str) -> Any:
    """Show one run; returns its panel."""
    page.get_by_label("Beside it").select_option("")
    page.locator(".panel").nth(1).wait_for(state="detached")
    page.locator("#choices select").first.select_option(label=name)
    found = panel(page, name)
    found.get_by_label("Seconds to draw").wait_for()
    return found


def panel(page: Any, name: str) -> Any:
    return page.get_by_role("region", name=name, exact=True)


def click(where: Any, name: str) -> None:
    where.get_by_role("button", name=name, exact=True).click()


def says(where: Any, pattern: str) -> None:
    where.get_by_role("status").filter(has_text=re.compile(pattern)).wait_for()


def waveform(where: Any, pattern: str) -> None:
    """Wait until the picture of the waveform is described so."""
    where.locator("canvas.wave").and_(where.get_by_label(re.compile(pattern))).wait_for()


def draw(where: Any, seconds: float, button: str = "Draw a sound") -> None:
    where.get_by_label("Seconds to draw").fill(str(seconds))
    click(where, button)
    says(where, rf"^{seconds:g} s drawn")


def tone(count: int, rate: int = 8000) -> NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(count) / rate)


def recording(samples: NDArray[np.float64], rate: int = 8000, name: str = "take.wav") -> dict[str, Any]:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV")
    return {"name": name, "mimeType": "audio/wav", "buffer": buffer.getvalue()}


def saved(page: Any, where: Any, name: str) -> bytes:
    with page.expect_download() as download:
        click(where, f"Save {name}")
    return Path(download.value.path()).read_bytes()


def levels(content: bytes) -> NDArray[np.uint16]:
    samples, rate = soundfile.read(io.BytesIO(content))
    assert rate == FORM.sample_rate
    return FORM.encode(samples)


def test_a_sound_grows_as_the_library_draws_it(page: Any, runs: list[Path]) -> None:
    where = alone(page, "sounds")
    where.get_by_label("Seed").fill("4")
    draw(where, 0.5)
    waveform(where, "Waveform of 0.5 s, of which 0 s were given and 0.5 s drawn")
    x = sample(open_run(runs[0], device="cpu").likelihood, 1, seed=4, length=4000)[0]
    assert (levels(saved(page, where, "sample.wav")) == x.numpy()).all()
    command = where.get_by_text("chainrule sample").inner_text()
    assert command.endswith(" -n 1 --length 4000 --out sample.wav --seed 4")
    rows = list(csv.DictReader(io.StringIO(saved(page, where, "samples.csv").decode())))
    assert [int(row["level"]) for row in rows] == x.long().tolist()
    nats = sum(float(row["surprisal in nats"]) for row in rows)
    model = open_run(runs[0], device="cpu").likelihood
    assert nats == pytest.approx(-model.log_prob(x[None]).item(), rel=1e-3)
    expected = list(csv.DictReader(io.StringIO(saved(page, where, "expected.csv").decode())))
    assert sum(float(row["p"]) for row in expected) == pytest.approx(1, abs=1e-2)
    for name in ("waveform.png", "expected.png"):
        assert saved(page, where, name).startswith(b"\x89PNG")
    screenshot(page, "audio")


def test_plots_follow_the_colours_of_the_system(page: Any) -> None:
    where = alone(page, "sounds")
    draw(where, 0.05)
    where.get_by_text("bits of uncertainty").wait_for()
    check_colours(page, where.locator("canvas"))


def test_the_file_is_the_one_that_the_command_writes(page: Any, tmp_path: Path) -> None:
    where = alone(page, "sounds")
    draw(where, 0.05)
    content = saved(page, where, "sample.wav")
    write_wav(tmp_path / "same.wav", [torch.from_numpy(levels(content).astype(np.float32))], FORM)
    assert content == (tmp_path / "same.wav").read_bytes()


def test_a_recording_is_dropped_and_goes_on(page: Any, runs: list[Path]) -> None:
    where = alone(page, "sounds")
    where.locator("input[type=file]").set_input_files(recording(tone(1600)))
    says(where, r"^0\.2 s at 8,000 Hz, .* bits a sample\.$")
    waveform(where, "Waveform of 0.2 s, of which 0.2 s were given and 0 s drawn")
    draw(where, 0.05, "Go on from the end")
    waveform(where, "Waveform of 0.25 s, of which 0.2 s were given and 0.05 s drawn")
    known = torch.from_numpy(levels(recording(tone(1600))["buffer"]).astype(np.float32))
    x = sample(open_run(runs[0], device="cpu").likelihood, 1, seed=0, prefix=known, length=400)[0]
    assert (levels(saved(page, where, "sample.wav")) == x.numpy()).all()
    assert (levels(saved(page, where, "recording.wav")) == known.numpy()).all()
    where.get_by_text("chainrule complete").wait_for()
    screenshot(page, "audio-continued")


def test_a_file_of_another_rate_is_resampled(page: Any) -> None:
    where = alone(page, "sounds")
    where.locator("input[type=file]").set_input_files(recording(tone(8820, 44_100), 44_100))
    says(where, r"^0\.2 s at 8,000 Hz")


def test_what_only_the_browser_decodes_is_read(page: Any) -> None:
    where = alone(page, "sounds")
    where.locator("input[type=file]").set_input_files(recording(tone(8820, 44_100), 44_100, "take.webm"))
    says(where, r"^0\.2 s at 8,000 Hz")
    page.wrong.clear()
    where.locator("input[type=file]").set_input_files(
        {"name": "take.wav", "mimeType": "audio/wav", "buffer": b"no sound"}
    )
    says(where, r"^take\.wav: expected a recording")
    page.wrong.clear()  # the browser names the answer of status 400


def test_the_distribution_is_that_of_the_place(page: Any, runs: list[Path]) -> None:
    where = alone(page, "sounds")
    chart = where.get_by_label(re.compile("bits of uncertainty"))
    chart.wait_for()  # that of the first sample
    where.locator("input[type=file]").set_input_files(recording(tone(1600)))
    where.get_by_text("At 0.2000 s the next sample has").first.wait_for()
    where.get_by_label("Place").fill("100")
    x = torch.from_numpy(levels(recording(tone(101))["buffer"]).astype(np.float32))[None]
    with torch.no_grad():
        model = open_run(runs[0], device="cpu").likelihood
        log_probs = model.conditional.log_probs(model(x))[0, -1]
    entropy = float(torch.special.entr(log_probs.exp()).sum() / np.log(2))
    came = float(-log_probs[int(x[0, -1])] / np.log(2))
    where.get_by_text(f"At 0.0125 s the next sample has {entropy:.3g} bits of uncertainty").first.wait_for()
    where.get_by_text(f"What came has {came:.3g} bits").first.wait_for()
    where.locator("canvas.wave").click(position={"x": 300, "y": 80})
    where.get_by_text("At 0.0125 s").first.wait_for(state="detached")
    place = int(where.get_by_label("Place").input_value())
    assert 500 < place < 1200
    draw(where, 0.05, "Go on from the place")
    assert len(levels(saved(page, where, "recording.wav"))) == place


def test_a_sound_is_heard(page: Any) -> None:
    where = alone(page, "sounds")
    draw(where, 0.4)
    click(where, "Play the sound")
    where.get_by_role("button", name="Stop the sound").wait_for()
    where.get_by_role("button", name="Play the sound").wait_for()  # it has ended


def test_a_growth_is_stopped(page: Any) -> None:
    where = alone(page, "sounds")
    where.get_by_label("Seconds to draw").fill("100")
    click(where, "Draw a sound")
    waveform(where, r"Waveform of 0\.\d+ s")
    click(where, "Stop")
    says(where, r"^[\d.]+ s drawn")
    assert len(levels(saved(page, where, "sample.wav"))) < 800_000


def test_classes_are_chosen(page: Any, runs: list[Path]) -> None:
    where = alone(page, "spoken")
    draw(where, 0.05)
    where.get_by_label("Class").select_option("six")
    draw(where, 0.05)
    x = sample(open_run(runs[1], device="cpu").likelihood, 1, seed=0, length=400, context=torch.tensor([2]))[0]
    assert (levels(saved(page, where, "sample.wav")) == x.numpy()).all()
    assert "--class 2" in where.get_by_text("chainrule sample").inner_text()


def test_a_class_must_be_known_of_what_is_given(page: Any) -> None:
    where = alone(page, "spoken")
    where.locator("input[type=file]").set_input_files(recording(tone(400)))
    says(where, "^choose a class")
    page.wrong.clear()


def test_two_runs_grow_side_by_side(page: Any) -> None:
    both = [panel(page, "sounds"), panel(page, "spoken")]
    draw(both[0], 0.1)
    says(both[1], r"^0\.1 s drawn")
    both[1].get_by_label("Class").select_option("two")
    both[0].locator("input[type=file]").set_input_files(recording(tone(400)))
    for where in both:
        says(where, r"^0\.05 s at")
    screenshot(page, "audio-two-runs")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@needs_axe
def test_it_is_accessible(chromium: Any, server: Client, scheme: str) -> None:
    with page_at(chromium, server.port, color_scheme=scheme) as page:
        where = alone(page, "spoken")
        draw(where, 0.1)
        assert serious_findings(page) == []


def test_it_fits_a_phone(chromium: Any, server: Client) -> None:
    with page_at(chromium, server.port, viewport={"width": 360, "height": 780}, color_scheme="dark") as page:
        where = alone(page, "sounds")
        draw(where, 0.2)
        assert not too_wide(page)
        screenshot(page, "audio-phone")
