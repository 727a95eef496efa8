"""The contract of a codec: the cells of a column as numbers, and numbers as cells of the file's own type and format."""

from __future__ import annotations

import dataclasses
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars
from numpy.typing import NDArray

GAPS = (
    "", "NA", "N/A", "n/a", "na", "#N/A", "#NA", "<NA>", "NaN", "nan", "NaT", "null", "NULL", "None", "?", "-",
    "--", ".",
)  # fmt: skip
"""Words that stand for an empty cell, where a schema does not say otherwise."""

Numbers64 = NDArray[np.float64]


@dataclass(frozen=True)
class Codec(ABC):
    """The cells of one column as numbers, and back.

    A codec is plain values: `config` is written into a run, and into a schema that a person edits.

    Attributes:
        dtype: The polars type of the cells, such as ``"Decimal(10, 2)"``; of a text file, the type that its cells fit.
        gap: The word that is written for an empty cell of a text file.
        gaps: The words that are read as an empty cell; None for `GAPS`.
    """

    dtype: str = ""
    gap: str = ""
    gaps: tuple[str, ...] | None = None

    @abstractmethod
    def read(self, cells: polars.Series) -> polars.Series:
        """Cells, of text or of a type, as Float64: null for an empty cell, NaN for one that can't be read."""

    @abstractmethod
    def write(self, numbers: Numbers64) -> polars.Series:
        """The cells of ``numbers``, NaN for an empty one, in the file's own type."""

    @abstractmethod
    def texts(self, numbers: Numbers64) -> polars.Series:
        """The cells of ``numbers`` as a text file has them; null for an empty one."""

    def words(self, numbers: Numbers64) -> list[str]:
        """Numbers as a person reads them, in the format of the file."""
        return [str(text) for text in self.texts(numbers)]

    def present(self, cells: polars.Series) -> polars.Series:
        """Cells of text without the spaces around them, null where they are empty; other cells with NaN as null."""
        if cells.dtype.is_float():
            return cells.fill_nan(None)
        if cells.dtype in (polars.Categorical, polars.Enum):
            cells = cells.cast(polars.String)
        return without_gaps(cells, self.gaps) if cells.dtype == polars.String else cells

    @property
    def note(self) -> str:
        """A note on how the column is read, in a few words; empty where nothing may surprise."""
        return ""

    @property
    def config(self) -> dict[str, Any]:
        """Plain values, without those that are the usual ones."""
        own = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        }
        return {name: list(value) if isinstance(value, tuple) else value for name, value in own.items()}

    @classmethod
    def types(cls) -> dict[str, str]:
        """The names of the values that `from_config` takes, each with its type in words."""
        return {field.name: str(field.type) for field in dataclasses.fields(cls)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The codec that `config` wrote, or a person."""
        own: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in config.items()
        }
        return cls(**own)


def without_gaps(cells: polars.Series, gaps: tuple[str, ...] | None) -> polars.Series:
    """Text without the spaces around it, null where it is a word for an empty cell, as ``""`` always is."""
    stripped = cells.str.strip_chars()
    words = ["", *(GAPS if gaps is None else gaps)]
    empty = stripped.is_in(words)
    if not empty.any():
        return stripped
    return polars.select(polars.when(empty.not_()).then(stripped).alias(cells.name)).to_series()


def words_of_gaps(cells: polars.Series, gaps: tuple[str, ...] | None) -> list[str]:
    """The words of text that are read as an empty cell, the most frequent first, without ``""``.

    >>> words_of_gaps(polars.Series(["7", "NA", "", "?", "NA "]), None)
    ['NA', '?']
    """
    stripped = cells.str.strip_chars()
    empty = stripped.filter(stripped.is_in(list(GAPS if gaps is None else gaps)) & (stripped != ""))
    counts = empty.alias("").value_counts().sort(["count", ""], descending=[True, False])
    return [str(word) for word in counts.to_series()]


def dtype_name(dtype: polars.DataType) -> str:
    """The name of a type, with its arguments if it has some.

    >>> dtype_name(polars.Datetime("us", "UTC")), dtype_name(polars.Int8())
    ('Datetime(us, UTC)', 'Int8')
    """
    arguments: list[Any] = []
    if isinstance(dtype, polars.Decimal):
        arguments = [dtype.precision, dtype.scale]
    elif isinstance(dtype, polars.Datetime):
        arguments = [dtype.time_unit] + ([dtype.time_zone] if dtype.time_zone else [])
    elif isinstance(dtype, polars.Duration):
        arguments = [dtype.time_unit]
    name = type(dtype).__name__
    return f"{name}({', '.join(map(str, arguments))})" if arguments else name


def dtype_of(name: str) -> polars.DataType:
    """The type of a name that `dtype_name` wrote.

    Raises:
        ValueError: If there is no such type.
    """
    kind, _, inner = name.rstrip(")").partition("(")
    arguments = [int(word) if re.fullmatch(r"\d+", word) else word for word in inner.split(", ") if word]
    try:
        found = getattr(polars, kind)(*arguments)
    except (AttributeError, TypeError, ValueError):
        found = None
    if not isinstance(found, polars.DataType):
        raise ValueError(f"dtype expects a polars type such as Int64 or Decimal(10, 2), got {name!r}")
    return found


def filled(texts: polars.Series, gap: str) -> polars.Series:
    """Text with a word for its empty cells."""
    return texts.fill_null(gap) if gap else texts


def as_series(numbers: Numbers64) -> polars.Series:
    """Float64 with null for NaN."""
    return polars.Series(np.asarray(numbers, dtype=np.float64)).fill_nan(None)
