"""The levels of sound files, and parts of them as examples."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from chainrule.data.audio import AudioFormat, recordings
from chainrule.data.dataset import SPLITS
from chainrule.data.frames import Array, Frames
from chainrule.data.read.memory import check_fits
from chainrule.data.read.sound_file import Samples, decode, package
from chainrule.data.read.sound_files import FEW
from chainrule.data.recordings import Recordings

QUIET = 0.01
"""Samples below this share of the loudest one (-40 dB) are silence at the ends of a recording."""

SHARES = (0.8, 0.9)
"""The shares of a recording at which its training part and its validation part end."""

PAST = 2**16
"""Samples that a part of a recording is given as its past, at most."""

LEAST = 10
"""Samples, or frames, of a recording that is divided in time, at least."""

Levels = NDArray[np.uint16]
Span = tuple[Path, int, int]
"""A part of a recording, from and to a sample."""
T = TypeVar("T")


@dataclass(frozen=True)
class Sounds:
    """Recordings that have been read.

    Attributes:
        levels: Those of each.
        names: Their names.
        audio: Their format.
        frames: The frames of each; none if there are none.
    """

    levels: Mapping[Path, Levels]
    names: Mapping[Path, str]
    audio: AudioFormat
    frames: Mapping[Path, Array]

    @property
    def hop(self) -> int:
        """Samples of a frame; 1 without frames."""
        return 1 if self.audio.frames is None else self.audio.frames.hop

    def whole(self, paths: Iterable[Path]) -> list[Span]:
        """Each of ``paths`` as one span."""
        return [(path, 0, len(self.levels[path])) for path in paths]

    def in_time(self) -> dict[str, list[Span]]:
        """The parts of all recordings, for each split one of each.

        Raises:
            ValueError: If one is too short.
        """
        ends = {}
        for path, levels in self.levels.items():
            if len(levels) < LEAST * self.hop:
                raise ValueError(
                    f"{path}: expected at least {LEAST * self.hop} samples to divide in time, got {len(levels)}: give "
                    f"a longer recording, or a folder of at least {FEW}"
                )
            cuts = [int(share * len(levels)) // self.hop * self.hop for share in SHARES]
            ends[path] = [0, *cuts, len(levels)]
        return {split: [(path, own[i], own[i + 1]) for path, own in ends.items()] for i, split in enumerate(SPLITS)}

    def examples(self, spans: Sequence[Span], window: int) -> Recordings:
        """The parts ``spans`` as examples, each given what comes before it in its file as its past."""
        most = PAST // self.hop * self.hop
        before = [min(first, most) for _, first, _ in spans]
        begins = [first - past for (_, first, _), past in zip(spans, before, strict=True)]
        own = [self.levels[path][begin:last] for (path, _, last), begin in zip(spans, begins, strict=True)]
        frames = None
        if self.audio.frames is not None:
            hop, encode = self.hop, self.audio.frames.encode
            arrays = [
                encode(self.frames[path][begin // hop : -(-last // hop)])
                for (path, _, last), begin in zip(spans, begins, strict=True)
            ]
            frames = Frames(arrays, hop)
        names, offsets = [self.names[path] for path, *_ in spans], [first for _, first, _ in spans]
        return recordings(own, names, window, self.audio, before, offsets, frames)


def read_each(paths: Collection[Path], read: Callable[[Path], T], skip: bool) -> tuple[dict[Path, T], list[Path]]:
    """The result of ``read`` for each file, and the files that are skipped, as they can't be decoded.

    Raises:
        ValueError: If one can't be decoded and is not to be skipped, or none can.
    """
    found, skipped = {}, []
    for path in paths:
        try:
            found[path] = read(path)
        except ValueError as error:
            if not skip:
                if len(paths) > 1:
                    error.add_note("--skip-unreadable true leaves out files that can't be decoded")
                raise
            warnings.warn(f"skipped {error}", stacklevel=3)
            skipped.append(path)
    if not found:
        raise ValueError("expected recordings, got files none of which can be decoded")
    return found, skipped


def common_rate(rates: dict[Path, int]) -> int:
    """The sample rate of all files."""
    files = defaultdict(list)
    for path, rate in rates.items():
        files[rate].append(path)
    if len(files) > 1:
        common = max(files, key=lambda rate: len(files[rate]))
        few = [f"{path} has {rate} Hz" for rate in sorted(files) if rate != common for path in files[rate]]
        more = f" and {len(few) - 3} more" if len(few) > 3 else ""
        raise ValueError(
            f"expected recordings of one sample rate, {common} Hz as most, got others: {', '.join(few[:3])}{more}; "
            f"--sample-rate {common} resamples them"
        )
    return next(iter(files))


def samples_of(path: Path, audio: AudioFormat, trim_silence: bool) -> Samples:
    """The samples of a file at the rate of ``audio``; with ``trim_silence`` without the silence at their ends."""
    samples, own = decode(path, path, audio.channel)
    rate = audio.sample_rate
    if own != rate:
        check_fits(path, f"its samples at {rate} Hz", 8 * len(samples) * rate // own)
        samples = package("soxr").resample(samples, own, rate)
        if len(samples) == 0:
            raise ValueError(f"{path}: expected a recording of at least one sample at {rate} Hz, got one of {own} Hz")
    if (peak := np.abs(samples).max()) > 1:
        warnings.warn(f"{path}: clipped samples beyond [-1, 1], up to {peak:.3g}", stacklevel=2)
    if trim_silence:
        loud = np.flatnonzero(np.abs(samples) > QUIET * peak)
        if len(loud) == 0:
            raise ValueError(f"{path}: expected sound, as trim_silence leaves nothing else, got silence only")
        samples = samples[loud[0] : loud[-1] + 1]
    return samples
