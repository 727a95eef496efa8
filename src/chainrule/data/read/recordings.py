"""Recordings: sound files as samples in [-1, 1] of one channel.

A folder, several files or several folders give an example for each file. One or two files, such as a long recording,
are divided in time instead. Frames may stand beside them.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from chainrule.atomic import write_atomically
from chainrule.data.audio import AudioFormat, check_window, dataset
from chainrule.data.dataset import SPLITS, Dataset
from chainrule.data.frames import FrameFormat
from chainrule.data.read.folders import labels_of
from chainrule.data.read.sound_file import package, read_header
from chainrule.data.read.sound_files import SoundFiles, find_sound_files
from chainrule.data.read.sound_frames import check_frames, frames_of, hop_of
from chainrule.data.read.sounds import Levels, Sounds, common_rate, read_each, samples_of
from chainrule.data.recordings import Recordings

FASTEST = 1_000_000
"""Samples a second that recordings may be resampled to."""

PAUSE = 0.25
"""Seconds of silence between two clips in one file."""


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
    frames: str | None = None,
    frame_hop: int | None = None,
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
        frames: A file of frames for one recording, or a folder with a file for each; see `FrameFormat`.
        frame_hop: Samples of a frame; by default the number with which all frames fit.

    Raises:
        ValueError: If there are no recordings, one cannot be read or is empty, their rates differ, or frames don't fit.
        FileNotFoundError: If there is no such path.
    """
    window = check_window(window)
    if sample_rate is not None and not 1 <= sample_rate <= FASTEST:
        raise ValueError(f"sample_rate expects 1 to {FASTEST:,}, got {sample_rate}")
    files = find_sound_files(path)
    headers, no_header = read_each(files.paths, read_header, skip_unreadable)
    rate = sample_rate or common_rate({file: header.samplerate for file, header in headers.items()})
    audio = AudioFormat(rate, levels or 256, channel or "mono")

    def read(file: Path) -> Levels:
        return audio.encode(samples_of(file, audio, trim_silence))

    found, damaged = read_each(headers, read, skip_unreadable)
    sounds = Sounds(found, {file: files.name(file) for file in found}, audio, {})
    parts = _parts(files, sounds, seed)
    origin: dict[str, Any] = {"path": str(path.resolve())}
    if not files.is_few and files.roots["train"] == files.roots["valid"]:
        origin["split_seed"] = seed
    if frames is not None:
        beside = Path(frames).expanduser()
        sounds = _with_frames(sounds, parts["train"], beside, frame_hop, trimmed=trim_silence)
        origin["frames"] = str(beside.resolve())
    elif frame_hop is not None:
        raise ValueError(f"expected --frames, which --frame-hop is for, got --frame-hop {frame_hop} alone")
    if skipped := [files.name(file) for file in files.paths if file in (*no_header, *damaged)]:
        origin["skipped"] = skipped
    spans = sounds.in_time() if files.is_few else {split: sounds.whole(own) for split, own in parts.items()}
    splits = {split: sounds.examples(own, window) for split, own in spans.items()}
    labels, classes = labels_of(parts, files.roots)
    name, seconds = path.resolve().name, sum(map(len, found.values())) / rate
    description = f"{name}: {len(found)} recordings, {seconds:.0f} s at {rate} Hz"
    notes = [
        *files.left_out(),
        *_notes({file: headers[file] for file in found}, sounds.audio, said=channel is not None, in_time=files.is_few),
    ]
    return dataset(name, description, splits, sounds.audio, origin, labels, classes, notes)


def read_all(
    path: Path, audio: AudioFormat, trim_silence: bool = False, frames: Path | None = None
) -> tuple[Recordings, list[str]]:
    """All recordings of a file, a folder or a pattern in the format ``audio``, at its rate, and their names.

    Args:
        path: The file, the folder or the pattern.
        audio: The format.
        trim_silence: True to leave out silence at the ends of a recording.
        frames: Their frames, if the format has frames.

    Raises:
        ValueError: If there are none, one cannot be read or is empty, or frames are missing, needless or don't fit.
        FileNotFoundError: If there is no such path.
    """
    if (frames is None) != (audio.frames is None):
        expected, got = ("--frames", "none") if frames is None else ("no --frames", str(frames))
        fitted = "with frames" if frames is None else "without frames"
        raise ValueError(f"expected {expected}, as the run was fitted on recordings {fitted}, got {got}")
    files = find_sound_files(path)
    found = {file: audio.encode(samples_of(file, audio, trim_silence)) for file in files.paths}
    sounds = Sounds(found, {file: files.name(file) for file in found}, audio, {})
    if frames is not None and audio.frames is not None:
        sounds = replace(sounds, frames=frames_of(frames, sounds.names))
        _check_frames(sounds, audio.frames)
    return sounds.examples(sounds.whole(found), check_window(None)), list(sounds.names.values())


def _parts(files: SoundFiles, sounds: Sounds, seed: int) -> dict[str, list[Path]]:
    """The recordings of each split; all in each, if they are divided in time.

    Raises:
        ValueError: If a split has none.
    """
    if files.is_few:
        return {split: list(sounds.levels) for split in SPLITS}
    parts = {split: [file for file in own if file in sounds.levels] for split, own in files.parts(seed).items()}
    for split, own in parts.items():
        if not own:
            raise ValueError(f"expected recordings in {split}, got files none of which can be decoded")
    return parts


def _with_frames(sounds: Sounds, train: list[Path], beside: Path, hop: int | None, *, trimmed: bool) -> Sounds:
    """The recordings with their frames, which are standardised by those of ``train``."""
    if trimmed:
        raise ValueError("expected no --trim-silence with --frames, which stand for samples from the beginning on")
    frames = frames_of(beside, sounds.names)
    hop = hop or hop_of({path: len(levels) for path, levels in sounds.levels.items()}, frames)
    form = FrameFormat.of([frames[path] for path in train], hop)
    _check_frames(replace(sounds, frames=frames), form)
    return replace(sounds, frames=frames, audio=replace(sounds.audio, frames=form))


def _check_frames(sounds: Sounds, form: FrameFormat) -> None:
    """Raise ``ValueError`` unless each recording has as many frames as its samples need, of as many numbers."""
    for path, frames in sounds.frames.items():
        check_frames(path, frames, len(sounds.levels[path]), form)


def _notes(headers: Mapping[Path, Any], audio: AudioFormat, *, said: bool, in_time: bool) -> list[str]:
    """Lines that say what became of the files; ``said`` is True if the user names the channel."""
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
    if audio.frames is not None:
        milliseconds = 1e3 * audio.frames.hop / audio.sample_rate
        notes.append(
            f"frames have {audio.frames.size} numbers, for {audio.frames.hop} samples each: {milliseconds:.3g} ms"
        )
    if in_time:
        notes.append("divided in time: the first 80 % train, the next 10 % validate, the last 10 % are the test")
    return notes


def write_wav(path: Path, clips: Iterable[Tensor], audio: AudioFormat) -> None:
    """Write ``clips`` ``(m,)`` of levels as one ``.wav`` file of 16 bits, with pauses between them, or not at all."""
    pause = np.zeros(round(PAUSE * audio.sample_rate), dtype=np.float32)
    parts = [part for clip in clips for part in (pause, audio.decode(clip))][1:]
    buffer = io.BytesIO()
    package("soundfile").write(buffer, np.concatenate(parts), audio.sample_rate, format="WAV", subtype="PCM_16")
    write_atomically(path, buffer.getvalue())
