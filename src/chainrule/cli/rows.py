"""Rows of a table with numbers, categories and gaps: how probable each is, and how surprising each of its cells."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars
import torch
from numpy.typing import NDArray
from torch import Tensor

from chainrule.cli.loading import dataset_of, one_class
from chainrule.cli.parser import UsageError
from chainrule.cli.writing import FRAMES, check_suffix
from chainrule.data.examples import ArrayExamples
from chainrule.data.read.table import pieces_of, write_frame
from chainrule.data.schema import TableSchema
from chainrule.model import AutoregressiveModel
from chainrule.tasks.gaps import known_log_prob
from chainrule.tasks.score import surprisals

BATCH = 4096
"""Rows of a pass."""


@dataclass(frozen=True)
class ScoredRows:
    """What is said of rows.

    Attributes:
        log_probs: Log p of each, of its known cells where some are empty that never were in training, ``(N,)``.
        partial: Which have such cells, ``(N,)``.
        remarks: What is to be said of them.
    """

    log_probs: Tensor
    partial: Tensor
    remarks: list[str]


def score_table(
    options: dict[str, Any], model: AutoregressiveModel, config: dict[str, Any], schema: TableSchema
) -> None:
    """``chainrule score`` of a model of a table: log p of every row, or -log p of every cell given those before it."""
    if options["out"] is None:
        raise UsageError("score expects --out, a .csv or .parquet file, as the run was fitted on a table")
    check_suffix(options["out"], FRAMES)
    if options["per"] == "cell":
        cells, remarks = _cell_nats(options, model, config, schema)
        columns = {column.name: cells[:, index] for index, column in enumerate(schema.used)}
        write_frame(polars.DataFrame(columns).fill_nan(None), options["out"])
        print(f"wrote -log p(cell), nats, of {len(cells)} rows to {options['out']}", file=sys.stderr)
    elif options["per"] == "row":
        scored = score_rows(options, model, config, schema)
        remarks = scored.remarks
        write_frame(polars.DataFrame({"log_prob": scored.log_probs.numpy()}), options["out"])
        print(f"wrote log p(row), nats, of {len(scored.log_probs)} rows to {options['out']}", file=sys.stderr)
    else:
        raise UsageError(f"--per expects row or cell, as the run was fitted on a table, got {options['per']!r}")
    for remark in remarks:
        print(remark, file=sys.stderr)


def score_rows(
    options: dict[str, Any], model: AutoregressiveModel, config: dict[str, Any], schema: TableSchema
) -> ScoredRows:
    """Log p of every row, float64 ``(N,)``, a piece of a large file at a time."""
    parts, gaps, estimates = [], [], 0
    sure = ~np.array([column.missing for column in schema.used])  # columns whose empty cells are no values
    for x in _pieces(options, config, model, schema):
        possible = ~np.isinf(x).any(axis=1)
        scores = torch.full((len(x),), -math.inf, dtype=torch.float64)
        if possible.any():
            examples = torch.from_numpy(x[possible])
            unknown = examples.isnan() & torch.from_numpy(sure)
            context = _context(options, model, len(examples))
            known = known_log_prob(model, examples, unknown, seed=0, context=context, batch_size=BATCH)
            scores[torch.from_numpy(possible)], estimates = known[0], estimates + known[1]
        gaps.append(torch.from_numpy((np.isnan(x) & sure).any(axis=1) & possible))
        parts.append(scores)
    log_probs, partial = torch.cat(parts), torch.cat(gaps)
    remarks = []
    if count := int(partial.sum()):
        how = f"{estimates} of them estimated, as the known cells don't come first" if estimates else "exactly"
        remarks.append(
            f"{count} rows have empty cells where training had none: theirs is log p of their other cells, {how}"
        )
    if impossible := int((log_probs == -math.inf).sum()):
        remarks.append(
            f"{impossible} rows have a value that no row had in training: their log p is -inf; the schema of "
            "`chainrule describe` lists what there was"
        )
    return ScoredRows(log_probs, partial, remarks)


def _cell_nats(
    options: dict[str, Any], model: AutoregressiveModel, config: dict[str, Any], schema: TableSchema
) -> tuple[NDArray[np.float64], list[str]]:
    """-log p of each cell given those before it in the model's order, ``(N, n)``.

    Infinite where training had no such value, NaN where a cell is empty that never was in training, and for the cells
    that come after either.
    """
    sure, parts, cut = ~np.array([column.missing for column in schema.used]), [], 0
    order = model.order.permutation.cpu().numpy()
    any_value = np.array([column.low if column.kind == "integer" else 0 for column in schema.used], dtype=np.float32)
    for piece in _pieces(options, config, model, schema):
        for start in range(0, len(piece), BATCH):
            x = piece[start : start + BATCH]
            unseen, empty = np.isinf(x), np.isnan(x) & sure
            examples = torch.from_numpy(np.where(unseen | empty, any_value, x))
            nats = surprisals(model, examples, _context(options, model, len(x))).double().cpu().numpy()
            broken = (unseen | empty)[:, order].cumsum(axis=1) > 0
            nats[:, order] = np.where(broken, np.nan, nats[:, order])
            first = broken & (broken.cumsum(axis=1) == 1)
            nats[:, order] = np.where(first & unseen[:, order], np.inf, nats[:, order])
            cut += int(broken.any(axis=1).sum())
            parts.append(nats)
    remark = (
        f"{cut} rows have a value that no row had in training, or an empty cell where there was none: such a value is "
        f"infinitely surprising, and cells after it are left empty"
    )
    return np.concatenate(parts), [remark] if cut else []


def _context(options: dict[str, Any], model: AutoregressiveModel, count: int) -> Tensor | None:
    return one_class(options, model, count) if model.num_classes is not None else None


def _pieces(
    options: dict[str, Any], config: dict[str, Any], model: AutoregressiveModel, schema: TableSchema
) -> Iterator[NDArray[np.float32]]:
    """The rows ``(k, n)`` of the file, or those of the split that was asked for; the first ``-n`` of them."""
    left = math.inf if options["n"] is None else options["n"]
    if options["file"] is None:
        examples = dataset_of(options["data"], config, model).split(options["split"])
        assert isinstance(examples, ArrayExamples)
        yield examples[: int(min(left, len(examples)))].numpy()
        return
    first = 0
    for piece in pieces_of(options["file"], schema):
        try:
            x = schema.encode(piece, options["file"].name, gaps=True, unseen=True)
        except ValueError as error:
            rows = f" (rows are counted from {first + 1} on)" if first else ""
            raise ValueError(f"{error}{rows}") from None
        yield x[: int(min(left - first, len(x)))]
        first += len(piece)
        if first >= left:
            return
