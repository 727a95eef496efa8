"""Ends that nobody wants: signals, too little memory, a lost process. Imports nothing slow."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""The signals by which a scheduler, a terminal that closes, or ``kill`` ends a process."""

LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "Connection refused", "ncclRemoteError")
"""Words in the errors of torch.distributed that mean that another process is gone."""


NO_MEMORY = ("not enough memory", "out of memory", "can't allocate memory", "cannot allocate memory")
"""Words in the errors of torch that mean that there is not enough memory, in lower case."""


class Terminated(SystemExit):
    """A signal ends this process. The exit status is 128 + its number, as a shell would say it.

    Attributes:
        signal: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.signal = signal.Signals(number)


class Ender:
    """A handler of signals that ends the process: by an exception first, and at once by a second signal.

    Args:
        numbers: The signals that it handles.
    """

    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers

    def __call__(self, number: int, frame: FrameType | None) -> None:
        for each in self.numbers:
            signal.signal(each, signal.SIG_DFL)
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise `Terminated` on SIGTERM and SIGHUP, KeyboardInterrupt on SIGINT; a second signal ends the process at once.

    A signal that is ignored, as SIGHUP is under nohup, stays ignored. So does a handler of the user's own.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (*ENDING, signal.SIGINT)}
    ours = [number for number in ENDING if before[number] is signal.SIG_DFL]
    if before[signal.SIGINT] not in (signal.SIG_IGN, signal.SIG_DFL):
        ours.append(signal.SIGINT)

    end = Ender(ours)
    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])


def is_lack_of_memory(error: BaseException) -> bool:
    """True if Python, numpy or torch says that there is not enough memory."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in NO_MEMORY)


def failure_in_words(error: BaseException) -> str | None:
    """A sentence about a lack of memory or a lost process, and the way out; None for other errors.

    >>> failure_in_words(MemoryError())
    'out of memory: expected less to be read or computed at once; try a smaller --batch-size, model or file'
    """
    text = " ".join(str(error).split())
    if is_lack_of_memory(error):
        return "out of memory: expected less to be read or computed at once; try a smaller --batch-size, model or file"
    foreign = any(base.__name__ == "DistError" for base in type(error).__mro__)  # of torch.distributed
    if foreign or any(words in text for words in LOST):
        return "another process of this training is gone, and this one can't go on alone; its own output may say why"
    return None
