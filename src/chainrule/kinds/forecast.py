"""Forecasts of series, as a table or a picture, with the times and the columns that go on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars
import torch
from numpy.typing import NDArray
from torch import Tensor

from chainrule import plots
from chainrule.data.series import SeriesFormat, times_after
from chainrule.data.series_examples import SeriesExamples
from chainrule.data.write import FRAMES, check_suffix, write_frame
from chainrule.kinds.requests import Completing
from chainrule.model import AutoregressiveModel
from chainrule.tasks.forecast import forecast
from chainrule.tasks.progress import counted

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
DRAWS = 400
"""Draws of a forecast by default."""
LENGTH = 24
"""Values that are forecast by default."""

HISTORY, LEAST_HISTORY = 4, 60
"""A picture shows so many times the length of the forecast of what is known, and at least so many values."""


def check_forecast(request: Completing) -> None:
    """Raise ``ValueError``, before any work is done, if forecasts can't be written."""
    check_suffix(request.out, (*FRAMES, *plots.FORMATS))
    if request.length is not None and request.length < 1:
        raise ValueError(f"length expects at least 1, got {request.length}")


def write_forecasts(
    model: AutoregressiveModel, examples: SeriesExamples, series: SeriesFormat, request: Completing
) -> list[str]:
    """Write the forecasts of all series, and say so."""
    length, count = request.length or LENGTH, request.draws or DRAWS
    with counted(length * len(examples)):
        drawn = list(_draws(model, examples, series, request, length, count))
    out = request.out
    if out.suffix.lower() in plots.FORMATS:
        panels = [_panel(examples, series, i, draws) for i, draws in enumerate(drawn[: plots.MOST_FORECASTS])]
        plots.forecast_picture(panels, out, label=series.column.name)
        what = f"a picture of {len(panels)} series and quantiles"
    else:
        write_frame(polars.concat([_table(examples, series, i, draws) for i, draws in enumerate(drawn)]), out)
        what = "the mean and quantiles"
    after = f"the {len(examples.levels)} known" if len(examples) == 1 else f"those known of {len(examples)} series"
    return [
        f"wrote {what} of {count} draws of the {length} values after {after} to {out}; "
        "exact draws: what is known comes first"
    ]


def _draws(
    model: AutoregressiveModel,
    examples: SeriesExamples,
    series: SeriesFormat,
    request: Completing,
    length: int,
    count: int,
) -> Iterator[NDArray[np.float64]]:
    """The draws ``(count, length)`` of each series in the file's units, NaN where a value is missing."""
    shape, settings = series.column.shape, request.drawing.settings()
    for start, end in zip(examples.starts, examples.ends, strict=True):
        past = torch.from_numpy(examples.levels[start:end])
        draws: Tensor = forecast(model, past, count, length, **settings)
        yield shape.within(draws.double().cpu().numpy()) + series.origin


def _table(examples: SeriesExamples, series: SeriesFormat, index: int, draws: NDArray[np.float64]) -> polars.DataFrame:
    """The forecast of one series: times, the cells that are the same in all of its rows, step, mean and quantiles."""
    table, length = examples.table, draws.shape[1]
    columns = []
    if series.axis is not None and table.moments is not None:
        columns += times_after(table.axis or series.axis, table.moments[examples.ends[index] - 1], length)
    times = {column.name for column in columns}
    rows = table.rows[int(examples.starts[index]) : int(examples.ends[index])]
    for name in rows.columns:
        there = rows[name].drop_nulls()
        if name not in times and len(there) and there.n_unique() == 1:
            columns.append(there.head(1).new_from_index(0, length))
    taken = {column.name for column in columns}
    numbers = {"step": polars.Series(np.arange(1, length + 1)), "mean": polars.Series(np.nanmean(draws, axis=0))}
    for share, own in quantiles_of(draws, series).items():
        numbers[f"{share:.0%}"] = series.column.codec.write(own - series.origin)
    for name, cells in numbers.items():
        columns.append(cells.alias(f"{name} of {series.column.name}" if name in taken else name))
    return polars.DataFrame(columns)


def quantiles_of(draws: NDArray[np.float64], series: SeriesFormat) -> dict[float, NDArray[np.float64]]:
    """The quantiles of the values that are there: of values on a grid, or with atoms, each is one that was drawn."""
    column = series.column
    listed = column.kind == "integer" or column.shape.step or column.shape.atoms
    return {
        share: np.nanquantile(draws, share, axis=0, method="inverted_cdf" if listed else "linear")
        for share in QUANTILES
    }


def _panel(examples: SeriesExamples, series: SeriesFormat, index: int, draws: NDArray[np.float64]) -> plots.Forecast:
    """The last known values and the forecast of one series."""
    start, end = int(examples.starts[index]), int(examples.ends[index])
    length = draws.shape[1]
    start = max(start, end - max(HISTORY * length, LEAST_HISTORY))
    past_places: NDArray[np.generic] = np.arange(start - end, 0) + 1
    places: NDArray[np.generic] = np.arange(1, length + 1)
    moments = examples.table.moments
    if series.axis is not None and moments is not None:
        past_places, places = moments[start:end], series.axis.frequency.moments(moments[end - 1], length)
    past = examples.levels[start:end] + series.origin
    return plots.Forecast(examples.names[index], past_places, past, places, quantiles_of(draws, series))
