"""Columns of a table: what their values are, and the family of conditionals that fits them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.conditionals import Bernoulli, Categorical, Conditional, Standardised, WithMissing
from chainrule.data.codecs import CODECS, Booleans, Categories, Codec, Numbers, Times, Unmodelled
from chainrule.data.shape import Shape

KINDS = tuple(CODECS)

STATISTICS = {"real": ("mean", "std"), "integer": ("low", "high")}
"""The statistics that each family of numbers needs."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: The column's name in the file.
        kind: One of `KINDS`: the kind of its cells, or ``ignore`` to leave it out.
        missing: True if cells may be empty. An empty cell is then a value of its own.
        codec: The cells as numbers, and back; by default the usual one of the kind.
        whole: True if dates, times or durations are modelled as integers; else they are modelled as reals.
        mean: The mean of the training rows, of reals; in the codec's numbers, as all of these.
        std: The standard deviation of the training rows, of reals.
        low: The least value, of integers.
        high: The greatest value, of integers.
        shape: The grid, bounds, atoms and curve of the training rows, of numbers.
        note: What became of the column, in a few words, where that may surprise.
    """

    name: str
    kind: str
    missing: bool = False
    codec: Codec = field(default=None)  # type: ignore[assignment]  # set below
    whole: bool = False
    mean: float = 0.0
    std: float = 1.0
    low: int = 0
    high: int = 1
    shape: Shape = field(default=None)  # type: ignore[assignment]  # set below
    note: str = ""

    def __post_init__(self) -> None:
        if self.codec is None:
            usual = {"integer": Numbers(dtype="Int64", decimals=0), "real": Numbers(dtype="Float64", least=1)}
            object.__setattr__(self, "codec", usual[self.kind] if self.kind in usual else CODECS[self.kind]())
        if self.shape is None:
            object.__setattr__(self, "shape", self._usual_shape())

    def _usual_shape(self) -> Shape:
        """The shape of numbers of which only the range, or the mean and the standard deviation, is known."""
        if self.family == "integer":
            return Shape(step=1.0, cells=True, origin=self.low, knots=(self.low, self.high), scores=(-1.0, 1.0))
        return Shape(knots=(self.mean - self.std, self.mean + self.std), scores=(-1.0, 1.0))

    @property
    def modelled(self) -> bool:
        """True if the column is a variable of an example; others are left out, or written without a model."""
        return not isinstance(self.codec, Unmodelled)

    @property
    def family(self) -> str:
        """How its numbers are modelled: ``real``, ``integer``, ``category``, ``boolean``, or ``none``."""
        if isinstance(self.codec, Times):
            return "integer" if self.whole else "real"
        if isinstance(self.codec, Categories):
            return "category"
        return self.kind if self.modelled else "none"

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories that have a probability each, sorted; none if there are none."""
        return self.codec.categories if isinstance(self.codec, Categories) else ()

    @property
    def size(self) -> int:
        """The number of codes of categories; 0 for others."""
        return self.codec.size if isinstance(self.codec, Categories) else 0

    @property
    def seen(self) -> tuple[float, float] | None:
        """The least and the greatest number of the training rows; None for others, and where it is not known."""
        known = self.family == "integer" or (self.family == "real" and self.shape != self._usual_shape())
        ends = (*self.shape.atoms, *self.shape.knots)
        return (min(ends), max(ends)) if known else None

    @property
    def words(self) -> str:
        """The range of its values, in words."""
        return self._range + ("; may be missing" if self.missing else "")

    @property
    def _range(self) -> str:
        codec = self.codec
        unit = f", in {codec.unit}" if isinstance(codec, Times) else ""
        if self.family == "real" and isinstance(codec, Times):
            (mean,) = codec.words(np.array([self.mean]))
            return f"mean {mean}, standard deviation {self.std:.6g}{unit.replace(', in', '')}"
        if self.family == "real":
            origin = codec.origin if isinstance(codec, Numbers) else 0
            return f"mean {self.mean + origin:.{6 if not origin else 12}g}, standard deviation {self.std:.6g}"
        if self.family == "integer":
            return " to ".join(codec.words(np.array([self.low, self.high], dtype=np.float64))) + unit
        if isinstance(codec, Categories):
            few = [*codec.categories[:4], "..."][: len(codec.categories)]
            return f"{len(codec.categories)}: {', '.join(few)}" + ("; others" if codec.rare else "")
        if isinstance(codec, Booleans) and codec.true_false != Booleans().true_false:
            return " or ".join(codec.true_false)
        return ""

    @property
    def config(self) -> dict[str, Any]:
        """Plain values that `chainrule.data.schema.column_of` takes: the codec's, and those that the family needs."""
        own: dict[str, Any] = {"kind": self.kind}
        if self.modelled:
            own |= {"missing": self.missing} | ({"whole": True} if self.whole else {})
            own |= {name: getattr(self, name) for name in STATISTICS.get(self.family, ())}
            own |= {"shape": self.shape.config} if self.family in STATISTICS else {}
        own |= self.codec.config
        return own | ({"note": self.note} if self.note else {})

    @property
    def smooth(self) -> bool:
        """True for reals that are as good as any real numbers; see `Shape.is_smooth`."""
        return self.family == "real" and self.shape.is_smooth(self.std)

    def conditional(self, real: Conditional | None = None) -> Conditional:
        """The family of its values, in its own units; ``real`` is another one than usual of a real column."""
        if self.family == "real" and real is not None:
            return Standardised(WithMissing(real) if self.missing else real, self.mean, self.std)
        if self.family in ("real", "integer"):
            return self.shape.conditional(missing=self.missing)
        family: Conditional = Categorical(self.size) if self.family == "category" else Bernoulli()
        return WithMissing(family) if self.missing else family
