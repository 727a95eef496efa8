"""Progress of long draws: from time to time a line says how many steps are done, and about how long the rest takes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar

FIRST_SECONDS, SILENT_SECONDS = 3.0, 10.0
"""The first line comes after so many seconds, if as many are left, and another each time so many have passed."""

Say = Callable[[str], None]
Count = Callable[[int], None]

_SAY: ContextVar[Say | None] = ContextVar("say", default=None)
_COUNT: ContextVar[Count | None] = ContextVar("count", default=None)


@contextlib.contextmanager
def telling(say: Say) -> Iterator[None]:
    """Give the lines of all draws in the block to ``say``."""
    token = _SAY.set(say)
    try:
        yield
    finally:
        _SAY.reset(token)


@contextlib.contextmanager
def counted(total: int) -> Iterator[Count | None]:
    """Count ``total`` steps in the block by a function that takes how many more are done; None without `telling`.

    Blocks within this one count towards it, and ``total`` is the number of steps of all of them.
    """
    say, outer = _SAY.get(), _COUNT.get()
    if say is None or outer is not None:
        yield outer
        return
    token = _COUNT.set(_Progress(total, say))
    try:
        yield _COUNT.get()
    finally:
        _COUNT.reset(token)


class _Progress:
    """Counts steps, and says from time to time how many of them are done."""

    def __init__(self, total: int, say: Say) -> None:
        self.total, self.say, self.done = total, say, 0
        self._start = time.monotonic()
        self._next = self._start + FIRST_SECONDS

    def __call__(self, more: int) -> None:
        self.done += more
        now = time.monotonic()
        left = (now - self._start) * (self.total - self.done) / max(1, self.done)
        if now < self._next or left < FIRST_SECONDS:
            return
        self._next = now + SILENT_SECONDS
        self.say(f"step {self.done:,} of {self.total:,}, about {in_words(left)} left")


def in_words(seconds: float) -> str:
    """A time in words.

    >>> in_words(42.3), in_words(100.0), in_words(9000.0)
    ('42 seconds', '1.7 minutes', '2.5 hours')
    """
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.1f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
