"""Decides whether the first line of a table names its columns, by the cells below it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

MISSING = ("", "na", "n/a", "nan", "null", "none")
"""Cells, in lower case, that say nothing about their column; those without letters and digits say nothing either."""

QUANTITY = re.compile(r"[-+<>]?\s*[$€£]?\s*[-+]?\s*[\d.,][\d.,:/ +\-tTzZeE]*[%€]?|[-+]?inf(inity)?", re.IGNORECASE)
"""Numbers, dates, times and amounts."""

SHARE = 0.9
"""The share of a column's cells that must be quantities for the column to be one of quantities."""

YEARS = (1000, 2500)
"""Whole numbers between these may be years."""


def names_columns(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool | None:
    """True if ``first`` names the columns of ``rows``, False if it is a row like them, None if the cells can't tell.

    A word above quantities says that it does, and so do numbers that count along the line, such as the years 1990,
    1991, ..., if those of no row do. A number above numbers, or a word that is also a value below, says that it
    doesn't. The majority of the columns decides.

    >>> names_columns(["year", "flow"], [["1871", "1120"], ["1872", "1160"]])
    True
    >>> names_columns(["red", "1"], [["red", "2"], ["blue", "1"]])
    False
    >>> names_columns(["name"], [["Ada"], ["Carl"]]) is None
    True
    """
    names = against = 0
    values = []
    for index, cell in enumerate(first):
        below = [row[index] for row in rows if index < len(row) and not _says_nothing(row[index])]
        if _says_nothing(cell) or not below:
            continue
        if sum(map(_is_quantity, below)) < SHARE * len(below):
            against += cell in below
        elif _is_quantity(cell):
            values.append(index)
        else:
            names += 1
    if values and _count_along(first, values) and not any(_count_along(row, values) for row in rows):
        names += len(values)
    else:
        against += len(values)
    return None if names == against == 0 else names >= against


def is_number(cell: str) -> bool:
    """True if a cell is a number as programs write it."""
    if "_" in cell:  # Python reads 1_000 as a number; a table does not
        return False
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _says_nothing(cell: str) -> bool:
    return cell.lower() in MISSING or not any(character.isalnum() for character in cell)


def _is_quantity(cell: str) -> bool:
    return QUANTITY.fullmatch(cell) is not None


def _count_along(cells: Sequence[str], indices: Sequence[int]) -> bool:
    """True if the cells are numbers in equal steps, four or more, or two or more growing years."""
    chosen = [cells[index] for index in indices if index < len(cells)]
    if len(chosen) < 2 or not all(map(is_number, chosen)):
        return False
    numbers = [float(cell) for cell in chosen]
    steps = [after - before for before, after in itertools.pairwise(numbers)]
    if all(number.is_integer() and YEARS[0] <= number <= YEARS[1] for number in numbers):
        return min(steps) > 0
    equal = max(steps) - min(steps) <= 1e-6 * abs(steps[0])
    return len(chosen) > 3 and steps[0] != 0 and equal
