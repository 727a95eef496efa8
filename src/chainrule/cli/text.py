"""Commands on text: write as a model would, and say how surprising a text is."""

from __future__ import annotations

import codecs
import json
import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from chainrule.atomic import write_atomically
from chainrule.cli.loading import one_class
from chainrule.cli.parser import UsageError
from chainrule.data.read.text import check_text
from chainrule.data.text import TextFormat
from chainrule.data.vocabulary import Vocabulary
from chainrule.model import AutoregressiveModel
from chainrule.runs.lines import Part, Symbols, scored_lines
from chainrule.sequence import reads_streams
from chainrule.tasks.sample import sample

COLOURS = (231, 230, 229, 228, 222, 216, 210, 203, 197)
"""xterm's colours from white to red, one a nat."""


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
    x = sample(
        model,
        n,
        prefix=prefix,
        length=options["length"],
        watch=_printer(text, prompt) if at_once else None,
        context=one_class(options, model, n),
        **drawing,
    )
    if at_once:
        print()
        return
    content = text.join(x.cpu()) + b"\n"
    if options["out"] is None:
        print(content.decode(errors="replace"), end="")
    else:
        write_atomically(options["out"], content)
        print(f"wrote {n} texts to {options['out']}", file=sys.stderr)


def _printer(text: TextFormat, prompt: str) -> Callable[[Tensor], None]:
    """Prints the prompt and then symbols as they come, of a document up to its end."""
    vocabulary, ended = text.vocabulary, False
    decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def show(values: Tensor) -> None:
        nonlocal ended, prompt
        symbol = int(values[0])
        print(prompt, end="")
        prompt = ""
        ended = ended or (text.documents and symbol == vocabulary.end)
        if not ended:
            piece = decoder.decode(bytes([symbol])) if vocabulary.characters is None else vocabulary.decode([symbol])
            print(piece, end="", flush=True)

    return show


def score_text(options: dict[str, Any], model: AutoregressiveModel, text: TextFormat) -> None:
    """``chainrule score`` of a model of text."""
    if options["per"] not in ("line", "character"):
        raise UsageError(f"--per expects line or character, got {options['per']!r}")
    if options["json"] and options["color"]:
        raise UsageError("score expects --json or --color, got both")
    if options["file"] is None or options["out"] is not None:
        raise UsageError("score expects FILE and no --out, as the run was fitted on text")
    check_text(options["file"])
    if not reads_streams(model):
        raise UsageError("score expects the run of one model of sequences, such as RNN, that was fitted on text")
    coloured = options["color"] or (sys.stdout.isatty() and not options["json"])
    total, count, unknown = 0.0, 0, 0
    for part in scored_lines(model, text, options["file"]):
        total, count = total + part.nats.sum(), count + len(part.nats)
        if text.vocabulary.unknown is not None:
            unknown += int((part.symbols == text.vocabulary.unknown).sum())
        if coloured:
            print("".join(map(_coloured, _texts(text.vocabulary, part.symbols), part.nats)), end="", flush=True)
        else:
            for row in _rows(part, text.vocabulary, options["per"]):
                print(json.dumps(row))
    unit, mean = text.vocabulary.unit, total / count
    figures = f"{mean:.4f} nats or {mean / math.log(2):.4f} bits per {unit}, perplexity {math.exp(mean):.3f}"
    new = f"; {unknown} characters are new to the model, and read as one unknown symbol" if unknown else ""
    print(f"{count} {unit}s, {total:.2f} nats, {figures}{new}", file=sys.stderr)


def _rows(part: Part, vocabulary: Vocabulary, per: str) -> Iterator[dict[str, Any]]:
    """What is said of a line, or of each of its symbols."""
    if per == "line":
        line, nats = vocabulary.decode(part.symbols).removesuffix("\n"), round(part.nats.sum(), 4)
        yield {"line": part.line, "column": part.column, "text": line, "length": len(part.nats), "nats": nats}
        return
    for column, (symbol, nats) in enumerate(zip(_texts(vocabulary, part.symbols), part.nats, strict=True), part.column):
        yield {"line": part.line, "column": column, "text": symbol, "nats": round(nats, 4)}


def _texts(vocabulary: Vocabulary, symbols: Symbols) -> list[str]:
    """Each symbol as text; a byte that is no ASCII as its number."""
    if vocabulary.characters is None:
        return [chr(int(symbol)) if symbol < 128 else f"\\x{int(symbol):02x}" for symbol in symbols]
    return [vocabulary.decode([symbol]) for symbol in symbols]


def _coloured(symbol: str, nats: float) -> str:
    """``symbol`` on a background that says how surprising it is."""
    colour = COLOURS[min(int(nats), len(COLOURS) - 1)]
    return f"\x1b[30;48;5;{colour}m{symbol.removesuffix(chr(10))}\x1b[0m" + ("\n" if symbol == "\n" else "")
