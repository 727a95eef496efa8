"""argparse, with errors of one line that suggest what was meant."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any, NoReturn

from chainrule.words import suggestion

SWITCHED = ("true", "false", "yes", "no")
"""The values of a switch; without one it is true."""


class UsageError(Exception):
    """A command line that says something unknown or impossible."""


class Options(dict[str, Any]):
    """The options of a command line by name.

    Attributes:
        typed: The names of those that the user typed; the others have their defaults.
    """

    def __init__(self, values: dict[str, Any], typed: Iterable[str]) -> None:
        super().__init__(values)
        self.typed = frozenset(typed)

    def refuse(self, *names: str, expects: str) -> None:
        """Raise `UsageError` if the user typed one of ``names``, whose effect ``expects`` something else."""
        for name in names:
            if name in self.typed:
                flag = {"n": "-n", "label": "--class"}.get(name, f"--{name.replace('_', '-')}")
                raise UsageError(f"{flag} expects {expects}")


class Parser(argparse.ArgumentParser):
    """argparse's parser, with errors of one line that suggest the nearest flag.

    Attributes:
        switches: Flags that may stand without their value, true.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)
        self.switches: set[str] = set()

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)

    def parse(self, argv: list[str]) -> Options:
        """The options by name; unknown flags are errors."""
        words = [_dashed(word) for word in argv]
        for i, word in enumerate(words):
            if word in self.switches and (words[i + 1 : i + 2] or [""])[0] not in SWITCHED:
                words[i] = f"{word}=true"
        options, unknown = self.parse_known_args(words)
        if unknown:
            if not unknown[0].startswith("-") and "data" in vars(options) and "file" not in vars(options):
                raise UsageError(f"expected --data {unknown[0]}, got {unknown[0]} without --data")
            flag = unknown[0].partition("=")[0]
            known = [name for action in self._actions for name in action.option_strings]
            raise UsageError(f"unknown argument {flag}{suggestion(flag, known)}")
        for action in self._actions:
            action.default = argparse.SUPPRESS
        return Options(vars(options), typed=vars(self.parse_known_args(words)[0]))


def _dashed(word: str) -> str:
    """``--max_epochs`` as ``--max-epochs``; a model's argument keeps its underscores."""
    if not word.startswith("--") or word.startswith("--model."):
        return word
    flag, equals, value = word.partition("=")
    return flag.replace("_", "-") + equals + value
