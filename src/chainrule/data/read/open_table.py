"""Opens the file, or the files, of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from chainrule.data.read.layout import FileChoices
from chainrule.data.read.parquet_table import ParquetTable
from chainrule.data.read.several import SeveralTables
from chainrule.data.read.table_file import SUFFIXES, Table, suffix_of
from chainrule.data.read.text_table import TextTable


def open_table(path: Path, choices: FileChoices | None = None) -> Table:
    """The table in a file: a Parquet file by its suffix, else text, read as ``choices`` say; or in several files.

    Raises:
        ValueError: If it can't be read, or is empty, or its files have other columns than the first; it is named.
    """
    if parts := table_parts(path):
        return SeveralTables(path, open_tables(parts, choices))
    if suffix_of(path) == ".parquet":
        return ParquetTable(path)
    return TextTable(path, choices or FileChoices())


def open_tables(paths: Sequence[Path], choices: FileChoices | None = None) -> list[Table]:
    """The files of one table. The first says whether the others have a header, too."""
    first = open_table(paths[0], choices)
    more = replace(choices or FileChoices(), names=first.names)
    return [first, *(open_table(path, more) for path in paths[1:])]


def table_parts(path: Path) -> list[Path]:
    """The files of a table in several files, by their names; none if ``path`` stands for no such table.

    They are those that a pattern such as ``part-*.csv`` names, or those of a folder that has only tables of one suffix.
    Names that begin with a dot or an underscore, as ``_SUCCESS``, don't count.

    Raises:
        FileNotFoundError: If no file has a name like the pattern.
        ValueError: If a file that has is no table.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.name[0] not in "._")
        alike = len({suffix_of(file) for file in files}) == 1 and suffix_of(files[0]) in SUFFIXES
        return files if alike and all(file.is_file() for file in files) else []
    if path.exists() or not any(mark in path.name for mark in "*?["):
        return []
    files = sorted(file for file in path.parent.glob(path.name) if file.is_file() and file.name[0] not in "._")
    if not files:
        raise FileNotFoundError(f"expected files with names like {path}, found none")
    for file in files:
        if suffix_of(file) not in SUFFIXES:
            raise ValueError(f"{path}: expected tables ({' '.join(SUFFIXES)}), got {file.name}")
    return files
