"""Columns of a table: what their values are, and the family of conditionals that fits them."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.conditionals import Bernoulli, Categorical, Conditional, Standardised, WithMissing
from chainrule.data.shape import Shape

KINDS = ("real", "integer", "category", "boolean", "ignore")


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: The column's name in the file.
        kind: ``real``, ``integer``, ``category``, ``boolean``, or ``ignore`` to leave it out.
        missing: True if cells may be empty. An empty cell is then a value of its own.
        mean: The mean of the training rows, if the column is real.
        std: The standard deviation of the training rows, if the column is real.
        low: The least value, if the column holds integers.
        high: The greatest value, if the column holds integers.
        shape: The grid, bounds, atoms and curve of the training rows, if the column holds numbers.
        categories: The categories, sorted.
    """

    name: str
    kind: str
    missing: bool = False
    mean: float = 0.0
    std: float = 1.0
    low: int = 0
    high: int = 1
    shape: Shape = Shape()
    categories: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The range of its values, in words."""
        words = {
            "real": f"mean {self.mean:.6g}, standard deviation {self.std:.6g}",
            "integer": f"{self.low} to {self.high}",
            "category": f"{len(self.categories)}: {', '.join([*self.categories[:4], '...'][: len(self.categories)])}",
        }.get(self.kind, "")
        return words + ("; may be missing" if self.missing else "")

    def conditional(self, real: Conditional | None = None) -> Conditional:
        """The family of its values, in its own units; ``real`` is another one than usual of a real column."""
        if self.kind == "real" and real is not None:
            return Standardised(WithMissing(real) if self.missing else real, self.mean, self.std)
        if self.kind in ("real", "integer"):
            return self.shape.conditional(missing=self.missing)
        family: Conditional = Categorical(len(self.categories)) if self.kind == "category" else Bernoulli()
        return WithMissing(family) if self.missing else family
