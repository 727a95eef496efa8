"""Commands that only list things, and so do not import torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chainrule import models
from chainrule.data import NAMES
from chainrule.settings import model_arguments
from chainrule.shipped import RESULT_KEYS, read_results, shipped_and_own_results, unit_figures
from chainrule.signatures import REQUIRED, summary_of


def list_models(options: dict[str, Any]) -> None:
    """Print the name, summary and arguments of every model."""
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


def list_datasets(options: dict[str, Any]) -> None:
    """Print the name and description of every named data set."""
    if options["json"]:
        print(json.dumps([{"name": name, "description": text} for name, text in NAMES.items()]))
        return
    width = max(map(len, NAMES))
    for name, text in NAMES.items():
        print(f"{name:{width}}  {text}")


def list_results(options: dict[str, Any]) -> None:
    """Print the test results of the recipes; those of text and recordings per character, byte or sample.

    A model without a likelihood has a loss, which stands beside no nats: `--json` has it.
    """
    folder = options["folder"]
    rows = shipped_and_own_results(Path("results")) if folder is None else read_results(folder)
    if options["json"]:
        keys = [(*RESULT_KEYS, *unit_figures(row), *_losses(row)) for row in rows]
        print(json.dumps([{key: row[key] for key in own} for row, own in zip(rows, keys, strict=True)]))
        return
    width = max((len(row["recipe"]) for row in rows), default=len("recipe"))
    print(f"{'recipe':{width}} {'nats':>10} {'+-':>6}  {'per':9} {'published':>9} {'minutes':>8}  dataset")
    for row in rows:
        figures = unit_figures(row)
        if row["nats"] is None:
            nats, stderr, unit = "", "", "no p(x)"
        elif figures:
            nats, stderr, unit = _number(row[figures[0]], 4), "", figures[0].removeprefix("nats_per_")
        else:
            nats, stderr, unit = _number(row["nats"], 2), _number(row["nats_stderr"], 2), "example"
        published = row["published"]["nats"] if row["published"] else ""
        numbers = f"{nats:>10} {stderr:>6}  {unit:9} {published:>9} {_number(row['minutes'], 1):>8}"
        print(f"{row['recipe']:{width}} {numbers}  {row['dataset']}")


def _losses(row: dict[str, Any]) -> list[str]:
    """The keys of the loss of a model without a likelihood."""
    return [key for key in row if key.startswith("loss")]


def _number(value: float | None, digits: int) -> str:
    """A number as text; a missing one, such as the standard error of a single stream, is empty."""
    return "" if value is None else f"{value:.{digits}f}"
