"""Recordings: levels and back, folders of files, training and evaluation, and the commands."""

from __future__ import annotations

import io
import itertools
import json
import math
import zipfile
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
from chainrule.data.audio import AudioFormat, recordings
from chainrule.data.read.recordings import write_wav
from chainrule.data.read.sound_file import decode
from chainrule.data.recordings import Recordings
from chainrule.models import MADE, RNN, WaveNet
from chainrule.sequence import history_of
from chainrule.tasks.score import surprisals

RATE = 8000


def tone(count: int, frequency: float = 440.0, loudness: float = 0.5) -> NDArray[np.float64]:
    return loudness * np.sin(2 * np.pi * frequency * np.arange(count) / RATE)


def run_command(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) in (0, None)


def write(path: Path, samples: NDArray[Any], rate: int = RATE, subtype: str = "PCM_16") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype=subtype)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(12):
        write(tmp_path / "sounds" / "ab"[i % 2] / f"{i}.{'wav' if i % 3 else 'flac'}", tone(100 + 10 * i, 200 + 50 * i))
    (tmp_path / "sounds" / "README.txt").write_text("no sound")
    return tmp_path / "sounds"


@pytest.mark.parametrize("levels", [2, 16, 256, 1024, 65_536])
def test_levels_survive_the_way_back(levels: int) -> None:
    audio, x = AudioFormat(RATE, levels), torch.arange(levels)
    assert (audio.encode(audio.decode(x)) == x.numpy()).all()


def test_mu_law_is_that_of_the_formula() -> None:
    audio, mu = AudioFormat(RATE), 255
    samples = np.linspace(-1, 1, 1001)
    for sample, level in zip(samples.tolist(), audio.encode(samples).tolist(), strict=True):
        companded = math.copysign(math.log(1 + mu * abs(sample)) / math.log(1 + mu), sample)
        assert level == math.floor((companded + 1) / 2 * mu + 0.5)
    # Nothing is further off than half a step, which near the loudest samples is 1/90.
    errors = np.abs(audio.decode(torch.from_numpy(audio.encode(samples).astype("int64"))) - samples)
    assert errors.max() < 0.5 * (1 - (256 ** (253 / 255) - 1) / 255) * 1.05
    assert errors[500] < 1e-4


def test_sixteen_bits_are_taken_as_they_are(tmp_path: Path) -> None:
    integers = np.array([-32768, -1, 0, 1, 32767], dtype=np.int16)
    soundfile.write(tmp_path / "x.wav", integers, RATE)
    samples, rate = decode(tmp_path / "x.wav", "x")
    assert rate == RATE
    assert (AudioFormat(RATE, 65_536).encode(samples).astype(np.int64) - 2**15 == integers).all()


def test_a_folder_is_split_and_has_the_classes_of_its_folders(folder: Path) -> None:
    data = load(folder)
    assert data.event_shape == (4096,)
    assert data.levels == 256
    assert [len(data.split(split)) for split in ("train", "valid", "test")] == [10, 1, 1]
    assert data.provenance["classes"] == ["a", "b"]
    assert isinstance(data.train, Recordings)
    assert all(name[0] == "ab"[label] for name, label in zip(data.train.names, data.classes("train"), strict=True))
    assert sum(data.split(split).num_variables for split in ("train", "valid", "test")) == sum(
        100 + 10 * i for i in range(12)
    )
    assert "12 recordings" in data.description
    assert "mu-law with 256 levels" in data.description


def test_a_batch_is_filled_up_with_silence(folder: Path) -> None:
    train = load(folder).train
    assert isinstance(train, Recordings)
    x = train[:10]
    assert x.shape == (10, train.lengths.max())
    for row, length, levels in zip(x, train.lengths, train.each(), strict=True):
        assert (row[:length].numpy() == levels).all()
        assert (row[length:] == 128).all()


@pytest.mark.parametrize(("subtype", "exact"), [("PCM_24", 2**-23), ("FLOAT", 1e-7), ("PCM_U8", 2**-7)])
def test_depths(tmp_path: Path, subtype: str, exact: float) -> None:
    write(tmp_path / "x.wav", tone(50), subtype=subtype)
    samples, _ = decode(tmp_path / "x.wav", "x")
    assert np.abs(samples - tone(50)).max() <= exact


def test_channels_are_averaged(tmp_path: Path) -> None:
    write(tmp_path / "x.wav", np.stack([tone(50), -tone(50)], axis=1))
    assert np.abs(decode(tmp_path / "x.wav", "x")[0]).max() < 2**-15


