"""Which cells of a row that is known in part are strange, given its other known cells."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chainrule.data.column import Column
from chainrule.data.schema import TableSchema
from chainrule.kinds.explained import LEAST_SHARE
from chainrule.kinds.filling import UNORDERED
from chainrule.kinds.table_explain import EMPTY, UNUSUAL
from chainrule.model import AutoregressiveModel
from chainrule.tasks.estimates import quantiles
from chainrule.tasks.gaps import Completions, complete_rows, known_log_prob
from chainrule.tasks.tails import EXPECTED, LIKELIEST
from chainrule.web.link import Link
from chainrule.web.scenes.form import Row, words_of

WALKS = 2048
"""Completions that show what was expected in the place of a cell."""

Floats = NDArray[np.float64]


def judge_filled(
    model: AutoregressiveModel, schema: TableSchema, row: Row, context: Tensor | None, link: Link
) -> tuple[list[dict[str, Any]], float]:
    """How unusual each filled cell is given the other filled ones, whatever the unknown cells are.

    The cell is completed as if it were unknown, and the tail of its value (see `chainrule.tasks.explain`) counts
    completions, the value among them: it is never below 1 / (`WALKS` + 1). A value that training did not have has the
    tail 0, and is unknown to the others. A cell that is known to be empty has none.

    One wrong value makes others unusual. So those that are unusual come in the sequence of their suspicion,
    log p(value) + log p(other filled cells) - log tail.

    Returns:
        A dictionary for each filled cell, the strangest first, and the least effective sample size of the completions.
    """
    parts, size = [], float(WALKS)
    for index in (~row.unknown[0]).nonzero().squeeze(1).tolist():
        link.send({"done": index, "of": len(schema.used)})
        unknown = row.unknown | row.x.isinf()
        unknown[0, index] = True
        found: list[Completions] = []
        complete_rows(
            model,
            row.x.masked_fill(unknown, math.nan),
            lambda _, done, found=found: found.append(done),  # type: ignore[misc]
            walks=WALKS,
            particles=WALKS,
            seed=0,
            context=context,
            unknown=unknown,
            watch=link.check,
        )
        (done,) = found
        if done.effective_sample_size is not None:
            size = min(size, float(done.effective_sample_size))
        part = _judged(schema.used[index], row, float(row.x[0, index]), done, index)
        if part["tail"] is not None and part["tail"] < UNUSUAL:
            part["suspicion"] = _suspicion(model, row, index, part["tail"], context)
        parts.append(part)
    return sorted(parts, key=_rank), size


def _suspicion(model: AutoregressiveModel, row: Row, index: int, tail: float, context: Tensor | None) -> float:
    """The log-odds that the value was swapped for that of another row, less the log of its tail."""
    if tail == 0:
        return math.inf
    own = torch.arange(row.x.shape[1]) == index
    apart = torch.stack([~own, (row.unknown | row.x.isinf())[0] | own])
    both = None if context is None else context.repeat(2)
    log_p, _ = known_log_prob(
        model, row.x.masked_fill(row.x.isinf(), math.nan).repeat(2, 1), apart, seed=0, context=both
    )
    return float(log_p.sum()) - math.log(tail)


def _rank(part: dict[str, Any]) -> tuple[float, float]:
    return -part["suspicion"], 2.0 if part["tail"] is None else part["tail"]


def _judged(column: Column, row: Row, own: float, done: Completions, index: int) -> dict[str, Any]:
    """One cell, with the value ``own``."""
    values, weights = done.x[0, :, index].double().cpu().numpy(), done.weights[0].cpu().numpy()
    value = row.frame[column.name][0]
    tail, (expected, low, high) = None, _expected(column, values, weights)
    if math.isinf(own):
        tail = 0.0
    elif not math.isnan(own):
        share = _tail(column, own, values, weights)
        tail = min(1.0, (share * len(values) + 1) / (len(values) + 1))
    return {
        "column": column.name,
        "value": EMPTY if value is None else value,
        "tail": tail,
        "expected": expected,
        "low": low,
        "high": high,
        "suspicion": -math.inf,
    }


def _tail(column: Column, own: float, values: Floats, weights: Floats) -> float:
    """The share of completions that are at least as unusual as ``own``."""
    if column.family in UNORDERED:
        shares = np.bincount(values.astype(np.int64), weights, minlength=int(own) + 1)
        return float(shares[shares <= shares[int(own)] * (1 + 1e-9)].sum())
    return 2 * min(float(weights[values <= own].sum()), float(weights[values >= own].sum()))


def _expected(column: Column, values: Floats, weights: Floats) -> tuple[str, str | None, str | None]:
    """The likeliest values, or the median of a number and its 90 % interval, in words."""
    if column.family in UNORDERED:
        shares = np.bincount(values.astype(np.int64), weights)
        likeliest = [code for code in np.argsort(-shares, kind="stable")[:LIKELIEST] if shares[code] >= LEAST_SHARE]
        words = zip(words_of(column, likeliest), shares[likeliest], strict=True)
        return ", ".join(f"{word} ({share:.0%})" for word, share in words), None, None
    own = quantiles(torch.from_numpy(values)[None], torch.from_numpy(weights)[None], EXPECTED)[0]
    low, median, high = words_of(column, own.numpy())
    return median, low, high
