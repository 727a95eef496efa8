"""Draws and encodings of values, in words that a compiled walk understands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import Tensor


class Codes(NamedTuple):
    """The draws and the encoding of a family's values, for a compiled walk; see `chainrule.nn.native.program`.

    Attributes:
        draws: What a value is drawn from: ``"logit"``, of the value 1 beside 0; ``"logits"``, of the values 0, 1, ...;
            ``"gaussians"`` or ``"logistics"``: logits, means and log-scales of components, of one without its logit; or
            ``"bins"``, the levels of logistics over [-1, 1].
        encoding: What `Conditional.encode` gives: ``"number"``, the value times ``factor``; ``"indicators"`` of the
            values 1, 2, ...; or ``"asinh"``.
        factor: The factor.
        offsets: What is added to the means, ``(components,)``.
        least: The least log-scale.
        levels: The number of levels of ``"bins"``.
    """

    draws: Literal["logit", "logits", "gaussians", "logistics", "bins"]
    encoding: Literal["number", "indicators", "asinh"]
    factor: float = 1.0
    offsets: Tensor | None = None
    least: float = 0.0
    levels: int = 0

    @property
    def changeable(self) -> bool:
        """True if values can also be drawn from changed conditionals, as by a temperature."""
        return self.draws in ("logit", "logits")


@dataclass(frozen=True)
class Drawing:
    """The settings of a draw; see `chainrule.sample`. ``top_k`` 0, ``top_p`` 1 and ``undrawn`` -1 keep all."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    undrawn: int = -1
    greedy: bool = False

    @property
    def plain(self) -> bool:
        """True if values are drawn from the conditionals as they are."""
        return self == Drawing()
