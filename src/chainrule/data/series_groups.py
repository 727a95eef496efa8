"""Several series in one table: which rows belong to which, and the column that tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars
from numpy.typing import NDArray

from chainrule.data.series_time_parts import like_part
from chainrule.data.series_time_readers import TimeColumns

Rows = NDArray[np.int64]
Groups = Sequence[tuple[str | None, Rows]]
"""The name of each series, and its rows in their sequence; one series has no name."""

SHOWN = 4
"""Names of groups in a message."""


def groups_of(frame: polars.DataFrame, group: str | None, path: Path) -> Groups:
    """The series of a table, in the sequence in which they begin.

    Raises:
        ValueError: If a cell of the column ``group`` is empty.
    """
    if group is None:
        return [(None, np.arange(len(frame)))]
    cells = frame[group].cast(polars.String)
    if cells.null_count() or (cells == "").any():
        row = int((cells.is_null() | (cells == "")).arg_true()[0]) + 1
        raise ValueError(f"{path}: column {group!r}, row {row:,}: expected the name of a group, got an empty cell")
    table = polars.DataFrame({"group": cells, "row": np.arange(len(cells))})
    return [(str(name), own["row"].to_numpy()) for (name,), own in table.group_by("group", maintain_order=True)]


def check_order(
    frame: polars.DataFrame, found: TimeColumns, groups: Groups, column: str, group: str | None, path: Path
) -> Groups:
    """The groups with their rows in the order of time.

    Raises:
        ValueError: If a time is missing, or times repeat or fall as those of several series do.
    """
    if found.moments.null_count():
        row = int(found.moments.is_null().arg_true()[0]) + 1
        raise ValueError(
            f"{path}: column {found.times.name}, row {row:,}: expected a time, got an empty cell: leave out its row"
        )
    moments = found.moments.to_numpy()
    ordered = []
    for name, rows in groups:
        steps = np.diff(moments[rows])
        repeated = len(np.unique(moments[rows])) < len(rows)
        if repeated or (group is None and _several(frame, found, column, steps)):
            raise ValueError(f"{path}: {_several_in_words(frame, found, column, name, rows)}")
        ordered.append((name, rows[np.argsort(moments[rows], kind="stable")]))
    return ordered


def _several(frame: polars.DataFrame, found: TimeColumns, column: str, steps: NDArray[np.timedelta64]) -> bool:
    """True if times fall where one series ends and another begins."""
    falls = int((steps.astype(np.int64) < 0).sum())
    if falls in (0, len(steps)):
        return False
    return any(frame[name].n_unique() == falls + 1 for name in _telling_apart(frame, found, column))


def _telling_apart(frame: polars.DataFrame, found: TimeColumns, column: str) -> list[str]:
    """Columns each of whose values has every time at most once, those of fewest values first."""
    columns = []
    for name in frame.columns:
        if name == column or name in found.times.columns or frame[name].dtype.is_float():
            continue
        table = polars.DataFrame({"group": frame[name], "time": found.moments})
        count = table["group"].n_unique()
        if 1 < count <= len(table) // 2 and not table.is_duplicated().any():
            columns.append((count, name))
    return [name for _, name in sorted(columns)]


def _several_in_words(frame: polars.DataFrame, found: TimeColumns, column: str, name: str | None, rows: Rows) -> str:
    """The message on times that repeat or fall."""
    times, moments = found.times, found.moments.to_numpy()[rows]
    values, counts = np.unique(moments, return_counts=True)
    got = f"{times.words(values[counts.argmax()])} {counts.max()} times"
    if counts.max() == 1:
        place = int(np.flatnonzero(np.diff(moments).astype(np.int64) < 0)[0])
        got = f"{times.words(moments[place + 1])} after {times.words(moments[place])} in row {place + 2:,}"
    expected = f"expected each time of {times.name} once, in its sequence, got {got}"
    if name is not None:
        return f"{expected} in the group {name!r}: keep one row of each time, such as their mean"
    apart = _telling_apart(frame, found, column)
    if not apart:
        return f"{expected}: keep one row of each time, such as their mean"
    names = [str(value) for value in frame[apart[0]].unique(maintain_order=True)]
    shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
    part = like_part(frame[apart[0]])
    renamed = "" if part is None else f"; if it is the {part} of one series, name the column {part!r}"
    return (
        f"{expected}: there are {len(names)} series, told apart by {apart[0]!r} ({shown}); take each as an example of "
        f"its own by --group {apart[0]}, or keep the rows of one{renamed}"
    )
