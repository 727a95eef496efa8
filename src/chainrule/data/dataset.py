"""What every data set is: three splits of examples, read batch by batch."""

from __future__ import annotations

import difflib
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
import torch.utils.data
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from chainrule.data.audio import AudioFormat
    from chainrule.data.schema import Column, TableSchema
    from chainrule.data.text import TextFormat

Indices = int | slice | range | Sequence[int] | NDArray[Any] | Tensor
Rows = NDArray[np.int64]


class Examples(torch.utils.data.Dataset[Tensor], ABC):
    """The examples of one split, read when they are asked for.

    To add a kind of data, write `__len__` and `read`. ``examples[indices]`` takes a list, a slice, a
    range or a tensor and gives a float32 tensor ``(k, *event_shape)`` whose values are the integers
    0 to levels - 1; one integer gives one example ``(*event_shape)``.

    Args:
        event_shape: Shape of one example.
    """

    ragged = False
    """Whether examples have lengths of their own, so that only one by one they are not filled up."""

    def __init__(self, event_shape: Sequence[int]) -> None:
        self.event_shape = tuple(int(size) for size in event_shape)

    @abstractmethod
    def __len__(self) -> int:
        """The number of examples."""

    @property
    def num_variables(self) -> int:
        """The number of variables of all examples together."""
        return len(self) * math.prod(self.event_shape)

    @abstractmethod
    def read(self, positions: Rows) -> Tensor:
        """The examples at ``positions`` ``(k,)``, each from 0 to len - 1: a float32 tensor ``(k, *event_shape)``."""

    @final
    def __getitem__(self, indices: Indices) -> Tensor:
        """The examples at ``indices``; see the class.

        Raises:
            IndexError: If an index is not one of the split's.
        """
        if isinstance(indices, (int, np.integer)):
            return self.read(_positions([int(indices)], len(self)))[0]
        if isinstance(indices, Tensor) and indices.dim() == 0:
            return self.read(_positions([int(indices)], len(self)))[0]
        return self.read(_positions(indices, len(self)))


class ArrayExamples(Examples):
    """Examples that are rows of an array in memory or of a memory-mapped ``.npy`` file.

    Args:
        array: ``(N, ...)`` of integers, or of floats that hold integers.
        event_shape: Shape of one example; each row is reshaped to it.
        rows: Which rows, in which sequence, make up this split; all of them by default.
    """

    def __init__(self, array: NDArray[Any], event_shape: Sequence[int], rows: Rows | None = None) -> None:
        super().__init__(event_shape)
        self.array = array
        self.rows = rows

    def __len__(self) -> int:
        return len(self.array) if self.rows is None else len(self.rows)

    def read(self, positions: Rows) -> Tensor:
        rows = positions if self.rows is None else self.rows[positions]
        values = self.array[rows].astype(np.float32)
        return torch.from_numpy(values).reshape(len(rows), *self.event_shape)

    def __getstate__(self) -> dict[str, Any]:
        # A worker process opens a memory-mapped file itself: pickling the map would copy all of it.
        state = dict(self.__dict__)
        if isinstance(self.array, np.memmap) and self.array.filename is not None:
            state["array"] = str(self.array.filename)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if isinstance(self.array, str):
            self.array = np.load(self.array, mmap_mode="r")


class DynamicExamples(ArrayExamples):
    """Grey values 0 to 255 that become 1 with probability value / 255, drawn anew at every access.

    The draws are torch's global generator's: `torch.manual_seed` repeats them.
    """

    def read(self, positions: Rows) -> Tensor:
        return torch.bernoulli(super().read(positions) / 255)


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


def _positions(indices: Any, length: int) -> Rows:
    """``indices`` as positions from 0 to ``length`` - 1."""
    if isinstance(indices, slice):
        return np.arange(*indices.indices(length), dtype=np.int64)
    if isinstance(indices, Tensor):
        indices = indices.cpu().numpy()
    positions = np.asarray(indices)
    if positions.size == 0:
        return np.zeros(0, dtype=np.int64)
    if positions.dtype == np.bool_ and positions.shape == (length,):
        return np.flatnonzero(positions)
    if positions.ndim != 1 or positions.dtype.kind not in "iu":
        raise IndexError(
            f"indices expect integers (k,) or {length} booleans, got {positions.dtype} of shape {positions.shape}"
        )
    positions = positions.astype(np.int64)
    outside = (positions < -length) | (positions >= length)
    if outside.any():
        raise IndexError(f"index expects less than {length}, the number of examples, got {positions[outside][0]}")
    return np.where(positions < 0, positions + length, positions)