def test_rates_that_differ_are_named_unless_resampled(folder: Path) -> None:
    write(folder / "a" / "slow.wav", tone(400), rate=4000)
    with pytest.raises(ValueError, match=r"one sample rate, 8000 Hz as most, got others: .*slow.wav has 4000 Hz"):
        load(folder)
    data = load(folder, sample_rate=4000)
    assert isinstance(data.format, AudioFormat)
    assert data.format.sample_rate == 4000
    lengths = {name: n for split in ("train", "valid", "test") for name, n in _lengths(data.split(split)).items()}
    assert lengths["a/slow.wav"] == 400
    assert lengths["a/0.flac"] == 50


def _lengths(examples: Any) -> dict[str, int]:
    return dict(zip(examples.names, examples.lengths.tolist(), strict=True))


def test_files_that_are_no_sound_are_named_or_skipped(folder: Path) -> None:
    (folder / "a" / "broken.wav").write_bytes(b"\0no sound at all")
    with pytest.raises(ValueError, match=r"broken.wav: expected a recording, got a file that cannot be read"):
        load(folder)
    with pytest.warns(UserWarning, match="skipped .*broken.wav"):
        data = load(folder, seed=1, skip_unreadable=True)
    assert data.provenance["skipped"] == ["a/broken.wav"]
    assert sum(map(len, (data.train, data.valid, data.test))) == 12


def test_silence_at_the_ends_is_left_out_when_asked_for(folder: Path) -> None:
    write(folder / "a" / "quiet.wav", np.concatenate([np.zeros(100), tone(60) + 0.3, np.zeros(100)]))
    data = load(folder, trim_silence=True)
    lengths = {name: n for split in ("train", "valid", "test") for name, n in _lengths(data.split(split)).items()}
    assert 55 <= lengths["a/quiet.wav"] <= 60
    write(folder / "b" / "silent.wav", np.zeros(100))
    assert load(folder).levels == 256  # silence is a recording, too
    with pytest.raises(ValueError, match=r"silent.wav: expected sound.*got silence only"):
        load(folder, trim_silence=True)


def test_what_is_no_folder_of_recordings_is_refused(folder: Path, tmp_path: Path) -> None:
    write(folder / "a" / "empty.wav", np.zeros(0))
    with pytest.raises(ValueError, match=r"empty.wav: expected a recording, got one without samples"):
        load(folder)
    (folder / "a" / "empty.wav").unlink()
    with pytest.raises(ValueError, match="lines as documents: expected at least 3"):  # of the one text among them
        load(folder, documents=True)
    for rate in (0, 100_000_000):
        with pytest.raises(ValueError, match=f"sample_rate expects 1 to 1,000,000, got {rate}"):
            load(folder, sample_rate=rate)
    with pytest.raises(ValueError, match="window expects at least 1, got 0"):
        load(folder, window=0)
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match=r"expected images .*recordings \(.wav .flac .mp3"):
        load(tmp_path / "none")


def test_samples_beyond_one_are_clipped_with_a_warning(tmp_path: Path) -> None:
    for i in range(3):
        write(tmp_path / f"{i}.wav", tone(50, loudness=1.5 if i == 0 else 0.5), subtype="FLOAT")
    with pytest.warns(UserWarning, match="clipped samples beyond"):
        load(tmp_path)


def test_fsdd_has_the_official_test_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "audio").mkdir()
    with zipfile.ZipFile(tmp_path / "audio" / "fsdd.zip", "w") as archive:
        for digit, speaker, take in (
            (3, "theo", 0),
            (9, "lucas", 4),
            (0, "george", 5),
            (7, "jackson", 10),
            (7, "theo", 49),
        ):
            file = io.BytesIO()
            soundfile.write(file, tone(30), RATE, format="WAV")
            archive.writestr(f"recordings/{digit}_{speaker}_{take}.wav", file.getvalue())
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path))
    data = load("fsdd")
    assert isinstance(data.test, Recordings)
    assert data.test.names == ["3_theo_0", "9_lucas_4"]
    assert [data.provenance["classes"][label] for label in data.classes("train")] == ["7_jackson", "7_theo"]
    (tmp_path / "audio" / "fsdd.zip").write_bytes(b"")
    with pytest.raises(ValueError, match="expected a zip"):
        load("fsdd")


def of_lengths(*lengths: int, window: int = 20) -> Recordings:
    generator = np.random.default_rng(0)
    arrays = [generator.integers(0, 4, length) for length in lengths]
    return recordings(arrays, list(map(str, lengths)), window, AudioFormat(RATE, 4))


