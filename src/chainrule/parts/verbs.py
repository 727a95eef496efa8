"""The work on a part, a function for each command that works by parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import polars

from chainrule.data.write import write_frame
from chainrule.kinds.requests import Completing, Drawing, Source, drawn_classes
from chainrule.parts.cut import Part
from chainrule.parts.job import Job
from chainrule.runs.opened import OpenRun, open_run, own_classes
from chainrule.runs.scores import Pairs, Rule, score_tables
from chainrule.tasks.calibration import Calibration
from chainrule.tasks.evaluate import tally
from chainrule.tasks.sample import sample


class Bench:
    """What a worker needs for all parts of a job: each is read once, when it is first needed.

    Args:
        job: The job.
    """

    def __init__(self, job: Job) -> None:
        self.job = job

    @cached_property
    def run(self) -> OpenRun:
        """The run of the job."""
        return self._open(self.job.run)

    @cached_property
    def background(self) -> OpenRun | None:
        """The run that scores are relative to; None if there is none."""
        name = self.job.options.get("background")
        return None if name is None else self._open(Path(name))

    @cached_property
    def calibration(self) -> Calibration | None:
        """The examples that scores compare with; None if they compare with none."""
        split = self.job.options["calibration"]
        return None if split is None else self.run.calibration(split)

    def _open(self, folder: Path) -> OpenRun:
        return open_run(folder, device=self.job.device, classes=own_classes(self.job.model))

    def source(self, part: Part, folder: Path) -> Source:
        """The items of a part, laid into ``folder``."""
        return Source(
            path=part.laid(folder),
            load=self.run.dataset,
            split="",
            settings={**self.run.settings, **part.settings},
            classes=self.run.class_names,
            class_counts=self.run.class_counts,
            label=self.job.label,
            keep=tuple(self.job.options.get("keep", ())),
        )


def score_part(bench: Bench, part: Part, out: Path, folder: Path) -> dict[str, Any]:
    """Write the score of every item into ``out``; returns the notes, and the number of anomalous items."""
    options, run = bench.job.options, bench.run
    source, notes = bench.source(part, folder), Counter[str]()
    pairs: Pairs = ((items, None) for items in run.kind.items(run.likelihood, source))
    if bench.background is not None:
        pairs = _beside(run, bench.background, source)
    tables = score_tables(pairs, options["score"], bench.calibration, notes)
    table = Rule(rate=options["rate"]).applied(polars.concat(table for _, table in tables))
    write_frame(table.with_columns(polars.col("number") + part.first), out)
    anomalous = int(table["anomalous"].sum()) if "anomalous" in table.columns else None
    return {"notes": {note: count for note, count in notes.items() if count}, "anomalous": anomalous}


def _beside(run: OpenRun, other: OpenRun, source: Source) -> Pairs:
    """The items of ``source`` under two runs."""
    background = run.check_background(other)
    theirs = other.kind.items(background, source)
    return zip(run.kind.items(run.likelihood, source), theirs, strict=True)


def evaluate_part(bench: Bench, part: Part, out: Path, folder: Path) -> dict[str, Any]:
    """Write the sums of -log p(x) into ``out``, a row."""
    model = bench.run.likelihood
    given = bench.run.kind.given(bench.source(part, folder), model)
    size = bench.job.options["batch_size"]
    found = tally(model, given.examples, context=given.context, batch_size=size, first=part.first)
    write_frame(polars.DataFrame([asdict(found)]), out)
    return {}


def sample_part(bench: Bench, part: Part, out: Path, folder: Path) -> dict[str, Any]:
    """Draw the samples of a part and write them into ``out``."""
    options, model, seed = bench.job.options, bench.run.likelihood, bench.job.seed(part.number)
    x = sample(
        model,
        part.count,
        prefix=bench.run.kind.prefix(options["prompt"]),
        length=options["length"],
        context=drawn_classes(model, bench.job.label, part.count, bench.run.class_counts, seed),
        precision=options["precision"],
        undrawn=bench.run.kind.undrawn,
        **options["drawing"] | {"seed": seed},
    ).cpu()
    bench.run.kind.write(x, out)
    return {}


def complete_part(bench: Bench, part: Part, out: Path, folder: Path) -> dict[str, Any]:
    """Fill in the unknown values of a part and write its items into ``out``."""
    options = dict(bench.job.options)
    drawing = Drawing(**options.pop("drawing") | {"seed": bench.job.seed(part.number)})
    request = Completing(
        source=bench.source(part, folder), out=out, drawing=drawing, first=part.first, uniform=True, **options
    )
    bench.run.kind.complete(bench.run.likelihood, request)
    return {}


VERBS: dict[str, Callable[[Bench, Part, Path, Path], dict[str, Any]]] = {
    "score": score_part,
    "evaluate": evaluate_part,
    "sample": sample_part,
    "complete": complete_part,
}
"""The commands that work by parts."""
