"""Words of messages. Imports nothing slow."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggestion(word: str, choices: Iterable[str]) -> str:
    """A hint at the nearest of ``choices``, or nothing where none resembles ``word``.

    >>> suggestion("mnits", ["digits", "MNIST"])
    ', did you mean MNIST?'
    """
    folded = {choice.lower(): choice for choice in choices}
    matches = difflib.get_close_matches(word.lower(), list(folded), n=1, cutoff=0.5)
    return f", did you mean {folded[matches[0]]}?" if matches else ""
