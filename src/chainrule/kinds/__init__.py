"""Kinds of data: the meaning of examples to their owner.

A kind is the only place that knows what its data mean: the names of their values, the reader of their files, the family
of conditionals that fits them, and the form in which samples, completions and scores are written. Everything else asks
the kind, and never asks which kind it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule.data.dataset import Dataset
from chainrule.kinds.audio import AudioKind
from chainrule.kinds.base import Kind
from chainrule.kinds.image import ImageKind
from chainrule.kinds.rows import RowsKind
from chainrule.kinds.series import SeriesKind
from chainrule.kinds.table import TableKind
from chainrule.kinds.text import TextKind
from chainrule.model import Model

__all__ = ["KINDS", "Kind", "kind_of", "kind_of_run"]

KINDS: dict[str, type[Kind]] = {
    "image": ImageKind,
    "rows": RowsKind,
    "table": TableKind,
    "series": SeriesKind,
    "text": TextKind,
    "audio": AudioKind,
}
"""The one table of kinds, by the name that a data set's format has."""


def kind_of(dataset: Dataset) -> Kind:
    """The kind of a data set, bound to its format."""
    return KINDS[dataset.format.kind](dataset.format)


def kind_of_run(data: Mapping[str, Any], model: Model) -> Kind:
    """The kind of the data that a run was fitted on.

    Args:
        data: The run's record of its data, ``data`` in ``config.json``. Older records name no kind; the format decides,
            or else the model.
        model: The run's model.

    Raises:
        ValueError: If the record names no kind in `KINDS`, does not describe its format, or does not fit the model.
    """
    if "kind" not in data:
        by_format = (name for name, kind in KINDS.items() if kind.formats.key in data)
        name = next(by_format, "image" if len(model.event_shape) == 3 else "rows")
    else:
        name = data["kind"]
    if not isinstance(name, str) or name not in KINDS:
        raise ValueError(f"data.kind expects {', '.join(KINDS)}, got {name!r}")
    formats = KINDS[name].formats
    record = data.get(formats.key)
    if record is None and "kind" not in data:
        values = model.conditional.values
        record = {"levels": data.get("levels", 2 if values is None else len(values))}
    kind = KINDS[name](formats.from_config(record))
    kind.check_model(model)
    return kind
