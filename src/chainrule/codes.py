"""How values are drawn and read, in words that a compiled walk understands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import Tensor


class Codes(NamedTuple):
    """How a compiled walk draws and reads the values of a family; see `chainrule.nn.native.program`.

    Attributes:
        draws: What a value is drawn from: ``"logit"``, of the value 1 beside 0; ``"logits"``, of the values 0, 1, ...;
            ``"gaussians"`` or ``"logistics"``: logits, means and log-scales of components, of one without its logit.
        encoding: What `Conditional.encode` gives: ``"number"``, the value times ``factor``; ``"indicators"`` of the
            values 1, 2, ...; or ``"asinh"``.
        factor: The factor.
        offsets: What is added to the means, ``(components,)``.
        least: The least log-scale.
    """

    draws: Literal["logit", "logits", "gaussians", "logistics"]
    encoding: Literal["number", "indicators", "asinh"]
    factor: float = 1.0
    offsets: Tensor | None = None
    least: float = 0.0


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
