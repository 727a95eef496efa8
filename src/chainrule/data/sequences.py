"""Sequences as examples: a stream, documents, recordings, each of any length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chainrule.data.examples import ArrayExamples, Examples, Rows
from chainrule.data.read.text import BLOCK
from chainrule.data.vocabulary import Vocabulary


class Stream(Examples):
    """One long sequence of symbols; its examples are the windows that fit into it, one after another.

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
        return self.windows(positions * self.window, self.window)

    def windows(self, starts: Sequence[int] | Rows, length: int) -> Tensor:
        """The symbols from each of ``starts`` on, ``(k, length)``."""
        places = np.asarray(starts, dtype=np.int64)[:, None] + np.arange(length)
        return torch.from_numpy(self.symbols[places].astype(np.float32))

    def count(self, symbol: int) -> int:
        """How often ``symbol`` occurs."""
        blocks = range(0, len(self.symbols), BLOCK)
        return sum(int(np.count_nonzero(self.symbols[start : start + BLOCK] == symbol)) for start in blocks)

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
        """Symbols of all documents, their ends among them and what fills them up not."""
        return int(self.lengths.sum()) + len(self)

    def count(self, symbol: int) -> int:
        """How often ``symbol`` occurs."""
        lines = (self.vocabulary.encode(self.text(position)) for position in range(len(self)))
        return sum(int(np.count_nonzero(line == symbol)) for line in lines)

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


class Recordings(Examples):
    """Recordings (or time series) of any lengths, in memory; a batch is filled up to its longest, with silence.

    Args:
        levels: The samples of all of them, one after another, ``(N,)``; of a series its numbers.
        ends: Where each of them ends, ``(R,)``.
        names: What each is called, ``R`` of them.
        window: Samples that a piece counts in training.
        silence: The level of silence; of a series any of its values.
    """

    ragged = True

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

    def read(self, positions: Rows) -> Tensor:
        spans = [(self.starts[position], self.ends[position]) for position in positions]
        return self.spans(spans)

    def each(self) -> Iterator[NDArray[Any]]:
        """The samples of one recording after the other, ``(m,)``."""
        return (self.levels[start:stop] for start, stop in zip(self.starts, self.ends, strict=True))

    def spans(self, spans: Sequence[tuple[int, int]], multiple: int = 1) -> Tensor:
        """The samples between each of ``spans``, ``(k, longest)``, with silence at their ends.

        Args:
            spans: Where each begins and ends among all samples.
            multiple: Of what the length of the batch is to be a multiple.
        """
        longest = max((stop - start for start, stop in spans), default=0)
        longest = -(-longest // multiple) * multiple
        x = torch.full((len(spans), int(longest)), float(self.silence))
        for row, (start, stop) in zip(x, spans, strict=True):
            row[: stop - start] = torch.from_numpy(self.levels[start:stop].astype(np.float32))
        return x

    def single(self) -> ArrayExamples:
        """All samples as examples of one sample each."""
        return ArrayExamples(self.levels, (1,))
