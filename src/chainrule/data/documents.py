"""Documents: the lines of a text as examples, each of its own length."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chainrule.batch import Batch, Batches, check_length, epoch_generator
from chainrule.data.examples import ArrayExamples, Examples, Rows
from chainrule.data.sequences import CHUNK, carried_chunks
from chainrule.data.vocabulary import Vocabulary

SORTED = 16
"""Documents are sorted by length within this many batches, so that little padding is needed."""

LONG = 4
"""A document that is more than this many times as long as the mean shares a batch only with such documents."""

TRAINED = 2**12
"""Training reads at most this many symbols of a document, the first: its memory grows with each of them."""

TOGETHER = 2**15
"""At most this many symbols are read at once, in order, padding included, unless one document has more."""


class Documents(Examples):
    """Lines of a file; each is an example, and ends with its end symbol.

    For a model of sequences, documents of similar length share a batch, which is padded to its longest. A model of
    whole examples gets all documents padded to the longest of all. Padding consists of end symbols and does not count.

    Args:
        path: The file, which may be gone once the documents are there.
        vocabulary: Its symbols.
        lines: Where each line begins and ends, ``(N, 2)`` bytes.
        lengths: The number of symbols of each line, without its end, ``(N,)``.
        longest: Symbols of the longest line of all splits, with its end.
        content: The bytes of the file, if it is mapped already.
    """

    def __init__(
        self,
        path: Path,
        vocabulary: Vocabulary,
        lines: NDArray[np.int64],
        lengths: NDArray[np.int64],
        longest: int,
        content: NDArray[np.uint8] | None = None,
    ) -> None:
        super().__init__((longest,))
        self.path, self.vocabulary = path, vocabulary
        self.lines, self.lengths = lines, lengths
        self.bytes = np.memmap(path, np.uint8, "r") if content is None else content

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def num_variables(self) -> int:
        """The number of symbols of all documents, with their ends, without their padding."""
        return int(self.sizes.sum())

    @property
    def sizes(self) -> NDArray[np.int64]:
        return self.lengths + 1

    def counted(self, item: Tensor) -> Tensor:
        """True at the symbols of each document and at its end, False at its padding."""
        return self._counted(item, self.event_shape[0])

    def text(self, position: int) -> str:
        """A line, without its end."""
        start, stop = self.lines[position]
        return self.bytes[start:stop].tobytes().decode(errors="surrogateescape")

    def read(self, positions: Rows) -> Tensor:
        return self._padded(positions, self.event_shape[0])

    def each(self) -> Iterator[NDArray[np.int64]]:
        """The symbols of one document after the other, with its end, ``(m,)``."""
        return map(self._symbols, range(len(self)))

    def single(self) -> ArrayExamples:
        """All symbols, without padding, as examples of one symbol each."""
        return ArrayExamples(np.concatenate(list(self.each())), (1,))

    def subset(self, rows: Rows) -> Documents:
        return Documents(
            self.path, self.vocabulary, self.lines[rows], self.lengths[rows], self.event_shape[0], self.bytes
        )

    def fewer(self, count: int) -> tuple[Documents, Rows]:
        """``count`` of the documents, evenly spaced, and their positions ``(count,)``; all if there are no more."""
        _, rows = super().fewer(count)
        return self.subset(rows), rows

    def batches(
        self,
        size: int,
        *,
        seed: int | None = None,
        epoch: int = 0,
        history: float | None = None,
        context: Tensor | None = None,
        part: tuple[int, int] = (0, 1),
    ) -> Batches:
        """Documents of similar length, padded to the longest of each batch.

        A batch has at most ``size`` documents, and about ``size * LONG`` times as many symbols as a document has on
        average, unless a single one has more. The number of batches depends on the lengths only.
        """
        if history is None:
            return super().batches(size, seed=seed, epoch=epoch, context=context, part=part)
        check_length(context, len(self))
        most = CHUNK if seed is None else TRAINED
        sizes = np.minimum(self.sizes, most)
        longest = LONG * float(sizes.mean())
        if seed is None:
            plans = _cut(sizes, np.argsort(sizes, kind="stable"), 2 * size, 2 * size * longest)
        else:
            plans = _shuffled(sizes, size, longest, epoch_generator(seed, epoch))
        return Batches(plans, lambda rows: self._batch(rows, most, context, part))

    def in_order(self, size: int, *, history: float | None = None, context: Tensor | None = None) -> Iterator[Batch]:
        """All documents, neighbours together; one that is very long by itself, chunk by chunk."""
        if history is None:
            yield from super().in_order(size, context=context)
            return
        if size < 1:
            raise ValueError(f"batch_size expects at least 1, got {size}")
        check_length(context, len(self))
        for rows in _cut(self.sizes, np.arange(len(self)), size, TOGETHER):
            if self.sizes[rows[0]] > CHUNK:
                item = torch.from_numpy(rows)
                yield from carried_chunks(self._symbols(rows[0]), item, None if context is None else context[item])
            else:
                yield self._batch(rows, CHUNK, context, (0, 1))._replace(continues=False)

    def _batch(self, rows: Rows, most: int, context: Tensor | None, part: tuple[int, int]) -> Batch:
        """The part of one process of a batch of documents, of each at most the first ``most`` symbols."""
        rank, world = part
        width, item = int(min(self.sizes[rows].max(), most)), torch.from_numpy(rows[rank::world])
        x = self._padded(item.numpy(), width)
        return Batch(x, None if context is None else context[item], item, self._counted(item, width))

    def _counted(self, item: Tensor, width: int) -> Tensor:
        return torch.arange(width) < torch.from_numpy(self.sizes[item.numpy()])[:, None]

    def _padded(self, positions: Rows, width: int) -> Tensor:
        """The first ``width`` symbols of some documents, padded to as many."""
        x = torch.full((len(positions), width), float(self.vocabulary.end))
        for row, position in zip(x, positions, strict=True):
            symbols = self._symbols(int(position))[:width]
            row[: len(symbols)] = torch.from_numpy(symbols.astype(np.float32))
        return x

    def _symbols(self, position: int) -> NDArray[np.int64]:
        return np.append(self.vocabulary.encode(self.text(position)), self.vocabulary.end)


def _shuffled(sizes: NDArray[np.int64], size: int, longest: float, generator: torch.Generator) -> list[Rows]:
    """The documents of each batch of an epoch. Ones of more than ``longest`` symbols are kept apart from the others."""
    shuffled = torch.randperm(len(sizes), generator=generator).numpy()
    short = sizes[shuffled] <= longest
    batches = list[Rows]()
    for some in _split(shuffled[short], SORTED * size):
        batches += _split(_sorted(some, sizes), size)
    batches += _cut(sizes, _sorted(shuffled[~short], sizes), size, size * longest)
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


def _sorted(rows: Rows, sizes: NDArray[np.int64]) -> Rows:
    return rows[np.argsort(sizes[rows], kind="stable")]


def _split(rows: Rows, size: int) -> list[Rows]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _cut(sizes: NDArray[np.int64], order: Rows, count: int, symbols: float) -> list[Rows]:
    """``order`` cut into at most ``count`` documents that, padded, have at most ``symbols``, unless one has more.

    >>> [rows.tolist() for rows in _cut(np.array([2, 3, 9, 2]), np.arange(4), 2, 8)]
    [[0, 1], [2], [3]]
    """
    cuts, first, longest = [], 0, 0
    for place, size in enumerate(sizes[order].tolist()):
        longest = max(longest, size)
        if place > first and (place - first == count or (place - first + 1) * longest > symbols):
            cuts.append(place)
            first, longest = place, size
    return np.split(order, cuts) if len(order) else []
