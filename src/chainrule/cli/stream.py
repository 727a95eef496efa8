"""The data of ``chainrule score``: all of a file, or lines that come in on standard input."""

from __future__ import annotations

import codecs
import itertools
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from chainrule.cli.opening import names_of, source_of
from chainrule.cli.parser import Options, UsageError
from chainrule.data.read.text_file import UTF8, encoding_of
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
    """The lines of ``file`` with their ends, as many at once as are there, without waiting for more.

    Lines that end in CR LF end in LF. The encoding is that of a byte order mark, if there is one.
    """
    read = getattr(file, "read1", file.read)
    head = read(READ_BYTES)
    name = encoding_of(head, encoding)
    errors = "surrogateescape" if name in UTF8 else "replace"
    decoder = codecs.getincrementaldecoder("utf-8-sig" if name in UTF8 else name)(errors)
    rest = ""
    for chunk in itertools.chain([head], iter(lambda: read(READ_BYTES), b"")):
        *lines, rest = (rest + decoder.decode(chunk)).split("\n")
        if lines:
            yield [line.removesuffix("\r") + "\n" for line in lines]
    rest += decoder.decode(b"", final=True)
    if rest:
        yield [rest]
