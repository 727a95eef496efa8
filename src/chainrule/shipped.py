"""Folders that are shipped with the package: recipes, results, and the chapters of the lecture."""

from __future__ import annotations

import json
from fnmatch import fnmatch
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


def unit_figures(row: dict[str, Any]) -> list[str]:
    """The keys of a result's figures per character, byte, sample or value, if it has any: nats, then bits."""
    return [
        key for start in ("nats_per_", "bits_per_") for key in row if key.startswith(start) and key != "bits_per_dim"
    ]


def results_beside_published(*patterns: str) -> str:
    """The shipped results of recipes as lines of text: our test NLL, the published one, and whose that is.

    Args:
        patterns: Names of recipes such as ``"mnist/nade"``, or patterns of names such as ``"nltcs/*"``.

    Raises:
        ValueError: If a pattern fits no recipe.

    >>> print(results_beside_published("mnist/nade"))
    nats per example      ours  published
    mnist/nade           86.87      88.33  Larochelle and Murray 2011
    """
    results = read_results(shipped_folder("results"))
    by_unit: dict[str, list[tuple[str, str, str, str]]] = {}
    for pattern in patterns:
        found = [row for row in results if fnmatch(row["recipe"], pattern)]
        if not found:
            raise ValueError(f"expected a recipe or a pattern of recipes, got {pattern!r}; see `chainrule results`")
        for row in found:
            key = next(iter(unit_figures(row)), "nats")
            digits, unit = (2, "example") if key == "nats" else (3, key.removeprefix("nats_per_"))
            published = row["published"] or {"nats": None, "source": ""}
            number = "" if published["nats"] is None else f"{published['nats']:.{digits}f}"
            ours = "no p(x)" if row[key] is None else f"{row[key]:.{digits}f}"
            by_unit.setdefault(unit, []).append((row["recipe"], ours, number, published["source"]))
    width = max(len(line[0]) for lines in by_unit.values() for line in lines)
    text = []
    for unit, lines in by_unit.items():
        for name, ours, number, source in [(f"nats per {unit}", "ours", "published", ""), *lines]:
            text.append(f"{name:{max(width, 18)}} {ours:>7}  {number:>9}  {source}".rstrip())
    return "\n".join(text)
