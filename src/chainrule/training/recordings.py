"""Maximum likelihood of recordings: pieces of them, each given all that its model looks back to."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from chainrule.data.sequences import Recordings
from chainrule.sequence import SequenceModel
from chainrule.training.module import MaximumLikelihood, epoch_seed
from chainrule.training.processes import processes

Piece = tuple[int, int, int, int]
"""Which recording; from which of its samples on it is read; from which, and up to which, samples count."""

SORTED = 16
"""Batches whose pieces are sorted by their lengths, so that little is filled up."""

MULTIPLE = 512
"""Batches are as many times so long, as kernels that are prepared for a length are kept, and each takes memory."""


class RecordingLikelihood(MaximumLikelihood):
    """Minimises the NLL per sample; the batches must be those of `recording_loader`."""

    model: SequenceModel

    def __init__(self, model: SequenceModel, *, compile: bool, **settings: Any) -> None:
        super().__init__(model, **settings)
        self._nats = torch.compile(self._surprisals, dynamic=True) if compile else self._surprisals

    def _surprisals(self, x: Tensor, context: Tensor | None) -> Tensor:
        nats: Tensor = -self.model(x, context).log_prob(x)
        return nats

    def losses(self, batch: Any, batch_index: int) -> Tensor:
        x, context, counts = batch
        x = self.model.check(x)
        return self._nats(x, self.model.check_context(context, len(x)))[counts]

    validation_losses = losses


def pieces_of(recordings: Recordings, history: int | None) -> list[Piece]:
    """All recordings, cut into equal pieces that count at most ``window`` samples; each sample counts once.

    A piece is read from ``history`` samples before on, or, if that is None, from its recording's beginning, so that its
    conditionals are those of the whole recording.
    """
    pieces = []
    for index, length in enumerate(recordings.lengths.tolist()):
        count = math.ceil(length / recordings.window)
        cuts = [length * i // count for i in range(count + 1)]
        for start, stop in itertools.pairwise(cuts):
            pieces.append((index, 0 if history is None else max(0, start - history), start, stop))
    return pieces


class PieceBatches(Sampler[list[int]]):
    """Indices of pieces of similar length in batches; in training, which and when depends on the seed and the epoch.

    Args:
        pieces: All of them.
        batch_size: Pieces of a batch.
        seed: Of the shuffling; None for the order of their lengths.
    """

    def __init__(self, pieces: list[Piece], batch_size: int, seed: int | None) -> None:
        self.lengths = torch.tensor([stop - begin for _, begin, _, stop in pieces])
        self.batch_size, self.seed, self.epoch = batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return math.ceil(len(self.lengths) / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        if self.seed is None:
            batches = list(self.lengths.argsort(stable=True).split(self.batch_size))
        else:
            generator = torch.Generator().manual_seed(epoch_seed(self.seed, self.epoch))
            shuffled = torch.randperm(len(self.lengths), generator=generator)
            batches = []
            for some in shuffled.split(SORTED * self.batch_size):
                batches += some[self.lengths[some].argsort(stable=True)].split(self.batch_size)
            batches = [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]
        rank, world = processes()
        return (batch[rank::world].tolist() for batch in batches)


class _RecordingPieces(Dataset[Any]):
    """Pieces as a data set that gives a batch for a list of indices."""

    def __init__(self, recordings: Recordings, classes: Tensor | None, pieces: list[Piece]) -> None:
        self.recordings, self.classes, self.pieces = recordings, classes, pieces

    def __getitem__(self, indices: Any) -> Any:
        pieces = [self.pieces[index] for index in indices]
        starts = [int(self.recordings.starts[index]) for index, *_ in pieces]
        spans = [(start + begin, start + stop) for start, (_, begin, _, stop) in zip(starts, pieces, strict=True)]
        x = self.recordings.spans(spans, multiple=MULTIPLE)
        places = torch.arange(x.shape[1])
        counted = torch.tensor([(first - begin, stop - begin) for _, begin, first, stop in pieces]).view(-1, 2)
        counts = (places >= counted[:, :1]) & (places < counted[:, 1:])
        context = None if self.classes is None else self.classes[[index for index, *_ in pieces]]
        return x, context, counts


def recording_loader(
    recordings: Recordings, classes: Tensor | None, batch_size: int, history: int | None, seed: int | None = None
) -> DataLoader[Any]:
    """Batches of pieces of recordings, for training where a seed is given, else for validation."""
    pieces = pieces_of(recordings, history)
    examples = _RecordingPieces(recordings, classes, pieces)
    sampler = PieceBatches(pieces, batch_size, seed)
    return DataLoader(examples, sampler=sampler, batch_size=None, generator=torch.Generator())
