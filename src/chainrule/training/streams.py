"""Truncated back-propagation through a stream: parallel lanes, whose states are carried from window to window."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from chainrule.data.text import Stream
from chainrule.sequence import SequenceModel
from chainrule.state import State, detach
from chainrule.training.module import Batch, MaximumLikelihood, epoch_seed
from chainrule.training.processes import processes

Pieces = tuple[list[int], int]
"""Where the pieces of a batch begin, one in each lane, and how long they are."""


LEAST_WINDOWS = 8
"""Windows of a lane: with fewer, a short text would give few steps an epoch, and hardly a state to carry."""


class StreamLikelihood(MaximumLikelihood):
    """Minimises the NLL per symbol of a stream; gradients go back to the beginning of a window, states further.

    The batches must be those of `Lanes`: the first of an epoch begins anew, the others go on.
    """

    model: SequenceModel
    _carried: tuple[State, Tensor]

    def losses(self, batch: Batch, batch_index: int) -> Tensor:
        x = self.model.check(batch[0])
        state, previous = (self.model.start(len(x)), None) if batch_index == 0 else self._carried
        distribution, state = self.model.advance(state, previous, x)
        self._carried = detach(state), x[:, -1]
        return -distribution.log_prob(x).flatten()

    validation_losses = losses


class Lanes(Sampler[Pieces]):
    """Windows of a stream that is cut into lanes of equal length; a batch has the next window of every lane.

    Args:
        count: Symbols of the stream.
        lanes: How many lanes at most; fewer where the stream is too short for `LEAST_WINDOWS` in each.
        window: Symbols of a window.
        seed: In training, the lanes of an epoch begin where the seed and the epoch say, so that the remainder, less
            than a window a lane, is another each time. None, in validation, cuts the stream as evenly as it goes, with
            a shorter window at the end; only the remainder of symbols over lanes is left out.
    """

    def __init__(self, count: int, lanes: int, window: int, seed: int | None) -> None:
        self.lanes = max(1, min(lanes, count // (LEAST_WINDOWS * window)))
        self.window, self.seed, self.epoch = window, seed, 0
        each = count // self.lanes
        self.lane = each if seed is None else each // window * window
        self.spare = count - self.lanes * self.lane

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return math.ceil(self.lane / self.window)

    def __iter__(self) -> Iterator[Pieces]:
        offset = 0
        if self.seed is not None:
            generator = torch.Generator().manual_seed(epoch_seed(self.seed, self.epoch))
            offset = int(torch.randint(self.spare + 1, (), generator=generator))
        rank, world = processes()
        starts = range(offset, offset + self.lanes * self.lane, self.lane)[rank::world]
        for begin in range(0, self.lane, self.window):
            yield [start + begin for start in starts], min(self.window, self.lane - begin)


class _PiecesOf(Dataset[Batch]):
    """A stream as a data set that gives a batch for the pieces of a `Lanes`."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def __getitem__(self, pieces: Any) -> Batch:
        starts, length = pieces
        return self.stream.windows(starts, length), None


def stream_loader(stream: Stream, lanes: int, seed: int | None = None) -> DataLoader[Any]:
    """Batches of the windows of a stream, for training where a seed is given, else for validation."""
    sampler = Lanes(len(stream.symbols), lanes, stream.window, seed)
    return DataLoader(_PiecesOf(stream), sampler=sampler, batch_size=None, generator=torch.Generator())


def check_lanes(devices: int, *loaders: DataLoader[Any]) -> None:
    """Raise ``ValueError`` unless there is a lane for each process, in the batches of all of ``loaders``."""
    lanes = min(loader.sampler.lanes for loader in loaders)  # type: ignore[attr-defined]
    if lanes < devices:
        raise ValueError(
            f"devices expects at most {lanes}, the lanes that the stream is cut into, got {devices}: "
            "use fewer, a larger batch_size or a smaller window"
        )
