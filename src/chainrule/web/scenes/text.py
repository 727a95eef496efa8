"""The scene of text: a prompt that goes on symbol by symbol, and what the model expects at every place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import Distribution

from chainrule.abilities import components_of
from chainrule.choices import ChangedDraw, Choose
from chainrule.kinds.lines import scored_documents, symbol_texts, texts_of
from chainrule.kinds.requests import Drawing
from chainrule.kinds.text import TextKind
from chainrule.kinds.text_items import UNKNOWN
from chainrule.runs.opened import OpenRun
from chainrule.sequence import reads_streams
from chainrule.tasks.sample import drawer, drawing
from chainrule.walk import CHUNK, walk
from chainrule.web.fields import Request, integer, text
from chainrule.web.link import Event, Growth, Link
from chainrule.web.received import file_of, integers
from chainrule.web.scene import Action, Scene
from chainrule.web.scenes.reading import Reading, chunks, entropy, rounded

LIKELY = 12
"""Symbols whose probabilities are told of a place, at most."""

LONGEST = 20_000
"""Symbols of a text that are read, at most."""

MOST_DRAWN = 5_000
"""Symbols that are drawn at once, at most."""

QUOTED = 200
"""Characters of a prompt that is written into a command; a longer one is a file."""

Symbols = NDArray[np.integer[Any]]

Scored = tuple[Symbols, Tensor]
"""A part of a text, see `chainrule.data.vocabulary.Vocabulary.points`, and -log p of its symbols in nats."""


class _EndedError(Exception):
    """A text is complete, although more symbols could be drawn."""


class TextScene(Scene):
    """A run on text. A request gives a text as characters, or as its symbols: a byte has no other name."""

    name = "text"

    def __init__(self, run: OpenRun) -> None:
        super().__init__(run)
        assert isinstance(run.kind, TextKind)
        if len(components_of(self.model)) > 1 or not self.model.order.is_identity:
            raise ValueError(f"show expects a model that reads text in its own order, got another in {run.folder}")
        self.kind = run.kind
        self.vocabulary = run.kind.format.vocabulary
        self.end = self.vocabulary.end if run.kind.format.documents else None

    @property
    def actions(self) -> dict[str, Action]:
        return {"read": self.read, "grow": self.grow, "next": self.next}

    def about(self) -> dict[str, Any]:
        form = self.kind.format
        return super().about() | {
            "unit": self.vocabulary.unit,
            "symbols": symbol_texts(self.vocabulary, np.arange(len(self.vocabulary))),
            "unknown": self.vocabulary.unknown,
            "end": self.end,
            "document": ("file" if form.per_file else "line") if form.documents else None,
            "longest": LONGEST if self.model.any_length else self.model.num_variables,
            "most": MOST_DRAWN,
        }

    def read(self, request: Request, link: Link) -> Iterator[Event]:
        """The surprisal of every symbol of a text given those before it, and what is expected after the last."""
        points, cut = self._points(request)
        if reads_streams(self.model):
            yield self.command("score", "text.txt", "--color")
        draw = self._draw(self.drawing(request))
        reading, nats = Reading(self.model), 0.0
        with drawing(self.model, None):
            for own, surprisals in _gathered(self._scored(points, reading)):
                link.check()
                symbols = self.vocabulary.symbols(own).tolist()
                texts = texts_of(self.vocabulary, own)
                yield {"read": {"symbols": symbols, "texts": texts, "nats": rounded(surprisals)}}
                nats += float(surprisals.sum())
            yield {"total": {"count": len(points), "nats": nats, "cut": cut, "note": self._unknown(points)}}
            yield from self._next(reading, draw)

    def next(self, request: Request, link: Link) -> Iterator[Event]:
        """What is expected after a text; nothing if the model has no place for more."""
        reading, last = Reading(self.model), self._documents(self._points(request)[0])[-1]
        with drawing(self.model, None):
            for chunk in chunks(self._values(last)):
                link.check()
                reading.read(chunk)
            yield from self._next(reading, self._draw(self.drawing(request)))

    def grow(self, request: Request, link: Link) -> Iterator[Event]:
        """Draw the symbols after a text, one by one, as ``chainrule sample --prompt`` does."""
        settings = self.drawing(request)
        known = self.vocabulary.symbols(self._documents(self._points(request)[0])[-1])
        prompt, length, stop = self._prompt(known), self._length(request, len(known)), text(request, "stop", QUOTED, "")
        prefix, ending = self.kind.prefix(prompt), self.vocabulary.encode(stop, strict=True).tolist()
        yield self._command(prompt, length, stop, settings)
        draw = self._draw(settings)
        growth = Growth(link, lambda steps: {"grown": steps})
        chosen: list[int] = []

        def choose(t: int, distribution: Distribution) -> Tensor:
            values = distribution.sample() if draw is None else draw(t, distribution)
            symbol = int(values[0])
            chosen.append(symbol)
            expected = self._expected(distribution, draw)
            growth.add({"symbol": symbol, "nats": rounded(-distribution.log_prob(values))[0], "expected": expected})
            stopped = ending and chosen[-len(ending) :] == ending
            if symbol == self.end or stopped or len(chosen) == length:
                raise _EndedError("end" if symbol == self.end else "stop" if stopped else "length")
            return values

        total = len(known) + length if self.model.any_length else None
        with drawing(self.model, settings.seed):
            try:
                walk(self.model, 1, choose, prefix=None if prefix is None else prefix[None], length=total)
            except _EndedError as ended:
                growth.flush()
                yield {"ended": str(ended), "stop": len(ending)}

    def _points(self, request: Request) -> tuple[Symbols, bool]:
        """The text of a request, see `chainrule.data.vocabulary.Vocabulary.points`, and whether it was cut."""
        vocabulary, longest = self.vocabulary, LONGEST if self.model.any_length else self.model.num_variables
        if "symbols" in request:
            symbols = integers(request, "symbols", 0, len(vocabulary) - 1, longest)
            return vocabulary.points_of(np.array(symbols, dtype=np.int64)), False
        if "file" in request:
            content = file_of(request, lambda path: self.kind.read_prompt(path, self.run.settings))
            points = vocabulary.points(content)
            return points[:longest], len(points) > longest
        points = vocabulary.points(text(request, "text", LONGEST, ""))
        if len(points) > longest:
            raise ValueError(f"text expects at most {longest} {vocabulary.kind}, got {len(points)}")
        return points, False

    def _documents(self, points: Symbols) -> list[Symbols]:
        """``points`` cut after each end of a document; the last is a document that goes on, and may be empty."""
        if self.end is None:
            return [points]
        return np.split(points, np.flatnonzero(points == ord(self.vocabulary.end_character)) + 1)

    def _scored(self, points: Symbols, reading: Reading) -> Iterator[Scored]:
        """A text in chunks; documents that have ended are read together, and ``reading`` reads the last."""
        *ended, last = self._documents(points)
        if reads_streams(self.model):
            for part in scored_documents(self.model, self.vocabulary, enumerate(ended)):
                yield part.points, torch.from_numpy(part.nats)
        else:
            for document in ended:
                yield document, Reading(self.model).read(self._values(document))
        for chunk in [last[first : first + CHUNK] for first in range(0, len(last), CHUNK)]:
            yield chunk, reading.read(self._values(chunk)).double()

    def _values(self, points: Symbols) -> Tensor:
        return torch.from_numpy(self.vocabulary.symbols(points))

    def _prompt(self, symbols: Symbols) -> str:
        """The text of a prompt; bytes that are no UTF-8 are surrogates, as in the arguments of a command.

        Raises:
            ValueError: If a character is new to the model.
        """
        if self.vocabulary.unknown in symbols:
            place = int(np.argmax(symbols == self.vocabulary.unknown))
            raise ValueError(f"expected characters that the model knows, got a new one at place {place + 1}: change it")
        if self.vocabulary.characters is None:
            return bytes(symbols.tolist()).decode(errors="surrogateescape")
        return self.vocabulary.decode(symbols)

    def _length(self, request: Request, known: int) -> int:
        """The number of symbols to draw after ``known`` ones.

        Raises:
            ValueError: If the request names none, or the model has no place for one more.
        """
        left = MOST_DRAWN if self.model.any_length else self.model.num_variables - known
        if left < 1:
            raise ValueError(f"expected a text of fewer than {known} {self.vocabulary.kind}, all that the model has")
        usual = min(MOST_DRAWN, self.model.num_variables)
        return min(left, integer(request, "length", 1, MOST_DRAWN, usual))

    def _command(self, prompt: str, length: int, stop: str, settings: Drawing) -> Event:
        words = []
        if prompt:
            is_short = len(prompt) <= QUOTED and all(each.isprintable() or each in "\n\t" for each in prompt)
            words += [f"--prompt={prompt}"] if is_short else ["--prompt-file", "prompt.txt"]
        if self.model.any_length:
            words += ["--length", str(length)]
        if stop:
            words.append(f"--stop={stop}")
        return self.command("sample", *words, drawing=settings)

    def _draw(self, settings: Drawing) -> Choose | None:
        own = settings.settings()
        own.pop("seed")
        return drawer(self.model, **own, undrawn=self.kind.undrawn)

    def _expected(self, distribution: Distribution, draw: Choose | None) -> dict[str, Any]:
        """The most probable symbols with p and the probabilities with which they are drawn, and the entropy in nats."""
        log_probs = self.model.conditional.log_probs(distribution)[0]
        p = log_probs.exp()
        drawn = draw.probabilities(distribution)[0] if isinstance(draw, ChangedDraw) else p
        likely = p.sort(descending=True, stable=True).indices[:LIKELY]  # ties in the sequence of top-k
        return {
            "symbols": likely.tolist(),
            "p": rounded(p[likely]),
            "drawn": rounded(drawn[likely]),
            "entropy": rounded(entropy(log_probs)),
        }

    def _next(self, reading: Reading, draw: Choose | None) -> Iterator[Event]:
        if self.model.any_length or reading.length < self.model.num_variables:
            yield {"next": self._expected(reading.next(), draw)}

    def _unknown(self, points: Symbols) -> str:
        unknown = self.vocabulary.unknown
        count = 0 if unknown is None else int((self.vocabulary.symbols(points) == unknown).sum())
        return UNKNOWN.format(count) if count else ""


def _gathered(scored: Iterator[Scored]) -> Iterator[Scored]:
    """Short chunks together, as an event each would be many."""
    held: list[Scored] = []
    for points, nats in scored:
        held.append((points, nats))
        if sum(len(each) for each, _ in held) >= CHUNK:
            yield _together(held)
            held = []
    if held:
        yield _together(held)


def _together(held: list[Scored]) -> Scored:
    points, nats = zip(*held, strict=True)
    return np.concatenate(points), torch.cat(nats)
