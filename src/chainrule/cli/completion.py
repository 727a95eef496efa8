"""Shell completion: scripts that complete the commands and flags of ``chainrule``, written by shtab."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import shtab

from chainrule.cli.commands import COMMANDS, parser_of

SHELLS = ("bash", "zsh", "fish")


def run_completion(options: dict[str, Any]) -> None:
    """Print the script of a shell."""
    print(completion_script(options["shell"], {name: parser_of(name, []) for name in COMMANDS}))


def completion_script(shell: str, commands: Mapping[str, argparse.ArgumentParser]) -> str:
    """Write the script with which ``shell`` completes ``chainrule``.

    Args:
        shell: One of `SHELLS`.
        commands: The parser of each command, by name. Arguments of type `pathlib.Path` are completed by file names.

    Raises:
        ValueError: If the shell is unknown.
    """
    if shell not in SHELLS:
        raise ValueError(f"completion expects one of the shells {', '.join(SHELLS)}, got {shell!r}")
    root = argparse.ArgumentParser(prog="chainrule")
    root.add_argument("-V", "--version", action="store_true", help="print the version")
    names = root.add_subparsers()
    for name, parser in commands.items():
        summary = parser.description
        command = names.add_parser(name, parents=[parser], add_help=False, help=summary, description=summary)
        for action in command._actions:
            if action.type is Path:
                action.complete = shtab.FILE  # type: ignore[attr-defined]  # where shtab looks for it
    return shtab.complete(root, shell)
