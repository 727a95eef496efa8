"""Sound files as people have them: every format, mixed folders, patterns, long recordings, channels, damage."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from command_line import refused
from numpy.typing import NDArray

import chainrule
from chainrule.cli import main
from chainrule.conditionals import Categorical
from chainrule.data import load
from chainrule.data.read.sound_file import SUFFIXES, decode
from chainrule.models import WaveNet
from chainrule.tasks.score import surprisals

RATE = 8000
WRITERS = {
    ".wav": {}, ".flac": {}, ".mp3": {}, ".ogg": {}, ".oga": {"format": "OGG"}, ".aiff": {}, ".au": {}, ".caf": {},
    ".w64": {}, ".opus": {"format": "OGG", "subtype": "OPUS"}, ".rf64": {}, ".voc": {}, ".sph": {"format": "NIST"},
    ".avr": {}, ".paf": {}, ".pvf": {}, ".htk": {}, ".sf": {"format": "IRCAM"}, ".svx": {}, ".wve": {}, ".sds": {},
}  # fmt: skip
"""How soundfile writes a file of each suffix."""

SILENT_ABOUT_LENGTH = (".voc", ".sph", ".avr", ".paf", ".pvf", ".sf")
"""Formats whose headers don't tell, or not so that libsndfile says it, how long the sound is."""


def tone(count: int, frequency: float = 440.0) -> NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(count) / RATE)


def write(path: Path, samples: NDArray[Any], rate: int = RATE, **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **how)
    return path


