"""Long sequences, such as a text in one stream, as examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chainrule.batch import Batch, Batches, check_length, epoch_generator
from chainrule.data.examples import Examples, Rows

LEAST_WINDOWS = 8
"""The least number of windows in a lane: fewer give a short text few steps an epoch and hardly a state to carry."""

CHUNK = 2**16
"""Values of a long sequence that are read at once, in order."""


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
        """The windows of at most ``size`` lanes of equal length; a short stream has fewer lanes.

        In training, the seed and the epoch decide where the first lane begins, so that each epoch leaves out other
        symbols (less than a window per lane). Validation cuts the stream as evenly as possible, with a shorter window
        at the end, and leaves out fewer symbols than there are lanes.

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
        yield from carried_chunks(self.symbols, torch.zeros(1, dtype=torch.long), context)

    def fewer(self, count: int) -> tuple[Stream, Rows]:
        """The first ``count`` windows, as a stream, and their positions."""
        windows = min(count, len(self))
        part = self if windows == len(self) else Stream(self.symbols[: windows * self.window], self.window)
        return part, np.arange(windows)

    def single(self) -> Stream:
        """The same symbols as examples of one symbol each."""
        return Stream(self.symbols, 1)


def carried_chunks(values: NDArray[Any], item: Tensor, context: Tensor | None) -> Iterator[Batch]:
    """One sequence ``(n,)`` as batches of one row; each continues where the one before ended.

    Raises:
        ValueError: If the sequence is empty.
    """
    if len(values) == 0:
        raise ValueError("expected at least one variable, got none")
    for start in range(0, len(values), CHUNK):
        x = torch.from_numpy(values[start : start + CHUNK].astype(np.float32))[None]
        yield Batch(x, context, item, continues=start > 0)
