"""The scene of rows of levels: every column has the values 0, ..., K - 1, and its number for a name."""

from __future__ import annotations

from functools import cached_property

import torch

from chainrule.data.codecs import Categories
from chainrule.data.column import Column
from chainrule.data.schema import TableSchema
from chainrule.web.link import Event
from chainrule.web.scenes.cells import WALKS, CellsScene
from chainrule.web.scenes.form import Row

ROW, KNOWN = "row.csv", "known.csv"
"""The files that hold the form's row, and which of its cells are filled, in the commands."""


class RowsScene(CellsScene):
    """A run on rows of levels."""

    @cached_property
    def schema(self) -> TableSchema:
        levels = tuple(map(str, range(self.run.kind.format.levels)))
        (count,) = self.model.event_shape
        codec = Categories(categories=levels)
        return TableSchema(tuple(Column(str(number), "category", codec=codec) for number in range(1, count + 1)))

    def completing(self, row: Row, count: int, seed: int, label: int | None) -> Event:
        words = ("--observe", KNOWN, "--draws", str(count), "--particles", str(WALKS[-1]), "--seed", str(seed))
        command = self.command("complete", ROW, *words, "--out", "rows.csv", label=label)
        return command | {"files": {ROW: _line(row.x.nan_to_num()), KNOWN: _line(~row.unknown)}}

    def explaining(self, row: Row, label: int | None) -> Event:
        why = "chainrule score --explain explains a level from those before, and not from all others"
        return {"command": None, "why": why}


def _line(values: torch.Tensor) -> str:
    """One row of integers as the text of a CSV file."""
    return ",".join(str(int(value)) for value in values[0].tolist()) + "\n"
