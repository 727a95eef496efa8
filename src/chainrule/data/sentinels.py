"""Numbers that may stand for a missing value, such as -999: repeated exactly, and far from all others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_REPEATED = 3
"""Such a number comes at least so many times."""

LEAST_OTHERS = 8
"""Others have at least so many different values."""

DECIMALS = 2
"""Such a number has at most so many decimals, as -99.9 has one."""

MOST = 2
"""So many such numbers are found at each end."""


def sentinels(values: NDArray[np.float64]) -> list[tuple[float, int]]:
    """The numbers that may stand for a missing value, and how often each comes.

    Each is farther from the nearest of the others than those are from each other.

    Args:
        values: Numbers ``(N,)``; NaN and infinities are left out.

    >>> sentinels(np.array([-999.0, 3.0, -999.0, -999.0, *range(10)]))
    [(-999.0, 3)]
    """
    unique, counts = np.unique(values[np.isfinite(values)], return_counts=True)
    repeated = (counts >= LEAST_REPEATED) & (unique == unique.round(DECIMALS))
    for ends in sorted(np.ndindex(MOST + 1, MOST + 1), key=sum, reverse=True):
        low, high = ends[0], len(unique) - ends[1]
        if sum(ends) == 0 or high - low < LEAST_OTHERS:
            continue
        outside = np.r_[:low, high : len(unique)]
        span = unique[high - 1] - unique[low]
        apart = np.where(outside < low, unique[low] - unique[outside], unique[outside] - unique[high - 1])
        if repeated[outside].all() and (apart > span).all():
            return [(float(unique[place]), int(counts[place])) for place in outside]
    return []


def sentinels_in_words(values: NDArray[np.float64]) -> str:
    """A note on the numbers that may stand for a missing value; empty where there are none.

    >>> sentinels_in_words(np.array([-999.0, 3.0, -999.0, -999.0, *range(10)]))
    '-999 comes 3 times, far from all others (0 to 9)'
    """
    found = sentinels(values)
    if not found:
        return ""
    numbers = " and ".join(f"{number:.10g} comes {count:,} times" for number, count in found)
    others = values[np.isfinite(values) & ~np.isin(values, [number for number, _ in found])]
    return f"{numbers}, far from all others ({others.min():.10g} to {others.max():.10g})"
