"""What is wrong with the outcome of an input, if anything is."""

import signal
from dataclasses import dataclass
from pathlib import Path

from pool import MEGABYTES, TRACEBACK, Outcome
from subjects import GIVEN

FAULTS = ("traceback", "crash", "hang", "memory", "believed", "unclear")
"""The faults, the worst first: it raised; a signal ended it; it took too long, or too much; it succeeded with damaged
weights; or its last line does not say what is wrong with which file."""


@dataclass(frozen=True)
class Input:
    """A damaged file, and the command that reads it.

    Attributes:
        family: Its family, as `subjects` has them.
        number: Its number.
        argv: The arguments of ``chainrule``.
        folder: The folder that it runs in.
        damage: The file that is damaged, or the bomb.
        must_fail: True if the command may not succeed.
    """

    family: str
    number: int
    argv: list[str]
    folder: Path
    damage: str
    must_fail: bool


def verdict(made: Input, outcome: Outcome) -> str | None:
    """The fault of an input's outcome; None if there is none."""
    if outcome.status == TRACEBACK or "Traceback (most recent call last)" in outcome.error:
        return "traceback"
    if outcome.status < 0:
        return "hang" if -outcome.status in (signal.SIGALRM, signal.SIGXCPU) else "crash"
    if outcome.megabytes > MEGABYTES:
        return "memory"
    if outcome.status == 0:
        return "believed" if made.must_fail else None
    return None if _is_clear(made, outcome) else "unclear"


def _is_clear(made: Input, outcome: Outcome) -> bool:
    """True if the command ended with one line that names a file or an option of it, after warnings at most."""
    lines = outcome.error.splitlines()
    errors = [line for line in lines if line.startswith("chainrule: error: ")]
    if outcome.status not in (1, 2) or len(errors) != 1 or errors[0] != lines[-1] or len(errors[0]) > 2000:
        return False
    if any("panicked at" in line for line in lines):
        return False
    named = [word for word in made.argv if GIVEN in word or "silhouettes" in word or "fsdd" in word]
    about_memory = "GB" in errors[0] or "out of memory" in errors[0]  # of what is planned or computed, not of the file
    return any(Path(word).name in errors[0] for word in named) or outcome.status == 1 or about_memory
