"""Documents: the lines of a text, or the files of several, as examples, each of its own length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

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
"""Training reads a document in pieces of this many symbols, as its memory grows with each of them."""

PAST = 2**8
"""Symbols before a piece that it is given."""

TOGETHER = 2**15
"""At most this many symbols are read at once, in order, padding included, unless one document has more."""


class Documents(Examples):
    """Parts of a file, such as its lines; each is an example, and ends with its end symbol.

    For a model of sequences, documents of similar length share a batch, which is padded to its longest. A model of
    whole examples gets all documents padded to the longest of all. Padding consists of end symbols and does not count.

    Args:
        path: The file, which may be gone once the documents are there.
        vocabulary: Its symbols.
        spans: Where each document begins and ends, ``(N, 2)`` bytes.
        lengths: The number of symbols of each document, without its end, ``(N,)``.
        longest: Symbols of the longest document of all splits, with its end.
        content: The bytes of the file, if it is mapped already.
        names: The name of each document, where documents were files of their own.
    """

    def __init__(
        self,
        path: Path,
        vocabulary: Vocabulary,
        spans: NDArray[np.int64],
        lengths: NDArray[np.int64],
        longest: int,
        content: NDArray[np.uint8] | None = None,
        names: Sequence[str] = (),
    ) -> None:
        super().__init__((longest,))
        self.path, self.vocabulary = path, vocabulary
        self.spans, self.lengths, self.names = spans, lengths, list(names)
        self.bytes = np.memmap(path, np.uint8, "r") if content is None else content

    def __len__(self) -> int:
        return len(self.spans)

    @property
    def num_variables(self) -> int:
        """The number of symbols of all documents, with their ends, without their padding."""
        return int(self.sizes.sum())

    @property
    def sizes(self) -> NDArray[np.int64]:
        return self.lengths + 1

    def counted(self, item: Tensor) -> Tensor:
        """True at the symbols of each document and at its end, False at its padding."""
        return torch.arange(self.event_shape[0]) < torch.from_numpy(self.sizes[item.numpy()])[:, None]

    def text(self, position: int) -> str:
        """A document, without its end."""
        start, stop = self.spans[position]
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
        names = [self.names[row] for row in rows] if self.names else []
        longest = self.event_shape[0]
        return Documents(self.path, self.vocabulary, self.spans[rows], self.lengths[rows], longest, self.bytes, names)

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

        Training reads a document of more than `TRAINED` symbols in pieces, each but the first given `PAST` symbols
        before it, which don't count; a validation reads its first `chainrule.data.sequences.CHUNK` symbols.
        """
        if history is None:
            return super().batches(size, seed=seed, epoch=epoch, context=context, part=part)
        check_length(context, len(self))
        if seed is None:
            pieces = Pieces.whole(np.arange(len(self)), self.sizes, CHUNK)
        else:
            pieces = Pieces.of(self.sizes, TRAINED, PAST)
        sizes, longest = pieces.sizes, LONG * float(pieces.sizes.mean())
        if seed is None:
            plans = _cut(sizes, np.argsort(sizes, kind="stable"), 2 * size, 2 * size * longest)
        else:
            plans = _shuffled(sizes, size, longest, epoch_generator(seed, epoch))
        return Batches(plans, lambda rows: self._batch(pieces.some(rows), context, part))

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
                yield self._batch(Pieces.whole(rows, self.sizes, CHUNK), context, (0, 1))._replace(continues=False)

    def _batch(self, pieces: Pieces, context: Tensor | None, part: tuple[int, int]) -> Batch:
        """The part of one process of a batch of pieces; only ones that end with their documents are padded."""
        rank, world = part
        width = int(pieces.sizes.max())
        own = pieces.some(np.arange(rank, len(pieces.sizes), world))
        item, places = torch.from_numpy(own.rows), torch.arange(width)
        before, sizes = (torch.from_numpy(each)[:, None] for each in (own.before, own.sizes))
        counted = (places >= before) & (places < sizes)
        x = self._padded(own.rows, width, own.begins)
        return Batch(x, None if context is None else context[item], item, counted)

    def _padded(self, positions: Rows, width: int, begins: Rows | None = None) -> Tensor:
        """``width`` symbols of some documents from ``begins`` on, by default the first, padded to as many."""
        x = torch.full((len(positions), width), float(self.vocabulary.end))
        begins = np.zeros(len(positions), np.int64) if begins is None else begins
        for row, position, begin in zip(x, positions.tolist(), begins.tolist(), strict=True):
            symbols = self._symbols(position, begin, width)
            row[: len(symbols)] = torch.from_numpy(symbols.astype(np.float32))
        return x

    def _symbols(self, position: int, begin: int = 0, count: int | None = None) -> NDArray[np.int64]:
        """The symbols of a document, its end included: ``count`` from ``begin`` on, by default all."""
        start, stop = self.spans[position].tolist()
        stopped = stop if count is None else min(stop, start + begin + count)
        if self.lengths[position] == stop - start:  # a byte for each symbol: only those are read
            raw, begin = self.bytes[start + begin : stopped], 0
        else:
            raw, stopped = self.bytes[start:stop], stop
        symbols = self.vocabulary.encode(raw.tobytes().decode(errors="surrogateescape"))
        symbols = np.append(symbols, self.vocabulary.end) if stopped == stop else symbols
        return symbols[begin:] if count is None else symbols[begin : begin + count]


class Pieces(NamedTuple):
    """Parts of documents.

    Attributes:
        rows: The document of each piece.
        begins: The symbol of the document that it begins with.
        sizes: The number of its symbols.
        before: The number of these that are only read, as the past of the others, which count.
    """

    rows: Rows
    begins: Rows
    sizes: Rows
    before: Rows

    @classmethod
    def of(cls, sizes: Rows, most: int, past: int) -> Pieces:
        """All documents of these ``sizes``, in pieces of ``most`` symbols and a last one of what is left.

        Each but the first begins with the last ``past`` symbols of the one before.

        >>> [part.tolist() for part in Pieces.of(np.array([6, 2]), 3, 1)]
        [[0, 0, 0, 1], [0, 2, 4, 0], [3, 3, 2, 2], [0, 1, 1, 0]]
        """
        step = most - past
        counts = np.maximum(1, -(-(sizes - past) // step))
        rows = np.repeat(np.arange(len(sizes)), counts)
        begins = step * (np.arange(len(rows)) - (counts.cumsum() - counts)[rows])
        return cls(rows, begins, np.minimum(sizes[rows] - begins, most), np.where(begins > 0, past, 0))

    @classmethod
    def whole(cls, rows: Rows, sizes: Rows, most: int) -> Pieces:
        """The first ``most`` symbols of each of the documents ``rows``."""
        none = np.zeros_like(rows)
        return cls(rows, none, np.minimum(sizes[rows], most), none)

    def some(self, places: Rows) -> Pieces:
        """The pieces at ``places``."""
        return Pieces(*(part[places] for part in self))


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
