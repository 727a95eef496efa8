"""Commands on tables with numbers, categories and gaps: draw rows, fill gaps, and score every row of a file."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars
import torch
import yaml
from numpy.typing import NDArray
from torch import Tensor

from chainrule.atomic import write_atomically
from chainrule.cli.loading import dataset_of, one_class
from chainrule.cli.parser import UsageError
from chainrule.cli.writing import check_suffix
from chainrule.data.dataset import ArrayExamples
from chainrule.data.frames import pieces_of, read_frame, write_frame
from chainrule.data.infer import sketch
from chainrule.data.rows import check_is_file
from chainrule.data.schema import TableSchema
from chainrule.model import AutoregressiveModel
from chainrule.tasks.gaps import fill, known_log_prob
from chainrule.tasks.sample import sample
from chainrule.tasks.score import surprisals

FRAMES = (".csv", ".parquet")
ROWS = 4096
"""Rows of a pass."""


def table_schema(config: dict[str, Any]) -> TableSchema | None:
    """The columns that a run was fitted on; None if they were no columns of a table."""
    schema = config.get("data", {}).get("schema")
    return None if schema is None else TableSchema.from_config(schema)


def run_schema(options: dict[str, Any]) -> None:
    """``chainrule schema``."""
    path = Path(options["data"])
    check_is_file(path)
    schema, reasons = sketch(read_frame(path), path.name)
    print(schema)
    for reason in reasons:
        print(f"ignored: {reason}", file=sys.stderr)
    if options["out"] is not None:
        check_suffix(options["out"], (".yaml", ".yml"))
        text = yaml.safe_dump(schema.config, sort_keys=False, allow_unicode=True)
        write_atomically(options["out"], text.encode())
        print(f"wrote {options['out']}: edit it, and give it to fit as --schema", file=sys.stderr)


def sample_table(
    options: dict[str, Any], model: AutoregressiveModel, schema: TableSchema, drawing: dict[str, Any]
) -> None:
    """``chainrule sample`` of a model of a table: a table with the names, types and categories of the first."""
    if options["out"] is None:
        raise UsageError("sample expects --out, a .csv or .parquet file")
    check_suffix(options["out"], FRAMES)
    n = 64 if options["n"] is None else options["n"]
    x = sample(model, n, context=one_class(options, model, n), **drawing)
    write_frame(schema.decode(x.cpu().numpy()), options["out"])
    print(f"wrote {n} rows to {options['out']}", file=sys.stderr)


def score_table(
    options: dict[str, Any], model: AutoregressiveModel, config: dict[str, Any], schema: TableSchema
) -> None:
    """``chainrule score`` of a model of a table: log p of every row, or -log p of every cell given those before it."""
    if options["out"] is None:
        raise UsageError("score expects --out, a .csv or .parquet file, as the run was fitted on a table")
    check_suffix(options["out"], FRAMES)
    if options["per"] == "cell":
        cells = np.concatenate(list(_cell_nats(options, model, config, schema)))
        columns = {column.name: cells[:, index] for index, column in enumerate(schema.used)}
        write_frame(polars.DataFrame(columns).fill_nan(None), options["out"])
        print(f"wrote -log p(cell), nats, of {len(cells)} rows to {options['out']}", file=sys.stderr)
        return
    if options["per"] != "row":
        raise UsageError(f"--per expects row or cell, as the run was fitted on a table, got {options['per']!r}")
    scores, remarks = row_log_probs(options, model, config, schema)
    write_frame(polars.DataFrame({"log_prob": scores.numpy()}), options["out"])
    print(f"wrote log p(row), nats, of {len(scores)} rows to {options['out']}", file=sys.stderr)
    for remark in remarks:
        print(remark, file=sys.stderr)


def row_log_probs(
    options: dict[str, Any], model: AutoregressiveModel, config: dict[str, Any], schema: TableSchema
) -> tuple[Tensor, list[str]]:
    """Log p of every row, float64 ``(N,)``, a piece of a large file at a time, and what is to be said of them."""
    parts, impossible, gappy, estimates = [], 0, 0, 0
    sure = ~np.array([column.missing for column in schema.used])  # columns whose empty cells are no values
    for x in _rows_to_score(options, config, model, schema):
        possible = ~np.isinf(x).any(axis=1)
        scores = torch.full((len(x),), -math.inf, dtype=torch.float64)
        if possible.any():
            examples = torch.from_numpy(x[possible])
            context = one_class(options, model, len(examples)) if model.num_classes is not None else None
            unknown = examples.isnan() & torch.from_numpy(sure)
            known = known_log_prob(model, examples, unknown, seed=0, context=context, batch_size=ROWS)
            scores[torch.from_numpy(possible)], estimates = known[0], estimates + known[1]
            gappy += int(unknown.any(1).sum())
        impossible += int((~possible).sum())
        parts.append(scores)
    remarks = []
    if gappy:
        how = f"{estimates} of them estimated, as the known cells don't come first" if estimates else "exactly"
        remarks.append(
            f"{gappy} rows have empty cells where training had none: theirs is log p of their other cells, {how}"
        )
    if impossible:
        remarks.append(
            f"{impossible} rows have a value that no row had in training: their log p is -inf; the schema of "
            "`chainrule describe` lists what there was"
        )
    return torch.cat(parts), remarks


def _cell_nats(
    options: dict[str, Any], model: AutoregressiveModel, config: dict[str, Any], schema: TableSchema
) -> Iterator[NDArray[np.float64]]:
    """-log p of each cell given those before it in the model's order, ``(k, n)``.

    NaN in rows that have an empty cell where training had none, or a value that it had not.
    """
    sure = ~np.array([column.missing for column in schema.used])
    for x in _rows_to_score(options, config, model, schema):
        nats = np.full(x.shape, np.nan)
        usable = ~(np.isinf(x).any(axis=1) | (np.isnan(x) & sure).any(axis=1))
        if usable.any():
            examples = torch.from_numpy(x[usable])
            context = one_class(options, model, len(examples)) if model.num_classes is not None else None
            nats[usable] = surprisals(model, examples, context).double().cpu().numpy()
        yield nats


def _rows_to_score(
    options: dict[str, Any], config: dict[str, Any], model: AutoregressiveModel, schema: TableSchema
) -> Iterator[Any]:
    """The rows ``(k, n)`` of the file, or those of the split that was asked for."""
    if options["file"] is None:
        examples = dataset_of(options["data"], config, model).split(options["split"])
        assert isinstance(examples, ArrayExamples)
        yield examples[:].numpy()
        return
    first = 0
    for piece in pieces_of(options["file"], schema.texts):
        try:
            yield schema.encode(piece, options["file"].name, gaps=True, unseen=True)
        except ValueError as error:
            rows = f" (rows are counted from {first + 1} on)" if first else ""
            raise ValueError(f"{error}{rows}") from None
        first += len(piece)


def complete_table(
    options: dict[str, Any], model: AutoregressiveModel, schema: TableSchema, drawing: dict[str, Any]
) -> None:
    """``chainrule complete`` of a model of a table: the empty cells of a file's rows, drawn given the others."""
    if options["file"] is None:
        raise UsageError("complete expects a FILE of rows with empty cells, as the run was fitted on a table")
    if options["observe"] is not None:
        raise UsageError("complete expects no --observe: of a table, what is empty in FILE is what is unknown")
    check_suffix(options["out"], FRAMES)
    frame = read_frame(options["file"], schema.texts)
    x = torch.from_numpy(schema.encode(frame, options["file"].name, gaps=True))
    context = one_class(options, model, len(x))
    draws, methods = fill(model, x, draws=options["draws"], particles=options["particles"], context=context, **drawing)
    if options["mean"]:
        filled = _into(frame, schema.decode(point_estimates(draws, schema).numpy()))
    elif options["draws"] == 1:
        filled = _into(frame, schema.decode(draws[0].numpy()))
    else:
        rows = polars.int_range(1, len(x) + 1, eager=True)
        filled = polars.concat(
            _into(frame, schema.decode(draw.numpy()))
            .insert_column(0, rows.alias("row"))
            .insert_column(1, polars.Series("draw", [number] * len(x)))
            for number, draw in enumerate(draws, start=1)
        ).sort("row", "draw")
    write_frame(filled, options["out"])
    gaps = int(x.isnan().sum())
    print(f"filled {gaps} cells of {len(x)} rows, {options['draws']} x, in {options['out']}", file=sys.stderr)
    for method, count in methods.items():
        print(f"{count} rows {method}", file=sys.stderr)


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


def point_estimates(draws: Tensor, schema: TableSchema) -> Tensor:
    """Of draws ``(D, N, n)`` the mean of real columns and the most frequent value of others, ``(N, n)``."""
    columns = []
    for index, column in enumerate(schema.used):
        values = draws[:, :, index]
        columns.append(values.double().mean(0) if column.kind == "real" else values.mode(0).values)
    return torch.stack(columns, dim=1)