def run_command(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) in (0, None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(6):
        write(tmp_path / "sounds" / f"{i}.wav", tone(400 + 10 * i, 300 + 50 * i))
    return tmp_path / "sounds"


def names(data: Any) -> list[str]:
    return sorted(name for split in data.splits.values() for name in split.names)


def test_every_format_of_sounds_is_read(tmp_path: Path) -> None:
    samples = tone(8000)
    for suffix, how in WRITERS.items():
        write(tmp_path / f"x{suffix}", samples, **how)
        found, rate = decode(tmp_path / f"x{suffix}", suffix)
        assert rate == RATE
        middle = slice(2000, 3000)  # lossy formats begin and end badly
        assert np.abs(found[middle] - samples[middle]).max() < 0.06, suffix
    data = load(tmp_path)
    assert names(data) == sorted(f"x{suffix}" for suffix in WRITERS)
    assert data.notes == []


def test_a_header_of_text_is_no_text(tmp_path: Path) -> None:
    """That of TIMIT's files, which are named .wav, is filled with spaces."""
    path = write(tmp_path / "x.wav", tone(400), format="NIST")
    content = path.read_bytes()
    path.write_bytes(content[:1024].replace(b"\0", b" ") + content[1024:])
    assert load(path).train.num_variables == 320


def test_suffixes_are_those_of_libsndfile() -> None:
    """A new format of libsndfile is to be read, or to be named here with a reason."""
    headerless, matrices, others = {"RAW", "SD2"}, {"MAT4", "MAT5"}, {"XI", "MPC2K"}  # XI can't be read from its start
    usual = {"WAV", "WAVEX", "FLAC", "MP3", "OGG", "AIFF", "AU", "CAF", "W64", "RF64", "VOC", "NIST", "AVR", "PAF"}
    usual |= {"PVF", "HTK", "IRCAM", "SVX", "WVE", "SDS"}
    assert set(soundfile.available_formats()) <= headerless | matrices | others | usual
    assert set(WRITERS) <= set(SUFFIXES)


def test_a_folder_of_mixed_formats_says_what_it_leaves_out(folder: Path) -> None:
    write(folder / "six.mp3", tone(4000))
    shutil.copy(folder / "0.wav", folder / "seven")  # known by its first bytes
    for name in ("a.m4a", "b.m4a", "notes.txt", "cover.jpg", "README"):
        (folder / name).write_bytes(b"something")
    data = load(folder)
    assert names(data) == ["0.wav", "1.wav", "2.wav", "3.wav", "4.wav", "5.wav", "seven", "six.mp3"]
    (note,) = data.notes
    assert note.startswith("left out 5 files that can't be read as recordings: 2 .m4a, ")
    assert ".m4a recordings are not read: convert them" in note
    for i in range(3):
        (folder / f"{i}.png").write_bytes(b"something")
    with pytest.raises(ValueError, match=r"expected images or recordings, got both: .*a pattern names some"):
        load(folder)


def test_a_pattern_names_files_and_folders(tmp_path: Path, folder: Path) -> None:
    write(folder / "new" / "9.wav", tone(300))
    assert names(load(str(folder / "[0-3].wav"))) == ["0.wav", "1.wav", "2.wav", "3.wav"]
    assert len(names(load(str(folder / "**" / "*.wav")))) == 7
    for person in ("ann", "bob"):
        for i in range(3):
            write(tmp_path / "calls" / person / f"{i}.wav", tone(300))
    data = load(str(tmp_path / "calls" / "*"))
    assert data.provenance["classes"] == ["ann", "bob"]
    with pytest.raises(FileNotFoundError, match=r"no-\*.wav"):
        load(str(folder / "no-*.wav"))
    run = tmp_path / "run"
    model = ("--model", "WaveNet", "--model.layers", "2", "--model.residual_channels", "4", "--max-steps", "2")
    run_command("fit", folder / "[0-4].wav", *model, "--out", run)
    run_command("evaluate", run)  # the data that it was fitted on are found, and unchanged
    write(folder / "3.wav", tone(500))
    assert main(["evaluate", str(run)]) == 2


def test_a_long_recording_is_divided_in_time(tmp_path: Path) -> None:
    path = write(tmp_path / "long.wav", tone(1003) + 0.1 * np.random.default_rng(0).standard_normal(1003))
    data = load(path, levels=4, window=100)
    assert any("divided in time" in note for note in data.notes)
    assert {split: part.num_variables for split, part in data.splits.items()} == {
        "train": 802, "valid": 100, "test": 101
    }  # fmt: skip
    whole = torch.from_numpy(np.concatenate([next(part.each()) for part in data.splits.values()]).astype("float32"))
    model = WaveNet(event_shape=(20,), conditional=Categorical(4), layers=4, residual_channels=4, skip_channels=4)
    nats = surprisals(model, whole[None])[0]
    found = chainrule.evaluate(model, data.test)  # given what comes before
    assert found.nats == pytest.approx(float(nats[902:].sum()), rel=1e-4)


def test_two_recordings_are_divided_in_time_each(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", tone(100))
    write(tmp_path / "b.wav", tone(200))
    data = load(tmp_path)
    assert [part.sizes.tolist() for part in data.splits.values()] == [[80, 160], [10, 20], [10, 20]]
    write(tmp_path / "b.wav", tone(9))
    with pytest.raises(ValueError, match=r"b.wav: expected at least 10 samples to divide in time, got 9"):
        load(tmp_path)


def test_commands_take_one_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, run = write(tmp_path / "long.mp3", tone(4000)), tmp_path / "run"
    run_command("fit", path, "--model", "WaveNet", "--model.layers", "2", "--max-steps", "3", "--out", run)
    told = capsys.readouterr().out
    assert "note: divided in time: the first 80 % train" in told
    assert "receptive field: 4 samples, 0.5 ms" in told
    assert "minutes" in told
    run_command("evaluate", run, path, "--json")
    assert json.loads(capsys.readouterr().out)["samples"] == 4000
    run_command("score", run, path)
    assert json.loads(capsys.readouterr().out)["file"] == "long.mp3"


@pytest.mark.parametrize("suffix", [suffix for suffix in WRITERS if suffix not in SILENT_ABOUT_LENGTH])
def test_a_file_that_was_cut_short_is_named(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / "0.wav", tone(20_000))
    path = write(tmp_path / f"cut{suffix}", tone(40_000), **WRITERS[suffix])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=rf"cut\{suffix}: expected .*(copy or export it again)") as caught:
        load(tmp_path)
    assert any("--skip-unreadable true" in note for note in caught.value.__notes__)
    with pytest.raises(ValueError, match="expected") as alone:
        load(path)
    assert not hasattr(alone.value, "__notes__")  # nothing would be left


def test_damaged_files_are_left_out_when_asked_for(folder: Path) -> None:
    for i in range(6, 20):
        write(folder / f"{i}.wav", tone(300))
    content = (folder / "1.wav").read_bytes()
    (folder / "1.wav").write_bytes(content[:300])
    (folder / "2.wav").write_bytes(b"")
    (folder / "3.wav").write_text("no sound")
    with pytest.warns(UserWarning, match="skipped"):
        data = load(folder, skip_unreadable=True)
    assert data.provenance["skipped"] == ["1.wav", "2.wav", "3.wav"]


def test_a_sound_of_unknown_size_is_whole(tmp_path: Path) -> None:
    """As ffmpeg writes it into a pipe, which can't go back to the header."""
    path = write(tmp_path / "piped.wav", tone(400))
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert len(decode(path, "piped")[0]) == 400


def test_a_whole_file_of_a_size_that_is_not_quite_right_is_read(tmp_path: Path) -> None:
    """Some writers count the first eight bytes, too; and the log of libsndfile has other sizes that are corrected."""
    path = write(tmp_path / "x.wav", tone(400))
    content = bytearray(path.read_bytes())
    content[4:8] = len(content).to_bytes(4, "little")
    content[28:32] = (72_000).to_bytes(4, "little")  # bytes per second
    path.write_bytes(content)
    assert len(decode(path, "x")[0]) == 400


def test_a_channel_is_chosen_said_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(4):
        write(tmp_path / "stereo" / f"{i}.wav", np.stack([tone(300), np.zeros(300)], axis=1))
    write(tmp_path / "stereo" / "mono.wav", tone(300))
    (note,) = load(tmp_path / "stereo").notes
    assert note == "4 of 5 recordings have several channels, which are averaged: --channel left or right takes one"
    left, right = (load(tmp_path / "stereo", channel=channel) for channel in ("left", "right"))
    assert left.notes == ["the left channel is taken of 4 of 5 recordings; 1 have one, which is taken"]
    assert left.format.config == {"sample_rate": RATE, "levels": 256, "channel": "left"}
    assert load(tmp_path / "stereo").format.config == {"sample_rate": RATE, "levels": 256}
    for data, loud in ((left, True), (right, False)):
        found = dict(zip(data.train.names, data.train.each(), strict=True))
        assert all((np.ptp(found[name]) > 100) == (loud or name == "mono.wav") for name in found)
    with pytest.raises(ValueError, match="channel expects mono, left, right, got 'lefft', did you mean left"):
        load(tmp_path / "stereo", channel="lefft")
    run = tmp_path / "run"
    model = ("--model", "WaveNet", "--model.layers", "2", "--max-steps", "2")
    run_command("fit", tmp_path / "stereo", *model, "--channel", "right", "--sample-rate", "4000", "--out", run)
    told = capsys.readouterr().out
    assert "the right channel is taken" in told
    assert "recordings are resampled to 4000 Hz: 5 of 8000 Hz" in told
    run_command("score", run, tmp_path / "stereo" / "0.wav")
    silent = json.loads(capsys.readouterr().out)
    assert silent["samples"] == 150
    write(tmp_path / "zero.wav", np.zeros(300))
    run_command("score", run, tmp_path / "zero.wav")
    assert json.loads(capsys.readouterr().out)["nats"] == silent["nats"]  # the silent right channel was read


def test_bad_input_is_refused_in_one_line_that_helps(tmp_path: Path, folder: Path, capsys: Any) -> None:
    def said(path: Path) -> str:
        return refused(capsys, "plan", str(path))

    (tmp_path / "text.wav").write_text("Dear all,\nthe minutes of the meeting follow.\n")
    assert "got text: give it a name that ends in .txt" in said(tmp_path / "text.wav")
    assert "expected a recording, got one without samples" in said(write(tmp_path / "empty.wav", np.zeros(0)))
    (tmp_path / "phone.m4a").write_bytes(b"\0\0\0 ftypM4A ")
    assert "convert them to .wav or .flac" in said(tmp_path / "phone.m4a")
    (tmp_path / "phones").mkdir()
    shutil.copy(tmp_path / "phone.m4a", tmp_path / "phones")
    assert "found none; left out a file that can't be read as recordings: 1 .m4a" in said(tmp_path / "phones")
    write(folder / "fast.wav", tone(400), rate=16_000)
    assert "--sample-rate 8000 resamples them" in said(folder)


def test_a_link_to_a_recording_is_no_further_recording(folder: Path) -> None:
    (folder / "again").mkdir()
    (folder / "again" / "1.wav").symlink_to(folder / "1.wav")
    (folder / "2b.wav").hardlink_to(folder / "2.wav")
    for path in (folder, folder / "**" / "*.wav"):
        data = load(path)
        assert names(data) == [f"{i}.wav" for i in range(6)]
        assert "left out 2 links to files that are read by other names: 2b.wav, 1.wav" in data.notes
    (folder / "1.wav").unlink()
    with pytest.raises(FileNotFoundError, match=r"again/1.wav"):
        load(folder)


def test_sides_are_those_of_two_channels(folder: Path) -> None:
    write(folder / "three.wav", np.stack([tone(300)] * 3, axis=1))
    assert "three.wav" in names(load(folder)), "the mean is that of any number"
    message = r"three.wav: expected one or two channels, of which --channel left takes one, got 3: --channel mono takes"
    with pytest.raises(ValueError, match=message):
        load(folder, channel="left")


@pytest.mark.parametrize(("word", "trimmed"), [("yes", True), ("no", False), ("true", True)])
def test_a_switch_takes_yes_and_no(folder: Path, capsys: Any, word: str, trimmed: bool) -> None:
    write(folder / "quiet.wav", np.concatenate([np.zeros(300), tone(300)]))
    run_command("plan", folder, "--trim-silence", word, "--json")
    assert json.loads(capsys.readouterr().out)["settings"]["trim_silence"] is trimmed


def test_classes_are_named_where_a_recording_has_none(folder: Path, tmp_path: Path, capsys: Any) -> None:
    for name in ("alice", "bob"):
        (folder / name).mkdir()
        for i in range(3):
            write(folder / name / f"{i}.wav", tone(300, 200 + 40 * i))
    for i in range(6):
        (folder / f"{i}.wav").unlink()
    model = ("--model", "WaveNet", "--model.layers", "2", "--model.num_classes", "2", "--max-steps", "2")
    run_command("fit", folder, *model, "--out", tmp_path / "run")
    new = write(tmp_path / "new.wav", tone(200))
    capsys.readouterr()
    for command in ("score", "evaluate"):
        message = refused(capsys, command, str(tmp_path / "run"), str(new))
        assert "expected --class, one of alice, bob, or a number from 0 to 1" in message
    run_command("score", tmp_path / "run", new, "--class", "bob")
