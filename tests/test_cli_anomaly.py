"""``score --score`` and ``purify`` on every kind of data, and the calibration that a run keeps."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars
import pytest
import soundfile
import torch
from command_line import FAST, refused
from PIL import Image
from test_data_frames import mixed
from torch import Tensor

import chainrule
from chainrule.cli import main, options
from chainrule.conditionals import Categorical
from chainrule.data import load
from chainrule.data.formats import ImageFormat
from chainrule.data.read import images as image_files
from chainrule.data.recordings import Recordings
from chainrule.data.write import write_images
from chainrule.kinds.lines import scored_lines
from chainrule.models import WaveNet
from chainrule.runs import calibration, read_calibration
from chainrule.tasks.anomaly import SCORES, compressed_nats
from chainrule.tasks.combined import Combined
from chainrule.tasks.evaluate import log_prob

GREY = ["--model", "PixelCNN", "--model.hidden_size", "8", "--model.num_blocks", "1", "--data", "digits-17"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    assert main(["fit", *GREY, "--out", str(folder / "grey"), *FAST]) == 0
    assert main(["fit", *GREY, "--perturb", "0.2", "--out", str(folder / "background"), *FAST]) == 0
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tensor]:
    """Two files of digits, which no split of three would take, and their levels."""
    folder = tmp_path_factory.mktemp("images")
    x = load("digits-17").test[:2]
    for name, image in zip(("a", "b"), x, strict=True):
        # The middle of the greys that become this level.
        pixels = ((image[0] + 0.5) * 256 / 17).floor().numpy().astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder, x


def scored(out: Path, *arguments: object) -> polars.DataFrame:
    assert main(["score", *map(str, arguments), "--out", str(out)]) == 0
    return polars.read_parquet(out)


def nll(model: chainrule.AutoregressiveModel, x: Tensor) -> np.ndarray:
    with torch.no_grad():
        return -model.log_prob(x).double().numpy()


def test_the_flags_name_every_score() -> None:
    assert options.SCORES == SCORES


class TestImages:
    @pytest.mark.parametrize("score", SCORES)
    def test_every_score_of_all_files_of_a_folder(
        self, runs: Path, images: tuple[Path, Tensor], tmp_path: Path, score: str
    ) -> None:
        folder, x = images
        model, background = (chainrule.load(runs / name) for name in ("grey", "background"))
        more = ["--background", runs / "background"] if score == "ratio" else []
        frame = scored(tmp_path / "s.parquet", runs / "grey", folder, "--score", score, *more)
        assert frame["file"].to_list() == ["a.png", "b.png"]
        nats, valid = nll(model, x), read_calibration(runs / "grey", "valid")
        np.testing.assert_allclose(-frame["log_prob"].to_numpy(), nats, rtol=1e-6)
        expected = {
            "nll": nats,
            "pvalue": -valid.log_pvalues(torch.from_numpy(-nats)).numpy(),
            "typicality": np.abs(nats + valid.log_probs.mean().item()),
            "ratio": nats - nll(background, x),
            "complexity": nats - compressed_nats(x).numpy(),
        }
        np.testing.assert_allclose(frame["score"].to_numpy(), expected[score], rtol=1e-5)
        if score == "pvalue":
            np.testing.assert_allclose(-np.log(frame["pvalue"].to_numpy()), frame["score"].to_numpy())

    def test_a_named_set_an_array_and_one_file(
        self, runs: Path, images: tuple[Path, Tensor], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run, out = runs / "grey", tmp_path / "s.parquet"
        whole = scored(out, run, "--score", "nll")
        assert len(whole) == 179
        strangest = whole.sort("score", descending=True)["number"][0]
        assert capsys.readouterr().out.startswith(f"number {strangest}  ")
        assert whole.equals(scored(out, run, "digits-17", "--score", "nll"))
        np.save(tmp_path / "x.npy", load("digits-17").test[:7].numpy().astype(np.uint8))
        array = scored(out, run, tmp_path / "x.npy", "--score", "nll")
        np.testing.assert_allclose(array["score"].to_numpy(), whole["score"][:7].to_numpy(), rtol=1e-5)
        assert len(scored(out, run, "--score", "nll", "-n", "3", "--split", "valid")) == 3
        one = scored(out, run, images[0] / "b.png", "--score", "nll")
        np.testing.assert_allclose(one["score"].to_numpy(), nll(chainrule.load(run), images[1][1:]), rtol=1e-5)
        assert main(["score", str(run), str(images[0]), "--out", str(tmp_path / "map.png")]) == 0

    def test_typicality_of_groups(self, runs: Path, tmp_path: Path) -> None:
        arguments = [runs / "grey", "--score", "typicality", "-n", "6"]
        frame = scored(tmp_path / "s.parquet", *arguments, "--group", 3)
        assert frame.select("first", "last").rows() == [(1, 3), (4, 6)]
        single = scored(tmp_path / "s.parquet", runs / "grey", "--score", "nll", "-n", "6")["score"].to_numpy()
        mean = -read_calibration(runs / "grey", "valid").log_probs.mean().item()
        expected = np.abs(single.reshape(2, 3).mean(1) - mean)
        np.testing.assert_allclose(frame["score"].to_numpy(), expected, rtol=1e-6)

    def test_calibration_is_of_the_splits(self, runs: Path) -> None:
        model, data = chainrule.load(runs / "grey"), load("digits-17")
        valid = read_calibration(runs / "grey", "valid").log_probs.numpy()
        np.testing.assert_allclose(valid, np.sort(-nll(model, data.valid[:])), rtol=1e-6)
        assert len(read_calibration(runs / "grey", "train").log_probs) == len(data.train)

    def test_refuses(self, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], digits_run: Path) -> None:
        run, out = str(runs / "grey"), ["--out", str(tmp_path / "s.parquet")]
        np.save(tmp_path / "wide.npy", np.zeros((3, 1, 9, 9), np.uint8))
        np.save(tmp_path / "high.npy", np.full((3, 1, 8, 8), 17, np.uint8))
        (tmp_path / "empty").mkdir()
        capsys.readouterr()
        for arguments, message in {
            ("--score", "pvalues"): "got 'pvalues', did you mean pvalue?",
            ("--score", "ratio"): "--score ratio expects --background, a run of `fit --perturb 0.1`",
            ("--score", "nll", "--background", run): "--background expects --score ratio",
            ("--score", "ratio", "--background", str(digits_run)): "--background expects values of Categorical(",
            ("--score", "nll", "--group", "2"): "--group expects --score typicality",
            ("--score", "typicality", "--group", "0"): "group expects at least 1, got 0",
            ("--score", "pvalue", "--calibration", "test"): "expects valid or train, got 'test'",
            ("--group", "2"): "--group expects --score, got none",
            (str(tmp_path / "wide.npy"), "--score", "nll"): "of shape (1, 8, 8), got (1, 9, 9)",
            (str(tmp_path / "high.npy"), "--score", "nll"): "got 17",
            (str(tmp_path / "empty"), "--score", "nll"): "expected images",
            (str(tmp_path / "nothing.npy"), "--score", "nll"): "found no",
            ("digits-17", "--data", "digits-17"): "got both: digits-17 and digits-17",
            ("--class", "1", "--score", "nll"): "--class expects a model with num_classes",
            ("--per", "cell"): "--per expects a run on text or on a table",
            ("--score", "nll", "-n", "0"): "n expects at least 1, got 0",
        }.items():
            assert message in refused(capsys, "score", run, *arguments, *out), arguments
        assert ".csv, .parquet" in refused(capsys, "score", run, "--score", "nll", "--out", str(tmp_path / "x.png"))
        for name in ("config.json", "model.safetensors"):
            (tmp_path / "empty" / name).write_bytes((runs / "grey" / name).read_bytes())
        old = str(tmp_path / "empty")
        assert "fit the run anew" in refused(capsys, "score", old, "--score", "pvalue", *out)
        (tmp_path / "empty" / "calibration.safetensors").write_bytes(b"x")
        assert "damaged or truncated" in refused(capsys, "score", old, "--score", "pvalue", *out)


class TestPurify:
    def test_files_to_files(
        self, runs: Path, images: tuple[Path, Tensor], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder, x = images
        expected = chainrule.purify(chainrule.load(runs / "grey"), x, 3)
        command = ["purify", str(runs / "grey"), str(folder), "--epsilon", "3", "--out"]
        for out in ("x.npy", "pictures", "x.png"):
            assert main([*command, str(tmp_path / out)]) == 0
        said = capsys.readouterr().err
        assert "purified 2 of 2 examples" in said
        assert "stay as they were" not in said
        assert main([*command[:-2], "0", "--out", str(tmp_path / "same.npy")]) == 0
        assert "0.0% of their values changed; 2 stay as they were" in capsys.readouterr().err
        assert np.array_equal(np.load(tmp_path / "x.npy"), expected.numpy())
        with Image.open(tmp_path / "pictures" / "b.png") as picture:
            assert np.array_equal(np.asarray(picture), (expected[1, 0] * 255 / 16).round().numpy())
        again = image_files.read_all(tmp_path / "pictures", (1, 8, 8), ImageFormat(17))[0][:]
        assert torch.equal(again, expected)

    @pytest.mark.parametrize("levels", [2, 17, 200, 255, 256])
    def test_pictures_are_read_as_the_levels_they_were(self, tmp_path: Path, levels: int) -> None:
        x = torch.arange(levels).float().view(1, 1, 1, -1)
        write_images(x, [tmp_path / "x.png"], levels)
        assert torch.equal(image_files.read_all(tmp_path, (1, 1, levels), ImageFormat(levels))[0][:], x)
        with Image.open(tmp_path / "x.png") as picture:
            assert (np.asarray(picture)[0, 0], np.asarray(picture)[0, -1]) == (0, 255)

    def test_only_what_is_improbable(self, runs: Path, tmp_path: Path) -> None:
        run, x = runs / "grey", load("digits-17").test[:40]
        out = tmp_path / "x.npy"
        options = ["-n", "40", "--epsilon", "3", "--threshold", "0.4", "--calibration", "valid", "--out", str(out)]
        assert main(["purify", str(run), *options]) == 0
        model, calibration = chainrule.load(run), read_calibration(run, "valid")
        chosen = calibration.pvalues(-torch.from_numpy(nll(model, x))) < 0.4
        assert 0 < chosen.sum() < 40
        expected = torch.where(chosen[:, None, None, None], chainrule.purify(model, x, 3), x)
        assert np.array_equal(np.load(out), expected.numpy())

    def test_refuses(self, runs: Path, table_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out = ["--out", str(tmp_path / "x.npy")]
        capsys.readouterr()
        for threshold in ("0", "1", "nan"):
            options = ["--epsilon", "1", "--threshold", threshold]
            assert "a p-value in (0, 1), got" in refused(capsys, "purify", str(runs / "grey"), *options, *out)
        assert "0 or more, got -1" in refused(capsys, "purify", str(runs / "grey"), "--epsilon", "-1", *out)
        assert "n expects at least 1, got 0" in refused(
            capsys, "purify", str(runs / "grey"), "-n", "0", "--epsilon", "1", *out
        )
        (tmp_path / "twice").mkdir()
        for name in ("a.png", "a.bmp"):
            Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "twice" / name)
        command = ["purify", str(runs / "grey"), str(tmp_path / "twice"), "--epsilon", "1", "--out"]
        assert "got a.png twice" in refused(capsys, *command, str(tmp_path / "new"))
        assert "with a.bmp: choose another" in refused(capsys, *command, str(tmp_path / "twice"))
        folder = ["--epsilon", "1", "--out", str(tmp_path / "folder")]
        assert "got the folder" in refused(capsys, "purify", str(table_run), *folder)
        assert "in one that exists" in refused(
            capsys, "purify", str(runs / "grey"), "--epsilon", "1", "--out", str(tmp_path / "no" / "folder")
        )


def test_rows_of_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mixed().write_csv(tmp_path / "people.csv")
    run = tmp_path / "run"
    model = ["--model", "MADE", "--model.hidden_sizes", "[16]"]
    assert main(["fit", *model, "--data", str(tmp_path / "people.csv"), "--out", str(run), *FAST]) == 0
    strange = mixed()[1:5].with_columns(height=1e3)
    strange.write_csv(tmp_path / "new.csv")
    usual = scored(tmp_path / "s.parquet", run, tmp_path / "people.csv", "--score", "nll")
    found = scored(tmp_path / "s.parquet", run, tmp_path / "new.csv", "--score", "pvalue")
    calibration = read_calibration(run, "valid")
    assert len(calibration.log_probs) == 54, "few rows: those of training are scored by models that did not see them"
    assert found["log_prob"].max() < usual["log_prob"].min()
    assert found["pvalue"].max() < 1 / (1 + len(calibration.log_probs)), "beyond all of them, the tail goes on"
    cells = scored(tmp_path / "cells.parquet", run, tmp_path / "people.csv", "--per", "cell")
    assert cells.columns == mixed().columns
    whole = usual["log_prob"].to_numpy()
    np.testing.assert_allclose(-cells.sum_horizontal(ignore_nulls=False).to_numpy(), whole, rtol=1e-4, atol=1e-3)
    broken = mixed()[1:5].with_columns(colour=polars.Series(["violet", None, "red", "red"]))
    broken.write_csv(tmp_path / "new.csv")
    capsys.readouterr()
    cells = scored(tmp_path / "cells.parquet", run, tmp_path / "new.csv", "--per", "cell")
    assert "1 rows have a value that no row had in training, or an empty cell" in capsys.readouterr().err
    first = list(mixed().columns).index("colour")
    assert cells["colour"][0] > cells["colour"][2:].max()
    assert math.isfinite(cells["colour"][0])
    assert all(cells[name].null_count() == 0 for name in cells.columns[:first])
    assert all(cells[name].null_count() == 1 for name in cells.columns[first:])
    frame = scored(tmp_path / "s.parquet", run, tmp_path / "new.csv", "--score", "pvalue", "-n", "3")
    assert frame["pvalue"].is_null().to_list() == [False, True, False]
    assert frame["score"][0] > frame["score"][2]
    ratio = scored(tmp_path / "s.parquet", run, tmp_path / "new.csv", "--score", "ratio", "--background", run)
    assert ratio["score"].to_list() == [0.0, 0.0, 0.0, 0.0]
    capsys.readouterr()
    out = ["--out", str(tmp_path / "s.csv")]
    assert "--per expects row or cell" in refused(capsys, "score", str(run), "--per", "line", *out)
    assert "expects images, rows of levels, text" in refused(capsys, "score", str(run), "--score", "complexity", *out)
    purified = ["--epsilon", "1", "--out", str(tmp_path / "x.npy")]
    assert "a run on images or on rows of levels" in refused(capsys, "purify", str(run), *purified)


def test_cells_after_a_broken_one_are_those_of_the_models_order(tmp_path: Path) -> None:
    mixed().write_csv(tmp_path / "people.csv")
    run, order = tmp_path / "run", [2, 0, 3, 1, 5, 4]  # not its own inverse
    model = ["--model", "MADE", "--model.hidden_sizes", "[9]", "--model.order", str(order)]
    assert main(["fit", *model, "--data", str(tmp_path / "people.csv"), "--out", str(run), *FAST]) == 0
    mixed()[1:3].with_columns(colour=polars.Series(["red", None])).write_csv(tmp_path / "new.csv")
    cells = scored(tmp_path / "cells.parquet", run, tmp_path / "new.csv", "--per", "cell")
    counts = [cells[name].null_count() for name in cells.columns]
    assert counts == [0, 1, 0, 0, 1, 1]  # colour is the fourth of the order, before the last two columns


def test_lines_of_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    song = "row, row, row your boat\ngently down the stream\n"
    (tmp_path / "song.txt").write_text(song * 40)
    (tmp_path / "new.txt").write_text(song + "wwwwww\n")
    small = ["--model", "RNN", "--model.cell", "gru", "--model.hidden_size", "8", "--max_epochs", "3"]
    for name, more in {"stream": ["--window", "16"], "documents": ["--documents", "true"]}.items():
        run = tmp_path / name
        assert main(["fit", *small, "--data", str(tmp_path / "song.txt"), *more, "--out", str(run)]) == 0
        frame = scored(tmp_path / "s.parquet", run, tmp_path / "new.txt", "--score", "nll")
        assert frame["text"].to_list() == [*song.splitlines(), "wwwwww"]
        assert frame["symbols"].to_list() == [24, 23, 7]
        x = torch.from_numpy(load(tmp_path / "song.txt").format.vocabulary.encode(song + "wwwwww\n")).float()
        with torch.no_grad():
            model = chainrule.load(run)
            pieces = [x[:24], x[24:47], x[47:]] if name == "documents" else [x]
            nats = sum(-model.log_prob(piece[None]).item() for piece in pieces)
        assert (frame["score"] * frame["symbols"]).sum() == pytest.approx(nats, rel=1e-5)
        compared = ["--score", "pvalue", "--calibration", "train"]
        pvalues = scored(tmp_path / "s.parquet", run, tmp_path / "new.txt", *compared)["pvalue"]
        ways = read_calibration(run, "train").ways
        assert ways is not None
        combined, text = Combined.of(ways), load(tmp_path / "song.txt", documents=name == "documents").format
        parts = scored_lines(model, text, tmp_path / "new.txt")  # type: ignore[arg-type]
        found = torch.tensor([part.ways for part in parts], dtype=torch.float64)
        expected = combined.least.pvalues(combined.statistics(found))
        np.testing.assert_allclose(pvalues.to_numpy(), expected.numpy())
        assert scored(tmp_path / "s.parquet", run, tmp_path / "new.txt", "--score", "complexity")["score"].len() == 3
    known = scored(tmp_path / "s.parquet", tmp_path / "documents", tmp_path / "song.txt", "--score", "nll")
    kept = read_calibration(tmp_path / "documents", "train").log_probs.numpy()
    assert set(np.round(kept, 4)) <= set(np.round(known["log_prob"].to_numpy(), 4))
    capsys.readouterr()
    out = ["--out", str(tmp_path / "s.csv")]
    other = ["--score", "ratio", "--background", str(tmp_path / "documents"), *out]
    message = refused(capsys, "score", str(tmp_path / "stream"), str(tmp_path / "new.txt"), *other)
    assert "got another text" in message
    assert main(["score", str(tmp_path / "stream"), "--score", "nll", *out]) == 0, "the test part"


def test_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator = np.random.RandomState(0)
    tones = [0.3 * np.sin(np.arange(300 + 10 * i) / 4) for i in range(10)]
    (tmp_path / "tones").mkdir()
    for i, samples in enumerate(tones):
        soundfile.write(tmp_path / "tones" / f"{i}.wav", samples, 8000)
    soundfile.write(tmp_path / "noise.wav", generator.uniform(-1, 1, 400), 8000)
    run = tmp_path / "run"
    model = ["--model", "WaveNet", "--model.layers", "3", "--model.residual_channels", "8"]
    assert main(["fit", *model, "--data", str(tmp_path / "tones"), "--out", str(run), "--max-epochs", "20"]) == 0
    usual = scored(tmp_path / "s.parquet", run, tmp_path / "tones", "--score", "nll")
    assert usual["file"].to_list() == [f"{i}.wav" for i in range(10)]
    assert usual["samples"].to_list() == [len(samples) for samples in tones]
    noise = scored(tmp_path / "s.parquet", run, tmp_path / "noise.wav", "--score", "nll")
    assert noise["log_prob"][0] < usual["log_prob"].min()
    capsys.readouterr()
    asked = ["score", str(run), str(tmp_path / "noise.wav"), "--score", "pvalue", "--out", str(tmp_path / "s.csv")]
    assert "at least 20 examples to compare with, got 1 (the run's valid examples)" in refused(capsys, *asked)
    data = load(tmp_path / "tones")
    calibrated = read_calibration(run, "valid").log_probs.tolist()
    assert min(abs(value - calibrated[0]) for value in usual["log_prob"]) < 1e-4
    assert len(calibrated) == len(data.valid)


def test_a_calibration_of_recordings_is_of_any_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.kinds.calibration.SYMBOLS", 1000)
    (tmp_path / "tones").mkdir()
    for i in range(40):  # the later, the louder
        soundfile.write(tmp_path / "tones" / f"{i:02}.wav", i / 40 * np.sin(np.arange(200) / 4), 8000)
    data = load(tmp_path / "tones")
    model = WaveNet(event_shape=data.event_shape, conditional=Categorical(256), layers=2, residual_channels=4)
    found = calibration.calibrate(model, data)["train"].log_probs.tolist()
    assert len(found) == 5
    assert isinstance(data.train, Recordings)
    sorted_first = log_prob(model, data.train.subset(np.arange(5)))
    assert not np.allclose(found, sorted((sorted_first / 200).tolist()))


def test_values_of_a_series(tmp_path: Path) -> None:
    values = np.sin(np.arange(400) / 3)
    polars.DataFrame({"wave": values}).write_csv(tmp_path / "wave.csv")
    run = tmp_path / "run"
    model = ["--model", "RNN", "--model.hidden_size", "8", "--series", "wave", "--window", "40"]
    assert main(["fit", *model, "--data", str(tmp_path / "wave.csv"), "--out", str(run), "--max-epochs", "5"]) == 0
    values[200] = 30.0
    polars.DataFrame({"wave": values}).write_csv(tmp_path / "new.csv")
    frame = scored(tmp_path / "s.parquet", run, tmp_path / "new.csv", "--score", "pvalue")
    assert frame.sort("log_prob")["value"][0] == 30.0
    assert frame["pvalue"][200] < 1 / (len(read_calibration(run, "valid").log_probs) + 1)
