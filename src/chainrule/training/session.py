"""Ctrl-C that leaves a training cleanly, and libraries that keep quiet during it."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import warnings
from collections.abc import Iterator
from types import FrameType
from typing import Any


class _Interrupt(BaseException):
    """Ctrl-C, in a form that Lightning passes on instead of ending the process itself, and that nobody swallows."""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGINT into a KeyboardInterrupt that leaves Lightning cleanly."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise _Interrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: Any = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except _Interrupt:
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, before)


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
