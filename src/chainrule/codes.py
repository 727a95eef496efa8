"""How values are drawn and read, in words that a compiled walk understands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple


class Codes(NamedTuple):
    """How a compiled walk draws and reads the values of a family; see `chainrule.nn.native.program`.

    Attributes:
        draws: ``"logit"``, of the value 1 beside 0, or ``"logits"``, of the values 0, 1, ...
        encoding: What `Conditional.encode` gives: ``"number"``, the value times ``factor``, or ``"indicators"``.
        factor: The factor.
    """

    draws: Literal["logit", "logits"]
    encoding: Literal["number", "indicators"]
    factor: float = 1.0


@dataclass(frozen=True)
class Drawing:
    """How values are drawn; see `chainrule.sample`. ``top_k`` 0 and ``top_p`` 1 keep all."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    greedy: bool = False

    @property
    def plain(self) -> bool:
        """True if values are drawn from the conditionals as they are."""
        return self == Drawing()
