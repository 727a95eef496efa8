"""Signals that leave a training cleanly, and libraries that keep quiet during it."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from chainrule.endings import ENDING, Ender


class Endings:
    """Lets a step, or a batch of a validation, end before SIGTERM or SIGHUP does; a second signal ends all at once.

    Attributes:
        waits: True while the training takes steps and validates; at other times a signal ends it at once.
        asked: The number of the signal that came, or 0.
    """

    def __init__(self) -> None:
        self.waits, self.asked = False, 0
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}

    @contextlib.contextmanager
    def handled(self) -> Iterator[None]:
        """The context in which signals wait. Those that are ignored, or that the user handles, stay so."""
        if threading.current_thread() is threading.main_thread():
            handlers = {number: signal.getsignal(number) for number in ENDING}
            self._handlers = {number: each for number, each in handlers.items() if isinstance(each, Ender)}
        for number in self._handlers:
            signal.signal(number, self._ask)
        try:
            yield
        finally:
            for number, handler in self._handlers.items():
                if signal.getsignal(number) == self._ask:
                    signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked or not self.waits:
            self._handlers[number](number, frame)
        self.asked = number

    def end(self) -> None:
        """End the training if a signal has asked for it."""
        if self.asked:
            self._handlers[self.asked](self.asked, None)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the advice of Lightning and of torch's compiler, which is not about this training, off the screen."""
    loggers = [logging.getLogger(name) for name in ("lightning.fabric", "torch._dynamo")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            warnings.filterwarnings("ignore", message=".*weights_only.*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
