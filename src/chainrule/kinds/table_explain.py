"""Explanations of rows of a table: a frame with a line for each cell, a sentence for each row, and a picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars
import torch
from numpy.typing import NDArray
from torch import Tensor

from chainrule import plots
from chainrule.data.column import Column
from chainrule.data.schema import TableSchema
from chainrule.data.write import FRAMES, check_suffix, write_frame
from chainrule.kinds.explained import SENTENCES, rounded
from chainrule.kinds.requests import one_class
from chainrule.model import AutoregressiveModel
from chainrule.tasks.evaluate import log_prob
from chainrule.tasks.explain import explain
from chainrule.tasks.gaps import fill
from chainrule.tasks.tails import Explanation

UNUSUAL = 0.05
"""A cell whose tail probability is less is unusual."""

EMPTY = "empty"
"""What stands for an empty cell."""

OTHER = "another value"
"""What stands for all values that have no code of their own."""

FILLED = (
    "{} rows have empty cells where training had none, or values that no row had: to explain their other cells, one "
    "draw of these is taken, given the others"
)


def explain_rows(
    schema: TableSchema,
    model: AutoregressiveModel,
    frame: polars.DataFrame,
    x: Tensor,
    label: int | None,
    rows: int,
    out: Path | None,
) -> list[str]:
    """Explain the ``rows`` strangest rows, write them to ``out``, and return a sentence for each of the first.

    Args:
        schema: The run's schema.
        model: Its model.
        frame: The rows, as a person knows them.
        x: The same rows encoded, ``(N, n)``; NaN for an empty cell, infinite for a value that training did not have.
        label: The class of all rows, for a model with classes.
        rows: The number of rows.
        out: A table with a line for each cell, or a picture; None to write neither.

    Raises:
        ValueError: If the suffix of ``out`` is unknown, or a value does not fit the model.
    """
    if out is not None:
        check_suffix(out, (*FRAMES, *plots.FORMATS))
    unseen, unknown = x.isinf(), unknown_cells(schema, x)
    broken = unknown.any(1)
    context = one_class(model, label, len(x))
    log_p = log_prob(model, _filled(model, x, unknown, context), context=context).double()
    log_p[unseen.any(1)] = -math.inf
    strangest = log_p.argsort(stable=True)[:rows]
    found = explain_cells(schema, model, x[strangest], None if context is None else context[strangest])
    cells = cells_of(schema, found, strangest.numpy(), frame)
    lines = _sentences(cells)
    if broken[strangest].any():
        lines.append(FILLED.format(int(broken[strangest].sum())))
    if out is not None:
        if out.suffix.lower() in plots.FORMATS:
            _picture(schema, found, cells, out)
        else:
            write_frame(cells.drop("index"), out)
        lines.append(f"wrote the cells of the {len(strangest)} strangest rows to {out}")
    return lines


def explain_cells(
    schema: TableSchema,
    model: AutoregressiveModel,
    x: Tensor,
    context: Tensor | None = None,
    watch: Callable[[int], None] | None = None,
) -> Explanation:
    """Explain encoded rows ``(N, n)``, in which a cell may be empty (NaN) or a value that training did not have (inf).

    The tail of such a value is 0. That of an empty cell of a column that was never empty is NaN. To explain the others
    of the row, one draw of these is taken.

    Args:
        schema: The run's schema.
        model: Its model.
        x: The rows.
        context: Classes ``(N,)``.
        watch: See `chainrule.tasks.explain.explain`.
    """
    unknown, unseen = unknown_cells(schema, x), x.isinf()
    found = explain(model, _filled(model, x, unknown, context), context, watch=watch)
    found.tails[unseen], found.suspicion[unseen] = 0.0, math.inf
    gaps = unknown & ~unseen
    found.tails[gaps], found.suspicion[gaps] = math.nan, -math.inf
    return found


def unknown_cells(schema: TableSchema, x: Tensor) -> Tensor:
    """True for cells that are no value of the model, ``(N, n)``."""
    return x.isinf() | (x.isnan() & ~torch.tensor([column.missing for column in schema.used]))


def _filled(model: AutoregressiveModel, x: Tensor, unknown: Tensor, context: Tensor | None) -> Tensor:
    """The rows with one draw of their unknown cells, given the others."""
    broken = unknown.any(1)
    x = x.masked_fill(x.isinf(), math.nan)
    if bool(broken.any()):
        own = None if context is None else context[broken]
        x[broken] = fill(model, x[broken], seed=0, context=own, unknown=unknown[broken])[0][0]
    return x


def cells_of(
    schema: TableSchema, found: Explanation, rows: NDArray[np.int64], frame: polars.DataFrame
) -> polars.DataFrame:
    """A line for each cell of the rows that ``found`` explains, those of a row by falling suspicion.

    Args:
        schema: The schema.
        found: The explanation, ``(R, n)``.
        rows: The places of these rows in the frame, ``(R,)``.
        frame: The rows as a person knows them.
    """
    parts = []
    for index, column in enumerate(schema.used):
        values = frame[column.name].gather(rows).cast(polars.String) if column.name in frame.columns else [None]
        parts.append(
            polars.DataFrame({
                "order": range(len(rows)),
                "row": rows + 1,
                "column": [column.name] * len(rows),
                "value": [EMPTY if value in (None, "") else value for value in values] * (len(rows) // len(values)),
                "tail": found.tails[:, index].numpy(),
                "suspicion": found.suspicion[:, index].numpy(),
                **_expected(column, found, index),
                "index": [index] * len(rows),
            })
        )  # fmt: skip
    cells = polars.concat(parts).sort("order", "suspicion", descending=[False, True], maintain_order=True)
    return cells.drop("order").with_columns(polars.col("tail").fill_nan(None))


def _expected(column: Column, found: Explanation, index: int) -> dict[str, Any]:
    """The median of a number and its 90 % interval, or the likeliest values, in the table's own words."""
    if column.family in ("real", "integer"):
        quantiles = found.quantiles[:, index]
        quantiles = rounded(quantiles) if column.kind == "real" else quantiles
        low, median, high = (column.codec.words(column.shape.within(part.numpy())) for part in quantiles.unbind(1))
        gone = (found.missing[:, index] > 0.5).tolist()
        median = [EMPTY if missing else word for missing, word in zip(gone, median, strict=True)]
        return {"expected": median, "low": low, "high": high}
    likeliest, shares = found.likeliest[:, index], found.shares[:, index]
    words = [words_of_codes(column, part.numpy()) for part in likeliest.unbind(1)]
    expected = [
        ", ".join(f"{word} ({share:.0%})" for word, share in zip(names, own, strict=True) if share >= 0.005)
        for names, own in zip(zip(*words, strict=True), shares.tolist(), strict=True)
    ]
    nothing = polars.Series([None] * len(expected), dtype=polars.String)
    return {"expected": expected, "low": nothing, "high": nothing}


