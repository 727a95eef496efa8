"""Formats: a reader's findings about a data set, as plain data, one class for each kind of data."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol, Self

from chainrule.signatures import check


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
        """The format that `config` describes.

        Raises:
            ValueError: If it describes none.
        """


@dataclass(frozen=True)
class LevelsFormat:
    """Values that all take one of the same number of levels.

    Attributes:
        levels: The number of values; 2 is binary.
    """

    kind: ClassVar[str]

    levels: int

    @property
    def config(self) -> dict[str, Any]:
        """Plain values that `from_config` takes."""
        return asdict(self)

    @classmethod
    def from_config(cls, config: Any) -> Self:
        """The format that `config` describes.

        Raises:
            ValueError: If it describes none.
        """
        return cls(**checked(config, cls.kind, {"levels": "int"}))

    def __post_init__(self) -> None:
        if self.levels < 2:
            raise ValueError(f"levels expects at least 2, got {self.levels}")


class ImageFormat(LevelsFormat):
    """Images, each of whose colour channels takes a level at every pixel."""

    kind: ClassVar[str] = "image"
    key: ClassVar[str] = "image"


class RowsFormat(LevelsFormat):
    """Rows of columns, each of which takes a level."""

    kind: ClassVar[str] = "rows"
    key: ClassVar[str] = "rows"


def checked(config: Any, name: str, types: Mapping[str, str]) -> dict[str, Any]:
    """``config``, which must be an object of exactly the keys of ``types``, each with a value of its type.

    Raises:
        ValueError: If it is anything else; ``name`` names it.
    """
    if not isinstance(config, dict) or config.keys() != types.keys():
        raise ValueError(f"{name} expects an object with {' and '.join(types)}, got {reprlib.repr(config)}")
    for key, annotation in types.items():
        check(config[key], annotation, f"{name}.{key}")
    return config


def format_of_levels(event_shape: tuple[int, ...], levels: int) -> ImageFormat | RowsFormat:
    """The format of arrays of levels: rows ``(columns,)``, or images ``(channels, height, width)``."""
    return RowsFormat(levels) if len(event_shape) == 1 else ImageFormat(levels)
