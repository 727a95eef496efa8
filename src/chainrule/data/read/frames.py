"""Tables with numbers, categories and gaps: files as frames, and frames as data sets."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars
import yaml

from chainrule.data.dataset import Dataset, split_rows
from chainrule.data.examples import ArrayExamples
from chainrule.data.infer import complete_schema, infer
from chainrule.data.read.delimited import find_layout
from chainrule.data.schema import TableSchema

EMPTY = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"]
"""Cells of a text table that are missing."""

SUFFIXES = (".csv", ".data", ".parquet")

PIECE = 100_000
"""Rows of a large file that are read at once."""

INFER = "infer"

Told = str | dict[str, Any] | TableSchema | None
"""What a person says of the columns, a YAML file or its content; or the whole schema, of a run."""


def load_frame(path: Path, *, seed: int, schema: Told = None) -> Dataset:
    """The rows of a file as examples, split 80/10/10 at random.

    Args:
        path: A table whose columns have names.
        seed: Of the split.
        schema: See `Told`; where nothing is said, it is inferred.

    Raises:
        ValueError: If the file can't be read, or a column can't be taken; it is named.
    """
    told = None if isinstance(schema, TableSchema) else _told(schema)
    known = schema if isinstance(schema, TableSchema) else None if told is None else TableSchema.from_config(told)
    frame = read_frame(path, texts=None if known is None else known.texts)
    rows = split_rows(len(frame), seed, str(path))
    if known is None:
        known = infer(frame, rows["train"], path.name)
    elif told is not None:
        known = complete_schema(told, frame, rows["train"], path.name)
    return dataset_of_frame(path.resolve().name, frame, rows, known, {"path": str(path.resolve()), "split_seed": seed})


def dataset_of_frame(
    name: str, frame: polars.DataFrame, rows: dict[str, Any], schema: TableSchema, origin: dict[str, Any]
) -> Dataset:
    """The data set of a frame whose rows are split as ``rows`` say."""
    x = schema.encode(frame, name)
    splits = {split: ArrayExamples(x, (x.shape[1],), np.asarray(own)) for split, own in rows.items()}
    kinds = [column.kind for column in schema.used]
    counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    description = f"{name}: {len(frame)} rows of {len(kinds)} columns ({counted}), in the file's units"
    return Dataset(name, description, schema, splits, origin)


def _told(schema: str | dict[str, Any] | None) -> dict[str, Any] | None:
    """What a person says of the columns; None if nothing."""
    if schema is None or schema == INFER:
        return None
    if isinstance(schema, dict):
        return schema
    path = Path(schema)
    try:
        told: dict[str, Any] = yaml.safe_load(path.read_text())
        return told
    except FileNotFoundError:
        raise FileNotFoundError(f"schema expects a YAML file or {INFER!r}, found no {path}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected YAML, got: {' '.join(str(error).split())}") from None


def has_names(path: Path) -> bool:
    """Whether the columns of the table at ``path`` have names, so that it can be a frame."""
    return path.suffix.lower() == ".parquet" or (path.suffix.lower() in SUFFIXES and find_layout(path).header)


def read_frame(path: Path, texts: Collection[str] | None = None) -> polars.DataFrame:
    """All rows of a table whose columns have names; see `pieces_of`."""
    return polars.concat(list(pieces_of(path, texts)))


def pieces_of(path: Path, texts: Collection[str] | None = None, rows: int = PIECE) -> Iterator[polars.DataFrame]:
    """The rows of a table, ``rows`` at a time.

    Args:
        path: The table.
        texts: Columns of a text table whose cells are taken as they are written, though they look like numbers; None
            for those with numbers that begin with zeros, such as postal codes.
        rows: How many.

    Raises:
        ValueError: If it can't be read, has no rows, or two columns have one name.
    """
    try:
        frame = polars.scan_parquet(path) if path.suffix.lower() == ".parquet" else _scan(path, texts)
        if not frame.collect_schema():
            raise ValueError(f"{path}: expected at least one column, got none")
        count = 0
        for piece in frame.collect_batches(chunk_size=rows):
            count += len(piece)
            yield piece.with_columns(polars.selectors.float().fill_nan(None))
    except (polars.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path}: expected a table, got one that cannot be read ({reason})") from error
    if count == 0:
        raise ValueError(f"{path}: expected rows of values, found none")


def _scan(path: Path, texts: Collection[str] | None) -> polars.LazyFrame:
    layout = find_layout(path)
    if not layout.header:
        raise ValueError(f"{path}: expected a first line that names the columns, got values")
    twice = [name for name in layout.names if layout.names.count(name) > 1]
    if twice:
        raise ValueError(f"{path}: expected columns of different names, got {twice[0]!r} twice")
    names = list(layout.names)
    scan = partial(
        polars.scan_csv, path, separator=layout.delimiter, null_values=EMPTY, with_column_names=lambda _: names
    )
    if texts is None:
        code = polars.all().str.contains(r"^\s*[-+]?0\d+\s*$").any()
        found = scan(infer_schema=False).select(code).collect()
        texts = [name for name in names if found[name].item()]
    overrides = {name: polars.String for name in names if name in texts}
    return scan(infer_schema_length=None, try_parse_dates=True, schema_overrides=overrides)


def write_frame(frame: polars.DataFrame, path: Path) -> None:
    """Write ``frame`` as ``.csv`` or ``.parquet``, completely or not at all."""
    import io

    from chainrule.atomic import write_atomically

    buffer = io.BytesIO()
    if path.suffix.lower() == ".parquet":
        frame.write_parquet(buffer)
    else:
        frame.write_csv(buffer)
    write_atomically(path, buffer.getvalue())
