"""Default fits of time series: `chainrule fit FILE --series COLUMN`, and forecasts from origins in the last part.

For each set this runs the command line with one thread, evaluates the test part once, and writes
``results/benchmark-series.json``. Forecasts are of 28 values from 9 origins, a fortnight apart from the beginning of
the test part on, each given all values before its origin; the figure is the mean pinball loss of five quantiles.
Rivals' figures are those of statsmodels on the same values: ARIMA(2, 0, 1) with two Fourier pairs of the year, AR(9)
and AR(2).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars
from default_sets import package

from chainrule.atomic import write_atomically
from chainrule.data.series_table import read_series
from chainrule.runs import machine
from chainrule.runs.folder import versions

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
LENGTH, ORIGINS, APART = 28, 9, 14


@dataclass(frozen=True)
class Series:
    """A set: its package, its file in it, its column, and what is said beside."""

    package: str
    file: str
    column: str
    goal: str = ""
    rival: str = ""
    group: str | None = None
    forecasts: bool = False


SETS = {
    "temperature": Series(
        "vega_datasets", "_data/seattle-weather.csv", "temp_max", "pinball at most 0.75",
        "ARIMA with Fourier pairs: pinball 0.732", forecasts=True,
    ),
    "precipitation": Series(
        "vega_datasets", "_data/seattle-weather.csv", "precipitation", "no negative quantile", forecasts=True
    ),
    "sunspots": Series("statsmodels", "datasets/sunspots/sunspots.csv", "SUNACTIVITY", "at most 4.42", "AR(9): 4.415"),
    "unemployment": Series("statsmodels", "datasets/macrodata/macrodata.csv", "unemp", "at most 0.15", "AR(2): 0.092"),
    "co2": Series("statsmodels", "datasets/co2/co2.csv", "co2", "its gaps are read"),
    "shares": Series("vega_datasets", "_data/stocks.csv", "price", "each of five is an example", group="symbol"),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(SETS), help="sets; by default all")
    parser.add_argument("--runs", type=Path, default=Path("runs/series"))
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--minutes", type=float, default=5.0, help="more where other processes share the machine")
    options = parser.parse_args()
    path = options.out / "benchmark-series.json"
    for name in options.names:
        found = measured(SETS[name], options.runs / name, options.minutes)
        report = json.loads(path.read_text()) if path.is_file() else {"sets": {}}
        report |= {"benchmark": "series", "machine": machine(), "versions": versions()}
        report["sets"][name] = found
        write_atomically(path, json.dumps(report, indent=2).encode() + b"\n")
        print(name, json.dumps(found), flush=True)


def measured(series: Series, run: Path, minutes: float) -> dict[str, Any]:
    """The figures of a default fit."""
    run.parent.mkdir(parents=True, exist_ok=True)
    file = str(package(series.package, series.file))
    group = [] if series.group is None else ["--group", series.group]
    said = ["fit", file, "--series", series.column, *group, "--minutes", str(minutes), "--out", str(run)]
    lines, seconds = commanded(said)
    evaluation = json.loads(commanded(["evaluate", str(run), "--json"])[0])
    scores = run / "scores.parquet"
    commanded(["score", str(run), "--out", str(scores)])
    record = json.loads((run / "config.json").read_text())
    settings = record["settings"]
    found = {
        "command": f"chainrule fit {Path(file).name} --series {series.column} {' '.join(group)}".strip(),
        "time": next((line for line in lines.splitlines() if "time:" in line), "").removeprefix("note: "),
        "nats_per_value": evaluation["nats_per_value"],
        "nats_by_score": float(polars.read_parquet(scores)["nats"].mean()),  # type: ignore[arg-type]
        "goal": series.goal,
        "rival": series.rival,
        "settings": {key: value for key, value in settings.items() if key not in ("data", "minutes")},
        **seconds,
    }
    return found | (forecasts(series, Path(file), run) if series.forecasts else {})


def forecasts(series: Series, file: Path, run: Path) -> dict[str, Any]:
    """The mean pinball loss, the mean absolute error and the least quantile of forecasts from the origins."""
    values, frame = read_series(file, series.column).values, polars.read_csv(file)
    shares, losses, errors, least = np.array(QUANTILES), [], [], []
    for origin in int(0.9 * len(values)) + APART * np.arange(ORIGINS):
        known, out = run / "known.csv", run / "forecast.csv"
        frame[: int(origin)].write_csv(known)
        commanded(["complete", str(run), str(known), "--length", str(LENGTH), "--seed", "0", "--out", str(out)])
        table = polars.read_csv(out)
        quantiles = table.select(f"{share:.0%}" for share in QUANTILES).to_numpy()
        truth = values[origin : origin + LENGTH]
        apart = truth[:, None] - quantiles
        losses.append(np.maximum(shares * apart, (shares - 1) * apart).mean())
        errors.append(np.abs(truth - table["mean"].to_numpy()).mean())
        least.append(quantiles.min())
    figures = {"pinball": np.mean(losses), "mean_absolute_error": np.mean(errors), "least_quantile": min(least)}
    return {name: float(value) for name, value in figures.items()}


def commanded(words: list[str]) -> tuple[str, dict[str, float]]:
    """What a command prints, and its seconds."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "chainrule", *words], env=environment, capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout, {"cpu_seconds": round(cpu, 1), "wall_seconds": round(time.perf_counter() - started, 1)}


if __name__ == "__main__":
    main()
