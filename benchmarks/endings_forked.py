"""Command lines in forked processes, which have chainrule imported, and can be ended at a chosen moment."""

from __future__ import annotations

import importlib
import os
import pkgutil
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chainrule
from chainrule.atomic import TEMPORARY
from chainrule.cli import main
from chainrule.training.loop import Loop

TRACEBACK = 70
"""The exit status of a process whose command raised."""


@dataclass(frozen=True)
class Ended:
    """The end of a command: its exit status, minus the number of a signal that ended it; and its standard error."""

    status: int
    error: str

    @property
    def line(self) -> str:
        """The last line on standard error."""
        return (self.error.splitlines() or [""])[-1]


def import_all() -> None:
    """Import all of chainrule, so that no process has to do it again."""
    for module in pkgutil.walk_packages(chainrule.__path__, "chainrule."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def started(argv: list[str], log: Path, prepare: Callable[[], object] | None = None) -> int:
    """Start ``chainrule`` with ``argv`` in a process, after ``prepare`` there, and give its number."""
    if process := os.fork():
        return process
    status = TRACEBACK
    try:
        for descriptor, path in ((0, os.devnull), (1, os.devnull), (2, log)):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), descriptor)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores the one, and a shell's background the other
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if prepare is not None:
            prepare()
        status = main(argv)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def ended(process: int, log: Path) -> Ended:
    """Wait for a process that `started` gave."""
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return Ended(status, log.read_text(errors="replace"))


def ran(argv: list[str], log: Path, prepare: Callable[[], object] | None = None) -> Ended:
    """Run ``chainrule`` with ``argv`` in a process, after ``prepare`` there."""
    return ended(started(argv, log, prepare), log)


def signalled(place: str, number: int, call: int = 1) -> Callable[[], None]:
    """Have this process send itself a signal before the call ``call``, counted from 1, of the function at ``place``."""
    calls = 0

    def prepare() -> None:
        module, name = _found(place)
        before = getattr(module, name)

        def function(*arguments: Any, **settings: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == call:
                os.kill(os.getpid(), number)
            return before(*arguments, **settings)

        setattr(module, name, function)

    return prepare


def _found(place: str) -> tuple[Any, str]:
    """The module, or the class, and the name in it, of ``package.module.name`` or ``package.module.Class.name``."""
    owner, _, name = place.rpartition(".")
    try:
        return importlib.import_module(owner), name
    except ModuleNotFoundError:
        module, _, cls = owner.rpartition(".")
        return getattr(importlib.import_module(module), cls), name


class Events:
    """Counts the steps of a training and all that is done to files, and kills the process at one of them.

    Args:
        chosen: The number of the event at which this process is killed, counted from 0; None for none.
        log: Takes the words of all events, a line each, where none is chosen.
    """

    def __init__(self, chosen: int | None, log: Path | None = None) -> None:
        self.chosen, self.log, self.count = chosen, log, 0

    def __call__(self) -> None:
        """Watch this process."""
        self._around(os, "replace", lambda source, target: f"{_name(Path(target))} is renamed")
        self._around(os, "fsync", lambda number: f"{_name(Path(f'/proc/self/fd/{number}').readlink())} is synced")
        self._around(Loop, "_step", lambda loop, *_: f"step {loop.optimiser.steps}")
        write = Path.write_bytes

        def write_half(path: Path, content: bytes) -> int:
            if self._is_chosen(f"half of {_name(path)} is written"):
                write(path, content[: len(content) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return write(path, content)

        Path.write_bytes = write_half  # type: ignore[method-assign]

    def _around(self, owner: Any, name: str, words: Callable[..., str]) -> None:
        """Have events before and after each call of a function."""
        function = getattr(owner, name)

        def watched(*arguments: Any, **settings: Any) -> Any:
            what = words(*arguments)
            self._event(f"before {what}")
            result = function(*arguments, **settings)
            self._event(f"after {what}")
            return result

        setattr(owner, name, watched)

    def _event(self, words: str) -> None:
        if self._is_chosen(words):
            os.kill(os.getpid(), signal.SIGKILL)

    def _is_chosen(self, words: str) -> bool:
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(words + "\n")
        self.count += 1
        return self.count - 1 == self.chosen


def _name(path: Path) -> str:
    """The name of a file, or of the one that it will be when it is written."""
    found = TEMPORARY.fullmatch(path.name)
    return found["name"] if found else path.name
