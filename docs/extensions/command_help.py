"""The directive ``command-help``: one section for each command of ``chainrule``, with its ``--help``."""

import os
import re
import subprocess
import sys
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

WIDTH = "100"


class CommandHelp(Directive):
    """Runs ``chainrule --help`` for the list of commands, then ``chainrule COMMAND --help`` for each."""

    def run(self) -> list[nodes.Node]:
        overview = help_of()
        commands = re.findall(r"^  ([a-z][a-z-]*)  +\S", overview, flags=re.MULTILINE)
        if not commands:
            raise self.error(f"chainrule --help expects a list of commands, got {overview!r}")
        return [_literal(overview), *(self._section(command) for command in commands)]

    def _section(self, command: str) -> nodes.section:
        section = nodes.section(ids=[f"command-{command}"], names=[f"command-{command}"])
        section += nodes.title("", "", nodes.literal("", f"chainrule {command}"))
        section += _literal(help_of(command))
        return section


def help_of(*command: str) -> str:
    """The output of ``chainrule [COMMAND] --help``."""
    words = [sys.executable, "-m", "chainrule", *command, "--help"]
    settings = os.environ | {"COLUMNS": WIDTH, "NO_COLOR": "1"}
    return subprocess.run(words, env=settings, check=True, capture_output=True, text=True).stdout


def _literal(text: str) -> nodes.literal_block:
    return nodes.literal_block(text, text, language="text")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
