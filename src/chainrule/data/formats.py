"""Formats: a reader's findings about a data set, as plain data, one class for each kind of data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol, Self


class Format(Protocol):
    """A reader's findings about a data set, as plain data: its levels, vocabulary, sample rate or columns.

    Each kind of data has one such class: `ImageFormat`, `RowsFormat`, `TableSchema`, `SeriesFormat`, `TextFormat` and
    `AudioFormat`. Two data sets of equal formats fit the same model.

    Attributes:
        kind: The kind of data, as ``"image"``.
        key: The name under which `config` stands in a run's ``config.json``.
    """

    kind: ClassVar[str]
    key: ClassVar[str]

    @property
    def levels(self) -> int:
        """The number of values that a variable takes; 0 where values are not levels."""

    @property
    def config(self) -> dict[str, Any]:
        """Plain values that `from_config` takes."""

    @classmethod
    def from_config(cls, config: Any) -> Self:
        """The format that `config` describes."""


@dataclass(frozen=True)
class ImageFormat:
    """Images, whose pixels take one of a number of levels.

    Attributes:
        levels: The number of values of a colour channel of a pixel; 2 is binary.
    """

    kind: ClassVar[str] = "image"
    key: ClassVar[str] = "image"

    levels: int

    @property
    def config(self) -> dict[str, Any]:
        """Plain values that `from_config` takes."""
        return asdict(self)

    @classmethod
    def from_config(cls, config: Any) -> ImageFormat:
        """The format that `config` describes."""
        return cls(**config)


@dataclass(frozen=True)
class RowsFormat:
    """Rows of columns that all take one of the same number of levels.

    Attributes:
        levels: The number of values of a column; 2 is binary.
    """

    kind: ClassVar[str] = "rows"
    key: ClassVar[str] = "rows"

    levels: int

    @property
    def config(self) -> dict[str, Any]:
        """Plain values that `from_config` takes."""
        return asdict(self)

    @classmethod
    def from_config(cls, config: Any) -> RowsFormat:
        """The format that `config` describes."""
        return cls(**config)


def format_of_levels(event_shape: tuple[int, ...], levels: int) -> ImageFormat | RowsFormat:
    """The format of arrays of levels: rows ``(columns,)``, or images ``(channels, height, width)``."""
    return RowsFormat(levels) if len(event_shape) == 1 else ImageFormat(levels)
