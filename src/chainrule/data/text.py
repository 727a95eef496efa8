"""Text as examples: windows of one long stream, or documents, one a line or a file."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from chainrule.data.dataset import SPLITS, Dataset, split_rows
from chainrule.data.documents import Documents
from chainrule.data.examples import Examples
from chainrule.data.formats import checked
from chainrule.data.read.plain_text import PlainText, plain_text
from chainrule.data.read.text import boundary, count_lines, lines_of, read_bytes, read_text, symbols_of
from chainrule.data.sequences import Stream
from chainrule.data.vocabulary import END_OF_FILE, END_OF_LINE, KINDS, Vocabulary

WINDOW, LEAST_WINDOW = 128, 8
"""Symbols of an example of a stream, by default: fewer where a part has fewer, down to the least."""


@dataclass(frozen=True)
class TextFormat:
    """Text, as symbols of a vocabulary.

    Attributes:
        vocabulary: The symbols.
        documents: True if an example is a line, with its end symbol; False if it is a window of one stream.
        per_file: True if an example is all of a file, with an end symbol of its own, instead of a line.
    """

    kind: ClassVar[str] = "text"
    key: ClassVar[str] = "text"

    vocabulary: Vocabulary
    documents: bool
    per_file: bool = False

    @property
    def levels(self) -> int:
        """The number of symbols."""
        return len(self.vocabulary)

    @property
    def config(self) -> dict[str, Any]:
        """Plain values that `from_config` takes."""
        per_file = {"per_file": True} if self.per_file else {}
        return {"documents": self.documents, **per_file, "vocabulary": self.vocabulary.config}

    def decode(self, x: Tensor) -> str:
        """The text of an example ``(n,)``; for a document without its end."""
        text = self.vocabulary.decode(x.long().tolist())
        return text.partition(self.vocabulary.end_character)[0] if self.documents else text

    def join(self, examples: Iterable[Tensor]) -> bytes:
        """The content of a file of examples: a line for each that is a line, others with empty lines between."""
        if self.vocabulary.characters is not None:
            texts = [self.decode(x).encode() for x in examples]
        else:
            texts = [bytes(x.long().tolist()) for x in examples]
            end = self.vocabulary.end_character.encode()
            texts = [text.partition(end)[0] for text in texts] if self.documents else texts
        return (b"\n" if self.documents and not self.per_file else b"\n\n").join(texts)

    @classmethod
    def from_config(cls, config: Any) -> TextFormat:
        """The format that `config` describes.

        Raises:
            ValueError: If it describes none.
        """
        per_file = isinstance(config, dict) and "per_file" in config
        types = {"documents": "bool", "vocabulary": "Any"} | ({"per_file": "bool"} if per_file else {})
        own = checked(config, cls.kind, types)
        vocabulary = checked(own.pop("vocabulary"), f"{cls.kind}.vocabulary", {"characters": "str | None"})
        return cls(Vocabulary(vocabulary["characters"], _end(per_file=own.get("per_file", False))), **own)


def load_text(
    path: Path,
    *,
    seed: int = 0,
    documents: bool | None = None,
    per_file: bool | None = None,
    vocabulary: str | Vocabulary = "characters",
    window: int | None = None,
    encoding: str | None = None,
    parts: tuple[float, float] = (0.8, 0.9),
    name: str | None = None,
    description: str | None = None,
) -> Dataset:
    """The text of a file, or of several, one after another, as a data set.

    Args:
        path: A file of text, a folder of such files, or the pattern of their names; with a vocabulary of bytes, any
            files.
        seed: Seed of the random split of documents.
        documents: True for an example a line, without empty lines, instead of one stream.
        per_file: True for an example a file, without empty files.
        vocabulary: ``"characters"`` (those of the training part), ``"bytes"``, or a given one.
        window: Symbols of an example of a stream.
        encoding: The encoding of files without a byte order mark; UTF-8 by default.
        parts: The shares of a stream at which the training and the validation part end; the rest is the test part. If
            the validation part goes to the end, it is the test part also.
        name: The data set's name, if not the file's.
        description: One line, if not the file's.

    Raises:
        ValueError: If the file is empty, no text in its encoding, or too short.
        FileNotFoundError: If there is no such file.
    """
    if isinstance(vocabulary, str) and vocabulary not in KINDS:
        raise ValueError(f"vocabulary expects {' or '.join(KINDS)}, got {vocabulary!r}")
    if documents is False and per_file:
        raise ValueError("per_file expects documents, which are then files, got documents=False")
    documents = per_file or documents
    if documents and window is not None:
        raise ValueError(f"window expects a stream, got {window} for documents, which are examples as they are")
    if window is not None and window < 1:
        raise ValueError(f"window expects at least 1, got {window}")
    as_bytes = not _of_characters(vocabulary)
    with plain_text(path, encoding, as_bytes=as_bytes) as plain:
        if documents:
            splits, symbols = _documents(plain, path, seed, vocabulary, per_file=bool(per_file))
        else:
            splits, symbols = _stream(plain.path, path, vocabulary, window, parts)
        lines = count_lines(plain.path)
    counts = {split: examples.num_variables for split, examples in splits.items()}
    origin: dict[str, Any] = {"path": str(path.resolve()), f"{symbols.kind}_of_splits": counts}
    if documents:
        origin["split_seed"] = seed
    total = sum(counts[split] for split in SPLITS if split != "test" or splits["test"] is not splits["valid"])
    found = f"{path.name}: text in {plain.words}, {lines:,} lines, {total:,} {symbols.kind}"
    form = f"each {'file' if per_file else 'line'} an example"
    form = form if documents else f"one stream, in windows of {splits['train'].event_shape[0]}"
    notes = plain.notes
    if documents is None and lines > 1:
        files = ", with --per-file each file" if len(plain.names) > 1 else ""
        notes = (*notes, f"it is read as one stream; with --documents each line is an example of its own{files}")
    return Dataset(
        name or path.resolve().name,
        description or f"{found}, {form}",
        TextFormat(symbols, bool(documents), bool(per_file)),
        splits,
        origin,
        notes=() if description else notes,
    )


def read_all(
    path: Path, text: TextFormat, window: int = WINDOW, encoding: str | None = None
) -> tuple[Examples, list[str] | None]:
    """All of a file, or of several, as examples of a known format: lines, files, or the windows of one stream.

    With them come the names of the files, where each example is a file.

    Args:
        path: The file, the folder, or the pattern of names.
        text: The format.
        window: The length of a window, and the least length to which lines are padded.
        encoding: The encoding of files without a byte order mark; UTF-8 by default.

    Raises:
        ValueError: If the file is empty, or no text in its encoding, where the vocabulary is of characters.
        FileNotFoundError: If there is no such file.
    """
    vocabulary = text.vocabulary
    with plain_of(path, text, encoding) as plain:
        if not text.documents:
            return Stream(symbols_of(plain.path, vocabulary, 0, plain.path.stat().st_size), window), None
        spans, names = spans_of(plain, per_file=text.per_file)
        training = np.zeros(len(spans), bool)
        lengths, _ = _lengths(plain.path, spans, vocabulary.characters is not None, training)
        longest = max(window, int(lengths.max(initial=0)) + 1)
        return Documents(plain.path, vocabulary, spans, lengths, longest, names=names), names or None


def spans_of(plain: PlainText, *, per_file: bool) -> tuple[NDArray[np.int64], list[str]]:
    """Where each document begins and ends, ``(N, 2)`` bytes, and the names of documents that are files.

    Raises:
        ValueError: If a file has the character that ends documents.
    """
    if not per_file:
        lines = lines_of(plain.path)
        return lines[lines[:, 1] > lines[:, 0]], []
    files = [(name, span) for name, span in zip(plain.names, plain.spans, strict=True) if span[1] > span[0]]
    for name, (start, stop) in files:
        if any(END_OF_FILE.encode() in chunk for chunk in read_bytes(plain.path, start, stop)):
            raise ValueError(f"{name}: expected text, as each file is an example, got a NUL, which ends examples")
    return np.array([span for _, span in files], np.int64).reshape(-1, 2), [name for name, _ in files]


def _end(*, per_file: bool) -> str:
    """The character that ends a document."""
    return END_OF_FILE if per_file else END_OF_LINE


def plain_of(path: Path, text: TextFormat, encoding: str | None) -> AbstractContextManager[PlainText]:
    """The text at ``path`` as one file whose symbols are those of a known format; see `plain_text`."""
    as_bytes = text.vocabulary.characters is None
    return plain_text(path, None if as_bytes else encoding, as_bytes=as_bytes)


def _of_characters(vocabulary: str | Vocabulary) -> bool:
    return vocabulary != "bytes" if isinstance(vocabulary, str) else vocabulary.characters is not None


def _stream(
    path: Path, origin: Path, vocabulary: str | Vocabulary, window: int | None, parts: tuple[float, float]
) -> tuple[dict[str, Examples], Vocabulary]:
    size = path.stat().st_size
    characters = _of_characters(vocabulary)
    cuts = [0, *(int(part * size) for part in parts), size]
    cuts = [boundary(path, cut) for cut in cuts] if characters else cuts
    symbols = vocabulary if isinstance(vocabulary, Vocabulary) else _vocabulary(path, vocabulary, cuts[1])
    found = {
        split: symbols_of(path, symbols, start, stop) if stop > start else np.zeros(0, int)
        for split, start, stop in zip(SPLITS, cuts, cuts[1:], strict=False)
        if split != "test" or stop > start
    }
    window = window or max(LEAST_WINDOW, min(WINDOW, *map(len, found.values())))
    for split, part in found.items():
        if len(part) < window:
            raise ValueError(
                f"{origin}: expected a {split} part of at least {window} {symbols.kind}, the window, "
                f"got {len(part)}: lower the window, or give a longer text"
            )
    streams: dict[str, Examples] = {split: Stream(part, window) for split, part in found.items()}
    return {split: streams.get(split, streams["valid"]) for split in SPLITS}, symbols


def _vocabulary(path: Path, kind: str, stop: int) -> Vocabulary:
    """The characters of the first ``stop`` bytes, or bytes."""
    if kind == "bytes":
        return Vocabulary(None)
    found: set[str] = set()
    for text in read_text(path, 0, stop):
        found.update(text)
    return Vocabulary(found)


def _documents(
    plain: PlainText, origin: Path, seed: int, vocabulary: str | Vocabulary, *, per_file: bool
) -> tuple[dict[str, Examples], Vocabulary]:
    spans, names = spans_of(plain, per_file=per_file)
    rows = split_rows(len(spans), seed, f"{origin}, {'files' if per_file else 'lines'} as documents")
    characters, end = _of_characters(vocabulary), _end(per_file=per_file)
    training = np.zeros(len(spans), dtype=bool)
    training[rows["train"]] = True
    lengths, found = _lengths(plain.path, spans, characters, training)
    if not isinstance(vocabulary, Vocabulary):
        vocabulary = Vocabulary({*found, end} if characters else None, end)
    every = Documents(plain.path, vocabulary, spans, lengths, int(lengths.max()) + 1, names=names)
    return {split: every.subset(rows[split]) for split in SPLITS}, vocabulary


def _lengths(
    path: Path, spans: NDArray[np.int64], characters: bool, training: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], set[str]]:
    """The number of symbols of each document ``(N,)``, and the characters of the training documents.

    Raises:
        ValueError: If the file is no UTF-8, where ``characters`` are counted.
    """
    lengths = spans[:, 1] - spans[:, 0]
    found = set[str]()
    if characters:
        for _ in read_text(path):  # raises at a byte that is no UTF-8
            pass
        file = np.memmap(path, np.uint8, "r")
        for i, (start, stop) in enumerate(spans):
            text = file[start:stop].tobytes().decode()
            lengths[i] = len(text)
            if training[i]:
                found.update(text)
    return lengths, found
