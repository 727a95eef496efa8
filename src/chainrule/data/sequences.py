"""Sequences as examples: a stream, documents, recordings, each of any length."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chainrule.batch import Batch, Batches, check_length, epoch_generator
from chainrule.data.examples import ArrayExamples, Examples, Rows
from chainrule.data.vocabulary import Vocabulary

LEAST_WINDOWS = 8
"""Windows of a lane, at least: with fewer, a short text would give few steps an epoch and hardly a state to carry."""

CHUNK = 2**16
"""Values of a long sequence that are read at once, in order."""

SORTED = 16
"""Batches of chunks that are sorted by length together, so that little has to be filled up."""

MULTIPLE = 512
"""Pads every batch of chunks to a multiple of this length: each length needs a kernel, and kernels take memory."""


class Stream(Examples):
    """One long sequence of symbols.

    For a model of sequences it is one example. Training cuts it into lanes, which are read side by side, a window at a
    time, and the state of each lane is carried from window to window. For any other model the windows that fit into it,
    one after another, are its examples.

    Args:
        symbols: ``(N,)`` integers, in memory or memory-mapped.
        window: Symbols of an example.
    """

    def __init__(self, symbols: NDArray[np.integer[Any]], window: int) -> None:
        super().__init__((window,))
        self.symbols = symbols
        self.window = window

    def __len__(self) -> int:
        return len(self.symbols) // self.window

    @property
    def num_variables(self) -> int:
        return len(self.symbols)

    def read(self, positions: Rows) -> Tensor:
        return self._windows(positions * self.window, self.window)

    def _windows(self, starts: Sequence[int] | Rows, length: int) -> Tensor:
        """The symbols from each of ``starts`` on, ``(k, length)``."""
        places = np.asarray(starts, dtype=np.int64)[:, None] + np.arange(length)
        return torch.from_numpy(self.symbols[places].astype(np.float32))

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
        """The windows of ``size`` lanes of equal length, at most; fewer lanes where the stream is short.

        In training, the first lane begins where the seed and the epoch say, so that the remainder, less than a window a
        lane, is another each time. Validation cuts the stream as evenly as it goes, with a shorter window at the end;
        only the remainder of symbols over lanes is left out.

        Raises:
            ValueError: If there are fewer lanes than processes.
        """
        if history is None:
            return super().batches(size, seed=seed, epoch=epoch, context=context, part=part)
        check_length(context, 1)
        count, (rank, world) = len(self.symbols), part
        lanes = max(1, min(size, count // (LEAST_WINDOWS * self.window)))
        if lanes < world:
            raise ValueError(
                f"devices expects at most {lanes}, the lanes that the stream is cut into, got {world}: "
                "use fewer, a larger batch_size or a smaller window"
            )
        lane, offset = count // lanes, 0
        if seed is not None:
            lane = lane // self.window * self.window
            offset = int(torch.randint(count - lanes * lane + 1, (), generator=epoch_generator(seed, epoch)))
        starts = np.arange(offset, offset + lanes * lane, lane)[rank::world]
        item = torch.zeros(len(starts), dtype=torch.long)
        contexts = None if context is None else context[item]

        def read(begin: int) -> Batch:
            x = self._windows(starts + begin, min(self.window, lane - begin))
            return Batch(x, contexts, item, continues=begin > 0)

        return Batches(range(0, lane, self.window), read, carried=True)

    def in_order(self, size: int, *, history: float | None = None, context: Tensor | None = None) -> Iterator[Batch]:
        """The whole stream as one example, or, for a model of whole examples, its windows."""
        if history is None:
            yield from super().in_order(size, context=context)
            return
        check_length(context, 1)
        yield from _carried(self.symbols, torch.zeros(1, dtype=torch.long), context)

    def single(self) -> Stream:
        """The same symbols as examples of one symbol each."""
        return Stream(self.symbols, 1)


class Documents(Examples):
    """Lines of a file; each is an example that its end symbol fills up to the longest.

    Args:
        path: The file.
        vocabulary: Its symbols.
        lines: Where each line begins and ends, ``(N, 2)`` bytes.
        lengths: How many symbols each line has, without its end, ``(N,)``.
        longest: Symbols of the longest line of all splits, with its end.
    """

    def __init__(
        self, path: Path, vocabulary: Vocabulary, lines: NDArray[np.int64], lengths: NDArray[np.int64], longest: int
    ) -> None:
        super().__init__((longest,))
        self.path, self.vocabulary = path, vocabulary
        self.lines, self.lengths = lines, lengths
        self.bytes = np.memmap(path, np.uint8, "r")

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def num_variables(self) -> int:
        """The number of symbols of all documents, their ends included; what fills them up does not count."""
        return int(self.sizes.sum())

    @property
    def sizes(self) -> NDArray[np.int64]:
        return self.lengths + 1

    def counted(self, item: Tensor) -> Tensor:
        """The symbols of each document and its end; what fills it up does not count."""
        return torch.arange(self.event_shape[0]) < torch.from_numpy(self.sizes[item.numpy()])[:, None]

    def text(self, position: int) -> str:
        """A line, without its end."""
        start, stop = self.lines[position]
        return self.bytes[start:stop].tobytes().decode(errors="surrogateescape")

    def read(self, positions: Rows) -> Tensor:
        x = torch.full((len(positions), *self.event_shape), float(self.vocabulary.end))
        for row, position in zip(x, positions, strict=True):
            symbols = self.vocabulary.encode(self.text(int(position)))
            row[: len(symbols)] = torch.from_numpy(symbols.astype(np.float32))
        return x


class Chunk(NamedTuple):
    """A part of a recording, which is a row of a batch in training.

    Attributes:
        recording: Which recording.
        begin: The first of its samples that is read.
        first: The first that counts; those before it are its history.
        stop: Where it ends.
    """

    recording: int
    begin: int
    first: int
    stop: int


class Recordings(Examples):
    """Recordings (or time series) of any lengths, in memory; a batch is filled up to its longest, with silence.

    Args:
        levels: The samples of all of them, one after another, ``(N,)``; of a series its numbers.
        ends: Where each of them ends, ``(R,)``.
        names: What each is called, ``R`` of them.
        window: Samples that a chunk counts in training, at most.
        silence: The level of silence; of a series any of its values.
    """

    ragged = True
    usual_batch_size = 8

    def __init__(self, levels: NDArray[Any], ends: Rows, names: Sequence[str], window: int, silence: float) -> None:
        super().__init__((window,))
        self.levels, self.ends, self.names = levels, ends, list(names)
        self.starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
        self.lengths = self.ends - self.starts
        self.window, self.silence = window, silence

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def num_variables(self) -> int:
        return len(self.levels)

    @property
    def sizes(self) -> NDArray[np.int64]:
        return self.lengths

    def subset(self, rows: Rows) -> Recordings:
        parts, names = [self.levels[self.starts[row] : self.ends[row]] for row in rows], [self.names[i] for i in rows]
        return Recordings(np.concatenate(parts), self.lengths[rows].cumsum(), names, self.window, self.silence)

    def read(self, positions: Rows) -> Tensor:
        return self._spans([(int(self.starts[position]), int(self.ends[position])) for position in positions])

    def each(self) -> Iterator[NDArray[Any]]:
        """The samples of one recording after the other, ``(m,)``."""
        return (self.levels[start:stop] for start, stop in zip(self.starts, self.ends, strict=True))

    def chunks(self, history: float) -> list[Chunk]:
        """All recordings, cut into equal chunks that count at most ``window`` samples; each sample counts once.

        A chunk is read from ``history`` samples before on, ``math.inf`` for its recording's beginning, so that its
        conditionals are those of the whole recording.
        """
        chunks = []
        for recording, length in enumerate(self.lengths.tolist()):
            count = math.ceil(length / self.window)
            cuts = [length * i // count for i in range(count + 1)]
            for first, stop in itertools.pairwise(cuts):
                chunks.append(Chunk(recording, int(max(0, first - history)), first, stop))
        return chunks

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
        """Chunks of similar length, each with the history that its model looks back to.

        Raises:
            ValueError: If the model reads whole examples of one length, or ``context`` does not fit.
        """
        if history is None:
            raise ValueError("recordings expect a model of sequences of any length, got history=None")
        check_length(context, len(self))
        chunks = self.chunks(history)
        lengths = torch.tensor([chunk.stop - chunk.begin for chunk in chunks])
        if seed is None:
            batches = list(lengths.argsort(stable=True).split(size))
        else:
            generator = epoch_generator(seed, epoch)
            batches = []
            for some in torch.randperm(len(lengths), generator=generator).split(SORTED * size):
                batches += some[lengths[some].argsort(stable=True)].split(size)
            batches = [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]
        rank, world = part
        return Batches(
            [[chunks[i] for i in batch[rank::world].tolist()] for batch in batches],
            lambda some: self._batch(some, context),
        )

    def in_order(self, size: int, *, history: float | None = None, context: Tensor | None = None) -> Iterator[Batch]:
        """One recording after the other, in chunks whose state is carried on; whole where ``history`` is None."""
        check_length(context, len(self))
        for i, levels in enumerate(self.each()):
            item, own = torch.tensor([i]), None if context is None else context[i : i + 1]
            if history is None:
                yield Batch(self[[i]], own, item)
            else:
                yield from _carried(levels, item, own)

    def single(self) -> ArrayExamples:
        """All samples as examples of one sample each."""
        return ArrayExamples(self.levels, (1,))

    def _batch(self, chunks: Sequence[Chunk], context: Tensor | None) -> Batch:
        item = torch.tensor([chunk.recording for chunk in chunks], dtype=torch.long)
        starts = self.starts[item.numpy()].tolist()
        spans = [(start + chunk.begin, start + chunk.stop) for start, chunk in zip(starts, chunks, strict=True)]
        x = self._spans(spans, MULTIPLE)
        places = torch.arange(x.shape[1])
        edges = torch.tensor([(chunk.first - chunk.begin, chunk.stop - chunk.begin) for chunk in chunks]).view(-1, 2)
        counted = (places >= edges[:, :1]) & (places < edges[:, 1:])
        return Batch(x, None if context is None else context[item], item, counted, continues=False)

    def _spans(self, spans: Sequence[tuple[int, int]], multiple: int = 1) -> Tensor:
        """The samples of each span ``(start, stop)``, ``(k, length)``, with silence after its end.

        Args:
            spans: Where each begins and ends among the samples of all recordings.
            multiple: The length of the batch is rounded up to a multiple of this.
        """
        longest = max((stop - start for start, stop in spans), default=0)
        x = torch.full((len(spans), -(-longest // multiple) * multiple), float(self.silence))
        for row, (start, stop) in zip(x, spans, strict=True):
            row[: stop - start] = torch.from_numpy(self.levels[start:stop].astype(np.float32))
        return x


def _carried(values: NDArray[Any], item: Tensor, context: Tensor | None) -> Iterator[Batch]:
    """One sequence ``(n,)`` as batches of one row, each going on where the one before ended.

    Raises:
        ValueError: If the sequence is empty.
    """
    if len(values) == 0:
        raise ValueError("expected at least one variable, got none")
    for start in range(0, len(values), CHUNK):
        x = torch.from_numpy(values[start : start + CHUNK].astype(np.float32))[None]
        yield Batch(x, context, item, continues=start > 0)