@pytest.mark.parametrize("history", [math.inf, 0, 7])
def test_pieces_count_every_sample_once(history: float) -> None:
    data = of_lengths(5, 20, 21, 61)
    counted = [0] * data.num_variables
    for index, begin, first, stop in data.chunks(history):
        assert 0 < stop - first <= data.window
        assert begin == (0 if history == math.inf else max(0, first - history))
        for t in range(first, stop):
            counted[data.starts[index] + t] += 1
    assert counted == [1] * data.num_variables


@pytest.mark.parametrize("kind", ["wavenet", "rnn"])
def test_a_piece_has_the_conditionals_of_the_whole_recording(kind: str) -> None:
    data = of_lengths(5, 50, 61)
    settings: dict[str, Any] = {"event_shape": (20,), "conditional": Categorical(4)}
    model: Any = (
        WaveNet(**settings, layers=3, residual_channels=4, skip_channels=4) if kind == "wavenet" else RNN(**settings)
    )
    total = 0.0
    for x, _, _, counted, continues in data.batches(2, history=history_of(model)):
        assert continues is False
        total -= model(x).log_prob(x)[counted].sum().item()
    whole = sum(float(surprisals(model, torch.from_numpy(x.astype("float32"))[None]).sum()) for x in data.each())
    assert total == pytest.approx(whole, rel=1e-5)


def test_batches_depend_on_the_seed_and_the_epoch() -> None:
    data = of_lengths(*range(1, 40))
    batches = data.batches(4, seed=1, history=3)
    first = list(batches.plans)
    assert list(data.batches(4, seed=1, history=3).plans) == first
    assert sorted(chunk for batch in first for chunk in batch) == sorted(data.chunks(3))
    assert list(data.batches(4, seed=1, epoch=1, history=3).plans) != first
    assert len(first) == len(batches)
    parts = [data.batches(4, seed=1, history=3, part=(rank, 3)).plans for rank in range(3)]
    assert [sorted(itertools.chain(*batch)) for batch in zip(*parts, strict=True)] == [sorted(batch) for batch in first]


def test_other_models_are_refused() -> None:
    data = of_lengths(5, 50)
    with pytest.raises(ValueError, match=r"recordings expect a model of sequences of any length .*, got MADE$"):
        chainrule.fit(MADE(event_shape=(20,), conditional=Categorical(4)), data, data, max_epochs=1, verbose=False)
    backwards = WaveNet(event_shape=(20,), conditional=Categorical(4), order="reversed")
    with pytest.raises(ValueError, match=r"got WaveNet of events \(20,\) in an order of its own"):
        chainrule.fit(backwards, data, data, max_epochs=1, verbose=False)


def test_a_fit_of_classes_may_have_minutes(folder: Path, tmp_path: Path) -> None:
    model = ["--model", "WaveNet", "--model.layers", "2", "--model.residual_channels", "4", "--model.num_classes", "2"]
    run_command("fit", *model, "--data", folder, "--out", tmp_path / "run", "--minutes", "0.1", "--max-steps", "1")


