"""Commands that only list things, and so need not import torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chainrule import models
from chainrule.cli.settings import model_arguments
from chainrule.data import NAMES
from chainrule.signatures import REQUIRED, Argument, summary_of

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


def list_models(options: dict[str, Any]) -> None:
    """Names, summaries and arguments of the models."""
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "summary": summary_of(module.removeprefix("chainrule.").replace(".", "/") + ".py", name),
            "arguments": [
                {
                    "name": item.name,
                    "type": item.annotation,
                    "default": None if item.default is REQUIRED else item.default,
                    "help": item.help,
                }
                for item in model_arguments(name)
            ],
        }
        for name, module in models.MODULES.items()
    ]
    if options["json"]:
        print(json.dumps(rows))
        return
    for row in rows:
        print(f"{row['name']}: {row['summary']}")
        for item in row["arguments"]:
            print(f"    --model.{item['name']} ({item['type']}, default {item['default']}): {item['help']}")


def _default(argument: Argument) -> Any:
    return None if argument.default is REQUIRED else argument.default


def list_datasets(options: dict[str, Any]) -> None:
    """Names and descriptions of the data sets."""
    if options["json"]:
        print(json.dumps([{"name": name, "description": text} for name, text in NAMES.items()]))
        return
    width = max(map(len, NAMES))
    for name, text in NAMES.items():
        print(f"{name:{width}}  {text}")


def list_results(options: dict[str, Any]) -> None:
    """What the recipes measured."""
    rows = read_results(options["folder"])
    if options["json"]:
        print(json.dumps([{key: row.get(key) for key in RESULT_KEYS} for row in rows]))
        return
    print(f"{'recipe':24} {'nats':>8} {'+-':>6} {'published':>10} {'minutes':>8}  dataset")
    for row in rows:
        published = row["published"]["nats"] if row.get("published") else ""
        numbers = f"{row['nats']:8.2f} {row['nats_stderr']:6.2f} {published!s:>10} {row['minutes']:8.1f}"
        print(f"{row['recipe']:24} {numbers}  {row['dataset']}")


def read_results(folder: Path) -> list[dict[str, Any]]:
    """The results of recipes in ``folder``; what is not a recipe's, such as a benchmark, is left out.

    Raises:
        ValueError: If there is no such folder or a file in it is damaged.
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


COMMANDS: dict[str, Callable[[dict[str, Any]], None]] = {
    "models": list_models,
    "datasets": list_datasets,
    "results": list_results,
}
