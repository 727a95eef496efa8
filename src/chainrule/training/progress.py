"""The progress of a training on the screen: a bar in a terminal and in a notebook, lines elsewhere."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from chainrule.training.history import History

QUIET_SECONDS, SILENT_SECONDS = 5.0, 15.0
"""A line follows another after 5 s at the earliest, and after 15 s, or a step more, at the latest."""

BAR_SECONDS = 0.1
"""The bar moves so often: each time takes as long as a small model's step."""


class Reporter(ABC):
    """Shows where a training is, as the context that it runs in.

    Attributes:
        step: The steps so far.
        total: The steps of the whole training, about.
    """

    def __init__(self, history: History, label: str) -> None:
        self.history, self.label = history, label
        self.step = self.total = 0
        self._last = 0.0

    def follow(self, step: int, total: int) -> None:
        """Hear of a step, or of a batch of a validation."""
        self.step, self.total = step, max(step, total)  # what fits is an estimate

    def __enter__(self) -> Self:
        self._last = time.monotonic()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self.show()

    @abstractmethod
    def end_round(self) -> None:
        """Hear that the history has another row."""

    @abstractmethod
    def show(self) -> None:
        """Show where the training is now."""

    def _nats(self) -> str:
        """The losses of the last round, and the best."""
        if not self.history.rows:
            return ""
        row, unit = self.history.rows[-1], self.history.unit
        best = self.history.best["valid_nats"]
        star = " *" if row["valid_nats"] <= best else f" (best {best:.3f})"
        return f"train {row['train_nats']:.3f}  valid {row['valid_nats']:.3f} {unit}{star}"


class Lines(Reporter):
    """A line on standard error every few seconds."""

    def __init__(self, history: History, label: str) -> None:
        super().__init__(history, label)
        self._newest = ""

    def follow(self, step: int, total: int) -> None:
        super().follow(step, total)
        if time.monotonic() - self._last > SILENT_SECONDS:
            self.show()

    def end_round(self) -> None:
        first = len(self.history.rows) == 1 and not self.label
        if time.monotonic() - self._last > QUIET_SECONDS or first:
            self.show()

    def show(self) -> None:
        self._last = time.monotonic()
        line = f"{self.label}step {self.step:7,} of {self.total:,}  {self._nats()}"
        if line != self._newest:
            print(f"{line}  {self.history.minutes:.1f} min", file=sys.stderr, flush=True)
        self._newest = line


class Bar(Reporter):
    """A bar over the whole training, with the losses and the time that is left."""

    def __init__(self, history: History, label: str) -> None:
        super().__init__(history, label)
        steps = TextColumn("{task.completed:,.0f}/{task.total:,.0f}")
        columns = (TextColumn("{task.description}"), BarColumn(16), steps, TimeRemainingColumn(compact=True))
        self.progress = Progress(*columns, TextColumn("{task.fields[nats]}"), console=Console(stderr=True))
        self._task = self.progress.add_task(label or "training", total=1, nats="")

    def __enter__(self) -> Self:
        self.progress.start()
        return super().__enter__()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        super().__exit__(kind, error, trace)
        self.progress.stop()

    def follow(self, step: int, total: int) -> None:
        super().follow(step, total)
        if time.monotonic() - self._last > BAR_SECONDS:
            self.show()

    def end_round(self) -> None:
        self.show()

    def show(self) -> None:
        self._last = time.monotonic()
        self.progress.update(self._task, completed=self.step, total=self.total, nats=self._nats())


def reporter(history: History, label: str) -> Reporter:
    """A bar in a notebook, or if standard error is a terminal; else lines."""
    from chainrule.training.notebook import Cell, in_notebook  # which knows this module

    if in_notebook():
        return Cell(history, label)
    return Bar(history, label) if sys.stderr.isatty() else Lines(history, label)
