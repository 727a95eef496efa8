"""Results of recipes: the test likelihood of a run, or its loss, and the machine and versions it was measured with."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from chainrule.atomic import write_atomically
from chainrule.model import AutoregressiveModel
from chainrule.runs import folder
from chainrule.runs.evaluation import evaluate_split, loss_of_split
from chainrule.runs.run import Run, run
from chainrule.runs.settings import Settings
from chainrule.training import is_first_process


def reproduce(
    name: str, settings: Settings, out: str | Path, results: str | Path, *, verbose: bool = True
) -> dict[str, Any]:
    """Train a recipe or resume its training, evaluate the test split once, and record the result.

    Args:
        name: The recipe's name, such as ``mnist/made``.
        settings: The recipe's settings.
        out: The run folder.
        results: The folder in which ``<recipe>.json`` is written.
        verbose: True to show progress.

    Returns:
        The result as it was written. If several processes train, only the first returns it; the others return an empty
        dictionary.
    """
    done = run(settings, out, resume=True, verbose=verbose)
    if not is_first_process():
        return {}
    started = time.monotonic()
    training = done.config["training"]
    result = {
        "recipe": name,
        "model": settings["model"],
        "dataset": done.dataset.description,
        "split": "test",
        **_figures(done),
        "published": settings.get("published"),
        "parameters": done.model.num_parameters,
        "minutes": training["minutes"],
        "evaluation_seconds": time.monotonic() - started,
        "steps": training.get("steps"),
        "best_step": training.get("best_step"),
        "seed": settings.get("seed", 0),
        "settings": settings,
        "data": done.dataset.provenance,
        "device": training["device"],
        "machine": machine(),
        "versions": folder.versions(),
        "commit": _commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    Path(results).mkdir(parents=True, exist_ok=True)
    result = {name: None if value != value else value for name, value in result.items()}  # JSON has no NaN
    content = json.dumps(result, indent=2) + "\n"
    write_atomically(Path(results) / f"{name.replace('/', '-')}.json", content.encode())
    return result


def _figures(done: Run) -> dict[str, Any]:
    """The NLL of the test and of the validation split, or the losses of a model that has no likelihood."""
    training = done.config["training"]
    if not isinstance(done.model, AutoregressiveModel):
        return loss_of_split(done.model, done.dataset, "test") | {"valid_loss": training["valid_loss"]}
    evaluation, figures = evaluate_split(done.model, done.dataset, "test")
    validation = {name: training[name] for name in ("valid_nats", "independent_valid_nats")}
    return evaluation.as_dict() | figures | validation


def machine() -> dict[str, Any]:
    """Describe the machine that runs this: processor, cores, threads and GPU."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"cpu": cpu, "cores": os.cpu_count(), "threads": torch.get_num_threads(), "gpu": gpu}


def _commit() -> str | None:
    """The commit of the checkout that this package runs from; None if it runs from no checkout."""
    command = ["git", "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
