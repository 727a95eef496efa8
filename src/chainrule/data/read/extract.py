"""Some rows that stand for a table larger than memory, so that its schema can be inferred from them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import polars
from numpy.typing import NDArray

from chainrule.data.codecs.find import Whole
from chainrule.data.read.watch import Watch

SAMPLE_ROWS, SAMPLE_CELLS = 200_000, 4e6
"""Rows that are chosen at random, at most, and their cells."""

FIRST = 10_000
"""The first rows are all kept, as formats are guessed from them."""


@dataclass(frozen=True)
class Extract:
    """Rows that stand for all rows of a table.

    Attributes:
        frame: The rows, in their sequence.
        rows: Those of them whose statistics count: training rows that were chosen at random, and one of each value.
        known: What is known of all cells of each column.
        sampled: The number of rows that were chosen at random.
        text: True if all cells are text, as those of a text file are.
    """

    frame: polars.DataFrame
    rows: NDArray[np.int64]
    known: Mapping[str, Whole]
    sampled: int
    text: bool


def extract(
    chunks: Iterable[tuple[polars.DataFrame, NDArray[np.bool_]]], most_rows: int, seed: int, *, text: bool
) -> Extract:
    """Rows that stand for all rows of ``chunks``, which are read once.

    Rows chosen at random tell what is frequent. What holds of all rows is told by those that `Watch` finds.

    Args:
        chunks: Consecutive rows, and which of them are training rows; not empty.
        most_rows: The number of rows, or a number above it.
        seed: The seed of the choice.
        text: True if all cells are text.
    """
    random = np.random.RandomState([seed, 1])
    watches: dict[str, Watch] = {}
    parts, marks = [], []
    count = sampled = 0
    for chunk, train in chunks:
        watches = watches or {name: Watch(text=text) for name in chunk.columns}
        chosen = random.random_sample(len(chunk)) < min(SAMPLE_ROWS, SAMPLE_CELLS / chunk.width) / most_rows
        counts, kept = chosen & train, chosen | (np.arange(count, count + len(chunk)) < FIRST)
        for series in chunk:
            kept[watches[series.name].remarkable(series)] = True
            new = watches[series.name].new_values(series, polars.Series(train))
            kept[new], counts[new] = True, train[new]
        parts.append(_of_its_own(chunk.filter(polars.Series(kept))))
        marks.append(counts[kept])
        count, sampled = count + len(chunk), sampled + int(chosen.sum())
    known = {name: Whole(count, watch.all_differ()) for name, watch in watches.items()}
    return Extract(polars.concat(parts), np.flatnonzero(np.concatenate(marks)), known, sampled, text)


def _of_its_own(rows: polars.DataFrame) -> polars.DataFrame:
    """A copy of ``rows``, which have been selected from others: text would keep that of the others in memory."""
    buffer = io.BytesIO()
    rows.write_ipc(buffer)
    buffer.seek(0)
    return polars.read_ipc(buffer)
