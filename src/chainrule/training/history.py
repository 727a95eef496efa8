"""The history of a training: the losses of every round, kept in checkpoints and in ``metrics.csv``."""

from __future__ import annotations

import csv
import time
from pathlib import Path

from chainrule.atomic import replacing

FIELDS = ("step", "train_nats", "valid_nats", "minutes")
"""The columns of ``metrics.csv``."""


class History:
    """Training loss and validation NLL of every round.

    Args:
        path: The CSV file, rewritten after every round, or None.
        unit: The unit of the losses.
        started: The time at which the training began, by `time.monotonic`.
    """

    def __init__(self, path: Path | None, unit: str, started: float) -> None:
        self.path, self.unit = path, unit
        self.rows: list[dict[str, float]] = []
        self.minutes_before = 0.0
        self._started = started

    @property
    def minutes(self) -> float:
        """Minutes of training so far, those before a resume included."""
        return self.minutes_before + (time.monotonic() - self._started) / 60

    @property
    def best(self) -> dict[str, float]:
        """The row with the lowest validation NLL."""
        return min(self.rows, key=lambda row: row["valid_nats"])

    def add(self, step: int, train_nats: float, valid_nats: float) -> bool:
        """Add the row of a round that ends at ``step``; True if no round before it validated as well."""
        better = not self.rows or valid_nats < self.best["valid_nats"]
        self.rows.append({"step": step, "train_nats": train_nats, "valid_nats": valid_nats, "minutes": self.minutes})
        if self.path is not None:
            write_history(self.rows, self.path, self.unit)
        return better


def write_history(rows: list[dict[str, float]], path: Path, unit: str) -> None:
    """Write ``metrics.csv`` completely or not at all; losses that are not in nats have columns called ``_loss``."""
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        header = [field if unit == "nats" else field.replace("_nats", "_loss") for field in FIELDS]
        csv.writer(file).writerow(header)
        csv.DictWriter(file, FIELDS).writerows(rows)
