"""Opens the file of a table."""

from __future__ import annotations

from pathlib import Path

from chainrule.data.read.layout import FileChoices
from chainrule.data.read.parquet_table import ParquetTable
from chainrule.data.read.table_file import Table, suffix_of
from chainrule.data.read.text_table import TextTable


def open_table(path: Path, choices: FileChoices | None = None) -> Table:
    """The table in a file: a Parquet file by its suffix, else text, read as ``choices`` say.

    Raises:
        ValueError: If it can't be read, or is empty.
    """
    if suffix_of(path) == ".parquet":
        return ParquetTable(path)
    return TextTable(path, choices or FileChoices())
