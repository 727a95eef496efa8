"""Files of frames beside recordings: ``.npy``, ``.npz`` or ``.csv``, a file for each recording."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chainrule.data.frames import Array, FrameFormat
from chainrule.data.read.table import read_frame
from chainrule.foreign import decoding

SUFFIXES = (".npy", ".npz", ".csv")


def read_frames(path: Path) -> Array:
    """The frames of a file, ``(F, k)``: an array ``(F, k)`` or ``(F,)``, or the rows of a table.

    Raises:
        ValueError: If it has anything but finite numbers, or no frames.
        FileNotFoundError: If there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"--frames expects a file ({' '.join(SUFFIXES)}), found no {path}")
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path}: expected frames ({' '.join(SUFFIXES)}), got the suffix {path.suffix!r}")
    array = _array(path)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "iufb":
        raise ValueError(f"{path}: expected frames (F, k) of numbers, got {array.dtype} of shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{path}: expected frames of finite numbers, got others: fill in what is missing")
    return array.astype(np.float64)


def _array(path: Path) -> NDArray[np.generic]:
    if path.suffix.lower() == ".csv":
        return read_frame(path).to_numpy()
    with decoding(path, "frames"):
        found = np.load(path, allow_pickle=False)
        if not isinstance(found, np.lib.npyio.NpzFile):
            return np.asarray(found)
        with found:
            if len(found.files) != 1:
                raise ValueError(f"{path}: expected one array, the frames, got {', '.join(found.files) or 'none'}")
            return np.asarray(found[found.files[0]])


def frames_of(path: Path, names: Mapping[Path, str]) -> dict[Path, Array]:
    """The frames of each recording.

    Args:
        path: A file, for one recording; or a folder with a file for each, of the same name but for its suffix, in the
            same folders.
        names: The recordings, and their names.

    Raises:
        ValueError: If a recording has no frames, or frames have another number of numbers than others.
        FileNotFoundError: If there is no such path.
    """
    if path.is_dir():
        frames = {file: read_frames(_beside(path, name)) for file, name in names.items()}
    elif len(names) > 1:
        raise ValueError(f"--frames expects a folder, with a file for each of {len(names)} recordings, got {path}")
    else:
        frames = {file: read_frames(path) for file in names}
    first = next(iter(frames))
    for file, own in frames.items():
        if own.shape[1] != frames[first].shape[1]:
            raise ValueError(
                f"expected frames of {frames[first].shape[1]} numbers, as those of {first.name}, got {own.shape[1]} of "
                f"{file.name}"
            )
    return frames


def _beside(folder: Path, name: str) -> Path:
    """The file of the frames of the recording ``name``."""
    for suffix in SUFFIXES:
        if (path := folder / Path(name).with_suffix(suffix)).is_file():
            return path
    stem = Path(name).with_suffix("")
    raise ValueError(f"{folder}: expected frames of {name} in {stem}.npy, .npz or .csv, found none")


def hop_of(lengths: Mapping[Path, int], frames: Mapping[Path, Array]) -> int:
    """The samples of a frame with which all frames fit: F is n / hop for n samples, rounded down or up, or one more.

    Raises:
        ValueError: If none or several do.
    """
    low, high = 1, max(lengths.values())
    for path, count in lengths.items():
        found = len(frames[path])
        least, most = count // (found + 1) + 1, count // (found - 1) if found > 1 else high
        if least > most:
            raise ValueError(
                f"{path}: expected frames of a whole number of samples, got {found} for {count:,} samples, about "
                f"{count / found:.2f} each: make frames of the recordings at the rate that --sample-rate names"
            )
        if max(least, low) > min(most, high):
            raise ValueError(
                f"{path}: expected frames of {_range(low, high)} samples, as of other recordings, got {found} for "
                f"{count:,} samples, of {_range(least, most)} each"
            )
        low, high = max(least, low), min(most, high)
    if low < high:
        raise ValueError(f"expected --frame-hop, the samples of a frame: {low} to {high} fit")
    return low


def check_frames(path: Path, frames: Array, count: int, form: FrameFormat) -> None:
    """Raise ``ValueError`` unless ``frames`` are those of ``count`` samples of the recording ``path``."""
    least = max(1, count // form.hop)
    fits = least <= len(frames) <= least + 1
    if not fits or frames.shape[1] != form.size:
        turned = ": save its transpose" if least <= frames.shape[1] <= least + 1 else ""
        raise ValueError(
            f"{path}: expected {least} or {least + 1} frames of {form.size} numbers, one for {form.hop} of {count:,} "
            f"samples, got {len(frames)} of {frames.shape[1]}{turned}"
        )


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"