def words_of_codes(column: Column, codes: NDArray[np.float64]) -> list[str]:
    """Codes of categories or booleans in words: `EMPTY` for NaN, `OTHER` for what all other values share."""
    words = column.codec.words(np.nan_to_num(codes))
    named = [OTHER if column.size and code == len(column.categories) else word
             for code, word in zip(codes, words, strict=True)]  # fmt: skip
    return [EMPTY if math.isnan(code) else word for code, word in zip(codes, named, strict=True)]


def _sentences(cells: polars.DataFrame) -> list[str]:
    """A sentence for each of the first rows: its most suspicious cell of those that are unusual by themselves."""
    lines = []
    for own in cells.partition_by("row", maintain_order=True)[:SENTENCES]:
        unusual = own.filter(polars.col("tail") < UNUSUAL)
        cell = (unusual if len(unusual) else own.sort("tail", nulls_last=True, maintain_order=True)).row(0, named=True)
        tail = "unknown" if cell["tail"] is None else f"{cell['tail']:.2g}"
        expected = cell["expected"]
        if cell["low"] is not None:
            expected = f"about {expected} ({cell['low']} to {cell['high']})"
        line = f"{cell['column']} is {cell['value']}, expected {expected}; p = {tail}"
        line = line if len(unusual) else f"no cell is unusual given the others, the most is: {line}"
        lines.append(f"row {cell['row']}: {line}")
    return [line.replace("\n", r"\n") for line in lines]


def _picture(schema: TableSchema, found: Explanation, cells: polars.DataFrame, out: Path) -> None:
    values = cells.sort("index", maintain_order=True)["value"].to_list()
    rows = cells["row"].unique(maintain_order=True).to_list()
    by_column = [values[start : start + len(rows)] for start in range(0, len(values), len(rows))]
    texts = [list(own) for own in zip(*by_column, strict=True)]
    plots.cell_picture(found.tails, texts, rows, [column.name for column in schema.used], out)
