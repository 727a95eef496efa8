"""``chainrule drift``: are new rows like those that a run was fitted on?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from chainrule.cli.opening import names_of, opened_likelihood, print_json, say, source_of
from chainrule.cli.parser import Options, UsageError
from chainrule.data.write import check_suffix
from chainrule.kinds.requests import Drifting
from chainrule.runs.drift import FILES, drift, write_drift
from chainrule.runs.drift_words import sentences

DRIFTED = 3
"""The exit status of ``--check`` where there is drift."""

CHUNKS = 10
"""Chunks of time by default."""


def run_drift(options: Options) -> int:
    """Say how new data differ from old ones, and write it; the exit status is 3 if they do and ``--check`` is given."""
    if options["file"] is None and options["data"] is None:
        raise UsageError("drift expects DATA, the new rows")
    out: Path | None = options["out"]
    if out is not None:
        check_suffix(out, FILES)
    run, _ = opened_likelihood(options)
    new = source_of(run, options)
    against: Path | None = options["against"]
    request = Drifting(
        new=new,
        old=None if against is None else replace(new, path=against),
        rate=options["rate"],
        chunks=CHUNKS if options["chunks"] is None and options["time"] is not None else options["chunks"],
        time=options["time"],
        ignore=names_of(options["ignore"]),
        seed=options["seed"],
        say=lambda line: say([line]),
    )
    figures = drift(run, request)
    if options["json"]:
        print_json(figures)
    else:
        print("\n".join(sentences(figures)))
    if out is not None:
        write_drift(figures, out)
        say([f"wrote {out}"])
    return DRIFTED if options["check"] and figures["drift"] else 0
