"""Text, line by line or file by file, with the surprisal of each symbol."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from chainrule.data.documents import Documents
from chainrule.data.examples import Examples
from chainrule.data.read.text import lines_of, read_points, read_text
from chainrule.data.sequences import CHUNK as BATCH
from chainrule.data.text import TextFormat, plain_of, spans_of
from chainrule.data.vocabulary import Vocabulary
from chainrule.sequence import SequenceModel
from chainrule.tasks.batches import evaluation_mode
from chainrule.tasks.score import stream_surprisals, surprisals_and_tails
from chainrule.walk import CHUNK

DOCUMENTS = 256
"""At most this many documents are scored at once."""

SYMBOLS = 1 << 15
"""At most this many symbols are scored at once, padding included; a document of more than a tenth is scored alone."""

READ_BYTES = 1 << 20
"""Bytes of lines that are read at once; more if one line is longer."""

LONGEST = 1 << 16
"""A longer line is given in chunks of about this many symbols."""

LINE_END = ord("\n")

SURPRISING = float(np.log(10))
"""A symbol that is less probable than a tenth is surprising: a span grows as long as its symbols are, on average."""

VALUES = ("points", "symbols", "nats", "tails")
"""The attributes of a part that have an entry for each of its symbols."""

Symbols = NDArray[Any]
"""The symbols of a line, or a number for each."""


@dataclass(frozen=True)
class Part:
    """A line, a chunk of a long one, or a document that is a file.

    Attributes:
        line: The number of the line in the file, or of the file, from 1.
        column: The place of the first symbol in the line, from 1.
        points: The text, see `chainrule.data.vocabulary.Vocabulary.points`, with its end.
        symbols: Its symbols, with the end symbol.
        nats: -log p of each, given those before it.
        tails: -log of the tail probability of each; see `chainrule.tasks.score.surprisals_and_tails`.
        ended: False if the end of the line is in another chunk, or missing.
        file: The name of the file, of a document that is one; else empty.
    """

    line: int
    column: int
    points: Symbols
    symbols: Symbols
    nats: Symbols
    tails: Symbols
    ended: bool = True
    file: str = ""

    @property
    def places(self) -> tuple[Symbols, Symbols]:
        """The line and the column of each symbol, from 1.

        >>> file = np.array([97, 10, 98, 99, 0])
        >>> [place.tolist() for place in Part(1, 1, file, file, file, file, file="a.txt").places]
        [[1, 1, 2, 2, 2], [1, 2, 1, 2, 3]]
        """
        order = np.arange(len(self.points))
        if not self.file:
            return np.full(len(order), self.line), self.column + order
        ends = np.flatnonzero(self.points[:-1] == LINE_END)
        lines = np.searchsorted(ends, order)
        return 1 + lines, 1 + order - np.append(0, ends + 1)[lines]

    @property
    def ways(self) -> tuple[float, float, float]:
        """The ways in which a line may be strange, less for stranger ones.

        They are the least log tail probability of its symbols, that of its end, as a line that is cut off is strange
        by its end alone, and the mean of log p.
        """
        end = self.tails[-1] if self.ended else 0.0
        return -float(self.tails.max()), -float(end), -float(self.nats.mean())

    @property
    def span(self) -> tuple[int, int]:
        """The most surprising span: where it begins and ends, among the symbols.

        It is that of the greatest sum of ``nats - SURPRISING``; if no symbol is so surprising, the most surprising one.

        >>> line = np.array([0.1, 4.0, 1.0, 5.0, 0.1, 3.0])
        >>> Part(1, 1, line, line, line, line).span
        (1, 4)
        """
        sums = np.concatenate([[0.0], np.cumsum(self.nats - SURPRISING)])
        least = np.minimum.accumulate(sums[:-1])
        stop = int(np.argmax(sums[1:] - least)) + 1
        return int(np.argmin(sums[:stop])), stop


def scored_lines(model: SequenceModel, text: TextFormat, path: Path, encoding: str | None = None) -> Iterator[Part]:
    """The lines of a file; documents are scored each by itself, without blank ones, a stream given all before."""
    vocabulary = text.vocabulary
    with plain_of(path, text, encoding) as plain:
        if not text.documents:
            yield from stream_lines(model, vocabulary, read_points(plain.path, vocabulary))
            return
        if vocabulary.characters is not None:
            for _ in read_text(plain.path):  # raises at a byte that is no UTF-8
                pass
        if text.per_file:
            spans, names = spans_of(plain, per_file=True)
            yield from scored_files(model, vocabulary, names, _ended_files(vocabulary, plain.path, spans))
        else:
            yield from scored_documents(model, vocabulary, _ended_lines(vocabulary, plain.path))


def scored_stream(model: SequenceModel, text: TextFormat, batches: Iterable[list[str]]) -> Iterator[Part]:
    """The lines of ``batches``, which come in over time, as soon as they are there; see `scored_lines`.

    Raises:
        ValueError: If documents are files.
    """
    vocabulary = text.vocabulary
    if text.per_file:
        raise ValueError("score - expects a run whose examples are lines, got one whose examples are files")
    if not text.documents:
        yield from stream_lines(model, vocabulary, (vocabulary.points("".join(lines)) for lines in batches))
        return
    numbered = (
        (number, line.rstrip("\r\n")) for number, line in enumerate(itertools.chain.from_iterable(batches), start=1)
    )
    for number, line in numbered:
        if line:
            yield from _scored_together(model, vocabulary, [(number, vocabulary.points(line + "\n"))])


def split_lines(model: SequenceModel, text: TextFormat, examples: Examples, most: int | None = None) -> Iterator[Part]:
    """The lines of a split, numbered from its first on; of a stream at most about ``most`` symbols."""
    vocabulary = text.vocabulary
    if isinstance(examples, Documents):
        points = map(vocabulary.points_of, examples.each())
        if text.per_file:
            return scored_files(model, vocabulary, examples.names, points)
        return scored_documents(model, vocabulary, enumerate(points, start=1))
    batches = itertools.islice(examples.in_order(1, history=math.inf), None if most is None else most // BATCH)
    return stream_lines(model, vocabulary, (vocabulary.points_of(batch.x[0].long().numpy()) for batch in batches))


def stream_lines(model: SequenceModel, vocabulary: Vocabulary, chunks: Iterable[Symbols]) -> Iterator[Part]:
    """The lines of a stream whose points come in ``chunks`` ``(m,)``."""
    small, again = itertools.tee(
        points[start : start + CHUNK] for points in chunks for start in range(0, len(points), CHUNK)
    )
    scored = zip(again, _measured(model, map(vocabulary.symbols, small)), strict=True)
    number, column = 1, 1
    for points, nats, tails in _lines(np.stack([chunk, *measured]) for chunk, measured in scored):
        part = _part(vocabulary, number, column, points, nats, tails)
        yield part
        number, column = (number + 1, 1) if part.ended else (number, column + len(points))


def scored_files(
    model: SequenceModel, vocabulary: Vocabulary, names: Sequence[str], files: Iterable[Symbols]
) -> Iterator[Part]:
    """Documents that are files, each given by its name and its points with the end; each is one part."""
    chunks = scored_documents(model, vocabulary, enumerate(files, start=1))
    for number, own in itertools.groupby(chunks, key=lambda part: part.line):
        parts = list(own)
        values: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in VALUES}
        yield replace(parts[-1], column=1, file=names[number - 1], **values)


def scored_documents(
    model: SequenceModel, vocabulary: Vocabulary, lines: Iterable[tuple[int, Symbols]]
) -> Iterator[Part]:
    """The parts of documents, each given by its number and its points with the end."""
    batch: list[tuple[int, Symbols]] = []
    longest = 0
    for number, points in lines:
        alone = len(points) > SYMBOLS // 10
        longest = max(longest, len(points))
        if alone or len(batch) == DOCUMENTS or (len(batch) + 1) * longest > SYMBOLS:
            yield from _scored_together(model, vocabulary, batch)
            batch, longest = [], len(points)
        if alone:
            parts = [points[start : start + LONGEST] for start in range(0, len(points), LONGEST)]
            for index, (part, measured) in enumerate(
                zip(parts, _measured(model, map(vocabulary.symbols, parts)), strict=True)
            ):
                yield _part(vocabulary, number, index * LONGEST + 1, part, *measured)
            longest = 0
        else:
            batch.append((number, points))
    yield from _scored_together(model, vocabulary, batch)


def texts_of(vocabulary: Vocabulary, points: Symbols) -> list[str]:
    """Each of the points as text; a byte that is no ASCII as its number."""
    if vocabulary.characters is None:
        return [chr(int(byte)) if byte < 128 else f"\\x{int(byte):02x}" for byte in points]
    return list(vocabulary.text(points))


def symbol_texts(vocabulary: Vocabulary, symbols: Symbols) -> list[str]:
    """Each symbol as text; a byte that is no ASCII as its number."""
    if vocabulary.characters is None:
        return texts_of(vocabulary, symbols)
    return [vocabulary.decode([symbol]) for symbol in symbols]


def _part(vocabulary: Vocabulary, line: int, column: int, points: Symbols, nats: Symbols, tails: Symbols) -> Part:
    points = points.astype(np.uint32)
    ended = bool(points[-1] == ord(vocabulary.end_character))
    return Part(line, column, points, vocabulary.symbols(points), nats, tails, ended)


def _measured(model: SequenceModel, chunks: Iterable[Symbols]) -> Iterator[Symbols]:
    """The surprisals and the tails ``(2, m)`` of the chunks ``(m,)`` of one long sequence."""
    measure = surprisals_and_tails(model.conditional)
    return (measured.numpy().T for measured in stream_surprisals(model, chunks, measure=measure))


def _lines(chunks: Iterable[Symbols]) -> Iterator[Symbols]:
    """The lines ``(k, n)`` of a stream that comes in ``chunks`` ``(k, m)``, whose first row is the points."""
    rest = None
    for chunk in chunks:
        chunk = chunk if rest is None else np.concatenate([rest, chunk], axis=1)
        *whole, rest = np.split(chunk, np.flatnonzero(chunk[0] == LINE_END) + 1, axis=1)
        yield from whole
        if rest.shape[1] >= LONGEST:
            yield rest
            rest = None
    if rest is not None and rest.shape[1]:
        yield rest


def _ended_files(vocabulary: Vocabulary, path: Path, spans: NDArray[np.int64]) -> Iterator[Symbols]:
    """The points, with the end, of each document."""
    with path.open("rb") as file:
        for start, stop in spans:
            file.seek(start)
            text = file.read(stop - start).decode(errors="surrogateescape")
            yield vocabulary.points(text + vocabulary.end_character)


def _ended_lines(vocabulary: Vocabulary, path: Path) -> Iterator[tuple[int, Symbols]]:
    """The number and the points (with the end) of every line that is not blank."""
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
            # Many lines are decoded together, because that costs about as much as one line.
            points = vocabulary.points((b"\n".join(texts) + b"\n").decode(errors="surrogateescape"))
            ends = np.flatnonzero(points == LINE_END) + 1
            yield from zip((numbers + begin + 1).tolist(), np.split(points, ends[:-1]), strict=bool(texts))
            begin = stop


def _scored_together(model: SequenceModel, vocabulary: Vocabulary, batch: list[tuple[int, Symbols]]) -> Iterator[Part]:
    if not batch:
        return
    lines = [torch.from_numpy(vocabulary.symbols(points)).float() for _, points in batch]
    # Padding with the end symbol adds nothing, because after the end it is certain.
    x = torch.nn.utils.rnn.pad_sequence(lines, batch_first=True, padding_value=vocabulary.end)
    x = model.check(x.to(model.device))
    with evaluation_mode(model), torch.no_grad():
        measured = surprisals_and_tails(model.conditional)(model(x), x).cpu().numpy()
    for (number, points), own in zip(batch, measured, strict=True):
        yield _part(vocabulary, number, 1, points, *own[: len(points)].T)
