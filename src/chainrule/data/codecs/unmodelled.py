"""Columns that are no variables: identifiers, which are made anew, and constants, which are written again."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass

import numpy as np
import polars

from chainrule.data.codecs.base import Codec, Numbers64, dtype_name, dtype_of
from chainrule.data.codecs.times import Times

NUMBERED = 1.1
"""Numbers of rows span at most so many times as many integers as there are rows."""

LEAST = 20
"""A column of fewer rows is not taken for identifiers."""

PATTERNS = 50
"""Identifiers whose pattern is kept, at most."""

NAMES = re.compile(r"(?:^|[^a-zA-Z])(?i:id|uuid|guid|rowid)$|[a-z](?:Id|ID)$")
"""Names of columns of identifiers. Integers that do not count from 0 or 1 are taken for some by such a name only."""

CLASSES = (("9", string.digits), ("a", string.ascii_lowercase), ("A", string.ascii_uppercase))


class Unmodelled(Codec):
    """The base of the codecs of columns that are no variables."""

    def cells(self, count: int) -> polars.Series:
        """``count`` cells for sampled rows, in the file's own type."""
        raise NotImplementedError(f"{type(self).__name__} has no cells")

    def read(self, cells: polars.Series) -> polars.Series:
        raise NotImplementedError(f"{type(self).__name__} has no numbers")

    def write(self, numbers: Numbers64) -> polars.Series:
        return self.cells(len(numbers))

    def texts(self, numbers: Numbers64) -> polars.Series:
        return self.cells(len(numbers)).cast(polars.String)


@dataclass(frozen=True)
class Ignored(Unmodelled):
    """A column that is left out."""


@dataclass(frozen=True)
class Constant(Unmodelled):
    """One value in all rows.

    Attributes:
        value: The value as text; None for a column of empty cells.
    """

    dtype: str = "String"
    value: str | None = None

    @property
    def note(self) -> str:
        """What becomes of the column."""
        found = "empty" if self.value is None else f"{self.value[:30]!r} in all rows"
        return f"{found}: no variable, written again in samples"

    def cells(self, count: int) -> polars.Series:
        cell = polars.Series([self.value], dtype=polars.String)
        dtype = polars.Null() if self.dtype == "Null" else dtype_of(self.dtype)
        if dtype.is_temporal():
            cell = Times(dtype=self.dtype).typed(cell)
        return cell.cast(dtype, strict=False).new_from_index(0, count)

    def texts(self, numbers: Numbers64) -> polars.Series:
        return polars.Series([self.value or self.gap or None], dtype=polars.String).new_from_index(0, len(numbers))


@dataclass(frozen=True)
class Identifiers(Unmodelled):
    """Names of rows, each another one: integers count on, and text is drawn by the patterns of the column.

    Numbers of rows, which leave out few, say only where a row stood: new rows are numbered in the same range.

    Attributes:
        next: The first new number.
        first: The first number of numbered rows; None for other identifiers.
        digits: The least digits of a number, which is padded with zeros.
        prefix: Text before the number.
        suffix: Text behind it.
        patterns: Patterns of text that does not count, in which 9 is a digit, and a and A are letters.
        letters: The letters and digits that the column has, which patterns are filled with.
    """

    dtype: str = "String"
    next: int = 0
    first: int | None = None
    digits: int = 0
    prefix: str = ""
    suffix: str = ""
    patterns: tuple[str, ...] = ()
    letters: str = ""

    @property
    def note(self) -> str:
        """What becomes of the column."""
        return "another value in each row: no variable, made anew in samples and never released"

    def cells(self, count: int) -> polars.Series:
        if self.patterns:
            return polars.Series(self._drawn(count), dtype=polars.String)
        numbers = self._numbers(count)
        dtype = dtype_of(self.dtype)
        if dtype == polars.String:
            return polars.Series(
                [f"{self.prefix}{number:0{self.digits}d}{self.suffix}" for number in numbers], dtype=dtype
            )
        return polars.Series(numbers, dtype=polars.Int64).cast(dtype)

    def _numbers(self, count: int) -> list[int]:
        """Numbers that count on; those of rows are spread over their range, as long as it has so many."""
        if self.first is None:
            return list(range(self.next, self.next + count))
        step = max(1, (self.next - self.first) / max(count, 1))
        return [self.first + int(index * step) for index in range(count)]

    def texts(self, numbers: Numbers64) -> polars.Series:
        return self.cells(len(numbers)).cast(polars.String)

    def _drawn(self, count: int) -> list[str]:
        """Text by the patterns, each another one as long as the patterns have so many."""
        random = np.random.RandomState(self.next)
        found: dict[str, None] = {}
        for _ in range(20 * count):
            found[self._fill(self.patterns[random.randint(len(self.patterns))], random)] = None
            if len(found) == count:
                break
        words = list(found)
        return words + [f"{words[i % len(words)]}-{i}" for i in range(count - len(words))]

    def _fill(self, pattern: str, random: np.random.RandomState) -> str:
        choices = {
            kind: [letter for letter in letters if letter in self.letters] or list(letters) for kind, letters in CLASSES
        }
        drawn = (choices.get(character, [character]) for character in pattern)
        return "".join(own[random.randint(len(own))] for own in drawn)


def find_identifiers(cells: polars.Series, name: str, count: int, *, text: bool) -> Identifiers | None:
    """The codec of a column of identifiers, another one in each row; None if its values are no identifiers.

    Args:
        cells: The cells, without gaps: integers or text. They may be some of the column's, its ends among them.
        name: The column's name.
        count: The number of all cells of the column.
        text: True for the cells of a text file.
    """
    if cells.dtype.is_integer():
        return _counting(cells, name, count)
    if cells.dtype != polars.String:
        return None
    parts = cells.str.extract_groups(r"^(.*?)(\d+)(\D*)$").struct.unnest()
    prefix, digits, suffix = (parts[own] for own in parts.columns)
    numbers = digits.cast(polars.Int64, strict=False)
    if numbers.null_count() == 0 and prefix.n_unique() == suffix.n_unique() == 1:
        width, following = int(digits.str.len_chars().min()), int(numbers.max()) + 1  # type: ignore[arg-type]
        return Identifiers("String", next=following, digits=width, prefix=str(prefix[0]), suffix=str(suffix[0]))
    chosen = cells.sample(min(PATTERNS, len(cells)), seed=0).sort().to_list()
    letters = "".join(sorted(set("".join(cells.head(10_000).to_list())) & set("".join(own for _, own in CLASSES))))
    return Identifiers("String", patterns=tuple(dict.fromkeys(map(_pattern, chosen))), letters=letters)


def _counting(cells: polars.Series, name: str, count: int) -> Identifiers | None:
    """Integers that count from 0 or 1, in any sequence, or whose name is that of identifiers."""
    low, high = int(cells.min()), int(cells.max())  # type: ignore[arg-type]
    counts = low in (0, 1) and high - low == count - 1
    if not counts and not NAMES.search(name):
        return None
    numbered = high - low < NUMBERED * count
    return Identifiers(dtype_name(cells.dtype), next=high + 1, first=low if numbered else None)


def _pattern(word: str) -> str:
    """The pattern of a word: its letters and digits by their class, all else as it is."""
    classes = {letter: kind for kind, letters in CLASSES for letter in letters}
    return "".join(classes.get(letter, letter) for letter in word)
