"""Times on a clock that is put back in autumn, so that an hour comes twice: which clock it is, and times in UTC."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars
from numpy.typing import NDArray

from chainrule.data.series_frequency import Moments
from chainrule.data.series_groups import Groups
from chainrule.data.series_time_readers import TimeColumns

CLOCKS = (
    "Europe/Berlin", "Europe/London", "Europe/Athens", "America/New_York", "Australia/Sydney", "Pacific/Auckland",
    "America/Sao_Paulo", "America/Santiago", "Asia/Jerusalem", "America/Havana",
)  # fmt: skip
"""Clocks that are put back at different times. Chicago's is, at the same hour of the same days, that of New York."""

MOST_REPEATED = 0.02
"""Times that come twice, at most: an hour a year is one of 8,766, and one of a week is 0.6 %."""


def on_clock(found: TimeColumns, groups: Groups, known: str = "") -> TimeColumns:
    """The times in UTC, if some come twice and it is a clock that explains each of them; else as they are.

    A clock explains them if it is put back whenever times repeat, and never skips an hour that the file has.

    Args:
        found: The times as the file writes them.
        groups: The rows of each series.
        known: The clock of earlier values, on which times are read though none comes twice.
    """
    moments = found.moments
    if moments.null_count() or bool((moments.dt.truncate("1d") == moments).all()):
        return found
    again = _again(moments.to_numpy(), groups)
    if again is None or not (known or again.any()):
        return found
    ambiguous = (
        polars.when(polars.lit(polars.Series(again))).then(polars.lit("latest")).otherwise(polars.lit("earliest"))
    )
    for clock in filter(None, (known, *CLOCKS) if again.any() else (known,)):
        on_it = polars.lit(moments).dt.replace_time_zone(clock, ambiguous=ambiguous, non_existent="null")
        utc = polars.select(on_it.dt.convert_time_zone("UTC").dt.replace_time_zone(None)).to_series()
        if not utc.null_count():
            left = _again(utc.to_numpy(), groups)
            if left is not None and not left.any():
                return TimeColumns(replace(found.times, clock=clock), utc)
    return found


def _again(moments: Moments, groups: Groups) -> NDArray[np.bool_] | None:
    """True at the later of two equal times of a series ``(N,)``; None if there are too many of them."""
    again = np.zeros(len(moments), bool)
    for _, own in groups:
        rows = own[::-1] if moments[own[0]] > moments[own[-1]] else own
        _, first, counts = np.unique(moments[rows], return_index=True, return_counts=True)
        if counts.max() > 2:
            return None
        again[rows] = True
        again[rows[first]] = False
    return again if again.sum() <= MOST_REPEATED * len(moments) else None
