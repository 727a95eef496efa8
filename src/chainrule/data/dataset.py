"""Data sets: three splits of examples of one format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chainrule.card import Card, Shown
from chainrule.data.examples import Examples, Rows
from chainrule.data.formats import Format
from chainrule.words import suggestion

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True, repr=False)
class Dataset(Shown):
    """Train, valid and test examples of one format.

    Attributes:
        name: The data set's name, or the path it was read from.
        description: One line; for images it names the binarisation.
        format: The kind of data, with the reader's findings about it.
        splits: The examples by split: ``train`` to learn from, ``valid`` to choose by, ``test`` to report on.
        origin: Plain values that say where the examples come from and how they were split.
        labels: Class of every example, ``(N,)`` int64 per split, where there are classes.
        notes: What became of parts of the data, where that may surprise, a line each.
        like: An empty frame of pandas, of the types of a table that was given as such.
    """

    name: str
    description: str
    format: Format
    splits: Mapping[str, Examples]
    origin: Mapping[str, Any]
    labels: Mapping[str, Tensor] | None = None
    notes: Sequence[str] = ()
    like: Any = None

    @property
    def headline(self) -> str:
        """The name and the description in one line."""
        named = self.description.startswith(self.name)
        return self.description if named else f"{self.name}: {self.description}"

    @property
    def train(self) -> Examples:
        """Examples to learn from."""
        return self.splits["train"]

    @property
    def valid(self) -> Examples:
        """Examples to choose by."""
        return self.splits["valid"]

    @property
    def test(self) -> Examples:
        """Examples to report on."""
        return self.splits["test"]

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one example: ``(columns,)``, ``(channels, height, width)`` or ``(window,)``."""
        return self.train.event_shape

    @property
    def levels(self) -> int:
        """The number of values that a variable takes; 0 where values are not levels."""
        return self.format.levels

    @property
    def provenance(self) -> dict[str, Any]:
        """Plain values that say what the examples are and where they come from; recorded beside every result."""
        levels = {"levels": self.levels} if self.levels else {}
        sizes = {"splits": {split: len(examples) for split, examples in self.splits.items()}}
        counts = {} if self.labels is None else {"class_counts": self.labels["train"].bincount().tolist()}
        own = {"kind": self.format.kind, self.format.key: self.format.config}
        return {**self.origin, **levels, **own, **sizes, **counts}

    def _card(self) -> Card:
        splits = ", ".join(f"{len(examples):,} {name}" for name, examples in self.splits.items())
        classes = None if self.labels is None else len(self.labels["train"].unique())
        facts = {"kind": self.format.kind, "examples": splits, "shape of one": self.event_shape}
        return Card(
            self.headline,
            facts | {"levels": self.levels or None, "classes": classes, "notes": "; ".join(self.notes) or None},
        )

    def _below(self) -> str:
        from chainrule.data.preview import preview

        return preview(self.format, self.train)

    def split(self, name: str) -> Examples:
        """The examples of the split ``name``: train, valid or test.

        Raises:
            ValueError: If there is no such split.
        """
        if name not in self.splits:
            raise ValueError(f"split expects train, valid or test, got {name!r}{suggestion(name, SPLITS)}")
        return self.splits[name]

    def frame(self, x: Tensor, known: Any = None) -> Any:
        """Rows ``(N, n)`` of a table as a frame, of polars, or of pandas where the table was given as such.

        Args:
            x: The rows.
            known: A frame of as many rows, such as was completed: its cells stay as they are, and its gaps are filled.

        Raises:
            ValueError: If the examples are no rows of a table with columns of their own kinds.
        """
        from chainrule.data.read.frames import as_pandas, as_polars

        schema, values = self._schema("frame"), x.detach().cpu().numpy()
        rows = schema.decode(values) if known is None else schema.fill(as_polars(known), values)
        return rows if self.like is None else as_pandas(rows, self.like)

    def encode(self, frame: Any, *, gaps: bool = False) -> Tensor:
        """The rows ``(N, n)`` of a frame of polars or pandas as examples of the model of a table.

        Args:
            frame: With the columns of the table, in any sequence.
            gaps: True if cells may be empty that never were in training; they become NaN, for `chainrule.fill`.

        Raises:
            ValueError: If the examples are no rows of a table with columns of their own kinds, a column is missing, or
                a cell has no value of its column.
        """
        from chainrule.data.read.frames import NAME, as_polars

        return torch.from_numpy(self._schema("encode").encode(as_polars(frame), NAME, gaps=gaps))

    def _schema(self, verb: str) -> Any:
        """The `TableSchema`, which ``verb`` needs."""
        if self.format.kind != "table":
            raise ValueError(
                f"{verb} expects rows of a table, got {self.name}, which is of the kind {self.format.kind}"
            )
        return self.format

    def validated_on(self, count: int) -> Dataset:
        """The same data with at most ``count`` validation examples, where all of them would cost too much time."""
        valid, rows = self.valid.fewer(count)
        labels = self.labels
        if labels is not None:
            labels = {**labels, "valid": labels["valid"][torch.from_numpy(rows)]}
        return replace(self, splits={**self.splits, "valid": valid}, labels=labels)

    def classes(self, split: str) -> Tensor:
        """The class of every example of a split, ``(N,)``.

        Raises:
            ValueError: If there are no classes, or no such split.
        """
        self.split(split)
        if self.labels is None:
            raise ValueError(f"a model with num_classes expects data with classes, got {self.name}, which has none")
        return self.labels[split]


def split_rows(count: int, seed: int, what: str) -> dict[str, Rows]:
    """A random 80/10/10 split of ``count`` rows into train, valid and test, fixed by ``seed``.

    Raises:
        ValueError: If there are fewer than three rows; ``what`` names them.

    >>> {name: len(rows) for name, rows in split_rows(25, 0, "rows").items()}
    {'train': 21, 'valid': 2, 'test': 2}
    """
    if count < 3:
        raise ValueError(f"{what}: expected at least 3 examples to split into train, valid and test, got {count}")
    # RandomState's stream is frozen by NumPy's policy: a recorded seed names the same split for good.
    order = np.random.RandomState(seed).permutation(count).astype(np.int64)
    tenth = max(1, count // 10)
    return {"train": order[2 * tenth :], "valid": order[:tenth], "test": order[tenth : 2 * tenth]}


def check_levels(name: str, levels: int | None, fixed: int, instead: str) -> None:
    """Refuse ``levels`` for a named set whose number of levels is ``fixed``."""
    if levels is not None and levels != fixed:
        raise ValueError(f"{name} has {fixed} levels, got levels={levels}; {instead}")
