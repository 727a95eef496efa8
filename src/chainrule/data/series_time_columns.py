"""Finds the columns of times of a table, which may be one, or several that have a part of each time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import polars

from chainrule.data.codecs.time_formats import TYPES, find_time_format
from chainrule.data.series_time_parts import add_part, chains, part_of
from chainrule.data.series_time_readers import NAMES, TimeColumns, is_named, read_times

DATES = ("date", "datetime", "timestamp")
"""Names of columns that hold nothing else."""

MEANT = 0.5
"""A column is meant as times, if its name says so and so large a share of its cells are."""


def find_time_columns(frame: polars.DataFrame, but: str, group: str | None = None) -> TimeColumns | None:
    """The times of a table; None if it has none.

    Of several columns of times that with a name such as ``date`` counts, or else the first. Where its times repeat
    within a series, the rest of each may be in columns of its own, such as the hour.

    Args:
        frame: The table, as text or typed.
        but: The column of the values, which are no times.
        group: The column that tells several series apart; None for one series.

    Raises:
        ValueError: If a column is named as times, and one of its cells is none.
    """
    others = [column for column in frame if column.name not in (but, group)]
    all_found = [times for column in others if (times := read_times(column)) is not None]
    named = [times for times in all_found if is_named(times.times.columns[0])]
    if not named:
        for column in others:
            _refuse_stray(column)
    found = next(iter([*named, *all_found]), None)
    return None if found is None else _with_parts(found, others, None if group is None else frame[group])


def _with_parts(found: TimeColumns, others: Sequence[polars.Series], group: polars.Series | None) -> TimeColumns:
    """The times with those parts, in columns of their own, by which fewest of them repeat."""
    level = _level(found)
    if level is None or found.moments.null_count() or _distinct(found, group) == len(found.moments):
        return found
    columns: dict[str, list[polars.Series]] = {}
    for column in others:
        if column.name != found.times.columns[0]:
            columns.setdefault(part_of(column.name) or "", []).append(column)
    clocks = [*columns.get("hour", []), *columns.get("", [])]
    clock = next((own for own in clocks if add_part(found.moments.to_numpy(), "clock", own) is not None), None)
    by_part = {part: own[0] for part, own in columns.items() if part} | ({} if clock is None else {"clock": clock})
    tried = [found, *(_joined(found, chain, by_part) for chain in chains(level) if by_part.keys() >= set(chain))]
    return max(filter(None, tried), key=lambda times: _distinct(times, group))


def _level(found: TimeColumns) -> str | None:
    """What a column of times tells, ``year``, ``month`` or ``day``, if parts may follow it."""
    times = found.times
    if times.style != "dates":
        return "year" if times.style == "years" else None
    if times.format and not re.search("%-?d", times.format):
        return "month"
    moments = found.moments
    return "day" if bool((moments.dt.truncate("1d") == moments).all()) else None


def _distinct(found: TimeColumns, group: polars.Series | None) -> int:
    """The number of times that differ, each series' own."""
    return (
        found.moments.n_unique()
        if group is None
        else polars.DataFrame(
            [
                found.moments.alias(
                    "",
                ),
                group,
            ]
        ).n_unique()
    )


def _joined(found: TimeColumns, parts: Sequence[str], columns: dict[str, polars.Series]) -> TimeColumns | None:
    """The times with these parts; None if the cells of one are no such part."""
    moments, styles = found.moments.to_numpy(), []
    for part in parts:
        added = add_part(moments, part, columns[part])
        if added is None:
            return None
        style, moments = added
        styles.append(style)
    names = (*found.times.columns, *(columns[part].name for part in parts))
    times = replace(found.times, columns=names, parts=tuple(styles))
    return TimeColumns(times, polars.Series(names[0], moments.astype("datetime64[us]")))


def _refuse_stray(column: polars.Series) -> None:
    """Raise ``ValueError`` if a column of text is named as times or dates, and not all of its cells are."""
    if column.dtype != polars.String or column.name.lower() not in NAMES:
        return
    there = column.drop_nulls()
    for first in there.head(3):
        found = find_time_format(polars.Series([first]))
        if found is None:
            continue
        stray = there.filter(found[1].parse(there, TYPES[found[0]]).is_null())
        if 0 < len(stray) < MEANT * len(there):
            row = int((column == stray[0]).arg_true()[0]) + 1
            raise ValueError(
                f"column {column.name!r} expects times as {found[1].format}, as most of its cells are, "
                f"got {stray[0][:30]!r} in row {row:,}: correct it, or leave out its row"
            )
    if len(there) and column.name.lower() in DATES:
        raise ValueError(
            f"column {column.name!r} expects dates or times, got {there[0][:30]!r}, whose format is unknown: write it "
            "as 2020-01-31 or 2020-01-31 12:30, or name the column otherwise"
        )
