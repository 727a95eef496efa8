"""Recordings: sound files as samples in [-1, 1] of one channel.

A folder, several files or several folders give an example for each file. One or two files, such as a long recording,
are divided in time instead.
"""

from __future__ import annotations

import io
import itertools
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from chainrule.atomic import write_atomically
from chainrule.data.audio import AudioFormat, check_window, dataset, recordings
from chainrule.data.dataset import SPLITS, Dataset
from chainrule.data.read.folders import labels_of
from chainrule.data.read.memory import check_fits
from chainrule.data.read.sound_file import Samples, decode, package, read_header
from chainrule.data.read.sound_files import FEW, SoundFiles, find_sound_files
from chainrule.data.recordings import Recordings

QUIET = 0.01
"""Samples below this share of the loudest one (-40 dB) are silence at the ends of a recording."""

PAUSE = 0.25
"""Seconds of silence between two clips in one file."""

SHARES = (0.8, 0.9)
"""The shares of a recording at which its training part and its validation part end."""

PAST = 2**16
"""Samples that a part of a recording is given as its past, at most."""

LEAST = 10
"""Samples of a recording that is divided in time, at least."""

Levels = NDArray[np.uint16]
T = TypeVar("T")


def load_audio(
    path: Path,
    *,
    seed: int = 0,
    levels: int | None = None,
    sample_rate: int | None = None,
    channel: str | None = None,
    trim_silence: bool = False,
    window: int | None = None,
    skip_unreadable: bool = False,
) -> Dataset:
    """The recordings of a file, of a folder and all folders in it, or of a pattern of names, in memory.

    Splits and classes are those of folders, as of images. One or two recordings are divided in time: the first 80 %
    train, the next 10 % validate, the last 10 % are the test.

    Args:
        path: The file, the folder or the pattern.
        seed: Seed of the random split.
        levels: The number of levels of a sample; 256 (mu-law) by default.
        sample_rate: Samples a second, to which files of another rate are resampled; by default all must have one.
        channel: ``"mono"``, the mean of all channels, by default; or ``"left"`` or ``"right"``.
        trim_silence: True to leave out silence at the ends of a recording.
        window: Samples that count in a training chunk; also the length of a sample by default.
        skip_unreadable: True to leave out files that can't be decoded, with a warning.

    Raises:
        ValueError: If there are no recordings, one cannot be read or is empty, or their rates differ.
    """
    window = check_window(window)
    if sample_rate is not None and sample_rate < 1:
        raise ValueError(f"sample_rate expects at least 1, got {sample_rate}")
    files = find_sound_files(path)
    headers, no_header = _read_each(files.paths, read_header, skip_unreadable)
    rate = sample_rate or _common_rate({file: header.samplerate for file, header in headers.items()})
    audio = AudioFormat(rate, levels or 256, channel or "mono")

    def read(file: Path) -> Levels:
        return audio.encode(_samples(file, audio, trim_silence))

    encoded, damaged = _read_each(headers, read, skip_unreadable)
    origin: dict[str, Any] = {"path": str(path.resolve())}
    if files.is_few:
        parts = {split: list(encoded) for split in SPLITS}
        splits = _in_time(files, encoded, window, audio)
    else:
        parts = {split: [file for file in own if file in encoded] for split, own in files.parts(seed).items()}
        splits = _by_file(files, parts, encoded, window, audio)
        if files.roots["train"] == files.roots["valid"]:
            origin["split_seed"] = seed
    if skipped := [files.name(file) for file in files.paths if file in (*no_header, *damaged)]:
        origin["skipped"] = skipped
    labels, classes = labels_of(parts, files.roots)
    name, seconds = path.resolve().name, sum(map(len, encoded.values())) / rate
    description = f"{name}: {len(encoded)} recordings, {seconds:.0f} s at {rate} Hz"
    notes = [*files.left_out(), *_notes(headers, audio, said=channel is not None, in_time=files.is_few)]
    return dataset(name, description, splits, audio, origin, labels, classes, notes)


def read_all(path: Path, audio: AudioFormat, trim_silence: bool = False) -> tuple[Recordings, list[str]]:
    """All recordings of a file, a folder or a pattern in the format ``audio``, at its rate, and their names.

    Raises:
        ValueError: If there are none, or one cannot be read or is empty.
        FileNotFoundError: If there is no such path.
    """
    files = find_sound_files(path)
    names = [files.name(file) for file in files.paths]
    levels = [audio.encode(_samples(file, audio, trim_silence)) for file in files.paths]
    return recordings(levels, names, check_window(None), audio), names