def test_commands(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    model = ["--model", "WaveNet", "--model.layers", "3", "--model.residual_channels", "8", "--model.num_classes", "2"]
    run_command("fit", *model, "--data", folder, "--out", run, "--max-epochs", "2", "--window", "200")
    assert "samples.wav" in capsys.readouterr().out
    assert soundfile.info(run / "samples.wav").samplerate == RATE
    run_command("evaluate", run, "--json")
    figures = json.loads(capsys.readouterr().out)
    assert figures["bits_per_sample"] == pytest.approx(figures["bits_per_dim"])
    data = load(folder)
    assert isinstance(data.test, Recordings)
    fitted = chainrule.load(run)
    x = torch.from_numpy(next(data.test.each()).astype("float32"))[None]
    log_prob = fitted.log_prob(x, data.classes("test")[:1]).item()
    assert figures["nats"] == pytest.approx(-log_prob, rel=1e-4)
    run_command("evaluate", run, "--data", folder, "--json")  # all files, each of the class of its folder
    whole = json.loads(capsys.readouterr().out)
    assert whole["examples"] == sum(len(part) for part in data.splits.values())
    each = [chainrule.evaluate_split(fitted, data, split)[0] for split in data.splits]
    nats = sum(part.nats * part.examples for part in each) / whole["examples"]
    assert whole["nats"] == pytest.approx(nats, rel=1e-5)
    run_command("describe", run)
    assert "receptive field: 8 samples, 1 ms" in capsys.readouterr().out
    run_command("sample", run, "-n", "2", "--class", "1", "--length", "50", "--out", tmp_path / "two.wav")
    assert soundfile.info(tmp_path / "two.wav").frames == 2 * 50 + RATE // 4
    run_command("sample", run, "-n", "3", "--class", "0", "--out", tmp_path / "three")
    assert sorted(path.name for path in (tmp_path / "three").iterdir()) == ["1.wav", "2.wav", "3.wav"]
    run_command("complete", run, "--observe", "first-half", "--draws", "2", "--out", tmp_path / "completed")
    names = sorted(path.name for path in (tmp_path / "completed").iterdir())
    stem = "1-" + Path(data.test.names[0]).with_suffix("").as_posix().replace("/", "-")
    assert names == [f"{stem}-completed-1.wav", f"{stem}-completed-2.wav", f"{stem}.wav"]
    whole, _ = soundfile.read(tmp_path / "completed" / names[2])
    completed, _ = soundfile.read(tmp_path / "completed" / names[0])
    half = round(len(whole) / 2)
    assert len(completed) == len(whole)
    assert (completed[:half] == whole[:half]).all()
    assert (completed[half:] != whole[half:]).any()
    capsys.readouterr()
    run_command("score", run)
    row = json.loads(capsys.readouterr().out)
    assert row["nats"] == pytest.approx(-log_prob, abs=1e-2)


def test_commands_refuse_what_does_not_fit(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    model = ["--model", "WaveNet", "--model.layers", "2", "--model.residual_channels", "4"]
    run_command("fit", *model, "--data", folder, "--out", run, "--max-epochs", "1")
    capsys.readouterr()
    assert "a .wav file or a folder" in refused(capsys, "sample", str(run), "--out", str(tmp_path / "x.png"))
    assert "expects --out" in refused(capsys, "sample", str(run))
    assert "first-half or a fraction" in refused(
        capsys, "complete", str(run), "--observe", "top-half", "--out", str(tmp_path / "completed")
    )
    assert "expects examples of one length, got recordings" in refused(capsys, "marginal", str(run), "--observe", "0.5")
    assert "16-bit" not in refused(capsys, "evaluate", str(run), "--data", "digits")
    for i in range(3):
        write(tmp_path / "other" / f"{i}.wav", tone(400), rate=4000)
    run_command("evaluate", run, "--data", tmp_path / "other", "--json")
    assert json.loads(capsys.readouterr().out)["samples"] == 2400  # all of them, at the rate of the run
    assert "which no ensemble reads" in refused(
        capsys, "fit", *model, "--data", str(folder), "--members", "2", "--out", str(tmp_path / "two")
    )
    assert "recordings and series expect a model of sequences" in refused(
        capsys, "fit", "--model", "MADE", "--data", str(folder), "--out", str(tmp_path / "made")
    )
    assert "expected no sample_rate" in refused(
        capsys, "fit", "--model", "MADE", "--data", "digits", "--sample-rate", "8000", "--out", str(tmp_path / "made")
    )


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    audio, x = AudioFormat(RATE), torch.arange(256)
    write_wav(tmp_path / "x.wav", [x], audio)
    samples, rate = soundfile.read(tmp_path / "x.wav")
    assert rate == RATE
    assert np.abs(samples - audio.decode(x)).max() <= 2**-15


def test_tasks_take_recordings_one_by_one() -> None:
    data = of_lengths(5, 50, 61)
    model = WaveNet(event_shape=(20,), conditional=Categorical(4), layers=3, residual_channels=4, num_classes=2)
    context = torch.tensor([0, 1, 1])
    alone = [
        model.log_prob(torch.from_numpy(x.astype("float32"))[None], label[None]).item()
        for x, label in zip(data.each(), context, strict=True)
    ]
    found = chainrule.evaluate(model, data, context=context)
    assert found.nats == pytest.approx(-np.mean(alone), rel=1e-5)
    assert found.variables == 5 + 50 + 61
    log_probs = chainrule.classify(model, data)
    assert log_probs.shape == (3, 2)
    other = [
        model.log_prob(torch.from_numpy(x.astype("float32"))[None], 1 - label[None]).item()
        for x, label in zip(data.each(), context, strict=True)
    ]
    expected = torch.tensor([alone, other], dtype=torch.float64).log_softmax(0)[0]
    torch.testing.assert_close(log_probs.gather(1, context[:, None]).squeeze(1), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("levels", [1, 65_537])
def test_levels_have_bounds(levels: int) -> None:
    with pytest.raises(ValueError, match="levels expects 2 to 65,536 for recordings"):
        AudioFormat(RATE, levels)


def test_a_folder_of_nothing_readable_is_refused(tmp_path: Path) -> None:
    for i in range(3):
        (tmp_path / f"{i}.wav").write_bytes(b"nothing")
    with (
        pytest.warns(UserWarning, match="skipped"),
        pytest.raises(ValueError, match="none of which can be decoded"),
    ):
        load(tmp_path, skip_unreadable=True)
