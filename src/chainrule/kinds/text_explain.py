"""Explanations of text: each character or byte given those before it."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.data.read.text import read_symbols
from chainrule.data.text import TextFormat
from chainrule.kinds.explained import check_table, explained_parts, sentences_of, written
from chainrule.kinds.lines import Part, Symbols, symbol_texts
from chainrule.sequence import SequenceModel
from chainrule.tasks.explain_past import explain_stream
from chainrule.tasks.tails import Explanation, joined

BEFORE = 20
"""Symbols that are shown before the one that is named, at most."""


@dataclass(frozen=True)
class _Placed:
    """A line, or a chunk of a long one; ``first`` is the place of its first symbol in the text, or in its document."""

    part: Part
    first: int
    document: Symbols

    @property
    def places(self) -> Tensor:
        return torch.arange(self.first, self.first + len(self.part.symbols))


def explain_lines(
    model: SequenceModel, text: TextFormat, lines: Iterator[Part], path: Path, rows: int, out: Path | None
) -> list[str]:
    """Explain the ``rows`` lines of ``path`` whose worst symbols are the worst; see `chainrule.kinds.Kind.explain`."""
    check_table(out)
    chosen = heapq.nlargest(rows, _placed(lines, text), key=lambda own: float(own.part.nats.max()))
    if not chosen:
        return ["there is no line to explain"]
    if text.documents:
        own = [explain_stream(model, [_batch(each.document)], each.places) for each in chosen]
        found = joined(own, torch.cat)
    else:
        places = torch.cat([each.places for each in chosen])
        order = places.argsort()
        chunks = (_batch(symbols) for symbols in read_symbols(path, text.vocabulary))
        found = explain_stream(model, chunks, places[order]).map(lambda part: part[order.argsort()])
    return _told(text, chosen, found, out)


def _placed(lines: Iterator[Part], text: TextFormat) -> Iterator[_Placed]:
    """The lines and where they begin; of documents with all of the symbols up to their end."""
    first, before = 0, np.zeros(0, dtype=np.int64)
    for part in lines:
        if text.documents and part.column == 1:
            first, before = 0, before[:0]
        symbols = part.symbols.astype(np.int64)
        before = np.concatenate([before, symbols]) if text.documents else before
        yield _Placed(part, first, before)
        first += len(symbols)


def _batch(symbols: Symbols) -> Batch:
    return Batch(torch.from_numpy(np.array(symbols, dtype=np.float32))[None], None, torch.zeros(1, dtype=torch.long))


def _quoted(word: str) -> str:
    """A character as Python writes it; a byte that is no ASCII, whose word is longer, as it is."""
    return repr(word) if len(word) == 1 else word


def _told(text: TextFormat, chosen: list[_Placed], found: Explanation, out: Path | None) -> list[str]:
    """The sentences, and the table if it is asked for."""
    parts = [each.part for each in chosen]
    values = torch.from_numpy(np.concatenate([part.symbols for part in parts]).astype(np.int64))
    places: dict[str, Any] = {
        **({"file": [part.file for part in parts for _ in part.symbols]} if text.per_file else {}),
        "line": [line for part in parts for line in part.places[0].tolist()],
        "column": [column for part in parts for column in part.places[1].tolist()],
    }
    item = "file" if text.per_file else "line"

    def words(symbols: Tensor) -> list[str]:
        return [_quoted(word) for word in symbol_texts(text.vocabulary, symbols.long().numpy())]

    frame = explained_parts(item, places, values, found, words, ordered=False)

    def where(row: dict[str, Any]) -> str:
        file, line, column = row.get("file", ""), row["line"], row["column"]
        part, at = _found(parts, file, line, column)
        before = "".join(symbol_texts(text.vocabulary, part.symbols[max(0, at - BEFORE) : at]))
        within = f"{file}, " if file else ""
        return f"{within}line {line}, column {column}{f', after {before!r}' if before else ''}: the {unit}"

    unit = text.vocabulary.unit
    return sentences_of(frame, item, where) + written(frame, out, f"all {unit}s of the {len(parts)} strangest {item}s")


def _found(parts: list[Part], file: str, line: int, column: int) -> tuple[Part, int]:
    """The one of ``parts`` that has the symbol at ``column`` of ``line``, and its place there."""
    placed = ((part, *part.places) for part in parts if part.file == file)
    found = ((part, (lines == line) & (columns == column)) for part, lines, columns in placed)
    return next((part, int(at.argmax())) for part, at in found if at.any())
