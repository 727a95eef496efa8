"""Commands on tables with numbers, categories and gaps: draw rows, fill gaps, and score every row of a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import polars
import torch
import yaml
from torch import Tensor

from chainrule.atomic import write_atomically
from chainrule.cli.loading import one_class
from chainrule.cli.parser import UsageError
from chainrule.cli.writing import FRAMES, check_suffix
from chainrule.data.infer import sketch
from chainrule.data.read.rows import check_is_file
from chainrule.data.read.table import read_frame, write_frame
from chainrule.data.schema import TableSchema
from chainrule.model import AutoregressiveModel
from chainrule.tasks.gaps import fill
from chainrule.tasks.sample import sample


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
