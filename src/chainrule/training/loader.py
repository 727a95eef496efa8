"""The one loader: the batches of examples of any form, epoch after epoch."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from chainrule.batch import Batch, Batches, BatchSource
from chainrule.model import Model
from chainrule.sequence import frame_size_of, history_of
from chainrule.training.processes import processes


class Loader:
    """The batches of a training or a validation; of processes that train together, each reads its part.

    `set_epoch` sets the epoch that the next iteration reads.

    Args:
        model: Decides whether examples are read whole or chunk by chunk.
        examples: What to read.
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
        if examples.ragged and frame_size_of(model) is not None:
            raise ValueError(
                "recordings expect a model of classes or of none, got one of frames, which chunks don't have"
            )
        self.examples, self.context, self.size, self.seed, self.epoch = examples, context, size, seed, 0
        epoch = self._batches((0, devices))
        self._steps, self.carried = len(epoch), epoch.carried

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[Batch]:
        return iter(self._batches(processes()))

    def _batches(self, part: tuple[int, int]) -> Batches:
        return self.examples.batches(
            self.size, seed=self.seed, epoch=self.epoch, history=self.history, context=self.context, part=part
        )
