"""Folders that are shipped with the package: recipes and results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULT_KEYS = (
    "recipe",
    "model",
    "dataset",
    "split",
    "nats",
    "nats_stderr",
    "bits_per_dim",
    "published",
    "minutes",
    "device",
)
"""The keys that every result of a recipe has; nats and bits are None where a model has no likelihood."""


def shipped_folder(name: str) -> Path:
    """The folder ``name`` of the checkout that the package runs from, else of the installed package."""
    package = Path(__file__).parent
    checkout = package.parents[1]
    return checkout / name if (checkout / "src" / "chainrule").is_dir() else package / name


def shipped_and_own_results(own: Path) -> list[dict[str, Any]]:
    """The shipped results and those in ``own``, which replace the shipped ones of the same recipes."""
    shipped = shipped_folder("results")
    folders = [shipped, own] if own.is_dir() and not own.samefile(shipped) else [shipped]
    rows = {row["recipe"]: row for folder in folders for row in read_results(folder)}
    return list(rows.values())


def read_results(folder: Path) -> list[dict[str, Any]]:
    """Read the results of recipes in ``folder``, and leave out other JSON files, such as those of benchmarks.

    Raises:
        ValueError: If there is no such folder, or a file in it is damaged.
    """
    if not folder.is_dir():
        raise ValueError(f"results expects a folder of results, got {folder}, which is none: name it by --folder")
    rows = []
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text())
        except ValueError:
            raise ValueError(f"{path} is damaged: it is no JSON") from None
        if isinstance(content, dict) and "recipe" in content:
            missing = [key for key in RESULT_KEYS if key not in content]
            if missing:
                raise ValueError(f"{path} expects a result with {', '.join(RESULT_KEYS)}; it has no {missing[0]}")
            rows.append(content)
    return rows
