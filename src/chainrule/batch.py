"""The form in which examples reach a model: batches of whole examples, or of chunks of long sequences."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor


class Batch(NamedTuple):
    """Rows that a model reads at once.

    Attributes:
        x: Whole examples ``(B, *event_shape)``, or chunks of sequences ``(B, k)``.
        context: What each row is conditioned on: classes ``(B,)`` or frames ``(B, F, frame_size)``; None for nothing.
        item: The example that each row belongs to, ``(B,)``.
        counted: True for variables that count, booleans of the shape of ``x``; None if all do. A variable that does not
            count is padding, or the history of those that do.
        continues: None if the rows are whole examples. False if they are chunks that begin anew. True if each row goes
            on where the same row of the batch before ended, so that the model's state is carried on.
    """

    x: Tensor
    context: Tensor | None
    item: Tensor
    counted: Tensor | None = None
    continues: bool | None = None

    def map(self, function: Callable[[Tensor], Tensor]) -> Batch:
        """The batch with ``function`` applied to each of its tensors, such as ``lambda part: part[:2]``."""
        context = None if self.context is None else function(self.context)
        counted = None if self.counted is None else function(self.counted)
        return Batch(function(self.x), context, function(self.item), counted, self.continues)


class Batches:
    """The batches of one epoch, read one after the other; their number is known beforehand.

    Args:
        plans: The content of each batch, such as the positions of its examples.
        read: Gives the batch of a plan.
        carried: True if states are carried from batch to batch, see `Batch.continues`.
    """

    def __init__(self, plans: Sequence[Any], read: Callable[[Any], Batch], *, carried: bool = False) -> None:
        self.plans, self.read, self.carried = plans, read, carried

    def __len__(self) -> int:
        return len(self.plans)

    def __iter__(self) -> Iterator[Batch]:
        return map(self.read, self.plans)

    def between(self, start: int, stop: int) -> Iterator[Batch]:
        """The batches from ``start`` on and before ``stop``."""
        return map(self.read, self.plans[start:stop])


class BatchSource(ABC):
    """Examples that are read batch by batch, for training and in order.

    Write `__len__` and `__getitem__`; examples are then read whole. Examples that are read chunk by chunk override
    `batches` and `in_order` too.
    """

    ragged = False
    """True if examples have lengths of their own, which only a model of sequences of any length can read."""

    usual_batch_size: ClassVar[int] = 128
    """Rows of an optimiser step, by default."""

    @property
    def frame_size(self) -> int | None:
        """The numbers of a frame, where examples bring frames that they are conditioned on; else None."""
        return None

    @abstractmethod
    def __len__(self) -> int:
        """The number of examples."""

    @abstractmethod
    def __getitem__(self, indices: Any) -> Tensor:
        """The examples at a list or a slice of indices, ``(k, *event_shape)``."""

    def counted(self, item: Tensor) -> Tensor | None:
        """The variables that count in the examples ``item`` ``(k,)``; by default all. See `Batch.counted`."""
        return None

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
        """The batches of an epoch of training or, without a seed, of a validation.

        The shuffle depends on nothing but the seed and the epoch, so that a training that is resumed sees the batches
        that it would have seen. A validation needs no gradients: whole examples come twice as many at once.

        Args:
            size: Rows of a batch of training.
            seed: Seed of the shuffling; None for validation, which does not shuffle.
            epoch: The epoch, counted from 0.
            history: The number of variables before x_t that its conditional looks at, for a model of sequences of any
                length; ``math.inf`` for all; None for a model of whole examples. See `chainrule.sequence.history_of`.
            context: What each example is conditioned on, ``(N, ...)``.
            part: The index of this process, and the number of processes that train together. Each gets its part of
                every batch; together they see the batches that one process would.

        Raises:
            ValueError: If ``context`` does not have one entry for each example.
        """
        check_length(context, len(self))
        rank, world = part

        def read(item: Tensor) -> Batch:
            item = item[rank::world]
            return self._whole(item.tolist(), item, None if context is None else context[item])

        if seed is None:
            starts, count = range(0, len(self), 2 * size), len(self)
            return Batches(starts, lambda start: read(torch.arange(start, min(start + 2 * size, count))))
        return Batches(torch.randperm(len(self), generator=epoch_generator(seed, epoch)).split(size), read)

    def in_order(self, size: int, *, history: float | None = None, context: Tensor | None = None) -> Iterator[Batch]:
        """Every variable exactly once, in order, each given all of its past: for evaluation and scores.

        Args:
            size: Examples of a batch, where they are read whole.
            history: As in `batches`.
            context: As in `batches`.

        Raises:
            ValueError: If ``size`` is below 1 or ``context`` does not have one entry for each example.
        """
        if size < 1:
            raise ValueError(f"batch_size expects at least 1, got {size}")
        check_length(context, len(self))
        for start in range(0, len(self), size):
            some = slice(start, start + size)
            item = torch.arange(start, min(start + size, len(self)))
            yield self._whole(some, item, None if context is None else context[some])

    def _whole(self, indices: Any, item: Tensor, context: Tensor | None) -> Batch:
        return Batch(self[indices], context, item, self.counted(item))


class IndexedSource(BatchSource):
    """Whole examples of a tensor, an array or a data set that gives a batch for a list and for a slice of indices."""

    def __init__(self, examples: Any) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, indices: Any) -> Tensor:
        return torch.as_tensor(self.examples[indices])


def as_source(examples: Any) -> BatchSource:
    """``examples`` as a `BatchSource`: a data set as it is, a tensor or an array ``(N, *event_shape)`` wrapped."""
    return examples if isinstance(examples, BatchSource) else IndexedSource(examples)


def epoch_seed(seed: int, epoch: int) -> int:
    """The seed of one epoch of a training with ``seed``."""
    return (seed * 1_000_003 + epoch) % 2**63


def epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """A generator for the shuffle of one epoch, independent of all other random numbers."""
    return torch.Generator().manual_seed(epoch_seed(seed, epoch))


def check_length(context: Tensor | None, count: int) -> None:
    """Raise ``ValueError`` unless ``context`` is None or has one entry for each of ``count`` examples."""
    if context is not None and len(context) != count:
        raise ValueError(f"context expects one entry for each of {count} examples, got {len(context)}")
