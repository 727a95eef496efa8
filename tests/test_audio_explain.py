"""Explanations of recordings: the stretch with a click is found, with its times, tail and picture."""

from __future__ import annotations

import math
import re
import shutil
from pathlib import Path

import numpy as np
import polars
import pytest
import soundfile

from chainrule.cli import main
from chainrule.data.audio import AudioFormat, recordings
from chainrule.kinds.audio_explain import Stretches, _run, _tails

RATE = 4000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve recordings of a hum, a run that was fitted on them, and one with a click."""
    root = tmp_path_factory.mktemp("hums")
    generator = np.random.default_rng(0)
    (root / "hums").mkdir()
    for i in range(13):
        hum = 0.3 * np.sin(2 * np.pi * 50 * np.arange(4000) / RATE + i) + 0.01 * generator.standard_normal(4000)
        if i == 12:
            hum[2400:2500] = generator.uniform(-1, 1, 100)
        soundfile.write(root / "hums" / f"{i}.wav" if i < 12 else root / "click.wav", hum, RATE)
    model = ["--model", "WaveNet", "--model.layers", "4", "--model.residual_channels", "8", "--max-steps", "60"]
    assert main(["fit", str(root / "hums"), *model, "--levels", "32", "--out", str(root / "run")]) in (0, None)
    return root


def test_the_stretch_with_a_click_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "stretches.csv"
    arguments = ["score", str(folder / "run"), str(folder / "click.wav"), "--explain", "--out", str(out)]
    assert main(arguments) in (0, None)
    told = capsys.readouterr().out
    assert re.match(r"recording 1 \(click.wav\): 0\.(57|60) to 0\.6\d s has up to \d", told)
    assert "p = 0.025 among 39 stretches of validation recordings" in told
    found = polars.read_csv(out)
    assert found.columns == ["recording", "file", "start", "end", "bits_per_sample", "tail"]
    assert 0.55 <= found["start"][0] <= 0.62
    assert found["end"][0] - found["start"][0] == pytest.approx(0.05)
    assert found["tail"][0] < 0.03
    assert found.filter(polars.col("end") < 0.55)["tail"].mean() > 0.2


def test_the_strangest_recording_comes_first_and_is_pictured(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "surprise.png"
    (folder / "three").mkdir()
    for name in ("hums/10.wav", "hums/11.wav", "click.wav"):
        shutil.copy(folder / name, folder / "three")
    arguments = ["score", str(folder / "run"), str(folder / "three"), "--explain", "2", "--out", str(out)]
    assert main(arguments) in (0, None)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("recording 3 (click.wav): ")
    assert lines[-1] == f"wrote a picture of the 2 strangest recordings to {out}"
    assert out.read_bytes().startswith(b"\x89PNG")


def test_the_run_s_own_test_part_is_explained(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(folder / "run"), "--explain"]) in (0, None)
    assert capsys.readouterr().out.startswith("recording 1 (")
    assert main(["score", str(folder / "run"), "--explain", "--out", str(folder / "x.wav")]) == 2


def test_stretches_cover_a_recording() -> None:
    nats = np.arange(11) * math.log(2)
    found = Stretches.of(3, nats, size=4)
    assert found.starts.tolist() == [0, 2, 4, 6, 7]
    assert found.bits == pytest.approx([1.5, 3.5, 5.5, 7.5, 8.5])
    assert Stretches.of(0, nats[:2], size=4).bits == pytest.approx([0.5])


def test_tails_are_shares_of_ordinary_stretches() -> None:
    usual = np.arange(1.0, 10.0)
    assert _tails(np.array([0.0, 5.0, 9.0, 10.0]), usual) == pytest.approx([1.0, 0.6, 0.2, 0.1])
    assert _run(np.array([0.5, 0.01, 0.001, 0.009, 0.5, 0.001]), 2) == (1, 3)
    assert _run(np.array([0.5, 0.4, 0.5]), 1) == (1, 1)


def test_parts_of_a_long_recording_have_their_times() -> None:
    data = recordings([np.arange(8), np.arange(5)], ["a", "b"], 4, AudioFormat(8000, 16), [2, 0], [100, 0])
    assert data.subset(np.array([0])).offsets.tolist() == [100]
    assert data.subset(np.array([0])).sizes.tolist() == [6]
