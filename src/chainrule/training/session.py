"""Signals that leave a training cleanly, and libraries that keep quiet during it."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor

from chainrule.endings import ENDING, Ender, ended_by_signals
from chainrule.training.processes import processes


class _Interrupt(BaseException):
    """Ctrl-C, in a form that Lightning passes on instead of ending the process itself, and that nobody swallows."""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGINT into a KeyboardInterrupt, and SIGTERM and SIGHUP into `Terminated`, which leave Lightning cleanly."""
    try:
        with ended_by_signals(interrupt=_Interrupt):
            yield
    except _Interrupt:
        raise KeyboardInterrupt from None


class Endings(lightning.Callback):
    """Ends a training on SIGTERM and SIGHUP after its step, with a checkpoint within the round; a second time at once.

    The last step of a round has no such checkpoint, as a validation and one of the whole round would follow; neither
    have several processes, which would have to agree on a step. They end at once.

    It also keeps Lightning's own handler of SIGTERM away, which ends with status 0 and may wait for other processes
    without an end.

    Args:
        path: The file of the last checkpoint.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handlers: dict[int, Any] = {}
        self._waits, self._asked, self._done = False, 0, 0
        self._noise: list[Tensor] = []

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        self._handlers = {number: signal.getsignal(number) for number in ENDING}

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if threading.current_thread() is threading.main_thread():
            for number, handler in self._handlers.items():
                signal.signal(number, self._ask if isinstance(handler, Ender) else handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked or not self._waits:
            self._handlers[number](number, frame)
        self._asked = number

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        self._waits = processes()[1] == 1
        if self._noise:
            torch.set_rng_state(self._noise[0])
            torch.cuda.set_rng_state_all(self._noise[1:])
            self._noise = []

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        last = trainer.should_stop or batch_idx + 1 >= trainer.num_training_batches
        self._waits = self._waits and not last
        if self._asked:
            if not last:
                self._done = batch_idx + 1
                trainer.save_checkpoint(self.path)
            self._handlers[self._asked](self._asked, None)

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self._done:
            noise = [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else ())]
            checkpoint["round"] |= {"ended": False, "done": self._done, "noise": noise}

    def on_load_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._noise = checkpoint["round"].get("noise", [])


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the advice of Lightning and of torch's compiler, which is not about this training, off the screen."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric", "torch._dynamo")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            warnings.filterwarnings("ignore", message=".*weights_only.*|.*litlogger.*|.*LeafSpec.*|.*num_workers.*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
