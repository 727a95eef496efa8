"""The scene of tables: the cells are those of the file."""

from __future__ import annotations

from chainrule.data.schema import TableSchema
from chainrule.web.link import Event
from chainrule.web.scenes.cells import WALKS, CellsScene
from chainrule.web.scenes.form import Row

FILE = "row.csv"
"""The file that holds the form's row in the commands."""


class TableScene(CellsScene):
    """A run on a table."""

    @property
    def schema(self) -> TableSchema:
        schema = self.run.kind.format
        assert isinstance(schema, TableSchema)
        return schema

    def completing(self, row: Row, count: int, seed: int, label: int | None) -> Event:
        if bool((row.x.isnan() & ~row.unknown).any()):
            return {"command": None, "why": "a file can't tell a cell that is known to be empty from an unknown one"}
        words = ("--draws", str(count), "--particles", str(WALKS[-1]), "--seed", str(seed), "--out", "rows.csv")
        return self.command("complete", FILE, *words, label=label) | _files(row)

    def explaining(self, row: Row, label: int | None) -> Event:
        return self.command("score", FILE, "--explain", "1", "--out", "cells.csv", label=label) | _files(row)


def _files(row: Row) -> Event:
    return {"files": {FILE: row.frame.write_csv()}}
