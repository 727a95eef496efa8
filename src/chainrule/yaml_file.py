"""Files of YAML that people write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from chainrule.foreign import UndecodableError, decoding


def read_yaml(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        ValueError: If it is no YAML, with the line at fault, or no text.
        FileNotFoundError: If there is no such file.
    """
    content = path.read_bytes()
    try:
        with decoding(path, "YAML"):
            return parse_yaml(content.decode())
    except UndecodableError as error:
        cause = error.__cause__
        if isinstance(cause, yaml.MarkedYAMLError):
            mark = cause.problem_mark or cause.context_mark
            line = f" in line {mark.line + 1}" if mark else ""
            raise ValueError(f"{path} expects YAML, got{line}: {cause.problem or cause.context}") from None
        if isinstance(cause, yaml.YAMLError | UnicodeDecodeError):
            raise ValueError(f"{path} expects YAML, got a file that is no text") from None
        raise


def parse_yaml(text: str) -> Any:
    """The content of a text in YAML without aliases, which let a few lines stand for more than any memory holds.

    Raises:
        yaml.YAMLError: If it is no YAML, or has aliases.
        ValueError: If a value is impossible, such as the date 2024-02-30.
        RecursionError: If it is nested too deeply.

    >>> parse_yaml("[1, x]")
    [1, 'x']
    """
    return yaml.load(text, Loader=_Loader)


class _Loader(yaml.SafeLoader):
    """Loads plain values, and refuses aliases."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            problem = f"the alias *{event.anchor}: write out what it stands for"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        return super().compose_node(parent, index)
