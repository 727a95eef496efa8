"""Columns of booleans, in the file's own words."""

from __future__ import annotations

from dataclasses import dataclass

import polars

from chainrule.data.codecs.base import Codec, Numbers64, as_series, dtype_name, dtype_of, filled

PAIRS = (("true", "false"), ("yes", "no"), ("y", "n"), ("t", "f"), ("on", "off"))
"""The words for true and false, in any case."""

PLAIN = ("true", "false")


@dataclass(frozen=True)
class Booleans(Codec):
    """True is 1, and false is 0.

    Attributes:
        true_false: The words for true and for false, as they are written.
    """

    dtype: str = "Boolean"
    true_false: tuple[str, ...] = PLAIN

    def read(self, cells: polars.Series) -> polars.Series:
        there = self.present(cells)
        if there.dtype == polars.String:
            lowered = there.str.to_lowercase()
            pairs = [(yes.lower(), no.lower()) for yes, no in (self.true_false, PLAIN, ("1", "0"))]
            yes, no = (lowered.is_in([pair[place] for pair in pairs]) for place in (0, 1))
        elif there.dtype == polars.Boolean:
            yes, no = there, ~there
        elif there.dtype.is_numeric():
            yes, no = there == 1, there == 0
        else:
            yes = no = there.is_null() & there.is_not_null()
        number = polars.when(yes).then(1.0).otherwise(polars.when(no).then(0.0).otherwise(float("nan")))
        return polars.select(polars.when(there.is_null()).then(None).otherwise(number).alias(cells.name)).to_series()

    def write(self, numbers: Numbers64) -> polars.Series:
        dtype = dtype_of(self.dtype)
        if dtype == polars.String:
            return self.texts(numbers)
        values = as_series(numbers)
        return values.cast(polars.Boolean) if dtype == polars.Boolean else values.cast(dtype)

    def texts(self, numbers: Numbers64) -> polars.Series:
        values = as_series(numbers)
        yes, no = self.true_false
        texts = (
            polars.when(values.is_null())
            .then(None)
            .otherwise(polars.when(values == 1).then(polars.lit(yes)).otherwise(polars.lit(no)))
        )
        return filled(polars.select(texts).to_series(), self.gap)


def find_booleans(
    cells: polars.Series, *, text: bool, numbers: bool = False, given: tuple[str, ...] | None = None
) -> Booleans | None:
    """The codec of a column of booleans; None if a cell is no boolean.

    Args:
        cells: The cells, without gaps.
        text: True for the cells of a text file.
        numbers: True to take 1 and 0 as booleans too.
        given: The words for true and false that a person wrote into the schema.
    """
    if given is not None:
        codec = Booleans("String", true_false=given)
        return None if len(given) != 2 or codec.read(cells).is_nan().any() else codec
    if cells.dtype == polars.Boolean:
        return Booleans()
    if cells.dtype != polars.String:
        if not (numbers and cells.dtype.is_numeric() and cells.is_in([0, 1]).all()):
            return None
        return Booleans(dtype_name(cells.dtype), true_false=("1", "0"))
    counts = cells.alias("").value_counts(sort=True) if cells.head(1000).n_unique() <= 8 else None
    if counts is None or len(counts) > 8:
        return None
    written = counts.to_series().to_list()
    lowered = {word.lower() for word in written}
    for yes, no in (*PAIRS, *([("1", "0")] if numbers else [])):
        if lowered <= {yes, no}:
            own = tuple(next((word for word in written if word.lower() == plain), plain) for plain in (yes, no))
            plainly = tuple(word.lower() for word in own) == PLAIN
            return Booleans("Boolean" if text and plainly else "String", true_false=own)
    return None


def most_common_pair(cells: polars.Series) -> tuple[tuple[str, str], float]:
    """The words for true and false, 1 and 0 among them, that most cells of text are, and the share of these cells.

    >>> most_common_pair(polars.Series(["Yes", "No", "Yes", "maybe"]))
    (('yes', 'no'), 0.75)
    """
    lowered = cells.str.to_lowercase()
    shares = {pair: float(lowered.is_in(pair).mean() or 0.0) for pair in (*PAIRS, ("1", "0"))}  # type: ignore[arg-type]
    best = max(shares, key=lambda pair: shares[pair])
    return best, shares[best]
