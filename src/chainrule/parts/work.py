"""Conducts a job: cuts the data, hands out the parts that are missing, and keeps the journal."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chainrule.atomic import remove_orphans
from chainrule.data.read.layout import FileChoices
from chainrule.parts.cut import Part, counted, cut
from chainrule.parts.engines import Engine
from chainrule.parts.job import Job
from chainrule.parts.journal import Journal
from chainrule.runs.lock import locked

SCRATCH = "_input"
"""The folder, in that of the parts, for data that were cut into files of their own."""

SECONDS = 5.0
"""Seconds between lines of progress."""


@dataclass(frozen=True)
class Work:
    """The items of a job: of files, or samples by their number.

    Attributes:
        size: Items of a part.
        files: The files.
        choices: How text tables are read.
        samples: The number of samples; None if there are files.
    """

    size: int
    files: Sequence[Path] = ()
    choices: FileChoices = field(default_factory=FileChoices)
    samples: int | None = None

    def __post_init__(self) -> None:
        for name, value in {"part-size": self.size, "n": self.samples}.items():
            if value is not None and value < 1:
                raise ValueError(f"{name} expects at least 1, got {value}")

    def parts(self, scratch: Path) -> list[Part]:
        """The parts; text is cut into ``scratch``."""
        if self.samples is not None:
            return counted(self.samples, self.size)
        return cut(list(self.files), self.size, self.choices, scratch)


def conduct(job: Job, work: Work, engine: Engine, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Make all parts that are not in ``job.out`` yet, and return the records of all, in sequence.

    Args:
        job: What to do with each part.
        work: The items.
        engine: Where the parts are made.
        say: Takes a line of progress.

    Raises:
        ValueError: If the folder has parts of another job, or items can't be read or do not fit the run.
        ConnectionError: If workers are lost again and again.
    """
    with locked(job.out, job.verb):
        journal = Journal(job.out, job.identity(work.files, work.size, work.samples))
        scratch = job.out / SCRATCH
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            parts = work.parts(scratch)
            left = [part for part in parts if part.number not in journal.records]
            if len(left) < len(parts):
                say(f"{len(parts) - len(left)} of {len(parts)} parts are there already")
            if left:
                _make(job, left, engine, journal, say)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        remove_orphans(job.out)  # of workers that were killed as they wrote
    return [journal.records[part.number] for part in parts]


def _make(job: Job, parts: list[Part], engine: Engine, journal: Journal, say: Callable[[str], None]) -> None:
    items = sum(part.count for part in parts)
    say(f"{len(parts)} parts of {items:,} items, by {engine.words}")
    started = last = time.monotonic()
    done = 0
    for count, record in enumerate(engine.records(job, parts), start=1):
        journal.add(record)
        done += record["items"]
        now = time.monotonic()
        if now - last >= SECONDS or count == len(parts):
            last = now
            say(f"{count} of {len(parts)} parts, {done:,} of {items:,} items, {done / (now - started):,.0f} a second")
