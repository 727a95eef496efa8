"""What every data set is: three splits of examples, read batch by batch."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from chainrule.data.examples import Examples, Rows

if TYPE_CHECKING:
    from chainrule.data.audio import AudioFormat
    from chainrule.data.schema import Column, TableSchema
    from chainrule.data.text import TextFormat


@dataclass(frozen=True)
class Dataset:
    """Named splits of examples of one shape.

    Attributes:
        name: The data set's name, or the path it was read from.
        description: One line; for images it names the binarisation.
        event_shape: ``(columns,)`` or ``(channels, height, width)``.
        levels: How many values a variable takes; 2 is binary.
        train: Examples to learn from.
        valid: Examples to choose by.
        test: Examples to report on.
        provenance: Plain values that say where the examples come from; recorded beside every result.
        labels: Class of every example, ``(N,)`` int64 per split, where there are classes.
        text: How text became symbols, where the examples are text.
        audio: How samples became levels, where the examples are recordings.
        schema: The kinds of the columns, where the examples are rows of a table with numbers, categories and gaps;
            ``levels`` is then 0.
        series: The kind of its values, where the examples are parts of one time series; ``levels`` is then 0.
    """

    name: str
    description: str
    event_shape: tuple[int, ...]
    levels: int
    train: Examples
    valid: Examples
    test: Examples
    provenance: dict[str, Any]
    labels: dict[str, Tensor] | None = None
    text: TextFormat | None = None
    audio: AudioFormat | None = None
    schema: TableSchema | None = None
    series: Column | None = None

    def split(self, name: str) -> Examples:
        """The examples of the split ``name``: train, valid or test.

        Raises:
            ValueError: If there is no such split.
        """
        splits = {"train": self.train, "valid": self.valid, "test": self.test}
        if name not in splits:
            raise ValueError(f"split expects train, valid or test, got {name!r}{nearest(name, splits)}")
        return splits[name]

    def classes(self, split: str) -> Tensor:
        """The class of every example of a split, ``(N,)``.

        Raises:
            ValueError: If there are no classes, or no such split.
        """
        self.split(split)
        if self.labels is None:
            raise ValueError(f"a model with num_classes expects data with classes, got {self.name}, which has none")
        return self.labels[split]


def nearest(word: str, choices: Sequence[str] | dict[str, Any]) -> str:
    """A hint ``; did you mean 'x'?``, or nothing where no choice resembles ``word``.

    >>> nearest("mnits", ["digits", "mnist"])
    "; did you mean 'mnist'?"
    """
    matches = difflib.get_close_matches(word.lower(), list(choices), n=1, cutoff=0.5)
    return f"; did you mean {matches[0]!r}?" if matches else ""


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
