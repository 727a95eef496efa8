"""Words of messages. Imports nothing slow."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


def suggestion(word: str, choices: Iterable[str]) -> str:
    """A hint at the nearest of ``choices``, or nothing where none resembles ``word``.

    >>> suggestion("mnits", ["digits", "MNIST"])
    ', did you mean MNIST?'
    """
    folded = {choice.lower(): choice for choice in choices}
    matches = difflib.get_close_matches(word.lower(), list(folded), n=1, cutoff=0.5)
    return f", did you mean {folded[matches[0]]}?" if matches else ""


def in_one_line(problems: Sequence[str], prefix: str = "", most: int = 5) -> str:
    """All problems in one line, the first ``most`` in full; ``prefix`` is said once.

    >>> in_one_line(["a.csv: no x", "a.csv: no y"], "a.csv: ")
    'a.csv: no x; no y'
    """
    first, *others = problems
    shown = [first, *(other.removeprefix(prefix) for other in others[: most - 1])]
    more = f"; and {len(problems) - most} more" if len(problems) > most else ""
    return "; ".join(shown) + more
