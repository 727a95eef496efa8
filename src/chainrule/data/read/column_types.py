"""The types of a text table's columns, decided from all of their cells."""

from __future__ import annotations

import polars

from chainrule.data.codecs.base import without_gaps
from chainrule.data.codecs.booleans import PLAIN, find_booleans
from chainrule.data.codecs.numbers import find_numbers
from chainrule.data.codecs.times import find_times


def with_types(cells: polars.DataFrame) -> polars.DataFrame:
    """Convert each column of text to numbers, booleans, dates or times, if all of its cells are such.

    Args:
        cells: The table as it is written, all columns text.
    """
    return cells.select(with_type(column) for column in cells)


def with_type(column: polars.Series) -> polars.Series:
    """Convert one column of text; see `with_types`. Empty cells are null."""
    plain = without_gaps(column, None)
    there = plain.drop_nulls()
    if len(there) == 0:
        return plain
    if (numbers := find_numbers(there, text=True)) is not None:
        return numbers.typed(plain)
    booleans = find_booleans(there, text=True)
    if booleans is not None and tuple(word.lower() for word in booleans.true_false) == PLAIN:
        return booleans.read(plain).cast(polars.Boolean)
    times = find_times(there, text=True)
    return plain if times is None else times.typed(plain)
