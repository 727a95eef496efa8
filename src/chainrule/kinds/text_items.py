"""The scores of text: of lines and files, and of each of their symbols."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from chainrule.data.vocabulary import Vocabulary
from chainrule.kinds.items import Items
from chainrule.kinds.lines import Part, Symbols, texts_of
from chainrule.kinds.sequence import compressed_per_symbol
from chainrule.kinds.text_print import coloured as in_colours

UNKNOWN = "{} characters are new to the model, and read as one unknown symbol"


def items_of(vocabulary: Vocabulary, parts: list[Part]) -> Items:
    """The lines or files ``parts`` as the items of a score."""
    symbols = [part.symbols for part in parts]
    return Items(
        names=_names_of(vocabulary, parts),
        ways=torch.tensor([part.ways for part in parts], dtype=torch.float64),
        log_probs=torch.tensor([-part.nats.mean() for part in parts], dtype=torch.float64),
        sizes=torch.tensor([len(part.symbols) for part in parts]),
        notes=Counter({UNKNOWN: sum(_count_unknown(vocabulary, own) for own in symbols)}),
        compressed=lambda: compressed_per_symbol(symbols, len(vocabulary)),
    )


def print_symbols(vocabulary: Vocabulary, parts: Iterable[Part], *, coloured: bool) -> tuple[int, float, int]:
    """Print every symbol with -log p, as JSON or in colours; return their number, their nats, and how many are new."""
    count, nats, unknown = 0, 0.0, 0
    for part in parts:
        count, nats = count + len(part.nats), nats + float(part.nats.sum())
        unknown += _count_unknown(vocabulary, part.symbols)
        texts = texts_of(vocabulary, part.points)
        if coloured:
            texts[-1:] = ["\n"] if part.ended else texts[-1:]
            print("".join(map(in_colours, texts, part.nats)), end="", flush=True)
            continue
        named = {"file": part.file} if part.file else {}
        for line, column, text, own in zip(*part.places, texts, part.nats, strict=True):
            print(json.dumps(named | {"line": int(line), "column": int(column), "text": text, "nats": round(own, 4)}))
    return count, nats, unknown


def _names_of(vocabulary: Vocabulary, parts: list[Part]) -> dict[str, list[Any]]:
    """The columns that say which lines or files these are, and what is most surprising in each."""
    spans = [slice(*part.span) for part in parts]
    begins = np.array([np.stack(part.places)[:, span.start] for part, span in zip(parts, spans, strict=True)])
    lines, columns = begins.reshape(-1, 2).T.tolist()
    symbols = {"symbols": [len(part.symbols) for part in parts]}
    surprising = {
        "span_column": columns,
        "span": [vocabulary.text(part.points[span]) for part, span in zip(parts, spans, strict=True)],
    }
    greatest = {"greatest": [float(part.nats.max()) for part in parts]}
    if parts[0].file:
        return {"file": [part.file for part in parts], **symbols, **greatest, "span_line": lines, **surprising}
    texts = [vocabulary.text(part.points).removesuffix("\n") for part in parts]
    place = {"line": lines, "column": [part.column for part in parts]}
    return place | symbols | {"text": texts} | greatest | surprising


def _count_unknown(vocabulary: Vocabulary, symbols: Symbols) -> int:
    """The number of ``symbols`` that stand for characters which the vocabulary lacks."""
    return 0 if vocabulary.unknown is None else int((symbols == vocabulary.unknown).sum())
