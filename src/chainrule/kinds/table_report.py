"""A report on a run on a table: its samples beside real rows, its likelihood, and how well it fills gaps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars
import torch
from numpy.typing import NDArray
from torch import Tensor

from chainrule.abilities import components_of
from chainrule.compare.imputation import filled_by_column, filled_by_neighbours, hidden_cells, imputation_errors
from chainrule.compare.report import comparison
from chainrule.compare.table import Table, Values, tables
from chainrule.compare.two_sample import FOLDS, ROWS
from chainrule.compare.usefulness import target_column
from chainrule.data.schema import TableSchema
from chainrule.kinds.requests import Given, Reporting
from chainrule.model import AutoregressiveModel
from chainrule.tasks.evaluate import evaluate
from chainrule.tasks.gaps import fill
from chainrule.tasks.sample import sample
from chainrule.tasks.score import surprisals

HIDDEN = 0.2
"""Share of the cells that are removed, to see how well they are filled."""

FILLED = 200
"""Held-out rows that cells are removed from, at most."""

DRAWS = 20
"""Draws of each removed cell, whose mean or commonest category fills it."""

CHUNK = 4096
"""Rows that are scored at once."""


def table_report(schema: TableSchema, model: AutoregressiveModel, given: Given, request: Reporting) -> dict[str, Any]:
    """All figures of the report, as plain values; see `chainrule.compare.report.comparison` for most of them.

    Args:
        schema: The run's schema.
        model: Its model.
        given: The held-out rows.
        request: The request.

    Raises:
        ValueError: If there are too few rows, or no column like the target.
    """
    names = [column.name for column in schema.used]
    given = replace(given, examples=given.examples.bounded())
    train, held_out = (np.asarray(each[:].numpy()) for each in (request.dataset.train.bounded(), given.examples))
    if len(held_out) < FOLDS:
        raise ValueError(f"report expects at least {FOLDS} rows that were held out, got {len(held_out)}: --data FILE")

    def frame(x: NDArray[np.float32]) -> polars.DataFrame:
        return schema.decode(x).select(names)

    if request.target is not None:
        target_column(tables({"train": frame(train[:1])})["train"], request.target)
    count = min(len(train), ROWS)
    request.say(f"sampling {count:,} rows")
    sampled = sample(model, count, seed=request.seed).cpu().numpy()
    request.say(f"filling {HIDDEN:.0%} of the cells of {min(FILLED, len(held_out))} held-out rows")
    some = np.random.default_rng(request.seed).permutation(len(held_out))[:FILLED]
    hidden = hidden_cells(held_out[some], HIDDEN, request.seed)
    draws, methods = fill(
        model, torch.from_numpy(np.where(hidden, np.nan, held_out[some])), draws=DRAWS, seed=request.seed
    )
    coded = tables(
        {
            "training rows": frame(train),
            "held-out rows": frame(held_out),
            "sampled rows": frame(sampled),
            "filled rows": frame(draws.flatten(0, 1).numpy()),
        }
    )
    known, truth, drawn, filled = coded.values()
    figures = comparison(known, truth, drawn, target=request.target, seed=request.seed, say=request.say)
    request.say("evaluating the likelihood")
    nats = dict(zip(names, _column_nats(model, given.examples[:]), strict=True))
    for column in figures["columns"]:
        column["nats"] = nats[column["name"]]
    return {
        "rows": {"train": len(train), "held_out": len(held_out), "sampled": len(sampled)},
        **figures,
        "imputation": _imputation(truth.rows(some), hidden, filled, known, methods),
        "likelihood": _likelihood(schema, model, given, train),
    }


def _imputation(
    truth: Table, hidden: NDArray[np.bool_], draws: Table, train: Table, methods: dict[str, int]
) -> dict[str, Any]:
    """The errors of cells that the model fills, beside those of a column's mean and of the nearest rows."""
    gaps = Table(truth.names, truth.types, truth.categories, np.where(hidden, np.nan, truth.values))
    fills = {
        "model": _point_estimates(draws, len(truth)),
        "neighbours": filled_by_neighbours(gaps, train),
        "column": filled_by_column(gaps, train),
    }
    errors = imputation_errors(truth, hidden, fills, train)
    return {"rows": len(truth), "share": HIDDEN, "cells": int(hidden.sum()), "methods": methods, **errors}


def _point_estimates(draws: Table, rows: int) -> Values:
    """The mean of the draws of numbers, the commonest category of others ``(rows, n)``."""
    values = draws.values.reshape(-1, rows, len(draws.names))
    commonest = torch.from_numpy(values).mode(0).values.numpy()
    return np.where(draws.numeric, values.mean(axis=0), commonest)


def _likelihood(
    schema: TableSchema, model: AutoregressiveModel, given: Given, train: NDArray[np.float32]
) -> dict[str, Any]:
    """Nats per held-out row, and those of independent columns."""
    found = evaluate(model, given.examples)
    return {
        "nats": found.nats,
        "nats_stderr": found.nats_stderr,
        "independent_nats": schema.independent_nats(train, given.examples[:].numpy()),
        "rows": found.examples,
    }


def _column_nats(model: AutoregressiveModel, x: Tensor) -> list[float]:
    """The mean of -log p(cell | the cells before it) of each column, in nats; also over the orders of a mixture."""
    components = components_of(model)
    total = torch.zeros(x.shape[1], dtype=torch.float64)
    for component in components:
        for chunk in x.split(CHUNK):
            total += surprisals(component, chunk).double().sum(0).cpu()
    return (total / (len(x) * len(components))).tolist()
