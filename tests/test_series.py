"""Time series: a column of a table as one sequence, its forecast and its surprises."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars
import pytest
import torch
from command_line import refused

import chainrule
import chainrule.data
from chainrule.cli import main
from chainrule.conditionals import Gaussian
from chainrule.data.recordings import Recordings
from chainrule.data.series import SeriesFormat
from chainrule.models import RNN, BayesianAR, WaveNet
from chainrule.runs import evaluate_split
from chainrule.tasks.evaluate import evaluate
from chainrule.training.loader import Loader

LENGTH = 400


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("series") / "series.csv"
    noise = np.random.RandomState(0).normal(size=LENGTH) * 0.1
    wave = 20 + 5 * np.sin(np.arange(LENGTH) / 3) + noise
    days = polars.date_range(date(2020, 1, 1), date(2021, 2, 3), eager=True)[:LENGTH]
    polars.DataFrame({"day": days, "wave": wave.round(4), "count": wave.round().astype(int)}).write_csv(path)
    return path


@pytest.fixture(scope="module")
def run(table: Path) -> Path:
    model = [
        "--model",
        "WaveNet",
        "--model.layers",
        "4",
        "--model.residual_channels",
        "8",
        "--model.skip_channels",
        "8",
    ]
    data = ["--data", str(table), "--series", "wave", "--window", "64", "--conditional", "Gaussian"]
    training = ["--max-epochs", "150", "--learning-rate", "0.01", "--out", str(table.parent / "run")]
    assert main(["fit", *model, *data, *training]) == 0
    return table.parent / "run"


def test_the_parts_of_a_series_follow_each_other(table: Path) -> None:
    data = chainrule.data.load(table, series="wave", window=64)
    parts = [next(split.each()) for split in (data.train, data.valid, data.test) if isinstance(split, Recordings)]
    assert [len(part) for part in parts] == [320, 40, 40]
    assert np.array_equal(np.concatenate(parts), polars.read_csv(table)["wave"].to_numpy())
    assert isinstance(data.format, SeriesFormat)
    assert data.format.column.mean == pytest.approx(parts[0].mean())
    counts = chainrule.data.load(table, series="count").format
    assert isinstance(counts, SeriesFormat)
    assert (counts.column.kind, counts.column.low, counts.column.high) == ("integer", 15, 25)


def test_a_forecast_goes_on_with_the_wave(run: Path, table: Path, tmp_path: Path) -> None:
    assert main(["complete", str(run), str(table), "--length", "12", "--out", str(tmp_path / "forecast.csv")]) == 0
    forecast = polars.read_csv(tmp_path / "forecast.csv")
    assert forecast.columns == ["day", "step", "mean", "5%", "25%", "50%", "75%", "95%"]
    assert forecast["day"].to_list() == [f"2021-02-{day:02}" for day in range(4, 16)]
    truth = 20 + 5 * np.sin(np.arange(LENGTH, LENGTH + 12) / 3)
    error = np.abs(forecast["50%"].to_numpy() - truth)
    assert error[:3].mean() < 1.0  # of a wave whose amplitude is 5
    assert (forecast["95%"] >= forecast["5%"]).all()


def test_a_forecast_draws_what_sample_does(run: Path, table: Path, tmp_path: Path) -> None:
    arguments = ["complete", str(run), str(table), "--length", "3", "--draws", "4", "--seed", "5"]
    assert main([*arguments, "--out", str(tmp_path / "forecast.csv")]) == 0
    past = torch.tensor(polars.read_csv(table)["wave"].to_list())
    draws = chainrule.sample(chainrule.load(run), 4, prefix=past, length=3, seed=5)[:, LENGTH:]
    got = polars.read_csv(tmp_path / "forecast.csv")["mean"].to_numpy()
    np.testing.assert_allclose(got, draws.double().mean(0).numpy(), rtol=1e-6)


def test_score_and_evaluate_agree(run: Path, tmp_path: Path) -> None:
    assert main(["score", str(run), "--out", str(tmp_path / "nats.csv")]) == 0
    nats = polars.read_csv(tmp_path / "nats.csv")["nats"].to_numpy()
    data = chainrule.data.load(run.parent / "series.csv", series="wave", window=64)
    evaluation, figures = evaluate_split(chainrule.load(run), data, "test")
    assert nats.sum() == pytest.approx(evaluation.nats, rel=1e-5)
    assert nats.mean() == pytest.approx(figures["nats_per_value"], rel=1e-5)


def test_samples_are_columns(run: Path, tmp_path: Path) -> None:
    assert main(["sample", str(run), "-n", "3", "--length", "20", "--out", str(tmp_path / "x.csv")]) == 0
    assert polars.read_csv(tmp_path / "x.csv").shape == (20, 4)
    samples = polars.read_csv(run / "samples.csv")
    assert samples.shape == (64, 9)
    assert samples["day"].head(2).to_list() == ["2020-01-01", "2020-01-02"]


def test_integers_are_levels_of_any_sequence_model(table: Path, tmp_path: Path) -> None:
    arguments = ["--model", "RNN", "--model.hidden_size", "4", "--data", str(table), "--series", "count"]
    assert main(["fit", *arguments, "--max-epochs", "1", "--out", str(tmp_path / "run")]) == 0
    forecast = ["complete", str(tmp_path / "run"), "--draws", "1", "--length", "5", "--out", str(tmp_path / "f.csv")]
    assert main(forecast) == 0
    assert set(polars.read_csv(tmp_path / "f.csv")["50%"]) <= set(range(15, 26))


def test_what_is_refused(run: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit = ["fit", "--data", str(table), "--out", str(tmp_path / "new"), "--series"]
    assert "did you mean wave?" in refused(capsys, *fit, "wav", "--model", "WaveNet")
    assert "series expect a model of sequences" in refused(capsys, *fit, "wave", "--model", "MADE")
    assert "column 'day' expects numbers, got Date" in refused(capsys, *fit, "day", "--model", "WaveNet")
    frame = polars.read_csv(table, try_parse_dates=True)
    frame.with_columns(wave=polars.when(polars.int_range(LENGTH) != 7).then("wave")).write_csv(tmp_path / "gap.csv")
    score = refused(capsys, "score", str(run), str(tmp_path / "gap.csv"), "--out", str(tmp_path / "x.csv"))
    assert "column 'wave', 2020-01-08: expected a number, got a gap" in score
    frame.drop("day").write_csv(tmp_path / "timeless.csv")
    score = refused(capsys, "score", str(run), str(tmp_path / "timeless.csv"), "--out", str(tmp_path / "x.csv"))
    assert "expected daily times, as in 'day', got no column of times" in score
    frame.gather_every(2).write_csv(tmp_path / "second.csv")
    score = refused(capsys, "score", str(run), str(tmp_path / "second.csv"), "--out", str(tmp_path / "x.csv"))
    assert "a gap, and the run was fitted on a series without any" in score
    out = ["--out", str(tmp_path / "x.csv")]
    assert "no --observe" in refused(capsys, "complete", str(run), "--observe", "0.5", *out)
    assert "length expects at least 1" in refused(capsys, "complete", str(run), "--length", "0", *out)


def test_a_part_is_read_given_the_values_before_it(table: Path) -> None:
    data = chainrule.data.load(table, series="wave", window=64)
    torch.manual_seed(0)
    for model in (
        BayesianAR(event_shape=(64,), conditional=Gaussian(), lags=3),
        WaveNet(event_shape=(64,), conditional=Gaussian(), layers=4, residual_channels=4, skip_channels=4),
    ):
        values = torch.tensor(polars.read_csv(table)["wave"].to_list()).unsqueeze(0)
        nats = -model(values).log_prob(values)[0]
        assert evaluate(model, data.test).nats == pytest.approx(nats[360:].sum().item(), rel=1e-4)
        batches = Loader(model, data.valid, None, 2)
        counted = [model(batch.x).log_prob(batch.x)[batch.counted] for batch in batches]
        assert -torch.cat(counted).sum().item() == pytest.approx(nats[320:360].sum().item(), rel=1e-4)


def test_a_short_series_is_not_padded(table: Path) -> None:
    data = chainrule.data.load(table, series="wave", window=64)
    batch = next(iter(Loader(RNN(event_shape=(64,), conditional=Gaussian()), data.valid, None, 8)))
    assert batch.x.shape == (1, 384)
    assert batch.counted is not None
    assert batch.counted.sum() == 40
