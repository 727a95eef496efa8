"""The scene of recordings: a waveform that grows, and the distribution of its next sample."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.choices import ChangedDraw, Choose
from chainrule.data.audio import LINEAR
from chainrule.data.read.sound_file import UNREAD
from chainrule.data.read.sounds import samples_of
from chainrule.kinds.audio import AudioKind
from chainrule.kinds.requests import Drawing, drawn_classes, one_class
from chainrule.runs.opened import OpenRun
from chainrule.sequence import sequence_model
from chainrule.tasks.sample import drawer, drawing
from chainrule.web.fields import Request, integer
from chainrule.web.link import PAUSE, Event, Link
from chainrule.web.received import bytes_of, file_of
from chainrule.web.scene import Action, Scene
from chainrule.web.scenes.reading import Reading, chunks, entropy, rounded

LONGEST = 2**20
"""Samples of a recording, at most."""

BARS = 256
"""Bars of a distribution, at most: several levels share one where there are more."""

FIRST = 16
"""Samples of the first event of something that grows; later ones have as many as come in about `PAUSE` seconds."""


class AudioScene(Scene):
    """A run on recordings. A request gives a recording as its levels: integers of 16 bits, little-endian, in base64."""

    name = "audio"

    def __init__(self, run: OpenRun) -> None:
        super().__init__(run)
        assert isinstance(run.kind, AudioKind)
        self.format = run.kind.format
        if self.format.frames is not None:
            raise ValueError(f"show expects a run on recordings without frames, got one with frames in {run.folder}")
        self.sequence = sequence_model(self.model)

    @property
    def actions(self) -> dict[str, Action]:
        return {"read": self.read, "grow": self.grow, "next": self.next}

    def about(self) -> dict[str, Any]:
        form = self.format
        every = form.decode(torch.arange(form.levels))
        return super().about() | {
            "rate": form.sample_rate,
            "channel": form.channel,
            "coding": form.words,
            "levels": form.levels,
            "amplitudes": None if form.levels == LINEAR else every.tolist(),
            "silence": int(form.encode(np.zeros(1))[0]),
            "per_bar": self._per_bar,
            "decoded_here": UNREAD,
            "field": self.sequence.receptive_field,
            "longest": LONGEST,
        }

    def read(self, request: Request, link: Link) -> Iterator[Event]:
        """The surprisal of every sample of a recording given those before it, and the distribution after the last."""
        levels, cut = self._levels(request)
        context = self._context(label := self.label(request))
        yield self.command("score", "recording.wav", "--explain", "--out", "surprise.png", label=label)
        yield {"levels": encoded(levels), "cut": cut}
        nats = 0.0
        with drawing(self.model, None):
            reading = Reading(self.model, context)
            for chunk in chunks(levels):
                link.check()
                own = reading.read(chunk)
                nats += float(own.double().sum())
                yield {"read": rounded(own)}
            yield {"total": {"count": len(levels), "nats": nats}}
            yield {"next": self._expected(reading.next(), self._draw(self.drawing(request)))}

    def grow(self, request: Request, link: Link) -> Iterator[Event]:
        """Draw the samples after a recording, or from the beginning, as ``sample`` and ``complete`` do."""
        known, _ = self._levels(request)
        settings, label = self.drawing(request), self.label(request)
        length = integer(request, "length", 1, LONGEST, self.format.sample_rate)
        if len(known):
            words = ["complete", "recording.wav", "--length", str(length), "--out", "continued"]
            context = self._context(label)
        else:
            words = ["sample", "-n", "1", "--length", str(length), "--out", "sample.wav"]
            context = drawn_classes(self.model, label, 1, self.run.class_counts, settings.seed)
        yield self.command(*words, drawing=settings, label=label)
        if context is not None:
            yield {"label": int(context[0])}
        draw = self._draw(settings)
        with drawing(self.model, settings.seed):
            reading = Reading(self.model, context)
            for chunk in chunks(known):
                link.check()
                reading.read(chunk)
                yield {"reading": reading.length / len(known)}
            left, size = length, FIRST
            while left:
                link.check()
                started = time.monotonic()
                values, nats = reading.draw(min(size, left), draw)
                grown = {"levels": encoded(values), "nats": rounded(nats)}
                yield {"grown": grown, "next": self._expected(reading.next(), draw)}
                left -= len(values)
                took = time.monotonic() - started
                size = max(FIRST, size // 2) if took > 2 * PAUSE else size * 2 if took < PAUSE / 2 else size

    def next(self, request: Request, link: Link) -> Iterator[Event]:
        """The distribution of the sample after a recording."""
        levels, _ = self._levels(request)
        field = self.sequence.receptive_field
        levels = levels if field is None else levels[-field:]
        label = self.label(request)
        with drawing(self.model, None):
            reading = Reading(self.model, self._context(label))
            for chunk in chunks(levels):
                link.check()
                reading.read(chunk)
            yield {"next": self._expected(reading.next(), self._draw(self.drawing(request)))}

    def _context(self, label: int | None) -> Tensor | None:
        """The class of one recording that is given.

        Raises:
            ValueError: If the model has classes and none is chosen.
        """
        if label is None and self.model.num_classes is not None:
            raise ValueError("choose a class: the model is conditioned on the class of a recording, and none is known")
        return one_class(self.model, label, 1)

    def _levels(self, request: Request) -> tuple[Tensor, bool]:
        """The levels ``(n,)`` of the recording of a request, and whether they were cut.

        They are its levels, a sound file, or the samples that the page decoded, at the rate of the run.
        """
        if "file" in request:
            own = file_of(request, lambda path: self.format.encode(samples_of(path, self.format, trim_silence=False)))
        elif "samples" in request:
            samples = np.frombuffer(whole(bytes_of(request, "samples"), 4), "<f4")
            own = self.format.encode(np.nan_to_num(samples))
        else:
            own = np.frombuffer(whole(bytes_of(request, "levels"), 2), "<u2")
        return torch.from_numpy(own[:LONGEST].astype(np.float32)), len(own) > LONGEST

    @property
    def _per_bar(self) -> int:
        """Levels that share a bar."""
        return -(-self.format.levels // BARS)

    def _draw(self, settings: Drawing) -> Choose | None:
        own = settings.settings()
        own.pop("seed")
        return drawer(self.model, **own)

    def _expected(self, distribution: Distribution, draw: Choose | None) -> dict[str, Any]:
        """The probability of each bar, the one with which it is drawn where that differs, and the entropy in nats."""
        log_probs = self.model.conditional.log_probs(distribution)[0]
        expected = {"p": self._bars(log_probs.exp()), "entropy": rounded(entropy(log_probs))}
        if isinstance(draw, ChangedDraw):
            expected["drawn"] = self._bars(draw.probabilities(distribution)[0])
        return expected

    def _bars(self, probabilities: Tensor) -> list[float]:
        padded = torch.nn.functional.pad(probabilities, (0, -len(probabilities) % self._per_bar))
        return rounded(padded.view(-1, self._per_bar).sum(1))


def encoded(levels: Tensor) -> str:
    """Levels as a page takes them.

    >>> encoded(torch.tensor([1.0, 258.0]))
    'AQACAQ=='
    """
    return base64.b64encode(levels.cpu().numpy().astype("<u2").tobytes()).decode()


def whole(content: bytes, size: int) -> bytes:
    """``content``, which must be numbers of ``size`` bytes.

    Raises:
        ValueError: If it ends within one.
    """
    if len(content) % size:
        raise ValueError(f"expected numbers of {size} bytes, got {len(content)} bytes")
    return content
