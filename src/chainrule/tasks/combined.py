"""P-values of examples that may be strange in several ways, such as a line by its mean or by one of its symbols.

Each example has K statistics s_1(x), ..., s_K(x), less for stranger ones. Each has a p-value of its own, p_k(x), by the
calibration examples; an example is as strange as in its strangest way:

    s(x) = min_k log (p_k(x) / w_k)

and its p-value is that of s(x) among those of the calibration examples. The least of K p-values is small more often
than each of them; but so it is for the calibration examples, so that the p-value of x keeps the promise of
`chainrule.tasks.calibration`, up to 1 / N, which ranks among N examples can tell.

The first way is the main one, with w_1 = 1. The others have w_k = `OTHERS`: an example that is strange in another way
only comes to the front if it is far more so, and else each of them would add false alarms as many as the first.

Reference:
    False discovery control with p-value weighting (Genovese, Roeder and Wasserman, 2006)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from chainrule.tasks.calibration import Calibration

OTHERS = 0.1
"""The weight of each way but the first."""


@dataclass(frozen=True)
class Combined:
    """The distribution of each way to be strange, and of the strangest, over calibration examples.

    Attributes:
        each: The calibration of each way.
        least: The calibration of s(x).

    >>> ways = torch.stack([torch.arange(99.0), torch.arange(99.0).flip(0)], dim=1)
    >>> combined = Combined.of(ways)
    >>> combined.least.pvalues(combined.statistics(torch.tensor([[-9.0, 50.0], [50.0, 50.0]]))) < 0.1
    tensor([ True, False])
    """

    each: Sequence[Calibration]
    least: Calibration

    @classmethod
    def of(cls, ways: Tensor) -> Combined:
        """Build it from the ways of calibration examples ``(N, K)``."""
        each = [Calibration.of(own) for own in ways.T]
        return cls(each, Calibration.of(_least(each, ways)))

    def statistics(self, ways: Tensor) -> Tensor:
        """s(x) ``(B,)`` of examples with the ``ways`` ``(B, K)``, which `least` compares."""
        return _least(self.each, ways)


def _least(each: Sequence[Calibration], ways: Tensor) -> Tensor:
    logs = torch.stack([calibration.log_pvalues(own) for calibration, own in zip(each, ways.T, strict=True)])
    logs[1:] -= math.log(OTHERS)
    return logs.amin(0)
