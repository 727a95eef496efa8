"""``--out -``: what a command writes goes to standard output, or into a pipe whose name says no format."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from chainrule.atomic import is_stream
from chainrule.cli.parser import Options, UsageError

STANDARD = Path("-")

FORMATS = {
    "sample": ".csv",
    "complete": ".csv",
    "score": ".csv",
    "classify": ".csv",
    "represent": ".csv",
    "schema": ".yaml",
}
"""The commands that write a file as text, and its format; samples and completions of text are text."""


@contextlib.contextmanager
def out_to_stream(command: str, options: Options) -> Iterator[None]:
    """Let a command write its file into a temporary folder, and pass it on to the stream that ``--out`` names.

    What it prints goes to standard error meanwhile.

    Raises:
        UsageError: If the command writes no text.
    """
    out = options.get("out")
    if out is None or (out != STANDARD and (out.suffix or not is_stream(out))):
        yield
        return
    if command not in FORMATS:
        raise UsageError(f"--out - expects one of {', '.join(FORMATS)}, which write text, got {command}")
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / f"out{_suffix(command, options)}"
        with contextlib.redirect_stdout(sys.stderr):
            options["out"] = whole
            yield
        target = contextlib.nullcontext(sys.stdout.buffer) if out == STANDARD else out.open("wb")
        with whole.open("rb") as source, target as stream:
            shutil.copyfileobj(source, stream)


def _suffix(command: str, options: Options) -> str:
    """The format of what a command writes."""
    if command in ("sample", "complete"):
        from chainrule.runs.folder import read_config

        if read_config(options["run"]).get("data", {}).get("kind") == "text":
            return ".txt"
    return FORMATS[command]
