"""Fill the gaps of a table: by draws, or by an estimate of each cell and the quantiles beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import polars
import torch
from torch import Tensor

from chainrule.data.column import Column
from chainrule.data.schema import TableSchema
from chainrule.kinds.requests import Completing
from chainrule.model import AutoregressiveModel
from chainrule.tasks import estimates
from chainrule.tasks.gaps import Completions, complete_rows

DRAWS = 100
"""Draws that stand behind an estimate, by default."""

UNORDERED = ("category", "boolean")
"""Kinds of columns that have no mean and no quantiles: their estimate is the most probable value."""

ESTIMATES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": estimates.mean,
    "median": lambda values, weights: estimates.quantiles(values, weights, [0.5]).squeeze(1),
    "mode": estimates.mode,
}
"""The estimates of a number."""


@dataclass
class Methods:
    """The methods by which rows were completed, and how well."""

    rows: Counter[str] = field(default_factory=Counter)
    sizes: dict[str, list[float]] = field(default_factory=dict)

    def note(self, done: Completions) -> None:
        """Count the rows of ``done``."""
        self.rows[done.method] += len(done.x)
        if done.effective_sample_size is not None:
            self.sizes.setdefault(done.method, []).extend(done.effective_sample_size.tolist())

    def __str__(self) -> str:
        lines = []
        for method, count in self.rows.items():
            size = float(torch.tensor(self.sizes.get(method, [0.0])).median())
            lines.append(f"{count} rows {method}" + (f"; effective sample size, median: {size:.1f}" if size else ""))
        return "\n".join(lines)


def fill_frame(
    model: AutoregressiveModel,
    schema: TableSchema,
    frame: polars.DataFrame,
    x: Tensor,
    request: Completing,
    context: Tensor | None,
) -> tuple[polars.DataFrame, Methods]:
    """``frame``, whose rows are ``x`` ``(N, n)``, with its gaps filled as ``request`` says, and the methods.

    By draws, with several of them, each row comes as often, after columns ``row`` and ``draw``.
    """
    methods, estimated = Methods(), request.point is not None or bool(request.quantiles)
    count = request.draws or (DRAWS if estimated else 1)
    points, ranges, drawn = x.double(), x.double().repeat(len(request.quantiles), 1, 1), x.repeat(count, 1, 1)

    def keep(rows: Tensor, done: Completions) -> None:
        methods.note(done)
        if not estimated:
            drawn[:, rows] = done.draw(count).transpose(0, 1).to(drawn)
            return
        for index, column in enumerate(schema.used):
            mine = rows[x[rows, index].isnan()]
            unknown = x[rows, index].isnan().to(done.x.device)
            if len(mine):
                values, weights = done.x[unknown][:, :, index], done.weights[unknown]
                points[mine, index] = _estimate(column, request.point or "mean")(values, weights).cpu()
                ranges[:, mine, index] = estimates.quantiles(values, weights, request.quantiles).T.cpu()

    complete_rows(
        model, x, keep, walks=count, particles=request.particles, context=context, **request.drawing.settings()
    )
    if not estimated:
        return _of_draws(frame, [schema.decode(each.numpy()) for each in drawn]), methods
    filled = _into(frame, _of_points(schema, points))
    return filled.with_columns(_of_ranges(schema, x.isnan(), ranges, request.quantiles)), methods


def _estimate(column: Column, point: str) -> Callable[[Tensor, Tensor], Tensor]:
    return estimates.most_probable if column.kind in UNORDERED else ESTIMATES[point]


def _of_points(schema: TableSchema, points: Tensor) -> polars.DataFrame:
    """Estimates ``(N, n)`` as a frame: integers whose estimate is none, such as a mean, become floats."""
    frame = schema.decode(points.float().numpy())
    floats = {
        column.name: polars.Series(column.name, points[:, index].numpy())
        for index, column in enumerate(schema.used)
        if column.kind == "integer" and bool((points[:, index] != points[:, index].round()).any())
    }
    return frame.with_columns(**floats)


def _of_ranges(schema: TableSchema, unknown: Tensor, ranges: Tensor, shares: Sequence[float]) -> list[polars.Series]:
    """Columns of the quantiles ``(Q, N, n)`` of each column of numbers that has gaps; empty where a cell is known."""
    frames = [schema.decode(each.masked_fill(~unknown, torch.nan).float().numpy()) for each in ranges]
    return [
        frame[column.name].alias(f"{column.name} {100 * share:g}%")
        for index, column in enumerate(schema.used)
        if column.kind not in UNORDERED and bool(unknown[:, index].any())
        for share, frame in zip(shares, frames, strict=True)
    ]


def _of_draws(frame: polars.DataFrame, drawn: list[polars.DataFrame]) -> polars.DataFrame:
    """``frame`` with its gaps from the only draw, or once for each of several."""
    if len(drawn) == 1:
        return _into(frame, drawn[0])
    rows = polars.int_range(1, len(frame) + 1, eager=True)
    return polars.concat(
        _into(frame, draw)
        .insert_column(0, rows.alias("row"))
        .insert_column(1, polars.Series("draw", [number] * len(frame)))
        for number, draw in enumerate(drawn, start=1)
    ).sort("row", "draw")


def _into(frame: polars.DataFrame, drawn: polars.DataFrame) -> polars.DataFrame:
    """``frame`` with its empty cells, and the columns that it lacks, from ``drawn``; all else stays as it is."""
    columns = [series for series in drawn if series.name not in frame.columns]
    for name in drawn.columns:
        if name in frame.columns and frame[name].null_count():
            known, own = frame[name], drawn[name]
            if known.dtype != own.dtype and not (known.dtype.is_integer() and own.dtype.is_integer()):
                known = known.cast(own.dtype)
            columns.append(polars.select(polars.coalesce(known, own).alias(name)).to_series())
    return frame.with_columns(columns)
