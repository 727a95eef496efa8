"""The one loader: the batches of examples of any form, round after round."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from chainrule.batch import Batch, Batches, BatchSource, as_source
from chainrule.model import Model
from chainrule.sequence import frame_size_of, history_of
from chainrule.training.processes import processes
from chainrule.training.settings import Training


class Loader:
    """The batches of a training or a validation; of processes that train together, each reads its part.

    A validation reads all examples. A training reads a *round*: the next `round_steps` batches, which may be a part of
    an epoch or several epochs. `set_round` says which round the next iteration reads.

    Args:
        model: Decides whether examples are read whole or chunk by chunk.
        examples: The examples to read.
        context: What each example is conditioned on, ``(N, ...)``.
        size: Rows of an optimiser step.
        seed: Seed of the shuffling; None for a validation.
        devices: The number of processes that train together.

    Raises:
        ValueError: If the model cannot read the examples, or the context does not fit, or there is not a lane of a
            stream for each process.
    """

    def __init__(
        self,
        model: Model,
        examples: BatchSource,
        context: Tensor | None,
        size: int,
        seed: int | None = None,
        devices: int = 1,
    ) -> None:
        self.history = history_of(model, ragged=examples.ragged)
        if examples.ragged and frame_size_of(model) != examples.frame_size:
            raise ValueError(
                f"recordings {_with_frames(examples.frame_size)} expect a model that takes such, got one "
                f"{_with_frames(frame_size_of(model))}"
            )
        self.examples, self.context, self.size, self.seed = examples, context, size, seed
        epoch = self._epoch(0, (0, devices))
        self.epoch_steps, self.carried = len(epoch), epoch.carried
        self.round, self.round_steps, self.done = 0, self.epoch_steps, 0

    def set_round(self, index: int, done: int = 0) -> None:
        """The next iteration reads round ``index``, counted from 0, without the first ``done`` batches."""
        self.round, self.done = index, done

    def __len__(self) -> int:
        return self.round_steps

    def __iter__(self) -> Iterator[Batch]:
        first = self.round * self.round_steps
        step, stop = first + self.done, first + self.round_steps
        while step < stop:
            epoch, start = divmod(step, self.epoch_steps)
            end = min(self.epoch_steps, start + stop - step)
            yield from self._epoch(epoch, processes()).between(start, end)
            step += end - start

    def _epoch(self, epoch: int, part: tuple[int, int]) -> Batches:
        return self.examples.batches(
            self.size, seed=self.seed, epoch=epoch, history=self.history, context=self.context, part=part
        )


def _with_frames(size: int | None) -> str:
    return "without frames" if size is None else f"with frames of {size} numbers"


Data = Dataset[Any] | Tensor
"""Examples ``(N, *event_shape)``: a tensor, a split of a data set, or any data set that gives a batch for a list."""

Loaders = tuple[Loader, Loader]
"""The batches of training and of validation."""


def loaders_of(
    model: Model, examples: tuple[Data, Data], contexts: tuple[Tensor | None, Tensor | None], training: Training
) -> Loaders:
    """The batches of training and of validation.

    Raises:
        ValueError: If there are no examples, or the model cannot read them.
    """
    train, valid = map(as_source, examples)
    for name, source in {"train": train, "valid": valid}.items():
        if len(source) < 1:
            raise ValueError(f"{name} expects at least one example, got none")
    size = training.batch_size or train.usual_batch_size
    return (
        Loader(model, train, contexts[0], size, training.seed, training.processes),
        Loader(model, valid, contexts[1], size, None, training.processes),
    )
