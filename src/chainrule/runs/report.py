"""Reports on runs: the figures that a kind of data finds, their record, and the files they are written to."""

from __future__ import annotations

import json
import math
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from chainrule.atomic import write_atomically
from chainrule.kinds.requests import Reporting, Source
from chainrule.runs import folder
from chainrule.runs.opened import OpenRun
from chainrule.runs.page import page
from chainrule.runs.result import machine

PAGE, FIGURES = "report.html", "report.json"
"""The files of a report."""


def report(
    run: OpenRun, source: Source, *, target: str | None = None, seed: int = 0, say: Any = None
) -> dict[str, Any]:
    """Compare samples of a run with the rows that it was fitted on, and with rows that were held out.

    Args:
        run: A run on a table.
        source: The rows that were held out.
        target: A column to predict, learnt from sampled and from real rows.
        seed: Seed of the samples and of all random choices.
        say: Takes a line of progress before each part.

    Returns:
        Plain values that JSON can hold; None for a figure that could not be computed.

    Raises:
        ValueError: If the run is not on a table, the held-out rows are too few or of other columns, or there is no
            such target.
    """
    started = time.monotonic()
    request = Reporting(source, run.dataset(), target, seed, say or (lambda line: None))
    figures = run.kind.report(run.likelihood, request)
    return plain(
        {
            "run": str(run.folder),
            "model": type(run.model).__name__,
            "data": request.dataset.name,
            "held_out": str(source.path) if source.path is not None else f"{request.dataset.name}, {source.split}",
            **figures,
            "seed": seed,
            "minutes": (time.monotonic() - started) / 60,
            "fit_minutes": run.config.get("training", {}).get("minutes"),
            "device": str(run.model.device),
            "machine": machine(),
            "versions": folder.versions() | {"scikit-learn": version("scikit-learn"), "polars": version("polars")},
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
        }
    )


def write_report(figures: dict[str, Any], out: Path) -> None:
    """Write ``report.html`` and ``report.json`` into the folder ``out``, which is made if it is missing."""
    content = page(figures)
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / FIGURES, (json.dumps(figures, indent=2) + "\n").encode())
    write_atomically(out / PAGE, content.encode())


def plain(value: Any) -> Any:
    """``value`` with None for numbers that JSON does not have."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
