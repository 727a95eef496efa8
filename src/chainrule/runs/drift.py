"""Drift of new data from those that a run was fitted on: the figures, their record, sentences, and a file."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chainrule.atomic import write_atomically
from chainrule.kinds.requests import Drifting, Source
from chainrule.runs import folder
from chainrule.runs.drift_page import drift_page
from chainrule.runs.opened import OpenRun
from chainrule.runs.report import plain
from chainrule.runs.result import machine

FILES = (".html", ".json")
"""The files that `write_drift` writes."""


def drift(run: OpenRun, request: Drifting) -> dict[str, Any]:
    """Compare new data with old ones.

    Returns:
        What `chainrule.compare.drift.drift_figures` finds, and its record, as plain values that JSON can hold.

    Raises:
        ValueError: If there are too few rows, or the request does not fit the kind of data.
    """
    started = time.monotonic()
    figures = run.kind.drift(run.likelihood, request)
    return plain(
        {
            "run": str(run.folder),
            "model": type(run.model).__name__,
            "new": _name(request.new),
            "old": "the data of the run" if request.old is None else _name(request.old),
            **figures,
            "seed": request.seed,
            "minutes": (time.monotonic() - started) / 60,
            "device": str(run.model.device),
            "machine": machine(),
            "versions": folder.versions(),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
        }
    )


def write_drift(figures: dict[str, Any], out: Path) -> None:
    """Write ``figures`` as JSON, or as a page for people, by the suffix of ``out``."""
    content = json.dumps(figures, indent=2) + "\n" if out.suffix.lower() == ".json" else drift_page(figures)
    write_atomically(out, content.encode())


def _name(source: Source) -> str:
    return str(source.path) if source.path is not None else source.split
