"""Files of examples whose values are levels, whatever their format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from chainrule.data.dataset import Dataset
from chainrule.data.examples import ArrayExamples
from chainrule.data.read import arrays, table
from chainrule.data.read.layout import FileChoices
from chainrule.data.read.levels import Levels, dataset_of_levels, event_shape
from chainrule.data.read.open_table import table_parts
from chainrule.data.read.table_file import SUFFIXES as TABLES
from chainrule.data.read.table_file import suffix_of
from chainrule.words import suggestion

SUFFIXES = (*arrays.SUFFIXES, *TABLES)


def read_rows(path: Path, levels: int | None = None, choices: FileChoices | None = None) -> Levels:
    """The examples of one file as an array ``(N, ...)`` of integers from 0 to ``levels`` - 1.

    Raises:
        ValueError: If the format is another or the content is anything else.
        FileNotFoundError: If there is no such file.
    """
    check_is_file(path)
    if path.suffix.lower() in arrays.SUFFIXES:
        return arrays.read_array(path, levels)
    return table.read_levels(path, levels, choices)


def read_all(
    path: Path, shape: Sequence[int], levels: int, choices: FileChoices | None = None
) -> tuple[ArrayExamples, None]:
    """All examples ``(N, *shape)`` of a file, in its own order.

    Raises:
        ValueError: If they have another shape, or a value is not an integer from 0 to ``levels`` - 1.
        FileNotFoundError: If there is no such file.
    """
    array = read_rows(path, levels, choices)
    if (found := event_shape(path, array)) != tuple(shape):
        raise ValueError(f"{path}: expected examples of shape {tuple(shape)}, got {found}")
    return ArrayExamples(array, found), None


def check_is_file(path: Path, suffixes: Sequence[str] = SUFFIXES) -> None:
    """Raise an error that names the nearest file or the ``suffixes``, unless ``path`` is a file with one of them.

    The files of a table in several files will do, too.
    """
    if table_parts(path):
        return
    if not path.is_file():
        folder = path.parent
        near = suggestion(path.name, [other.name for other in folder.iterdir()]) if folder.is_dir() else ""
        raise FileNotFoundError(f"expected a file or a folder, found no {path}{near}")
    if suffix_of(path) not in suffixes:
        raise ValueError(f"{path}: expected a file {' '.join(suffixes)}, got the suffix {path.suffix!r}")


def load_splits(
    folder: Path,
    files: Mapping[str, Path],
    *,
    levels: int | None = None,
    encoding: str | None = None,
    header: bool | None = None,
) -> Dataset:
    """The examples of the files ``train``, ``valid`` and ``test`` of a folder, some of them arrays.

    Raises:
        ValueError: If a file can't be read, their shapes differ, or a value is not a level.
    """
    contents = {split: read_rows(file, levels, FileChoices(encoding, header)) for split, file in files.items()}
    return dataset_of_levels(folder, contents, dict.fromkeys(files), levels, {}, files)
