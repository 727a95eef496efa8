"""The outcome of a fit in words."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

from chainrule.abilities import loss_unit_of
from chainrule.kinds import kind_of
from chainrule.model import AutoregressiveModel
from chainrule.runs.run import Run

LATE = 0.25
"""The last quarter of a training says whether it was still improving."""

NOTABLE, LOST = 0.02, 0.3
"""Shares of the whole gain over independent variables that are worth a sentence, if still gained or lost again."""


def outcome(run: Run) -> list[str]:
    """The figures of a fit in sentences, with a warning or an advice, and where things are."""
    record, model = run.config["training"], run.model
    where = f"after {record['minutes']:.1f} minutes"
    if "best_step" in record:  # older runs counted epochs
        where = f"after {record['best_step']:,} of {record['steps']:,} steps, {record['minutes']:.1f} minutes"
    if not isinstance(model, AutoregressiveModel):
        return [f"validation loss {record['valid_loss']:.3f} {loss_unit_of(model)}, best {where}", _files(run)]
    nats, independent = record["valid_nats"], record["independent_valid_nats"]
    lines = [f"validation NLL {nats:.3f} nats, best {where}; independent variables have {independent:.3f}"]
    gain = independent - nats
    if gain > 0:
        lines += _course(run, gain)
    else:
        lines.append(
            f"warning: it is no better than independent variables ({independent:.3f} nats): there may be nothing to "
            "learn, or too few examples"
        )
    return [*lines, _files(run)]


def _course(run: Run, gain: float) -> list[str]:
    """Advice from the course of the validation NLL; none for an ensemble or a model that counts."""
    path = run.folder / "metrics.csv"
    rows = [row for row in _rows(path) if math.isfinite(row["valid_nats"])] if path.exists() else []
    if len(rows) < 4:
        return []
    nats = [row["valid_nats"] for row in rows]
    best, late = min(nats), nats[: max(1, math.ceil(len(nats) * (1 - LATE)))]
    if nats[-1] <= best and min(late) - best > NOTABLE * gain:
        data = run.config["settings"]["data"]
        more = f"chainrule fit {data} --out {run.folder} --resume --minutes 10"
        return [f"it was still improving: {more} would go on"]
    if nats[-1] - best > LOST * gain:
        return [
            f"the validation NLL ended at {nats[-1]:.3f}, far above its best, whose weights were kept: a lower "
            "--learning-rate, a smaller model or more dropout may do better"
        ]
    return []


def _rows(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="") as file:
        return [{name: float(value or "nan") for name, value in row.items()} for row in csv.DictReader(file)]


def _files(run: Run) -> str:
    samples = kind_of(run.dataset).samples_file
    return f"{run.folder} holds the model" + (f" and {samples}" if (run.folder / samples).exists() else "")
