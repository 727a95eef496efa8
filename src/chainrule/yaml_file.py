"""Files of YAML that people write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def read_yaml(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        ValueError: If it is no YAML, with the line at fault, or no text.
        FileNotFoundError: If there is no such file.
    """
    try:
        return yaml.safe_load(path.read_text())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f" in line {mark.line + 1}" if mark else ""
        raise ValueError(f"{path} expects YAML, got{line}: {error.problem or error.context}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ValueError(f"{path} expects YAML, got a file that is no text") from None
