"""Recordings with frames beside them: what is read, the conditionals, the commands, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
import soundfile
import torch
from command_line import refused

import chainrule
from chainrule.cli import main
from chainrule.conditionals import Categorical
from chainrule.data import load
from chainrule.data.audio import AudioFormat, recordings
from chainrule.data.frames import FrameFormat, Frames
from chainrule.data.read.sound_frames import hop_of
from chainrule.models import RNN, WaveNet

RATE, HOP = 8000, 40


def run_command(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) in (0, None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Recordings of a tone that is loud or silent, and frames that say which, and two more numbers."""
    generator = np.random.default_rng(0)
    for folder in ("sounds", "frames"):
        (tmp_path / folder / "a").mkdir(parents=True)
    for i in range(8):
        count = 4000 + 25 * i
        loud = generator.integers(0, 2, -(-count // HOP)).astype(float)
        samples = 0.5 * np.sin(2 * np.pi * 500 * np.arange(count) / RATE) * loud[np.arange(count) // HOP]
        soundfile.write(tmp_path / "sounds" / "a" / f"{i}.wav", samples, RATE)
        frames = np.stack([loud, 100 + 3 * generator.standard_normal(len(loud)), np.full(len(loud), 7.0)], axis=1)
        where = tmp_path / "frames" / "a" / str(i)
        if i == 0:
            np.savez(where.with_suffix(".npz"), frames=frames)
        elif i == 1:
            polars.DataFrame(frames, schema=["loud", "pitch", "seven"]).write_csv(where.with_suffix(".csv"))
        else:
            np.save(where.with_suffix(".npy"), frames)
    return tmp_path


MODEL = ("--model", "WaveNet", "--model.layers", "3", "--model.residual_channels", "8", "--model.skip_channels", "16")


def test_frames_are_read_fitted_and_standardised(folder: Path) -> None:
    data = load(folder / "sounds", frames=str(folder / "frames"))
    form = data.format
    assert isinstance(form, AudioFormat)
    assert form.frames is not None
    assert (form.frames.hop, form.frames.size) == (HOP, 3)  # found, as one number fits all
    assert data.train.frame_size == 3
    assert data.notes == ["frames have 3 numbers, for 40 samples each: 5 ms"]
    every = np.concatenate(data.train.frames.arrays)
    assert every.mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-5)
    assert every.std(axis=0) == pytest.approx([1, 1, 0], abs=1e-5)
    assert AudioFormat.from_config(json.loads(json.dumps(form.config))) == form
    assert data.provenance["frames"] == str(folder / "frames")


@pytest.mark.parametrize("window", [7, 20, 1000])
def test_a_chunk_has_the_conditionals_of_the_whole_recording(window: int) -> None:
    generator = np.random.default_rng(0)
    lengths, hop = (50, 61, 9), 6
    frames = Frames([generator.standard_normal((-(-n // hop), 2)).astype(np.float32) for n in lengths], hop)
    data = recordings(
        [generator.integers(0, 4, n) for n in lengths], list("abc"), window, AudioFormat(RATE, 4), frames=frames
    )
    model = WaveNet(event_shape=(20,), conditional=Categorical(4), layers=3, residual_channels=4, frame_size=2, hop=hop)
    total = 0.0
    for batch in data.batches(2, history=model.receptive_field):
        total -= model(batch.x, batch.context).log_prob(batch.x)[batch.counted].sum().item()
    each = [
        -model.log_prob(torch.from_numpy(x.astype("float32"))[None], frames.of(i)).item()
        for i, x in enumerate(data.each())
    ]
    assert total == pytest.approx(sum(each), rel=1e-5)
    found = chainrule.evaluate(model, data)
    assert found.nats == pytest.approx(np.mean(each), rel=1e-5)
    assert chainrule.evaluate(model, data.subset(np.array([1]))).nats == pytest.approx(each[1], rel=1e-5)


def test_a_long_recording_with_frames_is_divided_where_frames_begin(folder: Path) -> None:
    sound, beside = folder / "sounds" / "a" / "7.wav", folder / "frames" / "a" / "7.npy"
    data = load(sound, frames=str(beside), frame_hop=HOP)
    assert [part.num_variables % HOP for part in (data.train, data.valid)] == [0, 0]
    whole = np.concatenate([next(part.each()) for part in data.splits.values()])
    assert len(whole) == 4175
    raw = data.format.frames.encode(np.load(beside))
    for part in data.splits.values():
        begin = (part.offsets[0] - part.before[0]) // HOP
        assert (part.frames.arrays[0] == raw[begin : begin + len(part.frames.arrays[0])]).all()
        assert len(part.frames.arrays[0]) == -(-part.lengths[0] // HOP)


def test_commands_are_given_frames(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, sounds, frames = folder / "run", folder / "sounds", folder / "frames"
    fit = (
        "fit",
        sounds,
        *MODEL,
        "--levels",
        "16",
        "--max-steps",
        "60",
        "--batch-size",
        "4",
        "--window",
        "500",
        "--learning-rate",
        "0.01",
    )
    run_command(*fit, "--frames", frames, "--out", run, "--minutes", "5")
    assert soundfile.info(run / "samples.wav").samplerate == RATE
    capsys.readouterr()
    run_command("evaluate", run, "--json")  # the run's own data, with its frames
    own = json.loads(capsys.readouterr().out)
    run_command("evaluate", run, sounds, "--frames", frames, "--json")
    assert json.loads(capsys.readouterr().out)["bits_per_sample"] == pytest.approx(own["bits_per_sample"], rel=0.2)
    one, its = sounds / "a" / "3.wav", frames / "a" / "3.npy"
    run_command("score", run, one, "--frames", its)
    right = json.loads(capsys.readouterr().out)["bits_per_sample"]
    wrong = np.load(its)
    wrong[:, 0] = 1 - wrong[:, 0]
    np.save(folder / "wrong.npy", wrong)
    run_command("score", run, one, "--frames", folder / "wrong.npy")
    assert json.loads(capsys.readouterr().out)["bits_per_sample"] > right + 0.02  # the model heeds its frames
    run_command("sample", run, "--frames", its, "-n", "2", "--out", folder / "two")
    drawn, _ = soundfile.read(folder / "two" / "1.wav")
    assert len(drawn) == len(wrong) * HOP
    run_command("complete", run, one, "--frames", its, "--observe", "0.5", "--out", folder / "completed")
    assert len(soundfile.read(folder / "completed" / "1-3-completed-1.wav")[0]) == 4075
    run_command("score", run, one, "--frames", its, "--explain")
    assert "recording 1 (3.wav)" in capsys.readouterr().out

    assert "expected --frames, as the run was fitted on recordings with frames" in refused(
        capsys, "evaluate", str(run), str(sounds)
    )
    assert "sample expects --frames, a file of frames of 3 numbers" in refused(
        capsys, "sample", str(run), "--out", str(folder / "x.wav")
    )
    assert "at least 103 frames for 4081 variables, got 102" in refused(
        capsys, "sample", str(run), "--frames", str(its), "--length", "4081", "--out", str(folder / "x.wav")
    )
    assert "--frames expects DATA" in refused(capsys, "evaluate", str(run), "--frames", str(frames))


def test_frames_that_do_not_fit_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sounds, frames = folder / "sounds", folder / "frames"

    def said(*more: object) -> str:
        return refused(capsys, "plan", str(sounds), *MODEL, *map(str, more))

    assert "7.wav: expected 41 or 42 frames of 3 numbers, one for 100 of 4,175 samples, got 105 of 3" in said(
        "--frames", frames, "--frame-hop", 100
    ) or "expected 40 or 41 frames" in said("--frames", frames, "--frame-hop", 100)
    assert "with a file for each of 8 recordings" in said("--frames", frames / "a" / "3.npy")
    assert "which --frame-hop is for" in said("--frame-hop", 40)
    assert "expected no --trim-silence with --frames" in said("--frames", frames, "--trim-silence", "true")
    assert "frames expect a model that is conditioned on them (WaveNet), got RNN" in refused(
        capsys, "plan", str(sounds), "--model", "RNN", "--frames", str(frames)
    )
    np.save(frames / "a" / "3.npy", np.load(frames / "a" / "3.npy").T)
    assert "expected frames of 3 numbers" in said("--frames", frames, "--frame-hop", 40)
    (frames / "a" / "3.npy").unlink()
    assert "expected frames of a/3.wav in a/3.npy, .npz or .csv, found none" in said("--frames", frames)
    (frames / "a" / "3.csv").write_text("pitch,loud,seven\n100,1,\n101,0,7\n")
    assert "finite numbers" in said("--frames", frames)
    (frames / "a" / "3.csv").write_text("pitch,loud,seven\n100,high,7\n101,low,7\n")
    assert "expected frames (F, k) of numbers" in said("--frames", frames)
    assert "expected no frames, as digits is no folder of recordings" in refused(
        capsys, "plan", "digits", "--frames", str(frames)
    )


def test_a_transpose_is_told(folder: Path) -> None:
    beside = folder / "frames" / "a" / "7.npy"
    np.save(beside, np.load(beside).T)
    with pytest.raises(ValueError, match=r"got 3 of 105: save its transpose"):
        load(folder / "sounds" / "a" / "7.wav", frames=str(beside), frame_hop=HOP)


def test_the_hop_is_found_where_one_fits() -> None:
    def hop(**counts: tuple[int, int]) -> int:
        lengths = {Path(name): own[0] for name, own in counts.items()}
        return hop_of(lengths, {Path(name): np.zeros((own[1], 1)) for name, own in counts.items()})

    assert hop(a=(1_000_000, 3907), b=(48_000, 188)) == 256
    with pytest.raises(ValueError, match="expected --frame-hop, the samples of a frame: 243 to 258 fit"):
        hop(a=(8000, 32))
    with pytest.raises(ValueError, match=r"b: expected frames of .* samples, as of other recordings, got 40"):
        hop(a=(8000, 32), b=(8000, 40))
    with pytest.raises(ValueError, match="whole number of samples, got 686 for 11,424 samples, about 16.65 each"):
        hop(a=(11_424, 686))


def test_models_and_recordings_agree_on_frames() -> None:
    settings: dict[str, Any] = {"event_shape": (20,), "conditional": Categorical(4)}
    data = recordings([np.arange(40) % 4], ["a"], 20, AudioFormat(RATE, 4))
    framed = recordings(
        [np.arange(40) % 4], ["a"], 20, AudioFormat(RATE, 4), frames=Frames([np.ones((4, 2), np.float32)], 10)
    )
    for model, examples, message in (
        (WaveNet(**settings, frame_size=1), data, "recordings without frames expect .* got one with frames of 1"),
        (RNN(**settings), framed, "recordings with frames of 2 numbers expect .* got one without frames"),
    ):
        with pytest.raises(ValueError, match=message):
            chainrule.fit(model, examples, examples, max_epochs=1, verbose=False)
    with pytest.raises(ValueError, match="expect no other context"):
        framed.batches(1, history=3, context=torch.zeros(1))
    with pytest.raises(ValueError, match="as many means as deviations"):
        FrameFormat.from_config({"hop": 3, "mean": [1.0], "deviation": []})


def test_frames_that_changed_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, frames = folder / "run", folder / "frames"
    run_command("fit", folder / "sounds", *MODEL, "--frames", frames, "--max-steps", "1", "--out", run)
    run_command("evaluate", run)
    capsys.readouterr()
    one = frames / "a" / "3.npy"
    np.save(one, np.load(one) + 1)
    message = refused(capsys, "evaluate", str(run))
    assert "got frames with other content of the same size: test examples may have been trained on" in message
    np.save(one, np.load(one) - 1)
    run_command("evaluate", run)
    capsys.readouterr()
    (frames / "more.npy").write_bytes(b"more")
    assert "got frames with 9 files instead of 8, " in refused(capsys, "evaluate", str(run))
