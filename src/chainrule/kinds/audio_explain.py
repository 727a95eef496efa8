"""Explanations of recordings: the stretches that surprise most, and how many of ordinary recordings do so as much.

The surprise of a stretch is the mean of -log p(x_t | x_<t) over its samples. Its tail probability is the share of the
stretches of validation recordings that surprise as much, (1 + k) / (1 + N) for k of N.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars
import torch
from numpy.typing import NDArray
from torch import Tensor

from chainrule import plots
from chainrule.data.audio import AudioFormat
from chainrule.data.dataset import Dataset
from chainrule.data.examples import chosen
from chainrule.data.recordings import Recordings
from chainrule.kinds.explained import SENTENCES, check_table, written
from chainrule.kinds.requests import Given
from chainrule.model import AutoregressiveModel
from chainrule.tasks.score import surprisals_in_order

STRETCH = 0.05
"""Seconds of a stretch. Stretches overlap by half."""

ORDINARY = 2**20
"""Samples of validation recordings with which others are compared, about, at most."""

RARE = 0.01
"""A stretch is said to go on as long as its neighbours have tails of at most this."""

PICTURED = 8
"""Recordings of a picture, at most."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Stretches:
    """The stretches of one recording.

    Attributes:
        item: The index of the recording.
        starts: The first sample of each stretch, ``(k,)``.
        size: Samples of a stretch; of a shorter recording all.
        bits: The mean surprise of each in bits per sample, ``(k,)``.
    """

    item: int
    starts: NDArray[np.int64]
    size: int
    bits: Array

    @classmethod
    def of(cls, item: int, nats: Array, size: int) -> Stretches:
        """The stretches of a recording whose samples surprise by ``nats`` ``(n,)``.

        >>> found = Stretches.of(0, np.array([0, 0, 0, math.log(2), math.log(2)]), size=2)
        >>> found.starts.tolist(), found.bits.tolist()
        ([0, 1, 2, 3], [0.0, 0.0, 0.5, 1.0])
        """
        size = min(size, len(nats))
        starts = np.append(np.arange(0, len(nats) - size, max(1, size // 2)), len(nats) - size).astype(np.int64)
        sums = np.concatenate([[0.0], np.cumsum(nats)])
        return cls(item, starts, size, (sums[starts + size] - sums[starts]) / (size * math.log(2)))


def explain_recordings(
    model: AutoregressiveModel, given: Given, count: int, ordinary: Dataset, rows: int, out: Path | None
) -> list[str]:
    """Explain the ``rows`` of the first ``count`` recordings that have the most surprising stretches.

    Args:
        model: The run's model.
        given: The recordings.
        count: How many of them are looked at.
        ordinary: The data that the run was fitted on, whose validation recordings are compared with.
        rows: Recordings to explain.
        out: A table of all their stretches, or a picture.
    """
    check_table(out, *plots.FORMATS)
    audio, recordings = ordinary.format, given.examples
    assert isinstance(audio, AudioFormat)
    assert isinstance(recordings, Recordings)
    size = max(1, round(STRETCH * audio.sample_rate))
    usual = np.sort(np.concatenate([each.bits for each in _ordinary(model, ordinary, size)]))
    recordings = recordings.subset(np.arange(count))
    found = list(_stretches(model, recordings, None if given.context is None else given.context[:count], size))
    found = sorted(found, key=lambda own: -own.bits.max())[:rows]
    lines = [_sentence(own, recordings, usual, audio) for own in found[:SENTENCES]]
    if out is not None and out.suffix.lower() in plots.FORMATS:
        _plot(found[:PICTURED], recordings, usual, audio, out)
        return [*lines, f"wrote a picture of the {len(found[:PICTURED])} strangest recordings to {out}"]
    tables = [_table(own, recordings, usual, audio) for own in found]
    return lines + written(polars.concat(tables), out, f"all stretches of the {len(found)} strangest recordings")


def _stretches(
    model: AutoregressiveModel, recordings: Recordings, context: Tensor | None, size: int
) -> Iterator[Stretches]:
    """The stretches of one recording after the other."""
    item, parts = 0, list[Array]()
    for now, nats in surprisals_in_order(model, recordings, context=context):
        if now != item:
            yield Stretches.of(item, np.concatenate(parts), size)
            item, parts = now, []
        parts.append(nats.numpy())
    yield Stretches.of(item, np.concatenate(parts), size)


def _ordinary(model: AutoregressiveModel, ordinary: Dataset, size: int) -> Iterator[Stretches]:
    """The stretches of validation recordings, of about `ORDINARY` samples."""
    valid = ordinary.valid
    assert isinstance(valid, Recordings)
    rows = chosen(len(valid), len(valid))
    rows = rows[: 1 + int(np.searchsorted(valid.sizes[rows].cumsum(), ORDINARY))]
    context = None if model.num_classes is None else ordinary.classes("valid")[torch.from_numpy(rows)]
    return _stretches(model, valid.subset(rows), context, size)


def _tails(bits: Array, usual: Array) -> Array:
    """The tail probability of stretches, given the sorted surprises of ordinary ones."""
    tails: Array = (1 + len(usual) - np.searchsorted(usual, bits)) / (1 + len(usual))
    return tails


def _sentence(own: Stretches, recordings: Recordings, usual: Array, audio: AudioFormat) -> str:
    """The strangest stretch of a recording, with its neighbours that are rare too, in words."""
    tails, worst = _tails(own.bits, usual), int(own.bits.argmax())
    first, last = _run(tails, worst)
    begin, end = own.starts[first], own.starts[last] + own.size
    low, median, high = np.quantile(usual, (0.05, 0.5, 0.95))
    begins, ends = (_seconds(place, own.item, recordings, audio) for place in (begin, end))
    return (
        f"recording {own.item + 1} ({recordings.names[own.item]}): {begins:.2f} to {ends:.2f} s has up to "
        f"{own.bits[worst]:.2f} bits per sample, expected about {median:.2f} ({low:.2f} to {high:.2f}); "
        f"p = {tails[worst]:.2g} among {len(usual):,} stretches of validation recordings"
    )


def _run(tails: Array, worst: int) -> tuple[int, int]:
    """The first and the last of the neighbours of the stretch ``worst`` that are rare, itself included."""
    first = last = worst
    while first > 0 and tails[first - 1] <= RARE:
        first -= 1
    while last + 1 < len(tails) and tails[last + 1] <= RARE:
        last += 1
    return first, last


def _seconds(place: Any, item: int, recordings: Recordings, audio: AudioFormat) -> Any:
    """The seconds in its file of samples of a recording."""
    return (recordings.offsets[item] + place) / audio.sample_rate


def _table(own: Stretches, recordings: Recordings, usual: Array, audio: AudioFormat) -> polars.DataFrame:
    """A line for each stretch of a recording, the strangest first."""
    frame = polars.DataFrame(
        {
            "recording": np.full(len(own.starts), own.item + 1),
            "file": [recordings.names[own.item]] * len(own.starts),
            "start": _seconds(own.starts, own.item, recordings, audio),
            "end": _seconds(own.starts + own.size, own.item, recordings, audio),
            "bits_per_sample": own.bits,
            "tail": _tails(own.bits, usual),
        }
    )
    return frame.sort("bits_per_sample", descending=True, maintain_order=True)


def _plot(found: list[Stretches], recordings: Recordings, usual: Array, audio: AudioFormat, out: Path) -> None:
    """A picture of the recordings, and of how much each stretch surprises."""
    clips = []
    for own in found:
        first, last = _run(_tails(own.bits, usual), int(own.bits.argmax()))
        edges = np.array([own.starts[first], own.starts[last] + own.size])
        start = recordings.starts[own.item] + recordings.before[own.item]
        samples = audio.decode(
            torch.from_numpy(recordings.levels[start : recordings.ends[own.item]].astype(np.float32))
        )
        clips.append(
            plots.Clip(
                recordings.names[own.item],
                samples,
                _seconds(0, own.item, recordings, audio),
                own.starts + own.size / 2,
                own.bits,
                (int(edges[0]), int(edges[1])),
            )
        )
    ordinary = tuple(np.quantile(usual, (0.05, 0.95)).tolist())
    plots.surprise_over_time(clips, out, sample_rate=audio.sample_rate, ordinary=(ordinary[0], ordinary[1]))
