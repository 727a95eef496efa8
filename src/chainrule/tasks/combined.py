"""P-values of examples that may be strange in several ways, such as a line by its mean or by one of its symbols.

Each example has K statistics s_1(x), ..., s_K(x), less for stranger ones. Each has a p-value of its own, p_k(x), by the
calibration examples; an example is as strange as in its strangest way:

    s(x) = min_k log (p_k(x) / w_k)

and its p-value is that of s(x) among those of the calibration examples. The least of K p-values is small more often
than each of them; but so it is for the calibration examples.

A calibration example x_i is compared with the others only, as x is:

    p_k(x_i) = (1 + #{j != i: s_k(x_j) <= s_k(x_i)}) / (N + 1)

Were it counted among those that it is compared with, it would seem less strange than x in the same place, and x would
be called strange too often: of few examples, by far. As x itself is not among the others, p_k(x_i) is at most what it
is among all N + 1; so s(x_i) is, and the p-value of x keeps the promise of `chainrule.tasks.calibration`.

The first way is the main one, with w_1 = 1. The others have w_k = `OTHERS`: an example that is strange in another way
only comes to the front if it is far more so, and else each of them would add false alarms as many as the first.

Reference:
    False discovery control with p-value weighting (Genovese, Roeder and Wasserman, 2006)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
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
        ways = ways.double().cpu()
        return cls([Calibration.of(own) for own in ways.T], Calibration.of(_least(map(_among_others, ways.T))))

    def statistics(self, ways: Tensor) -> Tensor:
        """s(x) ``(B,)`` of examples with the ``ways`` ``(B, K)``, which `least` compares."""
        return _least(calibration.log_pvalues(own) for calibration, own in zip(self.each, ways.T, strict=True))


def _among_others(own: Tensor) -> Tensor:
    """Log p_k(x_i) of each of the calibration examples, given their ``own`` statistics ``(N,)``."""
    below = torch.searchsorted(own.sort().values, own.contiguous(), right=True)  # itself included
    return below.double().log() - math.log(len(own) + 1)


def _least(log_pvalues: Iterable[Tensor]) -> Tensor:
    """s(x), given the log p-values of each way."""
    logs = torch.stack(list(log_pvalues))
    logs[1:] -= math.log(OTHERS)
    return logs.amin(0)
