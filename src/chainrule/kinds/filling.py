"""Fill the gaps of a table: by draws, or by an estimate of each cell and the quantiles beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

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
"""Families of columns that have no mean and no quantiles: their estimate is the most probable value."""

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
        return _of_draws([schema.fill(frame, each.numpy()) for each in drawn], request.first), methods
    filled = _with_points(schema, frame, points, request)
    return filled.with_columns(_of_ranges(schema, frame, x.isnan(), ranges, request)), methods


def _estimate(column: Column, point: str) -> Callable[[Tensor, Tensor], Tensor]:
    return estimates.most_probable if column.family in UNORDERED else ESTIMATES[point]


def _with_points(schema: TableSchema, frame: polars.DataFrame, points: Tensor, request: Completing) -> polars.DataFrame:
    """``frame`` with estimates ``(N, n)``; those of integers become decimals if one, such as a mean, is none."""
    columns, means = list(schema.columns), request.uniform and request.point in (None, "mean")
    for column, values in zip(schema.used, points.T, strict=True):
        if column.kind == "integer" and (means or bool((values != values.round()).any())):
            dtype = "String" if schema.is_text(frame) else "Float64"
            decimals = replace(column.codec, decimals=None, dtype=dtype)  # type: ignore[call-arg]
            columns[columns.index(column)] = replace(column, codec=decimals)
    return replace(schema, columns=tuple(columns)).fill(frame, points.float().numpy())


def _of_ranges(
    schema: TableSchema, frame: polars.DataFrame, unknown: Tensor, ranges: Tensor, request: Completing
) -> list[polars.Series]:
    """Columns of the quantiles ``(Q, N, n)`` of each column of numbers that has gaps; empty where a cell is known."""
    text = schema.is_text(frame)
    frames = [schema.decode(each.masked_fill(~unknown, torch.nan).float().numpy(), text=text) for each in ranges]
    return [
        frame[column.name].alias(f"{column.name} {100 * share:g}%")
        for index, column in enumerate(schema.used)
        if column.family not in UNORDERED and (request.uniform or bool(unknown[:, index].any()))
        for share, frame in zip(request.quantiles, frames, strict=True)
    ]


def _of_draws(filled: list[polars.DataFrame], first: int) -> polars.DataFrame:
    """The only frame; or the rows of several, from row ``first`` on, each as often as there are frames."""
    if len(filled) == 1:
        return filled[0]
    rows = polars.int_range(first + 1, first + len(filled[0]) + 1, eager=True)
    return polars.concat(
        draw.insert_column(0, rows.alias("row")).insert_column(1, polars.Series("draw", [number] * len(draw)))
        for number, draw in enumerate(filled, start=1)
    ).sort("row", "draw")
