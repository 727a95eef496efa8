"""Recordings and time series as examples: sequences of levels or numbers, each of its own length."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chainrule.batch import Batch, Batches, check_length, epoch_generator
from chainrule.data.examples import ArrayExamples, Examples, Rows
from chainrule.data.sequences import carried_chunks

SORTED = 16
"""Chunks are sorted by length within this many batches, so that little padding is needed."""

MULTIPLE = 512
"""Pads every batch of chunks to a multiple of this length, or of the window, if that is shorter: each length needs a
kernel, and kernels take memory."""


class Chunk(NamedTuple):
    """A part of a recording, which is a row of a batch in training.

    Attributes:
        recording: The index of the recording.
        begin: The first of its samples that is read.
        first: The first that counts; those before it are its history.
        stop: Where it ends.
    """

    recording: int
    begin: int
    first: int
    stop: int


class Recordings(Examples):
    """Recordings (or time series) of any lengths, in memory; a batch is padded with silence to its longest.

    Args:
        levels: The samples of all recordings, one after another, ``(N,)``; for a series its numbers.
        ends: Where each of them ends, ``(R,)``.
        names: The ``R`` names.
        window: Samples that count in a training chunk, at most.
        silence: The level of silence; for a series any of its values.
        before: The number of samples at the beginning of each that are read only as the past of the others: a
            number, or one for each, ``(R,)``.
    """

    ragged = True
    usual_batch_size = 8

    def __init__(
        self,
        levels: NDArray[Any],
        ends: Rows,
        names: Sequence[str],
        window: int,
        silence: float,
        before: int | Rows = 0,
    ) -> None:
        super().__init__((window,))
        self.levels, self.ends, self.names = levels, ends, list(names)
        self.starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
        self.lengths = self.ends - self.starts
        self.window, self.silence = window, silence
        self.before = np.broadcast_to(np.asarray(before, dtype=np.int64), self.ends.shape)

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def num_variables(self) -> int:
        return int(self.sizes.sum())

    @property
    def sizes(self) -> NDArray[np.int64]:
        return self.lengths - self.before

    def subset(self, rows: Rows) -> Recordings:
        parts, names = [self.levels[self.starts[row] : self.ends[row]] for row in rows], [self.names[i] for i in rows]
        ends = self.lengths[rows].cumsum()
        return Recordings(np.concatenate(parts), ends, names, self.window, self.silence, self.before[rows])

    def fewer(self, count: int) -> tuple[Recordings, Rows]:
        """``count`` of the recordings, evenly spaced, and their positions ``(count,)``; all if there are no more."""
        _, rows = super().fewer(count)
        return (self if len(rows) == len(self) else self.subset(rows)), rows

    def read(self, positions: Rows) -> Tensor:
        return self._spans([(int(self.starts[i] + self.before[i]), int(self.ends[i])) for i in positions])

    def each(self) -> Iterator[NDArray[Any]]:
        """The samples of one recording after the other, ``(m,)``, without those before."""
        return (self.levels[start:stop] for start, stop in zip(self.starts + self.before, self.ends, strict=True))

    def chunks(self, history: float) -> list[Chunk]:
        """All recordings, cut into equal chunks that count at most ``window`` samples; each sample counts once.

        Reading starts ``history`` samples before a chunk (``math.inf``: at the recording's beginning), so that its
        conditionals are those of the whole recording.
        """
        chunks = []
        for recording, length in enumerate(self.sizes.tolist()):
            count = math.ceil(length / self.window)
            cuts = [int(self.before[recording]) + length * i // count for i in range(count + 1)]
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
        """One recording after the other, in chunks whose state is carried on; whole if ``history`` is None."""
        check_length(context, len(self))
        for i, (start, stop) in enumerate(zip(self.starts, self.ends, strict=True)):
            item, own = torch.tensor([i]), None if context is None else context[i : i + 1]
            if history is None:
                yield Batch(self[[i]], own, item)
                continue
            place = 0
            for batch in carried_chunks(self.levels[start:stop], item, own):
                counted = torch.arange(place, place + batch.x.shape[1]) >= int(self.before[i])
                yield batch._replace(counted=counted.unsqueeze(0)) if self.before[i] else batch
                place += batch.x.shape[1]

    def single(self) -> ArrayExamples:
        """All samples as examples of one sample each."""
        return ArrayExamples(np.concatenate(list(self.each())) if self.before.any() else self.levels, (1,))

    def _batch(self, chunks: Sequence[Chunk], context: Tensor | None) -> Batch:
        item = torch.tensor([chunk.recording for chunk in chunks], dtype=torch.long)
        starts = self.starts[item.numpy()].tolist()
        spans = [(start + chunk.begin, start + chunk.stop) for start, chunk in zip(starts, chunks, strict=True)]
        x = self._spans(spans, min(MULTIPLE, self.window))
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
