"""The command line: a thin shell over the library.

`main` turns every foreseeable failure into one line on standard error and an exit status: 2 for bad
input and for a machine that is out of memory, of disk or of a process, 1 for a training that can't go on, and 128 + the
number of a signal that ends it: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP. A command may return a status of its
own.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from chainrule.cli.commands import parse
from chainrule.cli.parser import UsageError
from chainrule.cli.standard_output import out_to_stream
from chainrule.endings import Terminated, ended_by_signals, failure_in_words
from chainrule.errors import MissingPackageError, TrainingError

__all__ = ["main"]

LONGEST = 1500
"""Characters of a message, at most."""

REMEDIES = {
    errno.ENOSPC: ": free some space, or choose another --out",
    errno.EDQUOT: ": free some space, or choose another --out",
    errno.EROFS: ": choose another --out",
    errno.EACCES: ": change its permissions, or name another file",
}
"""Advice on errors of the system, by their numbers."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``chainrule`` with the arguments ``argv``, and return the exit status."""
    formatting = warnings.formatwarning
    warnings.formatwarning = lambda message, *_: f"chainrule: warning: {message}\n"
    try:
        with ended_by_signals():
            return _run(list(sys.argv[1:] if argv is None else argv))
    except BrokenPipeError:
        # The reader of our output is gone: write nothing more, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Terminated as end:
        return _say(f"ended by {end.signal.name}", end, 128 + end.signal, once=True)
    except KeyboardInterrupt as interrupt:
        return _say("interrupted", interrupt, 130, once=True)
    except (UsageError, ValueError, OSError, MissingPackageError) as error:
        return _fail(error, 2)
    except TrainingError as error:
        return _fail(error, 1)
    except (MemoryError, RuntimeError) as error:
        words = failure_in_words(error)
        if words is None:
            raise
        return _say(f"error: {words}", error, 2)
    finally:
        warnings.formatwarning = formatting


def _run(argv: list[str]) -> int:
    parsed = parse(argv)
    if parsed is None:
        return 0
    command, options = parsed
    module, _, function = command.run.partition(":")
    run = getattr(_imported(f"chainrule.cli.{module}"), function)
    with out_to_stream(argv[0], options):
        status: int | None = run(options)
    sys.stdout.flush()
    return status or 0


def _imported(name: str) -> ModuleType:
    """Import the module of a command, with torch and much else: all of it stays, so nothing is worth collecting.

    Looking for garbage all the while would take a quarter of the time, and would go on taking it in every collection.
    """
    if name in sys.modules:
        return sys.modules[name]
    collects = gc.isenabled()
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        if collects:
            gc.enable()


def _fail(error: Exception, status: int) -> int:
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        text += REMEDIES.get(error.errno or 0, "")
    else:
        text = _shortened(" ".join(str(error).split()))
    return _say(f"error: {text}", error, status)


def _shortened(text: str) -> str:
    """A message without the middle of what is very long in it, such as a value of a damaged file."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 2 :]}"


def _say(text: str, error: BaseException, status: int, *, once: bool = False) -> int:
    """Print a line of ``text`` and of the notes on ``error``, and return ``status``.

    Of processes that train together all are ended by a signal: only the first says so, if it is to be said ``once``.
    """
    if not once or os.environ.get("LOCAL_RANK", "0") == "0":
        print("; ".join([f"chainrule: {text}", *getattr(error, "__notes__", ())]), file=sys.stderr)
    return status
