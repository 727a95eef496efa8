"""Finds the cells of one column that decide how it is read, chunk after chunk."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import polars

from chainrule.data.codecs import Codec, Constant, Identifiers, Numbers, Times
from chainrule.data.codecs.base import without_gaps
from chainrule.data.codecs.numbers import CODE, MOST_DECIMALS
from chainrule.data.codecs.times import NANOSECONDS, nanoseconds_of
from chainrule.data.infer import sketch
from chainrule.data.read.distinct import Distinct

TRIED = 1000
"""Cells from which the format of a column of text is guessed."""

VALUES = 100
"""A row of each value of a column is kept, as long as there are at most so many."""

STRAYS = 100
"""Cells that can't be read as those before them are kept, at most so many of a column."""

Places = list[int]
"""The places of cells in a chunk."""


class Watch:
    """The cells of one column that decide how it is read, found chunk after chunk.

    They are the least and the greatest one, an empty one, one with each number of decimals and each unit of times, one
    of each value while these are few, and those that can't be read as the first ones are.

    Args:
        text: True for the cells of a text file.
    """

    def __init__(self, *, text: bool) -> None:
        self.text = text
        self._codec: Codec | None = None
        self._ends: dict[str, Any] = {}
        self._values: dict[Any, bool] | None = {}
        self._found: set[str] = set()
        self._strays = 0
        self._first_tick: int | None = None
        self._distinct = Distinct()

    def all_differ(self) -> bool:
        """True if all cells are whole numbers or text, and no two of them are the same."""
        return self._distinct.all_differ()

    def remarkable(self, cells: polars.Series) -> Places:
        """The places of such cells in a chunk, but for those of `new_values`."""
        if _is_compound(cells):
            self._distinct.refuse()
            return []
        if cells.dtype != polars.String:
            return self._of_type(cells.fill_nan(None) if cells.dtype.is_float() else cells)
        found = self._guessed(cells)
        assert self._codec is not None
        present = without_gaps(cells, self._codec.gaps)
        found += self._empty(cells, present)
        if isinstance(self._codec, Numbers | Times):
            typed = self._codec.typed(present)
            found += self._unlike(present, typed)
            found += self._fewest_decimals(present) if typed.dtype.is_float() else []
            return found + self._of_type(typed, present)
        self._distinct.add(present)
        return found + (self._longest(present) if isinstance(self._codec, Identifiers) else [])

    def new_values(self, cells: polars.Series, train: polars.Series) -> Places:
        """The places of values that no row had before, and no training row; none once they are many."""
        if self._values is None or _is_compound(cells) or cells.n_unique() > VALUES + 1:
            self._values = None
            return []
        found = []
        for trained, rows in ((True, train), (False, ~train)):
            numbers = rows.arg_true()
            for place in numbers.gather(cells.gather(numbers).arg_unique()).to_list():
                value = cells[place]
                before = self._values.get(value)  # None if no row had it, False if no training row had
                if value is not None and not before and (trained or before is None):
                    self._values[value] = trained
                    found.append(place)
        if len(self._values) > VALUES:
            self._values = None
        return found

    def _of_type(self, typed: polars.Series, text: polars.Series | None = None) -> Places:
        """The places of remarkable cells of a type; ``text`` has them as they are written."""
        if typed.dtype.is_integer():
            self._distinct.add(typed if text is None else text)
        else:
            self._distinct.refuse()
        found = self._once("gap", typed.is_null())
        if typed.dtype.is_temporal():
            tick, typed = nanoseconds_of(typed.dtype), typed.to_physical().cast(polars.Int64)
            found += self._finest(typed, tick)
        if typed.dtype.is_numeric():
            found += self._least_and_greatest(typed)
        return found + (self._fractions(typed) if typed.dtype.is_float() else [])

    def _guessed(self, cells: polars.Series) -> Places:
        """The places of the cells by which the format is guessed, while it is not known."""
        if self._codec is not None and not isinstance(self._codec, Constant):
            return []
        places = np.arange(0, len(cells), max(1, len(cells) // TRIED))
        self._codec = sketch(cells.gather(places).to_frame(), "", text=self.text)[0].columns[0].codec
        return [] if isinstance(self._codec, Constant) else places.tolist()

    def _once(self, name: str, marked: polars.Series) -> Places:
        """The first place that is marked, if there was none of this ``name`` before."""
        if name in self._found or not marked.any():
            return []
        self._found.add(name)
        return [int(marked.fill_null(False).arg_max() or 0)]

    def _empty(self, cells: polars.Series, present: polars.Series) -> Places:
        """The places of the first cell of each word for an empty one."""
        words = cells.filter(present.is_null()).unique()
        return [place for word in words for place in self._once(f"gap {word}", cells.eq_missing(word))]

    def _unlike(self, present: polars.Series, typed: polars.Series) -> Places:
        """The places of cells that can't be read as those before them, or that are codes and no numbers."""
        found = self._once("code", present.str.contains(CODE)) if isinstance(self._codec, Numbers) else []
        if self._strays < STRAYS and typed.null_count() > present.null_count():
            strays = (typed.is_null() & present.is_not_null()).arg_true().head(STRAYS - self._strays).to_list()
            self._strays += len(strays)
            found += strays
        return found

    def _least_and_greatest(self, typed: polars.Series) -> Places:
        found = []
        for name, place, beyond in (
            ("least", typed.arg_min(), operator.lt),
            ("greatest", typed.arg_max(), operator.gt),
        ):
            if place is not None and (name not in self._ends or beyond(typed[place], self._ends[name])):
                self._ends[name] = typed[place]
                found.append(place)
        return found

    def _longest(self, names: polars.Series) -> Places:
        """The place of the longest name of a row, the last in the alphabet of these: the highest number, as a rule."""
        lengths = names.str.len_bytes()
        longest = names.filter(lengths == lengths.max()).max()
        own = (lengths.max() or 0, longest or "")
        if own <= self._ends.get("longest", (0, "")):
            return []
        self._ends["longest"] = own
        return [int((names == longest).arg_max() or 0)]

    def _fewest_decimals(self, present: polars.Series) -> Places:
        """The place of a number that is written with fewer decimals than those before it."""
        places = present.str.find(".", literal=True)
        decimals = polars.select(present.str.len_bytes() - places - 1).to_series().fill_null(0)
        decimals = polars.select(polars.when(present.is_not_null()).then(decimals)).to_series()
        place = decimals.arg_min()
        if place is None or decimals[place] >= self._ends.get("fewest", MOST_DECIMALS):
            return []
        self._ends["fewest"] = decimals[place]
        return [place]

    def _fractions(self, typed: polars.Series) -> Places:
        """The places of the first numbers that have more than so many decimals."""
        values, found = typed.cast(polars.Float64).fill_null(0.0).to_numpy(), []
        for decimals in range(MOST_DECIMALS + 1):
            if (name := f"{decimals} decimals") in self._found:
                continue
            more = polars.Series(np.round(values, decimals) != values)
            if not more.any():
                break
            found += self._once(name, more)
        return found

    def _finest(self, ticks: polars.Series, tick: int) -> Places:
        """The places of the first times that are no multiples of each unit."""
        if self._first_tick is None and ticks.null_count() < len(ticks):
            self._first_tick = int(ticks.drop_nulls()[0])
        if self._first_tick is None:
            return []
        offsets, found = ticks - self._first_tick, []
        for unit, nanoseconds in NANOSECONDS.items():
            if unit in self._found or nanoseconds <= tick:
                continue
            between = offsets % (nanoseconds // tick) != 0
            if not between.any():
                break
            found += self._once(unit, between)
        return found


def _is_compound(cells: polars.Series) -> bool:
    return cells.dtype.is_nested() or cells.dtype in (polars.Binary, polars.Object)