def _read_each(paths: Iterable[Path], read: Callable[[Path], T], skip: bool) -> tuple[dict[Path, T], list[Path]]:
    """What ``read`` gives for each file, and the files that are skipped, as they can't be decoded.

    Raises:
        ValueError: If one can't be decoded and is not to be skipped, or none can.
    """
    found, skipped = {}, []
    for path in paths:
        try:
            found[path] = read(path)
        except ValueError as error:
            if not skip:
                error.add_note("--skip-unreadable true leaves out files that can't be decoded")
                raise
            warnings.warn(f"skipped {error}", stacklevel=3)
            skipped.append(path)
    if not found:
        raise ValueError("expected recordings, got files none of which can be decoded")
    return found, skipped


def _by_file(
    files: SoundFiles, parts: dict[str, list[Path]], encoded: Mapping[Path, Levels], window: int, audio: AudioFormat
) -> dict[str, Recordings]:
    """The recordings of each split."""
    splits = {}
    for split, paths in parts.items():
        if not paths:
            raise ValueError(f"expected recordings in {split}, got files none of which can be decoded")
        splits[split] = recordings(
            [encoded[path] for path in paths], [files.name(path) for path in paths], window, audio
        )
    return splits


def _in_time(
    files: SoundFiles, encoded: Mapping[Path, Levels], window: int, audio: AudioFormat
) -> dict[str, Recordings]:
    """The parts of each recording, one for each split, each given what comes before it as its past."""
    for path, levels in encoded.items():
        if len(levels) < LEAST:
            raise ValueError(
                f"{path}: expected at least {LEAST} samples to divide in time, got {len(levels)}: give a longer "
                f"recording, or a folder of at least {FEW}"
            )
    names, splits = [files.name(path) for path in encoded], {}
    for split, (begin, end) in zip(SPLITS, itertools.pairwise((0.0, *SHARES, 1.0)), strict=True):
        spans = [(int(begin * len(levels)), int(end * len(levels))) for levels in encoded.values()]
        before = [min(first, PAST) for first, _ in spans]
        own = [
            levels[first - past : last]
            for levels, (first, last), past in zip(encoded.values(), spans, before, strict=True)
        ]
        splits[split] = recordings(own, names, window, audio, before, [first for first, _ in spans])
    return splits


def _notes(headers: Mapping[Path, Any], audio: AudioFormat, *, said: bool, in_time: bool) -> list[str]:
    """What became of the files, in lines; ``said`` if the user names the channel."""
    notes, count = [], len(headers)
    several = sum(header.channels > 1 for header in headers.values())
    if several and audio.channel == "mono":
        more = "" if said else ": --channel left or right takes one"
        notes.append(f"{several} of {count} recordings have several channels, which are averaged{more}")
    elif audio.channel != "mono":
        single = f"; {count - several} have one, which is taken" if several < count else ""
        notes.append(f"the {audio.channel} channel is taken of {several} of {count} recordings{single}")
    others = Counter(header.samplerate for header in headers.values() if header.samplerate != audio.sample_rate)
    if others:
        rates = ", ".join(f"{number} of {rate} Hz" for rate, number in sorted(others.items()))
        notes.append(f"recordings are resampled to {audio.sample_rate} Hz: {rates}")
    if in_time:
        notes.append("divided in time: the first 80 % train, the next 10 % validate, the last 10 % are the test")
    return notes


def _common_rate(rates: dict[Path, int]) -> int:
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


def _samples(path: Path, audio: AudioFormat, trim_silence: bool) -> Samples:
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


def write_wav(path: Path, clips: Iterable[Tensor], audio: AudioFormat) -> None:
    """Write ``clips`` ``(m,)`` of levels as one ``.wav`` file of 16 bits, with pauses between them, or not at all."""
    pause = np.zeros(round(PAUSE * audio.sample_rate), dtype=np.float32)
    parts = [part for clip in clips for part in (pause, audio.decode(clip))][1:]
    buffer = io.BytesIO()
    package("soundfile").write(buffer, np.concatenate(parts), audio.sample_rate, format="WAV", subtype="PCM_16")
    write_atomically(path, buffer.getvalue())
