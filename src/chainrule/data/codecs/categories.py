"""Columns of categories: the frequent ones each have a code, and all others share one."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import polars

from chainrule.data.codecs.base import Codec, Numbers64, as_series, dtype_name, dtype_of, filled

ALL = 64
"""A column of at most so many categories has a code for each."""

OFTEN = 5
"""In a column of more, a category that occurs less often than this is rare."""

MOST = 1000
"""Categories with a code of their own, at most."""

KEPT = 2000
"""Cells of rare categories that are kept to sample from, at most."""


@dataclass(frozen=True)
class Categories(Codec):
    """Categories 0 to K - 1; others, which are rare or were never seen, share the code K.

    It keeps a probability for values that a later file may have, and is written as any rare category, or as any at all
    if none is rare.

    Attributes:
        categories: Those with a code of their own.
        rare: Cells of the training rows with a rare category, to sample from.
        others: True if there is a code K.
    """

    dtype: str = "String"
    categories: tuple[str, ...] = ()
    rare: tuple[str, ...] = ()
    others: bool = False

    @property
    def size(self) -> int:
        """The number of codes."""
        return len(self.categories) + self.others

    @property
    def unseen(self) -> float:
        """The code of a category without a code of its own: K, or infinity if there is none."""
        return float(len(self.categories)) if self.others else np.inf

    @property
    def note(self) -> str:
        """A note on rare categories; empty if there are none."""
        if not self.rare:
            return ""
        return (
            f"{len(self.categories):,} frequent values have a probability each; rare and new ones share one, and "
            "samples take them from the training rows"
        )

    def read(self, cells: polars.Series) -> polars.Series:
        """Codes; `unseen` for a category without one."""
        texts = self.present(as_texts(cells))
        index = {category: float(code) for code, category in enumerate(self.categories)}
        codes = texts.replace_strict(index, default=self.unseen, return_dtype=polars.Float64)
        if not texts.null_count():
            return codes
        return polars.select(polars.when(texts.is_null()).then(None).otherwise(codes).alias(cells.name)).to_series()

    def write(self, numbers: Numbers64) -> polars.Series:
        texts = self._categories(numbers)
        if self.dtype == "Enum":
            return texts.cast(polars.Enum(list(self.categories)))
        return texts.cast(dtype_of(self.dtype), strict=False)

    def texts(self, numbers: Numbers64) -> polars.Series:
        return filled(self._categories(numbers), self.gap)

    def _categories(self, numbers: Numbers64) -> polars.Series:
        """The categories of codes; the same numbers give the same rare ones."""
        codes = as_series(numbers).cast(polars.Int64)
        lookup = polars.Series([*self.categories, None], dtype=polars.String)
        texts = lookup.gather(codes.clip(0, len(self.categories)))
        if not self.others or not (other := codes == len(self.categories)).any():
            return texts
        random = np.random.RandomState(zlib.crc32(np.ascontiguousarray(numbers).tobytes()))
        known = polars.Series(self.rare or self.categories)
        drawn = known.gather(random.randint(len(known), size=len(codes)))
        return polars.select(polars.when(other).then(drawn).otherwise(texts)).to_series()


def find_categories(cells: polars.Series, rows: polars.Series, *, text: bool) -> Categories:
    """The codec of a column of categories.

    Args:
        cells: All cells, without gaps.
        rows: Those of the training rows, without gaps, which say what is frequent.
        text: True for the cells of a text file.
    """
    if isinstance(cells.dtype, polars.Enum):
        return Categories("Enum", categories=tuple(cells.dtype.categories.to_list()))
    dtype = "String" if text else dtype_name(cells.dtype)
    cells, rows = (as_texts(own).str.strip_chars() for own in (cells, rows))
    values = (rows if len(rows) else cells).unique().sort()
    if len(values) <= ALL:
        return Categories(dtype, categories=tuple(values.to_list()), others=True)
    counts = rows.alias("").value_counts(sort=True).head(MOST)
    often = max(1, int((counts["count"] >= OFTEN).sum()))  # one at least, beside the rare ones
    frequent = counts.to_series().head(often).sort()
    rest = rows.filter(rows.is_in(frequent.to_list()).not_())
    if len(rest) == 0:
        return Categories(dtype, categories=tuple(frequent.to_list()), others=True)
    rare = rest.sample(min(KEPT, len(rest)), seed=0).sort()
    return Categories(dtype, categories=tuple(frequent.to_list()), rare=tuple(rare.to_list()), others=True)


def as_texts(cells: polars.Series) -> polars.Series:
    """Cells as the text of a category: 1.0 is 1, whatever the type that a file's numbers were read as."""
    if cells.dtype.is_float() and bool((cells.drop_nulls() == cells.drop_nulls().floor()).all()):
        cells = cells.cast(polars.Int64)
    return cells if cells.dtype == polars.String else cells.cast(polars.String)
