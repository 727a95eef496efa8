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


FITS = ("same", "centre", "random", "none", "pad")
"""The ways to make an image of another size fit; see `ImageFormat`."""


_IMAGE_TYPES = {
    "levels": "int",
    "size": "Sequence[int] | None",
    "fit": "str",
    "background": "Sequence[int]",
    "threshold": "float | None",
}


@dataclass(frozen=True)
class ImageFormat(LevelsFormat):
    """Images, each of whose colour channels takes a level at every pixel.

    The other attributes say what is done with an image file before it is an example.

    Attributes:
        size: Width and height of all, where files of other sizes are made to fit; None where all have one size.
        fit: What becomes of an image of another size: with ``same`` it is refused. Else it is scaled until it covers
            the size, and cut in its ``centre``, or at a ``random`` place in training; or scaled as a whole, whose
            proportions change (``none``); or scaled until it fits in, the rest being background (``pad``).
        background: The red, green and blue on which transparent parts are laid, 0 to 255.
        threshold: Grey values above it are 1, those below it 0, for images of two values; None for others.
    """

    kind: ClassVar[str] = "image"
    key: ClassVar[str] = "image"

    size: tuple[int, int] | None = None
    fit: str = "same"
    background: tuple[int, int, int] = (255, 255, 255)
    threshold: float | None = None

    @property
    def config(self) -> dict[str, Any]:
        """Plain values that `from_config` takes: the levels, and what is not as usual."""
        usual = type(self)(self.levels)
        own = {name: value for name, value in asdict(self).items() if value != getattr(usual, name)}
        lists = {name: list(value) for name, value in own.items() if isinstance(value, tuple)}
        return {"levels": self.levels, **own, **lists}

    @classmethod
    def from_config(cls, config: Any) -> Self:
        """The format that `config` describes.

        Raises:
            ValueError: If it describes none.
        """
        given = config.keys() if isinstance(config, dict) else ()
        types = {name: kind for name, kind in _IMAGE_TYPES.items() if name == "levels" or name in given}
        own = checked(config, cls.kind, types)
        own |= {name: tuple(value) for name, value in own.items() if isinstance(value, list)}
        return cls(**own)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fit not in FITS:
            raise ValueError(f"{self.kind}.fit expects {', '.join(FITS)}, got {self.fit!r}")
        if len(self.background) != 3 or not all(0 <= part <= 255 for part in self.background):
            raise ValueError(f"{self.kind}.background expects three integers from 0 to 255, got {self.background}")
        if (self.size is None) != (self.fit == "same") or (self.size and (len(self.size) != 2 or min(self.size) < 1)):
            raise ValueError(f"{self.kind}.size expects width and height where images are made to fit, got {self.size}")


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
