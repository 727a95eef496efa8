"""Commands on a time series: forecast it, and say how surprising each of its values is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars
import torch

from chainrule.cli.loading import dataset_of
from chainrule.cli.parser import UsageError
from chainrule.cli.writing import FRAMES, check_suffix
from chainrule.data.read.table import write_frame
from chainrule.data.schema import Column
from chainrule.data.sequences import Recordings
from chainrule.data.series import SeriesFormat, draws_frame, read_values
from chainrule.model import AutoregressiveModel
from chainrule.sequence import sequence_model
from chainrule.tasks.sample import sample
from chainrule.tasks.score import stream_surprisals

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
FORECASTS = 100
"""Draws of a forecast by default."""
LENGTH = 24
"""Values that are forecast by default."""


def series_of(config: dict[str, Any]) -> Column | None:
    """The column that a run was fitted on as a series; None if it was none."""
    series = config.get("data", {}).get("series")
    return None if series is None else SeriesFormat.from_config(series).column


def sample_series(options: dict[str, Any], model: AutoregressiveModel, column: Column, drawing: dict[str, Any]) -> None:
    """``chainrule sample`` of a model of a series: a column for each draw."""
    if options["out"] is None:
        raise UsageError("sample expects --out, a .csv or .parquet file")
    check_suffix(options["out"], FRAMES)
    n = 8 if options["n"] is None else options["n"]
    x = sample(model, n, length=options["length"], **drawing).cpu()
    write_frame(draws_frame(x, column), options["out"])
    print(f"wrote {n} series of {x.shape[1]} values to {options['out']}", file=sys.stderr)


def forecast(
    options: dict[str, Any], model: AutoregressiveModel, config: dict[str, Any], column: Column, drawing: dict[str, Any]
) -> None:
    """``chainrule complete`` of a model of a series: how it may go on, as the mean and quantiles of draws."""
    check_suffix(options["out"], FRAMES)
    if options["observe"] is not None:
        raise UsageError("complete expects no --observe, as the run was fitted on a series: all of it is known")
    past = torch.from_numpy(series_values(options, config, model, column)).to(model.dtype)
    length = LENGTH if options["length"] is None else options["length"]
    draws = sample(model, options["draws"], prefix=past, length=length, **drawing)[:, len(past) :].double().cpu()
    columns = {"step": np.arange(1, length + 1), "mean": draws.mean(0).numpy()}
    for share in QUANTILES:
        columns[f"{share:.0%}"] = draws.quantile(share, dim=0).numpy()
    write_frame(polars.DataFrame(columns), options["out"])
    print(
        f"wrote the mean and quantiles of {options['draws']} draws of the {length} values after the {len(past)} known "
        f"to {options['out']}; exact draws: what is known comes first",
        file=sys.stderr,
    )


def score_series(options: dict[str, Any], model: AutoregressiveModel, config: dict[str, Any], column: Column) -> None:
    """``chainrule score`` of a model of a series: -log p of each value given those before."""
    if options["out"] is None:
        raise UsageError("score expects --out, a .csv or .parquet file, as the run was fitted on a series")
    check_suffix(options["out"], FRAMES)
    values = series_values(options, config, model, column)
    nats = torch.cat(list(stream_surprisals(sequence_model(model), [values.astype(np.float32)])))
    write_frame(polars.DataFrame({column.name: values, "nats": nats.double().numpy()}), options["out"])
    print(f"wrote -log p(x_t | x_<t), nats, of {len(values)} values to {options['out']}", file=sys.stderr)


def series_values(options: dict[str, Any], config: dict[str, Any], model: AutoregressiveModel, column: Column) -> Any:
    """The values of FILE, or of the split that was asked for."""
    if options["file"] is not None:
        return read_values(Path(options["file"]), column.name, column)
    examples = dataset_of(options["data"], config, model).split(options["split"])
    assert isinstance(examples, Recordings)
    return next(examples.each())
