"""The schema of a table, by a person's description of its columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars

from chainrule.data.codecs.find import Whole
from chainrule.data.examples import Rows
from chainrule.data.infer import complete_schema, infer
from chainrule.data.schema import TableSchema
from chainrule.yaml_file import read_yaml

INFER = "infer"

SchemaChoice = str | dict[str, Any] | TableSchema | None
"""The columns as a person describes them, in a YAML file or a mapping; or the whole schema, of a run."""


def described(choice: SchemaChoice) -> Any:
    """The description of the columns, read from its file if it is in one; other choices stay as they are.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it describes no columns.
    """
    if choice == INFER or not isinstance(choice, str):
        return choice
    path = Path(choice)
    try:
        written = read_yaml(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"schema expects a YAML file or {INFER!r}, found no {path}") from None
    try:
        TableSchema.from_config(written)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return written


def known_names(description: Any) -> tuple[str, ...]:
    """The columns that a file is known to have, by the schema of a run."""
    return tuple(column.name for column in description.columns) if isinstance(description, TableSchema) else ()


def schema_of(
    description: Any,
    frame: polars.DataFrame,
    rows: Rows,
    where: str,
    *,
    text: bool,
    known: Mapping[str, Whole] | None = None,
) -> TableSchema:
    """The schema of ``frame`` by what `described` gave; what is left out there is inferred, see `infer`."""
    if isinstance(description, TableSchema):
        return description
    if description is None or description == INFER:
        return infer(frame, rows, where, text=text, known=known)
    return complete_schema(description, frame, rows, where, text=text, known=known)
