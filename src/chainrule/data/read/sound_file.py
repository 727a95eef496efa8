"""One sound file: its header, its samples of one channel, and whether it is whole."""

from __future__ import annotations

import importlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.audio import CHANNELS
from chainrule.data.read.memory import check_fits
from chainrule.errors import MissingPackageError
from chainrule.foreign import decoding, stderr_held_back

SUFFIXES = (
    ".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aiff", ".aif", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64",
    ".voc", ".sph", ".nist", ".avr", ".paf", ".pvf", ".htk", ".sf", ".ircam", ".iff", ".8svx", ".svx", ".wve", ".sds",
)  # fmt: skip
"""Suffixes of the formats of libsndfile that name their own rate and are of sounds only."""

NAMED = ".wav .flac .mp3 .ogg .opus .aiff and others"
"""The formats that an error names."""

UNREAD = (".m4a", ".aac", ".wma", ".amr", ".mp4", ".m4b", ".ape", ".ra", ".mka", ".webm", ".3gp")
"""Suffixes of sounds in formats that are not read."""

CONVERT = "convert them to .wav or .flac, as `ffmpeg -i x.m4a x.wav` does"

SIGNATURES = re.compile(rb"(?s)RIFF....WAVE|RF64|fLaC|OggS|FORM....AIF[FC]|\.snd|caff|riff\x2e\x91|ID3")
"""First bytes of sounds, by which a file without a suffix is known for one."""

FRAMES = 2**20
"""Samples of each channel that are decoded at once."""

SIZES = "RIFF|riff|Riff size|FORM|data|SSND|BODY|Data Size|Data length"
SHORTENED = re.compile(rf"(?m)^ *({SIZES})[ :]+(\d+) \(?should be (\d+)")
"""The sizes of a whole file and of its samples that a header says and that there are, in the log of libsndfile."""

WHOLE, MISCOUNTED = ("RIFF", "riff", "Riff size", "FORM"), 64
"""The sizes of a whole file, and the bytes by which some writers get them wrong, at most."""

SLACK = 0.01
"""The share of the samples that a header says which may be missing: of an MP3 that was edited it is an estimate."""

UNKNOWN_SIZE = 2**31 - 2**16
"""Headers of sounds that were written into a pipe say this size or a larger one."""

LOOK = 2**14
"""First bytes of a file that tell text from sound. The header of NIST's files is 1,024 bytes of text."""

TAIL = 2**17
"""The last bytes of an Ogg file, in which its last page begins."""

SIDES = 2
"""Channels of a file that has a left and a right one; formats put those of more in different sequences."""

AGAIN = ": copy or export it again"

Samples = NDArray[np.float64]


def package(name: str) -> Any:
    """The package ``name`` of the extra ``audio``.

    Raises:
        MissingPackageError: If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingPackageError(f"audio needs the package {name}: pip install 'chainrule[audio]'") from None


def looks_like_sound(path: Path) -> bool:
    """True if a file begins as sounds do."""
    with path.open("rb") as file:
        return SIGNATURES.match(file.read(12)) is not None


def read_header(path: Path) -> Any:
    """The header of a file, with its ``samplerate``, ``channels`` and ``frames``.

    Raises:
        ValueError: If it can't be read.
    """
    with decoding(path, "a recording"), stderr_held_back():
        if _is_text(path):
            raise ValueError(f"{path}: expected a recording, got text: give it a name that ends in .txt")
        return package("soundfile").info(path)


def _is_text(path: Path) -> bool:
    """True for a file that begins with printable ASCII, as no sound does."""
    with path.open("rb") as file:
        beginning = file.read(LOOK)
    return (
        len(beginning) > 0 and beginning.isascii() and all(c.isprintable() or c.isspace() for c in beginning.decode())
    )


def decode(file: Path | io.BytesIO, name: Path | str, channel: str = "mono") -> tuple[Samples, int]:
    """The samples ``(m,)`` of a file, in [-1, 1], and its sample rate.

    Args:
        file: The file, or its content.
        name: Its name, in an error.
        channel: One of `CHANNELS`: the mean of all channels, the first or the second. Files of one have that.

    Raises:
        ValueError: If it can't be decoded, ends too early, is empty or has values that are no numbers.
        ImportError: If the package soundfile is missing.
    """
    soundfile, part = package("soundfile"), CHANNELS[channel]
    with decoding(name, "a recording"), stderr_held_back(), soundfile.SoundFile(file) as sound:
        if channel != "mono" and sound.channels > SIDES:
            raise ValueError(
                f"{name}: expected one or two channels, of which --channel {channel} takes one, got {sound.channels}: "
                "--channel mono takes the mean of all"
            )
        check_fits(name, "its samples", 8 * sound.frames)
        rate, expected = sound.samplerate, sound.frames
        blocks = [block[:, :1] if block.shape[1] == 1 else block[:, part] for block in _blocks(sound)]
        samples = np.concatenate([block.mean(axis=1) for block in blocks] or [np.zeros(0)])
        if shortened := _shortened(sound.extra_info):
            raise ValueError(_incomplete(name, *shortened, "bytes"))
        if len(samples) < (1 - SLACK) * expected:
            raise ValueError(_incomplete(name, expected, len(samples), "samples"))
    if isinstance(file, Path) and _is_unfinished_ogg(file):
        raise ValueError(f"{name}: expected a whole recording, got an Ogg file that ends too early{AGAIN}")
    if len(samples) == 0:
        raise ValueError(f"{name}: expected a recording, got one without samples")
    if not np.isfinite(samples).all():
        raise ValueError(f"{name}: expected samples that are finite numbers, got others")
    return samples, rate


def _blocks(sound: Any) -> Iterator[Samples]:
    """All samples of an open file, ``(k, channels)`` at a time."""
    while len(block := sound.read(FRAMES, dtype="float64", always_2d=True)):
        yield block


def _incomplete(name: Path | str, expected: int, found: int, unit: str) -> str:
    return f"{name}: expected {expected:,} {unit}, as its header says, got {found:,}: it was cut short{AGAIN}"


def _shortened(log: str) -> tuple[int, int] | None:
    """The bytes that the header says and those that the file has, if these are fewer."""
    for found in SHORTENED.finditer(log):
        said, real = int(found[2]), int(found[3])
        if real + (MISCOUNTED if found[1] in WHOLE else 0) < said < UNKNOWN_SIZE:
            return said, real
    return None


def _is_unfinished_ogg(path: Path) -> bool:
    """True for an Ogg file whose last page is cut, or is not marked as the last (RFC 3533)."""
    with path.open("rb") as file:
        if file.read(4) != b"OggS":
            return False
        file.seek(max(0, path.stat().st_size - TAIL))
        tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or not page[5] & 4:
        return True
    lengths = page[27 : 27 + page[26]]
    return len(page) < 27 + page[26] + sum(lengths)
