"""How much of a split a calibration reads, whatever the kind."""

from __future__ import annotations

import numpy as np

from chainrule.data.examples import Examples, Rows, chosen

EXAMPLES = 10_000
"""A calibration reads at most this many examples of a split, chosen at random."""

VALUES = 2**21
"""And at most so many values of them."""

SYMBOLS = 2**18
"""A calibration reads at most this many symbols of a stream or values of a series, or about as many samples."""


def calibration_rows(examples: Examples, num_variables: int) -> Rows:
    """The examples that a calibration reads, chosen at random: at most `EXAMPLES`, of `VALUES` or `SYMBOLS` in all.

    Args:
        examples: Those of a split.
        num_variables: The variables of an example, where all have as many.
    """
    count = EXAMPLES if examples.ragged else min(EXAMPLES, max(1, VALUES // num_variables))
    rows = chosen(len(examples), count)
    return rows[: 1 + int(np.searchsorted(examples.sizes[rows].cumsum(), SYMBOLS))] if examples.ragged else rows
