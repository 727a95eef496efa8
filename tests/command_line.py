"""The command line as a user types it, for the tests of its commands."""

import subprocess
import sys
from typing import Any

import pytest

from chainrule.cli import main

FAST = ["--max-epochs", "2", "--batch-size", "256"]


def shell(*arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "chainrule", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **settings)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on standard error with which a command line is refused."""
    status = main(arguments)
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert err.startswith("chainrule: error: ")
    assert len(err.splitlines()) == 1
    return err
