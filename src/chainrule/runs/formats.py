"""The format of a data set, if it is of one kind; None if it is of another.

Temporary: goes with the code in runs/ and cli/ that asks which kind of data it has.
"""

from __future__ import annotations

from typing import Any

from chainrule.data.audio import AudioFormat
from chainrule.data.dataset import Dataset
from chainrule.data.schema import TableSchema
from chainrule.data.series import SeriesFormat
from chainrule.data.text import TextFormat


def text(dataset: Dataset) -> Any:
    """The `TextFormat`."""
    return dataset.format if isinstance(dataset.format, TextFormat) else None


def audio(dataset: Dataset) -> Any:
    """The `AudioFormat`."""
    return dataset.format if isinstance(dataset.format, AudioFormat) else None


def schema(dataset: Dataset) -> Any:
    """The `TableSchema`."""
    return dataset.format if isinstance(dataset.format, TableSchema) else None


def series(dataset: Dataset) -> Any:
    """The `Column` of a series."""
    return dataset.format.column if isinstance(dataset.format, SeriesFormat) else None
