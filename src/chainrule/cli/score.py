"""``chainrule score``: how strange each image, row, line, recording or value is, or each part of one."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import polars
import torch
from torch import Tensor

from chainrule.cli.opening import background_of, opened_likelihood, print_json, say, source_of
from chainrule.cli.options import SCORES
from chainrule.cli.parser import UsageError, suggestion
from chainrule.data.write import FRAMES, check_suffix, write_frame
from chainrule.kinds.base import Items
from chainrule.runs import OpenRun
from chainrule.tasks.anomaly import anomaly_scores

STRANGEST = 5
"""Items that are named in the terminal."""

Pairs = Iterator[tuple[Items, Items | None]]
"""Items, and the same items as a background model has them, if there is one."""

Score = Callable[[Items, Items | None], Tensor]
"""Gives the scores ``(k,)`` of items, and of the same items as a background model has them; NaN where there is none."""


def run_score(options: dict[str, Any]) -> None:
    """Write or print the score of every item, or -log p of every part of the items."""
    _check(options)
    run, model = opened_likelihood(options)
    kind, out = run.kind, options["out"]
    source = source_of(run, options, options["n"])
    per = "color" if _coloured(options, kind.has_parts) else options["per"]
    if kind.is_of_parts(per, out):
        if options["score"] is not None:
            raise UsageError(
                f"--score {options['score']} is of whole items: it expects no --per, no --color, and --out ending in "
                f"{', '.join(FRAMES)}, got {out or per}"
            )
        say(kind.score_parts(model, source, per, out))
        return
    if out is None and not kind.prints_scores:
        raise UsageError(f"score expects --out, {kind.files}, as the run was not fitted on text or recordings")
    if out is not None:
        check_suffix(out, FRAMES)
    if options["score"] == "complexity" and not kind.compressible:
        raise UsageError("--score complexity expects images, rows of levels, text or recordings, got numbers")
    pairs: Pairs = ((items, None) for items in kind.items(model, source))
    if options["score"] == "ratio":
        other, background = background_of(run, options)
        pairs = zip(kind.items(model, source), other.kind.items(background, source), strict=True)
    score = _score(run, options)
    if out is None:
        _print(run, pairs, score)
    elif options["group"] is not None:
        _write_groups(run, options, pairs)
    else:
        _write(options, pairs, score)


def _check(options: dict[str, Any]) -> None:
    """Refuse what does not go together."""
    score = options["score"]
    if score is not None and score not in SCORES:
        raise UsageError(f"--score expects one of {', '.join(SCORES)}, got {score!r}{suggestion(score, SCORES)}")
    if options["json"] and options["color"]:
        raise UsageError("score expects --json or --color, got both")
    for name, wanted in {"background": "ratio", "group": "typicality"}.items():
        if options[name] is not None and score is None:
            raise UsageError(f"--{name} expects --score, got none")
        if options[name] is not None and score != wanted:
            raise UsageError(f"--{name} expects --score {wanted}, got --score {score}")
    if score == "ratio" and options["background"] is None:
        raise UsageError("--score ratio expects --background, a run of `fit --perturb 0.1` on the same data")
    if options["group"] is not None and options["out"] is None:
        raise UsageError("--group expects --out, a .csv or .parquet file")


def _coloured(options: dict[str, Any], parts: tuple[str, ...]) -> bool:
    """True if text is to be printed in colours: where that is asked for, and by default in a terminal."""
    plain = options["json"] or options["out"] is not None or options["per"] is not None or options["score"] is not None
    return options["color"] or ("character" in parts and not plain and sys.stdout.isatty())


def _score(run: OpenRun, options: dict[str, Any]) -> Score:
    """The score that was asked for."""
    name = options["score"] or "nll"
    compares = name in ("pvalue", "typicality")
    calibration = run.calibration(options["calibration"]) if compares else None

    def score(items: Items, background: Items | None) -> Tensor:
        scores = anomaly_scores(
            name,
            items.log_probs,
            calibration=calibration,
            background=None if background is None else background.log_probs,
            complexity=items.compressed() if name == "complexity" and items.compressed is not None else None,
        )
        # Log p of a part can't be compared with that of whole items.
        return scores.masked_fill(items.partial, math.nan) if compares and items.partial is not None else scores

    return score


def _rows(pairs: Pairs, score: Score, notes: Counter[str]) -> Iterator[tuple[Items, polars.DataFrame]]:
    """Items and a table of their scores; ``notes`` are added up."""
    first = 1
    for items, background in pairs:
        scores = score(items, background)
        notes.update(items.notes)
        if empty := int(scores.isnan().sum()):
            notes["{} scores are empty, as what is compared with them is log p of whole rows"] += empty
        columns: dict[str, Any] = {"number": range(first, first + len(scores)), **items.names}
        if items.sizes is not None:
            columns["nats"] = (-items.log_probs * items.sizes).numpy()
        columns |= {"log_prob": items.log_probs.numpy(), "score": scores.numpy()}
        first += len(scores)
        yield items, polars.DataFrame(columns).fill_nan(None)


def _write(options: dict[str, Any], pairs: Pairs, score: Score) -> None:
    """Write a table of all items, and name the strangest."""
    notes: Counter[str] = Counter()
    frame = polars.concat(table for _, table in _rows(pairs, score, notes))
    if options["score"] == "pvalue":
        frame = frame.with_columns(pvalue=1 - polars.col("score")).select(polars.exclude("score"), "score")
    _finish(frame, options, notes)


def _write_groups(run: OpenRun, options: dict[str, Any], pairs: Pairs) -> None:
    """Write the typicality of neighbours taken together."""
    size, notes = options["group"], Counter[str]()
    parts = [items for items, _ in pairs]
    log_probs = torch.cat([items.log_probs for items in parts])
    scores = run.calibration(options["calibration"]).typicality(log_probs, size)
    for items in parts:
        notes.update(items.notes)
    if any(items.partial is not None for items in parts):
        partial = torch.cat([torch.as_tensor(items.partial) for items in parts]).view(-1, size).any(1)
        scores = scores.masked_fill(partial, math.nan)
    first = np.arange(len(scores)) * size + 1
    frame = polars.DataFrame({"first": first, "last": first + size - 1, "score": scores.numpy()}).fill_nan(None)
    _finish(frame, options, notes)


def _finish(frame: polars.DataFrame, options: dict[str, Any], notes: Counter[str]) -> None:
    write_frame(frame, options["out"])
    say([f"wrote {options['score'] or 'nll'} of {len(frame)} to {options['out']}; higher is stranger"])
    say(note.format(count) for note, count in notes.items() if count)
    for row in frame.drop_nulls("score").sort("score", descending=True).head(STRANGEST).iter_rows(named=True):
        print(
            "  ".join(f"{name} {f'{value:.4f}' if isinstance(value, float) else value}" for name, value in row.items())
        )


def _print(run: OpenRun, pairs: Pairs, score: Score) -> None:
    """Print a JSON object for each item as it is scored, and then all of them together."""
    notes: Counter[str] = Counter()
    nats, count = 0.0, 0
    for items, table in _rows(pairs, score, notes):
        for row in table.iter_rows(named=True):
            print_json(run.kind.printed(row))
        nats, count = nats + float(table["nats"].sum()), count + int(torch.as_tensor(items.sizes).sum())
    say([run.kind.total(count, nats), *(note.format(number) for note, number in notes.items() if number)])
