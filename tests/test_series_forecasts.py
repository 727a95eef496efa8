"""Forecasts and scores of series carry their times, groups and columns, and are values that there can be."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars
import pytest
from command_line import refused
from PIL import Image

import chainrule.data
from chainrule.cli import main
from chainrule.data.series import SeriesFormat

N = 80
DAYS = [date(2020, 1, 1) + timedelta(days=i) for i in range(N)]


@pytest.fixture(scope="module")
def weather(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two places with rain on some days, a week without rows in one of them, and a run on each place's rain."""
    folder, random = tmp_path_factory.mktemp("weather"), np.random.RandomState(0)
    frames = []
    for place, country in (("Bern", "CH"), ("Oslo", "NO")):
        wet = random.rand(N) < 0.4
        rain = np.where(wet, random.gamma(1.0, 6.0, N), 0.0).round(1)
        frames.append(polars.DataFrame({"day": DAYS, "rain": rain, "place": place, "country": country}))
    frames[1] = polars.concat([frames[1][:50], frames[1][57:75]])
    polars.concat(frames).write_csv(folder / "weather.csv")
    fit = ["fit", str(folder / "weather.csv"), "--series", "rain", "--group", "place", "--out", str(folder / "run")]
    assert main([*fit, "--model", "BayesianAR", "--model.lags", "3", "--max-steps", "4", "--validate-every", "4"]) == 0
    return folder


def test_rain_is_on_a_curve_with_a_bound(weather: Path) -> None:
    format = chainrule.data.load(weather / "weather.csv", series="rain", group="place").format
    assert isinstance(format, SeriesFormat)
    assert (format.curved, format.column.shape.lower, format.column.missing) == (True, 0.0, True)


def test_a_forecast_has_times_and_groups_and_no_negative_rain(weather: Path, tmp_path: Path) -> None:
    run, file, out = str(weather / "run"), str(weather / "weather.csv"), tmp_path / "forecast.csv"
    assert main(["complete", run, file, "--length", "5", "--draws", "50", "--out", str(out)]) == 0
    forecast = polars.read_csv(out)
    assert forecast.columns[:5] == ["day", "place", "country", "step", "mean"]
    assert forecast["place"].to_list() == ["Bern"] * 5 + ["Oslo"] * 5
    assert forecast["country"].to_list() == ["CH"] * 5 + ["NO"] * 5
    assert forecast["day"].to_list()[4:6] == ["2020-03-25", "2020-03-16"]  # each goes on where it ends
    quantiles = forecast.select("5%", "25%", "50%", "75%", "95%").to_numpy()
    assert quantiles.min() >= 0
    assert (np.diff(quantiles, axis=1) >= 0).all()


def test_scores_carry_the_columns_of_the_file_and_agree_with_evaluate(
    weather: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = str(weather / "run"), tmp_path / "scores.csv"
    assert main(["score", run, "--out", str(out)]) == 0
    scores = polars.read_csv(out)
    assert {"day", "place", "country", "value", "nats"} <= set(scores.columns)
    capsys.readouterr()
    assert main(["evaluate", run]) == 0
    said = capsys.readouterr().out
    assert f"{scores['nats'].mean():.4f} nats per value" in said
    assert main(["score", run, str(weather / "weather.csv"), "--out", str(out)]) == 0
    scores = polars.read_csv(out)
    gap = scores.filter((polars.col("place") == "Oslo") & polars.col("value").is_null())
    assert gap["day"].to_list() == [str(DAYS[i]) for i in range(50, 57)]
    assert scores["nats"].null_count() == 0  # a missing value has a probability, too


def test_a_forecast_is_plotted(weather: Path, tmp_path: Path) -> None:
    run, file, out = str(weather / "run"), str(weather / "weather.csv"), tmp_path / "forecast.png"
    assert main(["complete", run, file, "--length", "7", "--draws", "20", "--out", str(out)]) == 0
    with Image.open(out) as picture:
        width, height = picture.size
    assert width > 500
    assert height > 500  # two panels


def test_files_that_are_not_like_the_runs_are_refused(
    weather: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = polars.read_csv(weather / "weather.csv")
    frame.drop("place").write_csv(tmp_path / "one.csv")
    out = ["--out", str(tmp_path / "x.csv")]
    score = ["score", str(weather / "run")]
    assert "expected the column 'place', got none" in refused(capsys, *score, str(tmp_path / "one.csv"), *out)
    hours = frame.with_columns(polars.col("day") + " 12:30")
    hours[:1].vstack(hours[1:2].with_columns(polars.lit("2020-01-01 18:30").alias("day"))).write_csv(tmp_path / "h.csv")
    assert "expected daily times in 'day', got 2020-01-01 18:30" in refused(
        capsys, *score, str(tmp_path / "h.csv"), *out
    )


def test_a_group_without_a_series_is_refused(weather: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit = ["fit", str(weather / "weather.csv"), "--group", "place", "--out", str(tmp_path / "run")]
    assert "group" in refused(capsys, *fit)


def test_quantiles_of_counts_are_counts(tmp_path: Path) -> None:
    counts = np.random.RandomState(0).poisson(2000, N)
    polars.DataFrame({"day": DAYS, "visits": counts}).write_csv(tmp_path / "visits.csv")
    run, out = str(tmp_path / "run"), tmp_path / "forecast.csv"
    fit = ["fit", str(tmp_path / "visits.csv"), "--series", "visits", "--out", run, "--model", "BayesianAR"]
    assert main([*fit, "--model.lags", "2", "--max-steps", "4", "--validate-every", "4"]) == 0
    assert main(["complete", run, str(tmp_path / "visits.csv"), "--draws", "50", "--out", str(out)]) == 0
    forecast = polars.read_csv(out).select("5%", "25%", "50%", "75%", "95%")
    assert set(forecast.dtypes) == {polars.Int64}
    assert forecast["50%"].is_between(1500, 2500).all()


def test_large_numbers_have_no_bound_at_the_least_that_was_seen(tmp_path: Path) -> None:
    counts = 10_000_000_000 + np.random.RandomState(0).poisson(2000, N)
    polars.DataFrame({"day": DAYS, "people": counts}).write_csv(tmp_path / "people.csv")
    format = chainrule.data.load(tmp_path / "people.csv", series="people").format
    assert isinstance(format, SeriesFormat)
    assert format.origin > 0
    assert (format.column.shape.lower, format.curved) == (None, False)
