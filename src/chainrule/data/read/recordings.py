"""Recordings: ``.wav`` and ``.flac`` files, as samples in [-1, 1] of one channel."""

from __future__ import annotations

import importlib
import io
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from chainrule.atomic import write_atomically
from chainrule.data.audio import AudioFormat, check_window, dataset, recordings
from chainrule.data.dataset import Dataset
from chainrule.data.read.folders import files_of, labels_of, parts_of, roots_of
from chainrule.data.read.memory import check_fits
from chainrule.data.recordings import Recordings
from chainrule.errors import MissingPackageError
from chainrule.foreign import decoding

SUFFIXES = (".wav", ".flac")

QUIET = 0.01
"""Samples below this share of the loudest one (-40 dB) are silence at the ends of a recording."""

PAUSE = 0.25
"""Seconds of silence between two clips in one file."""

Samples = NDArray[np.float64]


def load_audio(
    folder: Path,
    *,
    seed: int = 0,
    levels: int | None = None,
    sample_rate: int | None = None,
    trim_silence: bool = False,
    window: int | None = None,
    skip_unreadable: bool = False,
) -> Dataset:
    """The recordings of ``folder`` and of all folders in it, in memory.

    Splits and classes are those of folders, as of images. Channels are averaged.

    Args:
        folder: The folder of the files.
        seed: Seed of the random split.
        levels: The number of levels of a sample; 256 (mu-law) by default.
        sample_rate: Samples a second, to which files of another rate are resampled; by default all must have one.
        trim_silence: True to leave out silence at the ends of a recording.
        window: Samples that count in a training chunk; also the length of a sample by default.
        skip_unreadable: True to leave out files that can't be decoded, with a warning.

    Raises:
        ValueError: If there are no recordings, one cannot be read or is empty, or their rates differ.
    """
    window = check_window(window)
    if sample_rate is not None and sample_rate < 1:
        raise ValueError(f"sample_rate expects at least 1, got {sample_rate}")
    roots = roots_of(folder)
    parts = parts_of(roots, seed, SUFFIXES, "recordings", "")
    rates, skipped = _rates(sorted({path for paths in parts.values() for path in paths}), skip_unreadable)
    if not rates:
        raise ValueError(f"{folder}: expected recordings, got files none of which can be decoded")
    audio = AudioFormat(sample_rate or _common_rate(rates), levels or 256)
    encoded = {path: audio.encode(_samples(path, audio.sample_rate, trim_silence)) for path in rates}
    parts = {split: [path for path in paths if path in encoded] for split, paths in parts.items()}
    splits = {}
    for split, paths in parts.items():
        if not paths:
            raise ValueError(f"expected recordings in {split}, got files none of which can be decoded")
        names = [str(path.relative_to(folder)) for path in paths]
        splits[split] = recordings([encoded[path] for path in paths], names, window, audio)
    labels, classes = labels_of(parts, roots)
    origin: dict[str, Any] = {"path": str(folder.resolve())}
    if roots["train"] == roots["valid"]:
        origin["split_seed"] = seed
    if skipped:
        origin["skipped"] = [str(path.relative_to(folder)) for path in skipped]
    name, seconds = folder.resolve().name, sum(map(len, encoded.values())) / audio.sample_rate
    description = f"{name}: {len(encoded)} recordings, {seconds:.0f} s at {audio.sample_rate} Hz"
    return dataset(name, description, splits, audio, origin, labels, classes)


def read_all(path: Path, audio: AudioFormat, trim_silence: bool = False) -> tuple[Recordings, list[str]]:
    """All recordings of a file or a folder in the format ``audio``, resampled to its rate, and their names.

    Raises:
        ValueError: If there are none, or one cannot be read or is empty.
        FileNotFoundError: If there is no such path.
    """
    paths, names = files_of(path, SUFFIXES, "recordings")
    levels = [audio.encode(_samples(found, audio.sample_rate, trim_silence)) for found in paths]
    return recordings(levels, names, check_window(None), audio), names


def decode(file: Path | io.BytesIO, name: Path | str) -> tuple[Samples, int]:
    """The samples of a file, its channels averaged, and its sample rate.

    Raises:
        ValueError: If it cannot be decoded, is empty or has values that are no numbers.
        ImportError: If the package soundfile is missing.
    """
    soundfile = _import("soundfile")
    with decoding(name, "a recording"):
        samples, rate = soundfile.read(file, dtype="float64", always_2d=True)
    if len(samples) == 0:
        raise ValueError(f"{name}: expected a recording, got one without samples")
    if not np.isfinite(samples).all():
        raise ValueError(f"{name}: expected samples that are finite numbers, got others")
    return samples.mean(axis=1), rate


def _header(path: Path) -> Any:
    soundfile = _import("soundfile")
    with decoding(path, "a recording"):
        return soundfile.info(path)


def _rates(paths: Sequence[Path], skip: bool) -> tuple[dict[Path, int], list[Path]]:
    """The sample rate of each file, by its header, and the files that are skipped, as they can't be decoded."""
    rates, skipped = {}, []
    for path in paths:
        try:
            rates[path] = decode(path, path)[1] if skip else _header(path).samplerate
        except ValueError as error:
            if not skip:
                raise
            warnings.warn(f"skipped {error}", stacklevel=2)
            skipped.append(path)
    return rates, skipped


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
            f"give a sample_rate to resample them"
        )
    return next(iter(files))


def _samples(path: Path, rate: int, trim_silence: bool) -> Samples:
    """The samples of a file at ``rate``; with ``trim_silence`` without the silence at their ends."""
    samples, own = decode(path, path)
    if own != rate:
        check_fits(path, f"its samples at {rate} Hz", 8 * len(samples) * rate // own)
        samples = _import("soxr").resample(samples, own, rate)
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


def _import(name: str) -> Any:
    """The package ``name`` of the extra ``audio``."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingPackageError(f"audio needs the package {name}: pip install 'chainrule[audio]'") from None


def write_wav(path: Path, clips: Iterable[Tensor], audio: AudioFormat) -> None:
    """Write ``clips`` ``(m,)`` of levels as one ``.wav`` file of 16 bits, with pauses between them, or not at all."""
    pause = np.zeros(round(PAUSE * audio.sample_rate), dtype=np.float32)
    parts = [part for clip in clips for part in (pause, audio.decode(clip))][1:]
    buffer = io.BytesIO()
    _import("soundfile").write(buffer, np.concatenate(parts), audio.sample_rate, format="WAV", subtype="PCM_16")
    write_atomically(path, buffer.getvalue())
