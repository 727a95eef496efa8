"""A report of figures by table, seed and method, each of which is stored as soon as it is measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from chainrule.atomic import write_atomically

Cell = tuple[str, int, str]


class Report:
    """``benchmark-NAME.json`` in a folder; its ``sets`` have figures by table, seed and method.

    The file is read again before each figure is written, so that several programs may write different figures.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.path = name, folder / f"benchmark-{name}.json"

    def read(self) -> dict[str, Any]:
        return json.loads(self.path.read_text()) if self.path.exists() else {"benchmark": self.name, "sets": {}}

    def fill(self, cells: Iterable[Cell], measured: Callable[..., dict[str, Any]], *, again: bool = False) -> None:
        """Measure the cells that are not there or have failed, or all cells."""
        for table, seed, method in cells:
            known = self.read()["sets"].get(table, {}).get(str(seed), {}).get(method, {"error": "not measured"})
            if "error" in known or again:
                found = measured(table, seed, method)
                print(table, seed, method, json.dumps(found), flush=True)
                report = self.read()
                report["sets"].setdefault(table, {}).setdefault(str(seed), {})[method] = found
                self.write(report)

    def write(self, report: dict[str, Any]) -> None:
        """Write all of the report."""
        write_atomically(self.path, (json.dumps(report, indent=2) + "\n").encode())
