"""Commands on text: write as a model would, and say how surprising a text is."""

from __future__ import annotations

import codecs
import itertools
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chainrule.atomic import write_atomically
from chainrule.cli.loading import load_run, one_class
from chainrule.cli.parser import UsageError
from chainrule.data.text import TextFormat
from chainrule.data.text_file import check_text, read_symbols
from chainrule.data.vocabulary import Vocabulary
from chainrule.model import AutoregressiveModel
from chainrule.sequence import SequenceModel
from chainrule.tasks.sample import sample
from chainrule.tasks.score import PIECE, stream_surprisals, surprisals

DOCUMENTS = 256
"""Documents that are scored at once."""

LONGEST = 1 << 16
"""Symbols after which a line of a stream is reported in parts."""

COLOURS = (231, 230, 229, 228, 222, 216, 210, 203, 197)
"""xterm's colours from white to red, one a nat."""

Line = NDArray[Any]
"""The symbols of a line with that of its end, or what belongs to each."""


def text_format(config: dict[str, Any]) -> TextFormat | None:
    """How the text that a run was fitted on became symbols; None if it was no text."""
    text = config.get("data", {}).get("text")
    return None if text is None else TextFormat.from_config(text)


def sample_text(options: dict[str, Any], model: AutoregressiveModel, text: TextFormat, drawing: dict[str, Any]) -> None:
    """``chainrule sample`` of a model of text: to the terminal as it is drawn, or into ``--out``."""
    n = 1 if options["n"] is None else options["n"]
    vocabulary = text.vocabulary
    prompt = options["prompt"] or ""
    if text.documents and "\n" in prompt:
        raise UsageError(f"--prompt expects one line, as the model was fitted on documents, got {prompt!r}")
    prefix = torch.from_numpy(vocabulary.encode(prompt, strict=True)).float() if prompt else None
    at_once = n == 1 and options["out"] is None
    if at_once:
        print(prompt, end="", flush=True)
    x = sample(
        model,
        n,
        prefix=prefix,
        length=options["length"],
        watch=_printer(text) if at_once else None,
        context=one_class(options, model, n),
        **drawing,
    )
    if at_once:
        print()
        return
    content = ("\n" if text.documents else "\n\n").join(text.decode(row) for row in x) + "\n"
    if options["out"] is None:
        print(content, end="")
    else:
        write_atomically(options["out"], content.encode())
        print(f"wrote {n} texts to {options['out']}", file=sys.stderr)


def _printer(text: TextFormat) -> Callable[[Tensor], None]:
    """Prints symbols as they come, of a document up to its end."""
    vocabulary, ended = text.vocabulary, False
    decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def show(values: Tensor) -> None:
        nonlocal ended
        symbol = int(values[0])
        ended = ended or (text.documents and symbol == vocabulary.end)
        if not ended:
            piece = decoder.decode(bytes([symbol])) if vocabulary.characters is None else vocabulary.decode([symbol])
            print(piece, end="", flush=True)

    return show


def run_score(options: dict[str, Any]) -> None:
    """``chainrule score``."""
    if options["per"] not in ("line", "character"):
        raise UsageError(f"--per expects line or character, got {options['per']!r}")
    check_text(options["file"])
    model, config = load_run(options)
    text = text_format(config)
    if text is None or not isinstance(model, SequenceModel):
        raise UsageError("score expects the run of a model of sequences, such as RNN, that was fitted on text")
    coloured = options["color"] or (sys.stdout.isatty() and not options["json"])
    total, count, unknown = 0.0, 0, 0
    for number, (symbols, nats) in enumerate(_scored(model, text, options["file"]), 1):
        total, count = total + nats.sum(), count + len(nats)
        unknown += int((symbols == text.vocabulary.unknown).sum()) if text.vocabulary.unknown is not None else 0
        if coloured:
            print("".join(map(_coloured, _texts(text.vocabulary, symbols), nats)), end="", flush=True)
        elif options["per"] == "line":
            line = text.vocabulary.decode(symbols).removesuffix("\n")
            print(json.dumps({"line": number, "text": line, "length": len(nats), "nats": round(nats.sum(), 4)}))
        else:
            for column, (symbol, value) in enumerate(zip(_texts(text.vocabulary, symbols), nats, strict=True), 1):
                print(json.dumps({"line": number, "column": column, "text": symbol, "nats": round(value, 4)}))
    unit, mean = text.vocabulary.unit, total / count
    figures = f"{mean:.4f} nats or {mean / math.log(2):.4f} bits per {unit}, perplexity {math.exp(mean):.3f}"
    new = f"; {unknown} characters are new to the model, and read as one unknown symbol" if unknown else ""
    print(f"{count} {unit}s, {total:.2f} nats, {figures}{new}", file=sys.stderr)


def _scored(model: SequenceModel, text: TextFormat, path: Path) -> Iterator[tuple[Line, Line]]:
    """Symbols and nats of every line of a file: of a document given nothing, of a stream given all before it."""
    vocabulary = text.vocabulary
    end = vocabulary.end if vocabulary.characters is None or "\n" in vocabulary.characters else -1
    pieces: Iterator[Line] = (
        symbols[start : start + PIECE]
        for symbols in read_symbols(path, vocabulary)
        for start in range(0, len(symbols), PIECE)
    )
    if not text.documents:
        pieces, again = itertools.tee(pieces)
        scored = zip(again, stream_surprisals(model, pieces), strict=True)
        for line in _lines((np.stack([symbols, values.numpy()]) for symbols, values in scored), end):
            yield line[0], line[1]
        return
    lines = (line[0][line[0] != end] for line in _lines((symbols[None] for symbols in pieces), end))
    while batch := list(itertools.islice(lines, DOCUMENTS)):
        x = torch.full((len(batch), max(map(len, batch)) + 1), float(end))
        for row, line in zip(x, batch, strict=True):
            row[: len(line)] = torch.from_numpy(line.astype(np.float32))
        for row, values, line in zip(x, surprisals(model, x).cpu(), batch, strict=True):
            yield row[: len(line) + 1].long().numpy(), values[: len(line) + 1].double().numpy()


def _lines(pieces: Iterable[Line], end: int) -> Iterator[Line]:
    """``pieces`` ``(k, m)`` of a stream, cut anew after every symbol ``end`` of the first row."""
    rest = None
    for piece in pieces:
        piece = piece if rest is None else np.concatenate([rest, piece], axis=1)
        *whole, rest = np.split(piece, np.flatnonzero(piece[0] == end) + 1, axis=1)
        yield from whole
        if rest.shape[1] > LONGEST:
            yield rest
            rest = None
    if rest is not None and rest.shape[1]:
        yield rest


def _texts(vocabulary: Vocabulary, symbols: Line) -> list[str]:
    """Each symbol as text; a byte that is no ASCII as its number."""
    if vocabulary.characters is None:
        return [chr(int(symbol)) if symbol < 128 else f"\\x{int(symbol):02x}" for symbol in symbols]
    return [vocabulary.decode([symbol]) for symbol in symbols]


def _coloured(symbol: str, nats: float) -> str:
    """``symbol`` on a background that says how surprising it is."""
    colour = COLOURS[min(int(nats), len(COLOURS) - 1)]
    return f"\x1b[30;48;5;{colour}m{symbol.removesuffix(chr(10))}\x1b[0m" + ("\n" if symbol == "\n" else "")
