"""The progress of a training on the screen: a bar in a terminal and in a notebook, lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any

import lightning.pytorch as lightning
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from chainrule.training.callbacks import History
from chainrule.training.module import MaximumLikelihood

QUIET_SECONDS, SILENT_SECONDS = 5.0, 15.0
"""A line follows another after 5 s at the earliest, and after 15 s, or a step more, at the latest."""


class Reporter(lightning.Callback):
    """Knows where a training is."""

    def __init__(self, history: History, label: str) -> None:
        self.history, self.label = history, label
        self.step = self.total = 0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._follow(trainer, pl_module)

    def _follow(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, MaximumLikelihood)
        self.step = trainer.global_step
        self.total = max(self.step, pl_module.total_steps)  # what fits is an estimate

    def _nats(self) -> str:
        """The losses of the last round, and the best."""
        if not self.history.rows:
            return ""
        row, unit = self.history.rows[-1], self.history.unit
        best = self.history.best["valid_nats"]
        train = f"train {row['train_nats']:.3f}  " if "train_nats" in row else ""
        star = " *" if row["valid_nats"] <= best else f" (best {best:.3f})"
        return f"{train}valid {row['valid_nats']:.3f} {unit}{star}"


class Lines(Reporter):
    """A line on standard error every few seconds."""

    def __init__(self, history: History, label: str) -> None:
        super().__init__(history, label)
        self._last = 0.0
        self._newest = ""

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        self._last = time.monotonic()

    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any) -> None:
        if time.monotonic() - self._last > SILENT_SECONDS:
            self._print(trainer, pl_module)

    def on_validation_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any
    ) -> None:
        if time.monotonic() - self._last > SILENT_SECONDS:
            self._print(trainer, pl_module)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        first = len(self.history.rows) == 1 and not self.label
        if time.monotonic() - self._last > QUIET_SECONDS or first:
            self._print(trainer, pl_module)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._print(trainer, pl_module)

    def _print(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._follow(trainer, pl_module)
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

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        self.progress.start()

    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any) -> None:
        self._show(trainer, pl_module)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._show(trainer, pl_module)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._show(trainer, pl_module)
        self.progress.stop()

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        self.progress.stop()

    def _show(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._follow(trainer, pl_module)
        self.progress.update(self._task, completed=self.step, total=self.total, nats=self._nats())


def reporter(history: History, label: str) -> Reporter:
    """A bar in a notebook, or if standard error is a terminal; else lines."""
    from chainrule.training.notebook import Cell, in_notebook  # which knows this module

    if in_notebook():
        return Cell(history, label)
    return Bar(history, label) if sys.stderr.isatty() else Lines(history, label)
