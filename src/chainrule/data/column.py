"""Columns of a table: what their values are, and the family of conditionals that fits them."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.conditionals import (
    Bernoulli,
    Categorical,
    Conditional,
    DiscretizedLogisticMixture,
    Standardised,
    WithMissing,
)

KINDS = ("real", "integer", "category", "boolean", "ignore")
FEW = 32
"""Integers that span at most this many values get a probability each; others a mixture of logistics."""


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
        categories: The categories, sorted.
    """

    name: str
    kind: str
    missing: bool = False
    mean: float = 0.0
    std: float = 1.0
    low: int = 0
    high: int = 1
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

    def conditional(self, real: Conditional) -> Conditional:
        """The family of its values, in its own units; ``real`` is the family of a real column."""
        span = self.high - self.low + 1
        family: Conditional = Bernoulli()
        if self.kind == "real":
            family = real
        elif self.kind == "category":
            family = Categorical(len(self.categories))
        elif self.kind == "integer":
            family = Categorical(span) if span <= FEW else DiscretizedLogisticMixture(span)
        family = WithMissing(family) if self.missing else family
        if self.kind == "real":
            return Standardised(family, self.mean, self.std)
        return Standardised(family, float(self.low)) if self.kind == "integer" else family
