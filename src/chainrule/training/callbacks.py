"""Callbacks beside the optimiser's steps: history, time limit, reproducible rounds."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping

from chainrule.atomic import replacing
from chainrule.batch import epoch_seed
from chainrule.training.loader import Loader
from chainrule.training.module import MaximumLikelihood
from chainrule.training.processes import processes

FIELDS = ("step", "train_nats", "valid_nats", "minutes")
"""The columns of ``metrics.csv``."""


class History(lightning.Callback):
    """Training loss and validation NLL of every round, kept in checkpoints and written to ``metrics.csv``.

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

    def on_validation_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.rows.append({"step": trainer.global_step, "valid_nats": float(trainer.callback_metrics["valid_nats"])})

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, MaximumLikelihood)
        self.rows[-1] |= {"train_nats": pl_module.train_nats, "minutes": self.minutes}
        if self.path is not None:
            write_history(self.rows, self.path, self.unit)

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Say where in the training the checkpoint is; `chainrule.training.checkpoints.Checkpoint` reads it."""
        ended = trainer.should_stop or trainer.current_epoch + 1 >= (trainer.max_epochs or 0)
        steps = int(trainer.num_training_batches)
        checkpoint["round"] = {"steps": steps, "ended": ended, "minutes": self.minutes}

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


class SeededRounds(lightning.Callback):
    """Makes every round a function of the seed and its number, so that a resumed training sees the same one.

    It tells the loader which round it is, for the shuffle, and seeds torch for noise (dropout, dynamic binarisation).
    Each process has noise of its own.

    Args:
        seed: Seed of the training.
        loader: The batches of training.
    """

    def __init__(self, seed: int, loader: Loader) -> None:
        self.seed, self.loader = seed, loader

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.loader.set_round(trainer.current_epoch)
        torch.manual_seed(epoch_seed(self.seed, trainer.current_epoch) + processes()[0])


class Patience(EarlyStopping):
    """Ends the training after ``rounds`` rounds without a better validation NLL; one that goes on begins to count anew.

    Args:
        rounds: That number.
    """

    def __init__(self, rounds: int) -> None:
        super().__init__("valid_nats", patience=rounds)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        ended = state_dict["wait_count"] >= state_dict["patience"]
        super().load_state_dict(state_dict | {"patience": self.patience} | ({"wait_count": 0} if ended else {}))


class TimeLimit(lightning.Callback):
    """Ends the training, with a validation, before it has lasted ``minutes``, wherever in a round that is.

    At the beginning of each round it also tells the module how many steps will fit, so that the learning rate falls
    over these.

    Args:
        minutes: The limit.
        history: Knows the minutes so far.
        step_seconds: The time of a step, estimated; measured from the first round on.
        valid_seconds: Likewise the time of a validation.
        afterwards: The time that is needed after the training, in validations.
    """

    def __init__(
        self, minutes: float, history: History, step_seconds: float, valid_seconds: float, afterwards: int = 0
    ) -> None:
        self.minutes, self.history, self.afterwards = minutes, history, afterwards
        self.step_seconds, self.valid_seconds = step_seconds, valid_seconds
        self._round_started = self._valid_started = 0.0
        self._steps_before = 0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.on_train_epoch_start(trainer, pl_module)  # which Lightning does not call where it resumes within a round

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, MaximumLikelihood)
        self._round_started, self._steps_before = time.monotonic(), trainer.global_step
        fitting = trainer.strategy.broadcast(self._fitting(float(trainer.num_training_batches)))
        pl_module.ends_at(trainer.global_step + fitting)  # the same in all processes

    def _fitting(self, round_steps: float) -> int:
        """The number of steps that fit into the time that is left, with a validation after each round."""
        left = 60 * (self.minutes - self.history.minutes) - self._last_seconds()
        return max(1, int(left / (self.step_seconds + self.valid_seconds / round_steps)))

    def _last_seconds(self) -> float:
        """The time of the last validation, and of what comes after it."""
        return (1 + self.afterwards) * self.valid_seconds

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        steps = trainer.global_step - self._steps_before
        self.step_seconds = (time.monotonic() - self._round_started) / max(steps, 1)
        spent = 60 * self.history.minutes + self.step_seconds + self._last_seconds()
        trainer.should_stop |= trainer.strategy.reduce_boolean_decision(spent >= 60 * self.minutes, all=False)

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._valid_started = time.monotonic()

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.valid_seconds = time.monotonic() - self._valid_started
