"""Examples of one split: read when they are asked for, a batch at a time."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, final

import numpy as np
import torch
import torch.utils.data
from numpy.typing import NDArray
from torch import Tensor

from chainrule.batch import BatchSource, IndexedSource

Indices = int | slice | range | Sequence[int] | NDArray[Any] | Tensor
Rows = NDArray[np.int64]

LISTED = 2**22
"""Examples that are shuffled as a list, at most."""


class Examples(torch.utils.data.Dataset[Tensor], BatchSource):
    """The examples of one split, read when they are asked for.

    To add a kind of data, write `__len__` and `read`. ``examples[indices]`` takes a list, a slice, a
    range or a tensor and gives a float32 tensor ``(k, *event_shape)`` whose values are the integers
    0 to levels - 1; one integer gives one example ``(*event_shape)``. `batches` and `in_order` give what a model reads.

    Args:
        event_shape: Shape of one example.
    """

    def __init__(self, event_shape: Sequence[int]) -> None:
        self.event_shape = tuple(int(size) for size in event_shape)

    @abstractmethod
    def __len__(self) -> int:
        """The number of examples."""

    @property
    def num_variables(self) -> int:
        """The number of variables of all examples together."""
        return len(self) * math.prod(self.event_shape)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """The number of variables of each example, ``(N,)``, without its padding."""
        return np.full(len(self), math.prod(self.event_shape), dtype=np.int64)

    def subset(self, rows: Rows) -> BatchSource:
        """The examples at ``rows`` ``(k,)``, read once and held in memory."""
        return IndexedSource(self[rows])

    def fewer(self, count: int) -> tuple[Examples, Rows]:
        """``count`` of the examples, evenly spaced, and their positions ``(count,)``; all if there are no more."""
        rows = np.linspace(0, len(self) - 1, min(count, len(self))).round().astype(np.int64)
        return (self if len(rows) == len(self) else SomeExamples(self, rows)), rows

    def bounded(self) -> Examples:
        """The examples, or evenly spaced ones where all of them are not to be held in memory at once."""
        return self

    def each(self) -> Iterator[NDArray[Any]]:
        """The values ``(m,)`` of one example after the other, without padding."""
        return (self[i].flatten()[:size].numpy() for i, size in enumerate(self.sizes.tolist()))

    def single(self) -> Examples:
        """All values of all examples, as examples of one value each."""
        return ArrayExamples(self[:].reshape(-1, 1).numpy(), (1,))

    @abstractmethod
    def read(self, positions: Rows) -> Tensor:
        """The examples at ``positions`` ``(k,)``, each from 0 to len - 1: a float32 tensor ``(k, *event_shape)``."""

    def count(self, value: float) -> int:
        """The number of variables, of all examples together, that have ``value``."""
        return sum(
            int(((batch.x == value) if batch.counted is None else (batch.x == value) & batch.counted).sum())
            for batch in self.in_order(256, history=math.inf)
        )

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
        rows: The rows of this split, in their sequence; all by default.
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


class SomeExamples(Examples):
    """Some of other examples.

    Args:
        examples: The other examples.
        rows: The positions of some of them, ``(k,)``.
    """

    def __init__(self, examples: Examples, rows: Rows) -> None:
        super().__init__(examples.event_shape)
        self.examples, self.rows = examples, rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def num_variables(self) -> int:
        return int(self.sizes.sum())

    @property
    def sizes(self) -> NDArray[np.int64]:
        return self.examples.sizes[self.rows]

    def counted(self, item: Tensor) -> Tensor | None:
        return self.examples.counted(torch.from_numpy(self.rows)[item])

    def read(self, positions: Rows) -> Tensor:
        return self.examples.read(self.rows[positions])


class DynamicExamples(ArrayExamples):
    """Grey values 0 to 255 that become 1 with probability value / 255, drawn anew at every access.

    The draws are torch's global generator's: `torch.manual_seed` repeats them.
    """

    def read(self, positions: Rows) -> Tensor:
        return torch.bernoulli(super().read(positions) / 255)


def chosen(total: int, count: int) -> Rows:
    """The positions of ``count`` of ``total`` examples at random, ``(count,)``; of very many, about so many.

    >>> len(chosen(100, 10)), len(chosen(10**12, 10))
    (10, 10)
    """
    random = np.random.RandomState(0)
    if total <= LISTED:
        return random.permutation(total)[:count].astype(np.int64)
    return random.permutation(np.unique(random.randint(total, size=count, dtype=np.int64)))


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
