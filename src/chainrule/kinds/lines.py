"""Text, line by line, with the surprisal of each symbol."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from chainrule.data.read.text import lines_of, read_symbols, read_text
from chainrule.data.text import TextFormat
from chainrule.data.vocabulary import Vocabulary
from chainrule.sequence import SequenceModel
from chainrule.tasks.score import stream_surprisals, surprisals
from chainrule.walk import CHUNK

DOCUMENTS = 256
"""At most this many documents are scored at once."""

SYMBOLS = 1 << 15
"""At most this many symbols are scored at once, padding included; a document of more than a tenth is scored alone."""

READ_BYTES = 1 << 20
"""Bytes of lines that are read at once; more if one line is longer."""

LONGEST = 1 << 16
"""A longer line is given in chunks of about this many symbols."""

Symbols = NDArray[Any]
"""The symbols of a line, or a number for each."""


@dataclass(frozen=True)
class Part:
    """A line, or a chunk of a long one.

    Attributes:
        line: The number of the line in the file, from 1.
        column: The place of the first symbol in the line, from 1.
        symbols: The symbols, with the end symbol.
        nats: -log p of each, given those before it.
    """

    line: int
    column: int
    symbols: Symbols
    nats: Symbols


def scored_lines(model: SequenceModel, text: TextFormat, path: Path) -> Iterator[Part]:
    """The lines of a file; documents are scored each by itself, without blank lines, a stream given all before."""
    if text.documents:
        return _documents(model, text.vocabulary, path)
    return stream_lines(model, text.vocabulary, read_symbols(path, text.vocabulary))


def scored_stream(model: SequenceModel, text: TextFormat, batches: Iterable[list[str]]) -> Iterator[Part]:
    """The lines of ``batches``, which come in over time, as soon as they are there; see `scored_lines`."""
    vocabulary = text.vocabulary
    if not text.documents:
        yield from stream_lines(model, vocabulary, (vocabulary.encode("".join(lines)) for lines in batches))
        return
    numbered = (
        (number, line.rstrip("\r\n")) for number, line in enumerate(itertools.chain.from_iterable(batches), start=1)
    )
    for number, line in numbered:
        if line:
            yield from _scored_together(model, [(number, vocabulary.encode(line + "\n"))])


def stream_lines(model: SequenceModel, vocabulary: Vocabulary, chunks: Iterable[Symbols]) -> Iterator[Part]:
    """The lines of a stream whose symbols come in ``chunks`` ``(m,)``."""
    end = vocabulary.end if vocabulary.characters is None or "\n" in vocabulary.characters else -1
    small, again = itertools.tee(
        symbols[start : start + CHUNK] for symbols in chunks for start in range(0, len(symbols), CHUNK)
    )
    scored = zip(again, stream_surprisals(model, small), strict=True)
    number, column = 1, 1
    for symbols, nats in _lines((np.stack([chunk, values.numpy()]) for chunk, values in scored), end):
        yield Part(number, column, symbols, nats)
        number, column = (number + 1, 1) if symbols[-1] == end else (number, column + len(symbols))


def _lines(chunks: Iterable[Symbols], end: int) -> Iterator[Symbols]:
    """The lines ``(k, n)`` of a stream that comes in ``chunks`` ``(k, m)``: each ends with ``end`` in the first row."""
    rest = None
    for chunk in chunks:
        chunk = chunk if rest is None else np.concatenate([rest, chunk], axis=1)
        *whole, rest = np.split(chunk, np.flatnonzero(chunk[0] == end) + 1, axis=1)
        yield from whole
        if rest.shape[1] >= LONGEST:
            yield rest
            rest = None
    if rest is not None and rest.shape[1]:
        yield rest


def _documents(model: SequenceModel, vocabulary: Vocabulary, path: Path) -> Iterator[Part]:
    batch: list[tuple[int, Symbols]] = []
    longest = 0
    for number, symbols in _ended_lines(vocabulary, path):
        alone = len(symbols) > SYMBOLS // 10
        longest = max(longest, len(symbols))
        if alone or len(batch) == DOCUMENTS or (len(batch) + 1) * longest > SYMBOLS:
            yield from _scored_together(model, batch)
            batch, longest = [], len(symbols)
        if alone:
            parts = [symbols[start : start + LONGEST] for start in range(0, len(symbols), LONGEST)]
            for index, (part, nats) in enumerate(zip(parts, stream_surprisals(model, parts), strict=True)):
                yield Part(number, index * LONGEST + 1, part, nats.numpy())
            longest = 0
        else:
            batch.append((number, symbols))
    yield from _scored_together(model, batch)


def _ended_lines(vocabulary: Vocabulary, path: Path) -> Iterator[tuple[int, Symbols]]:
    """The number and the symbols (with the end symbol) of every line that is not blank."""
    if vocabulary.characters is not None:
        for _ in read_text(path):  # raises at a byte that is no UTF-8
            pass
    lines = lines_of(path)
    starts = np.ascontiguousarray(lines[:, 0])
    begin = 0
    with path.open("rb") as file:
        while begin < len(lines):
            stop = max(begin + 1, int(np.searchsorted(starts, starts[begin] + READ_BYTES)))
            chunk = lines[begin:stop] - starts[begin]
            file.seek(starts[begin])
            raw = file.read(chunk[-1, 1])
            numbers = np.flatnonzero(chunk[:, 1] > chunk[:, 0])
            texts = [raw[first:last] for first, last in chunk[numbers]]
            # Many lines are encoded together, because that costs about as much as one line.
            symbols = vocabulary.encode((b"\n".join(texts) + b"\n").decode(errors="surrogateescape"))
            ends = np.flatnonzero(symbols == vocabulary.end) + 1
            yield from zip((numbers + begin + 1).tolist(), np.split(symbols, ends[:-1]), strict=bool(texts))
            begin = stop


def _scored_together(model: SequenceModel, batch: list[tuple[int, Symbols]]) -> Iterator[Part]:
    if not batch:
        return
    lines = [torch.from_numpy(symbols).float() for _, symbols in batch]
    x = torch.nn.utils.rnn.pad_sequence(lines, batch_first=True, padding_value=float(batch[0][1][-1]))
    for (number, symbols), nats in zip(batch, surprisals(model, x).cpu(), strict=True):
        yield Part(number, 1, symbols, nats[: len(symbols)].double().numpy())


def symbol_texts(vocabulary: Vocabulary, symbols: Symbols) -> list[str]:
    """Each symbol as text; a byte that is no ASCII as its number."""
    if vocabulary.characters is None:
        return [chr(int(symbol)) if symbol < 128 else f"\\x{int(symbol):02x}" for symbol in symbols]
    return [vocabulary.decode([symbol]) for symbol in symbols]
