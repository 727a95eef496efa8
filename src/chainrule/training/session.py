"""Signals that leave a training cleanly, and libraries that keep quiet during it."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import warnings
from collections.abc import Iterator

import lightning.pytorch as lightning

from chainrule.endings import ended_by_signals


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


class OwnSignals(lightning.Callback):
    """Keeps our handler of SIGTERM: Lightning's ends with status 0, and waits for other processes without an end."""

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        self._ours = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._ours)


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
