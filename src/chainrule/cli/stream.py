"""The data of ``chainrule score``: all of a file, or lines that come in on standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from chainrule.cli.opening import names_of, source_of
from chainrule.cli.parser import Options, UsageError
from chainrule.kinds.requests import Source
from chainrule.runs.opened import OpenRun

STDIN = "-"
"""The name of standard input."""

READ_BYTES = 1 << 16
"""Bytes that are read at once, if as many are there."""


def scored_source(run: OpenRun, options: Options) -> Source:
    """The data to score, with the columns to keep.

    Raises:
        UsageError: If the kind of data has no lines or columns, or an option needs all of the data at once.
    """
    kind, keep = run.kind, names_of(options["keep"])
    if keep and not kind.keeps_columns:
        raise UsageError(f"--keep expects a run on a table with kinds of columns, got one on {kind.name}")
    given = [options["data"], None if options["file"] is None else str(options["file"])]
    if STDIN not in given:
        return replace(source_of(run, options, options["n"]), keep=keep)
    if not kind.reads_lines:
        raise UsageError(f"score {STDIN} expects a run on text or on a table, whose items are lines, got {kind.name}")
    for name in ("out", "json", "per", "color", "background", "explain"):
        options.refuse(name, expects=f"a file, got {STDIN}, whose lines are scored as they come")
    lines = incoming_lines(sys.stdin.buffer, run.settings.get("encoding") or "utf-8")
    return replace(source_of(run, Options({**options, "file": None, "data": None}, typed=()), options["n"]),
                   stream=lines, keep=keep)  # fmt: skip


def incoming_lines(file: BinaryIO, encoding: str) -> Iterator[list[str]]:
    """The lines of ``file`` with their ends, as many at once as are there, without waiting for more."""
    rest, first = b"", True
    read = getattr(file, "read1", file.read)
    while chunk := read(READ_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        texts = [line.decode(encoding, errors="surrogateescape") + "\n" for line in lines]
        if texts and first:
            texts[0], first = texts[0].removeprefix("\ufeff"), False
        if texts:
            yield texts
    if rest:
        yield [rest.decode(encoding, errors="surrogateescape")]
