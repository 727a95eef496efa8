"""Turns: requests compute one at a time, for a slice of time each."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import torch

SLICE = 0.02
"""Seconds after which a request lets the others go on."""

PATIENCE = 0.3
"""Seconds after which a request that waits for its turn says so."""


class Turns:
    """One turn for all threads, which they take in the sequence in which they ask for it.

    Models share torch's random generator and this machine's cores, so two walks at a time would be no faster, and
    neither would draw the values that its seed promises. Each thread gets its own state of the generator back with its
    turn.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False
        self._since = 0.0

    @contextlib.contextmanager
    def turn(self, waits: Callable[[], None]) -> Iterator[None]:
        """Hold the turn in the block; ``waits`` is called once if it takes longer than `PATIENCE` to come."""
        try:
            self._take(waits)
            yield
        finally:
            self._give()

    def offer(self) -> None:
        """Let those who wait have the turn first, if this thread has had it for a `SLICE` of time."""
        if self._waiting and time.monotonic() - self._since > SLICE:
            state = _generators()
            self._give()
            self._take()
            _restore(state)

    def _take(self, waits: Callable[[], None] = lambda: None) -> None:
        with self._mutex:
            free, self._taken = not self._taken, True
            if not free:
                mine = threading.Event()
                self._waiting.append(mine)
        if not free and not mine.wait(PATIENCE):
            try:
                waits()
            finally:  # the turn comes all the same, and must be given on
                mine.wait()
        self._since = time.monotonic()

    def _give(self) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False


def _generators() -> tuple[Any, ...]:
    """The states of torch's generators: that of the CPU and, where CUDA is in use, that of the GPU."""
    return (torch.get_rng_state(), *([torch.cuda.get_rng_state()] if torch.cuda.is_initialized() else []))


def _restore(state: tuple[Any, ...]) -> None:
    torch.set_rng_state(state[0])
    for own in state[1:]:
        torch.cuda.set_rng_state(own)
