"""Finds the reader of a named set, a file or a folder, and refuses choices that it does not take.

A reader is a function that returns a `Dataset`. Its keyword arguments are the choices that it takes.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from chainrule.data.dataset import Dataset
from chainrule.data.named import NAMED
from chainrule.data.read.table_file import SUFFIXES, suffix_of
from chainrule.patterns import is_pattern, matching
from chainrule.words import suggestion

Reader = Callable[..., Dataset]

TEXT_SUFFIX = ".txt"

BY_SUFFIX = {
    ".npz": "arrays.load_array",
    ".npy": "arrays.load_array",
    **dict.fromkeys(SUFFIXES, "table.load_table"),
}
"""The reader of the data sets in files of a suffix, in ``chainrule.data.read``."""

COVERS = 3
"""A folder with so many times more recordings than images is one of recordings: the images are covers."""

SOUND_CHOICES = ("sample_rate", "channel", "trim_silence", "frames", "frame_hop")
"""Choices of recordings only."""

FOLDERS, IMAGES = "is no folder of images or recordings", "is no folder of images"
REASONS = {
    "levels": "is text, whose vocabulary says how many",
    "documents": "is no text",
    "per_file": "is no text in several files",
    "vocabulary": "is no text",
    "window": "is no text and no recordings",
    "skip_unreadable": FOLDERS,
    **dict.fromkeys(("size", "crop", "pad", "background", "grey"), IMAGES),
    **dict.fromkeys(SOUND_CHOICES, "is no folder of recordings"),
    "schema": "is no table with columns of its own kinds",
    "series": "is no file of a table",
    "group": "is no time series, which --series COLUMN takes",
    "encoding": "is neither text nor a table as text",
    "header": "is no table as text",
}
"""The reasons for which a reader refuses a choice, unless it gives its own."""

KINDS_OF_FILES = (
    "a table (.csv .tsv .data .parquet), an array (.npy .npz), a text (.txt .log .md .py or any other name), a folder "
    "of images (.png .jpg and others) or of texts; or recordings (.wav .flac .mp3 and others), one or a folder of them"
)

TEXT_CHOICES = ("documents", "per_file", "vocabulary", "window")
"""Choices that make any file a text."""

TABLE_CHOICES = ("schema", "header")
"""Choices that make any file a table."""


def read(spec: str | Path, seed: int, choices: Mapping[str, Any]) -> Dataset:
    """The data set that ``spec`` names, or that is in the file or folder ``spec``, read as ``choices`` say.

    Raises:
        ValueError: If the name is unknown, the content is not data of this kind, or a choice is none of its reader's.
        FileNotFoundError: If a file is missing.
    """
    reader, reasons = _find(spec, choices)
    takes = inspect.signature(reader).parameters
    for name, value in choices.items():
        if name not in takes:
            raise ValueError(f"expected no {name}, as {spec} {(REASONS | reasons)[name]}, got {name}={value}")
    return reader(**choices, **({"seed": seed} if "seed" in takes else {}))


def read_frame(data: Any, seed: int, choices: Mapping[str, Any]) -> Dataset:
    """The data set of a frame of polars or pandas.

    Raises:
        ValueError: If it is no frame, a column can't be taken, or a choice is none of a frame's.
    """
    from chainrule.data.read.frames import is_frame, load_frame

    if not is_frame(data):
        raise ValueError(f"data expects a name, a path, or a frame of polars or pandas, got {type(data).__name__}")
    for name, value in choices.items():
        if name != "schema":
            raise ValueError(f"expected no {name} with a frame, whose columns have types, got {name}={value}")
    return load_frame(data, seed=seed, **choices)


def _find(spec: str | Path, choices: Mapping[str, Any]) -> tuple[Reader, dict[str, str]]:
    """The reader of ``spec``, and why it refuses choices where that is not `REASONS`."""
    path = Path(spec).expanduser()
    suffix = suffix_of(path)
    if "series" in choices:
        if spec in NAMED or not path.is_file():
            raise ValueError(f"series expects the file of a table, got {spec}")
        return partial(_function("series.load_series"), path), dict.fromkeys(REASONS, "is taken as a series")
    if isinstance(spec, str) and spec in NAMED:
        named = NAMED[spec]
        return partial(_function(f"named.{named.module}.load"), spec, named.description), {}
    if not path.is_dir() and _function("read.sound_files.are_recordings")(path):
        return partial(_function("read.recordings.load_audio"), path), {}
    if _are_texts(path, choices):
        return partial(_function("text.load_text"), path), {}
    several = not path.is_dir() and _function("read.open_table.table_parts")(path)
    if several or (path.is_file() and any(name in choices for name in TABLE_CHOICES)):
        return partial(_function("read.table.load_table"), path), {}
    asked = path.is_file() and any(name in choices for name in TEXT_CHOICES)
    is_text = path.suffix.lower() == TEXT_SUFFIX and not path.is_dir()
    unknown = suffix not in BY_SUFFIX and path.is_file()
    looks_like_text = _function("read.plain_text.looks_like_text")
    if is_text or asked or (unknown and looks_like_text(path, choices.get("encoding"))):
        return partial(_function("text.load_text"), path), {}
    if path.is_dir():
        return _folder_reader(path)
    if not path.exists() and isinstance(spec, str) and os.sep not in spec and not path.suffix:
        raise ValueError(f"data expects a name ({', '.join(NAMED)}) or a path, got {spec!r}{suggestion(spec, NAMED)}")
    if path.is_file() and suffix not in BY_SUFFIX:
        ending = f"ending in {path.suffix}" if path.suffix else "without a suffix"
        hint = _function("read.plain_text.nul_hint")(path)
        got = f"a file {ending} that is no text{hint}" if path.stat().st_size else "an empty file"
        raise ValueError(f"{path}: expected {KINDS_OF_FILES}, got {got}")
    _function("read.rows.check_is_file")(path, tuple(BY_SUFFIX))
    return partial(_function(f"read.{BY_SUFFIX[suffix]}"), path), {}


def _are_texts(path: Path, choices: Mapping[str, Any]) -> bool:
    """True if a folder, or the pattern of the names of several files, stands for texts.

    It does if a choice says so, unless all are images and recordings; if all files of the pattern look like texts and
    none has the suffix of other data; and if a folder has more files that look like texts than images and recordings,
    and no tables or arrays. Texts with the names of images and recordings don't count.
    """
    from chainrule.data.read import image_file, plain_text, sound_file

    pattern = is_pattern(path)
    if not (pattern or path.is_dir()):
        return False
    files = list(filter(Path.is_file, matching(path))) if pattern else plain_text.files_in(path)
    pictured = (*image_file.SUFFIXES, *sound_file.SUFFIXES)
    looks = (image_file.looks_like_image, sound_file.looks_like_sound)
    unknown = [
        file
        for file in files
        if not file.name.lower().endswith(pictured) and (file.suffix or not any(look(file) for look in looks))
    ]
    if any(name in choices for name in ("documents", "per_file", "vocabulary")):
        return bool(unknown)
    if any(suffix_of(file) in BY_SUFFIX for file in files):
        return False
    others = len(files) - len(unknown)
    named = {file.stem for file in set(files).difference(unknown)}
    unknown = [file for file in unknown if file.stem not in named]  # the others describe a picture or a sound
    if len(unknown) <= others:
        return False
    texts = sum(map(plain_text.looks_like_text, unknown))
    return texts == len(files) if pattern else texts > others


def _folder_reader(folder: Path) -> tuple[Reader, dict[str, str]]:
    """The reader of a folder: of files that are named for splits, the files of a table, images, or recordings."""
    from chainrule.data.read import image_file, images, recordings, rows, sound_file, table
    from chainrule.data.read.folders import find_files, split_files
    from chainrule.data.read.open_table import table_parts

    if files := split_files(folder, rows.SUFFIXES):
        reasons = dict.fromkeys(REASONS, "is a folder of tables, not of images or recordings")
        if all(suffix_of(file) in SUFFIXES for file in files.values()):
            return partial(table.load_tables, folder, files), reasons
        return partial(rows.load_splits, folder, files), reasons
    if table_parts(folder):
        return partial(table.load_table, folder), dict.fromkeys(REASONS, "is a folder of tables")
    image_files = find_files(folder, image_file.SUFFIXES, image_file.looks_like_image)
    sounds = find_files(folder, sound_file.SUFFIXES, sound_file.looks_like_sound)
    if len(sounds) < COVERS * len(image_files) and sounds:
        raise ValueError(
            f"{folder}: expected images or recordings, got both: {image_files[0]} and {sounds[0]}; a pattern names "
            f"some, such as '{folder}/**/*{sounds[0].suffix}'"
        )
    if sounds or (not image_files and find_files(folder, sound_file.UNREAD)):
        return partial(recordings.load_audio, folder), {}
    only_images = "is a folder of images, not of recordings"
    return partial(images.load_images, folder), {
        "window": only_images,
        **dict.fromkeys(SOUND_CHOICES, only_images),
    }


def _function(name: str) -> Callable[..., Any]:
    """A function of ``chainrule.data`` by its name, ``"module.function"``, imported when it is asked for."""
    module, _, function = name.rpartition(".")
    found: Callable[..., Any] = getattr(import_module(f"chainrule.data.{module}"), function)
    return found
