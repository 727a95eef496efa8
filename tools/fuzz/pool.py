"""Runs command lines in forked processes, which have chainrule imported, with limits of time and of memory.

A fork costs a hundredth of a start, and whatever an input breaks ends with its process.
"""

import importlib
import os
import pkgutil
import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from subjects import GIVEN

import chainrule
from chainrule.cli import main

SECONDS = 30
"""Seconds of a processor after which an input hangs."""

WAITS = 4 * SECONDS
"""Seconds by the clock after which it does: it waits for something, or the machine is very busy."""

MEGABYTES = 2048
"""Megabytes that an input may take."""

RESERVED = 2 * 2**30
"""Bytes of addresses that a process may take beyond those of its parent, so that no input can stop the machine."""

TRACEBACK = 70
"""The exit status of a process whose command raised."""


@dataclass(frozen=True)
class Outcome:
    """What a command line came to.

    Attributes:
        status: Its exit status; minus the number of the signal that ended it.
        error: What it wrote on standard error.
        seconds: The seconds of a processor that it took.
        megabytes: The most memory that it took, with chainrule itself (about 450).
    """

    status: int
    error: str
    seconds: float
    megabytes: int


def import_all() -> None:
    """Import all of chainrule, and what it imports late, so that no process has to do it again."""
    for module in pkgutil.walk_packages(chainrule.__path__, "chainrule."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in ("PIL.ImageFile", "lightning", "scipy.io", "scipy.io.matlab", "soundfile", "torch._dynamo"):
        importlib.import_module(name)


def outcomes(commands: Iterable[tuple[int, list[str], Path]], workers: int) -> Iterator[tuple[int, Outcome]]:
    """Run command lines, ``workers`` at a time, and give the outcome of each as it ends.

    Args:
        commands: A number, the arguments of ``chainrule``, and an empty folder to run in, of each; made when needed.
        workers: The number of processes at a time.
    """
    running: dict[int, tuple[int, Path]] = {}
    for number, argv, folder in commands:
        running[_started(argv, folder)] = number, folder
        if len(running) == workers:
            yield _ended(running)
    while running:
        yield _ended(running)


def _ended(running: dict[int, tuple[int, Path]]) -> tuple[int, Outcome]:
    """Wait for the first of the processes that ends."""
    process, status, usage = os.wait4(-1, 0)
    number, folder = running.pop(process)
    error = (folder / "stderr").read_text(errors="replace")
    seconds = usage.ru_utime + usage.ru_stime
    return number, Outcome(os.waitstatus_to_exitcode(status), error, seconds, usage.ru_maxrss // 1024)


def _started(argv: list[str], folder: Path) -> int:
    """Start ``chainrule`` with ``argv`` in ``folder``, and give the number of its process."""
    sys.stdout.flush()
    sys.stderr.flush()
    if process := os.fork():
        return process
    status = TRACEBACK
    try:
        _limit()
        os.chdir(folder)
        os.environ["CHAINRULE_DATA"] = GIVEN  # where named sets are looked for
        for descriptor, name in ((0, os.devnull), (1, os.devnull), (2, "stderr")):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), descriptor)
        warnings.simplefilter("default")
        status = main(argv)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _limit() -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process even within a foreign library
    signal.alarm(WAITS)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    addresses = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (addresses + RESERVED,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
