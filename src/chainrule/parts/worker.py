"""A worker makes one part after the other."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

from chainrule.hashes import sha256_of
from chainrule.parts.cut import Part
from chainrule.parts.verbs import VERBS, Bench


def make(bench: Bench, part: Part) -> dict[str, Any]:
    """Make a part, and return its record as plain values.

    The file gets its name when all of it is on the disk, so that a part is whole or not there.

    Raises:
        ValueError: If its items can't be read, or do not fit the run; with their numbers.
    """
    started, job = time.process_time(), bench.job
    out = job.out / f"part-{part.number:05d}{job.suffix}"
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = VERBS[job.verb](bench, part, out, Path(folder))
        except ValueError as error:
            raise ValueError(f"items {part.words}: {str(error).replace(folder + os.sep, '')}") from error
    return {
        "part": part.number,
        "file": out.name,
        "items": part.count,
        "bytes": out.stat().st_size,
        "sha256": sha256_of(out),
        "cpu_seconds": round(time.process_time() - started, 4),
        "worker": f"process {os.getpid()} on {platform.node()}",
        **found,
    }
