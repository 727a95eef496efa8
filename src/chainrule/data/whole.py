"""All that a path holds, in its own order and without splits: what a fitted model is to be applied to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chainrule.data.audio import AudioFormat
from chainrule.data.examples import ArrayExamples, Examples
from chainrule.data.read.arrays import event_shape as shape_of
from chainrule.data.read.folders import find_files
from chainrule.data.read.rows import read_rows


def read_whole(
    path: Path,
    event_shape: Sequence[int],
    levels: int,
    *,
    audio: AudioFormat | None = None,
    trim_silence: bool = False,
) -> tuple[Examples, list[str] | None]:
    """The examples of a file or of a folder, and what each is called, where they are files.

    Args:
        path: A ``.npz .npy .csv .data .parquet`` file, an image or a recording, or a folder of either.
        event_shape: Shape of an example.
        levels: How many values a variable takes.
        audio: How samples become levels, if it is recordings that are read.
        trim_silence: Whether silence at the ends of recordings is left out.

    Raises:
        ValueError: If the content is anything else.
        FileNotFoundError: If there is no such path.
    """
    if audio is not None:
        from chainrule.data.read import recordings as audio_files

        paths, names = _files(path, audio_files.SUFFIXES, "recordings")
        return audio_files.read_recordings(paths, names, audio, trim_silence), names
    from chainrule.data.read import images

    if path.is_dir() or path.suffix.lower() in images.SUFFIXES:
        paths, names = _files(path, images.SUFFIXES, "images")
        shape = images.common_shape(paths)
        if len(event_shape) != 3 or shape[0] > event_shape[0] or shape[1:] != tuple(event_shape[1:]):
            raise ValueError(f"{path}: expected examples of shape {tuple(event_shape)}, got images {shape}")
        return images.ImageExamples(paths, event_shape, levels), names
    array = read_rows(path, levels)
    if (found := shape_of(path, array)) != tuple(event_shape):
        raise ValueError(f"{path}: expected examples of shape {tuple(event_shape)}, got {found}")
    return ArrayExamples(array, found), None


def _files(path: Path, suffixes: Sequence[str], what: str) -> tuple[list[Path], list[str]]:
    """The files of a folder, or the one file, and their names."""
    if path.is_dir():
        paths = find_files(path, suffixes)
        if not paths:
            raise ValueError(f"{path}: expected {what} ({' '.join(suffixes)}), found none")
        return paths, [str(found.relative_to(path)) for found in paths]
    if not path.is_file():
        raise FileNotFoundError(f"expected a file or a folder of {what}, found no {path}")
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"{path}: expected {what} ({' '.join(suffixes)}), got the suffix {path.suffix!r}")
    return [path], [path.name]
