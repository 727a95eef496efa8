"""Callbacks beside the optimiser's steps: history, progress, time limit, reproducible epochs."""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch

from chainrule.atomic import replacing
from chainrule.batch import epoch_seed
from chainrule.training.loader import Loader
from chainrule.training.processes import is_first_process, processes

FIELDS = ("epoch", "train_nats", "valid_nats", "minutes")
"""The columns of ``metrics.csv``."""


class History(lightning.Callback):
    """Training loss and validation NLL of every validated epoch, kept in checkpoints and written to ``metrics.csv``.

    Args:
        path: The CSV file, rewritten after every epoch, or None.
        verbose: True to show progress: a bar if standard error is a terminal, else a line per epoch there.
        unit: The unit of the losses.
    """

    def __init__(self, path: Path | None, verbose: bool, unit: str) -> None:
        self.path, self.unit = path, unit
        self.bar = verbose and sys.stderr.isatty()
        self.lines = verbose and not self.bar and is_first_process()
        self.rows: list[dict[str, float]] = []
        self.minutes_before = 0.0
        self._started = time.monotonic()

    @property
    def minutes(self) -> float:
        """Minutes of training so far, those before a resume included."""
        return self.minutes_before + (time.monotonic() - self._started) / 60

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._started = time.monotonic()

    def on_validation_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.rows.append({"epoch": trainer.current_epoch, "valid_nats": float(trainer.callback_metrics["valid_nats"])})

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if not self.rows or self.rows[-1]["epoch"] != trainer.current_epoch:
            return  # an epoch without validation
        self.rows[-1] |= {"train_nats": float(trainer.callback_metrics["train_nats"]), "minutes": self.minutes}
        if self.path is not None:
            write_history(self.rows, self.path, self.unit)
        if self.lines:
            row = self.rows[-1]
            best = " *" if row["valid_nats"] <= min(other["valid_nats"] for other in self.rows) else ""
            line = "epoch {epoch:4.0f}   train {train_nats:9.3f}   valid {valid_nats:9.3f} {unit}   {minutes:6.1f} min"
            print(line.format(**row, unit=self.unit) + best, file=sys.stderr, flush=True)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "minutes": self.minutes}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows, self.minutes_before = list(state_dict["rows"]), state_dict["minutes"]


def write_history(rows: list[dict[str, float]], path: Path, unit: str) -> None:
    """Write ``metrics.csv`` completely or not at all; losses that are not in nats have columns called ``_loss``."""
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        header = [field if unit == "nats" else field.replace("_nats", "_loss") for field in FIELDS]
        csv.writer(file).writerow(header)
        csv.DictWriter(file, FIELDS).writerows(rows)


class SeededEpochs(lightning.Callback):
    """Makes every epoch a function of the seed and its number, so that a resumed training sees the same one.

    It tells the loader which epoch it is, for the shuffle, and seeds torch for noise (dropout, dynamic binarisation).
    Each process has noise of its own.

    Args:
        seed: Seed of the training.
        loader: The batches of training.
    """

    def __init__(self, seed: int, loader: Loader) -> None:
        self.seed, self.loader = seed, loader

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.loader.set_epoch(trainer.current_epoch)
        torch.manual_seed(epoch_seed(self.seed, trainer.current_epoch) + processes()[0])


class TimeLimit(lightning.Callback):
    """Ends the training, after the next validation, once it has lasted ``minutes``."""

    def __init__(self, minutes: float, history: History) -> None:
        self.minutes, self.history = minutes, history

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        validates = (trainer.current_epoch + 1) % (trainer.check_val_every_n_epoch or 1) == 0
        if validates:
            over = self.history.minutes >= self.minutes
            trainer.should_stop |= trainer.strategy.reduce_boolean_decision(over, all=False)
