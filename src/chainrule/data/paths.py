"""Data sets from the user's own files: one file that is split, three files, or a folder of images or recordings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from chainrule.data import NAMES
from chainrule.data.dataset import SPLITS, Dataset, nearest, split_rows
from chainrule.data.examples import ArrayExamples, Rows
from chainrule.data.formats import format_of_levels
from chainrule.data.read.arrays import event_shape, read_npz
from chainrule.data.read.folders import find_files
from chainrule.data.read.rows import SUFFIXES, check_is_file, read_rows
from chainrule.data.read.values import Levels


def load_path(spec: str | Path, *, levels: int | None, seed: int, schema: Any = None, **settings: Any) -> Dataset:
    """The data set in the file or folder ``spec``; ``settings`` are those of folders, see `chainrule.data.load`."""
    path = Path(spec).expanduser()
    if path.is_dir():
        if schema is not None:
            raise ValueError(f"expected no schema, as {path} is a folder, got {schema!r}")
        if named := split_files(path):
            if settings:
                raise ValueError(
                    f"expected no {next(iter(settings))}, as {path} is a folder of tables, not of images or recordings"
                )
            arrays = {split: read_rows(file, levels) for split, file in named.items()}
            return _from_splits(path, arrays, named, levels)
        return _load_files(path, levels, seed, settings)
    if not path.exists() and isinstance(spec, str) and os.sep not in spec and not path.suffix:
        raise ValueError(f"data expects a name ({', '.join(NAMES)}) or a path, got {spec!r}{nearest(spec, NAMES)}")
    check_is_file(path)
    if schema is not None or (levels is None and _is_mixed(path)):
        from chainrule.data.read.frames import load_frame

        if levels is not None:
            raise ValueError(f"expected no levels with a schema, which says which values a column has, got {levels}")
        return load_frame(path, seed=seed, schema=schema)
    if path.suffix.lower() == ".npz":
        arrays = read_npz(path, levels)
        if len(arrays) > 1:
            return _from_splits(path, arrays, dict.fromkeys(arrays, path), levels)
        array = next(iter(arrays.values()))
    else:
        array = read_rows(path, levels)
    rows = split_rows(len(array), seed, str(path))
    return _dataset(path, dict.fromkeys(SPLITS, array), rows, event_shape(path, array), levels, seed)


def _is_mixed(path: Path) -> bool:
    """Whether a table whose columns have names holds anything but levels."""
    if path.suffix.lower() not in (".csv", ".data", ".parquet"):
        return False
    from chainrule.data.read.frames import has_names

    if not has_names(path):
        return False
    try:
        read_rows(path)
    except ValueError:
        return True
    return False


def _load_files(folder: Path, levels: int | None, seed: int, settings: dict[str, Any]) -> Dataset:
    """The images or the recordings of a folder."""
    from chainrule.data.read.images import SUFFIXES as IMAGES
    from chainrule.data.read.images import load_images
    from chainrule.data.read.recordings import SUFFIXES as RECORDINGS
    from chainrule.data.read.recordings import load_audio

    images, recordings = find_files(folder, IMAGES), find_files(folder, RECORDINGS)
    if images and recordings:
        raise ValueError(f"{folder}: expected images or recordings, got both: {images[0]} and {recordings[0]}")
    if recordings:
        return load_audio(folder, levels=levels, seed=seed, **settings)
    wrong = [name for name in settings if name != "skip_unreadable"]
    if wrong and images:
        raise ValueError(f"expected no {wrong[0]}, as {folder} is a folder of images, not of recordings")
    return load_images(folder, levels=levels, seed=seed, skip_unreadable=settings.get("skip_unreadable", False))


def split_files(folder: Path) -> dict[str, Path]:
    """The files of ``folder`` that are named for splits, ``train.csv`` or ``name.train.csv``; none if there are none.

    Raises:
        ValueError: If only some splits have a file, or one has several.
    """
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.suffix.lower() in SUFFIXES)
    found = {split: [file for file in files if file.stem.split(".")[-1] == split] for split in SPLITS}
    if not any(found.values()):
        return {}
    for split, candidates in found.items():
        if len(candidates) != 1:
            got = ", ".join(file.name for file in candidates) or "none"
            raise ValueError(f"{folder}: expected one file of each of train, valid and test, got for {split}: {got}")
    return {split: candidates[0] for split, candidates in found.items()}


def _from_splits(path: Path, arrays: dict[str, Levels], named: dict[str, Path], levels: int | None) -> Dataset:
    """The data set whose splits are the user's own."""
    shapes = {split: event_shape(named[split], array) for split, array in arrays.items()}
    for split, shape in shapes.items():
        if shape != shapes["train"]:
            raise ValueError(
                f"{named[split]}: expected {split} examples of the shape {shapes['train']} as in train, got {shape}"
            )
    return _dataset(path, arrays, dict.fromkeys(SPLITS), shapes["train"], levels, None)


def _dataset(
    path: Path,
    arrays: dict[str, Levels],
    rows: dict[str, Rows] | dict[str, None],
    shape: tuple[int, ...],
    levels: int | None,
    seed: int | None,
) -> Dataset:
    distinct = list({id(array): array for array in arrays.values()}.values())
    found = max(2, 1 + max(_largest(array) for array in distinct)) if levels is None else levels
    splits = {split: ArrayExamples(arrays[split], shape, rows[split]) for split in SPLITS}
    size = "x".join(map(str, shape)) + (" columns" if len(shape) == 1 else "")
    name = path.resolve().name
    total = sum(len(examples) for examples in splits.values())
    origin: dict[str, Any] = {
        "path": str(path.resolve()),
        "levels_from": "the largest value" if levels is None else "the argument",
        "binarisation": "none: values as in the file",
    }
    if seed is not None:
        origin["split_seed"] = seed
    description = f"{name}: {total} examples of {size}, {found} levels, values as in the file"
    return Dataset(name, description, format_of_levels(shape, found), splits, origin)


def _largest(array: Levels) -> int:
    """The largest value, found a bounded number of rows at a time."""
    return max(int(array[start : start + 4096].max()) for start in range(0, len(array), 4096))
