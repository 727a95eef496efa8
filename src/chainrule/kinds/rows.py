"""Rows of levels: tables of small integers, such as binary data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples
from chainrule.data.formats import RowsFormat
from chainrule.data.read import rows
from chainrule.data.read.layout import FILE_CHOICES, FileChoices
from chainrule.kinds.levels import LevelsKind
from chainrule.model import Model
from chainrule.plans import Plan
from chainrule.plans.table import rows_plan


class RowsKind(LevelsKind):
    """Rows ``(n,)`` of values 0 to ``levels`` - 1."""

    name = "rows"
    formats = RowsFormat
    cross_fits = True
    same_as = ("image",)  # the shape, which is checked too, distinguishes them

    def plan(self, dataset: Dataset, minutes: float, device: str) -> Plan:
        return rows_plan(len(dataset.train), dataset.event_shape[0], self.format.levels, minutes)

    def reading(self, settings: Mapping[str, Any], *, named: bool) -> dict[str, Any]:
        choices = {} if named else {name: settings.get(name) for name in FILE_CHOICES}
        return super().reading(settings, named=named) | choices

    def read(self, path: Path, model: Model, settings: Mapping[str, Any]) -> tuple[Examples, list[str] | None]:
        return rows.read_all(path, model.event_shape, self.format.levels, FileChoices.of(settings))
