"""``chainrule score``: how strange each image, row, line, recording or value is, or each part of one."""

from __future__ import annotations

import sys
from collections import Counter

import polars
import torch

from chainrule.cli.opening import background_of, opened_likelihood, print_json, print_rows, say, source_of
from chainrule.cli.options import SCORES
from chainrule.cli.parser import Options, UsageError
from chainrule.data.write import FRAMES, check_suffix, write_frame
from chainrule.kinds import Kind
from chainrule.kinds.requests import Source
from chainrule.model import AutoregressiveModel
from chainrule.runs import OpenRun
from chainrule.runs.scores import Pairs, Score, score_tables, scorer, typicality_table
from chainrule.words import suggestion

STRANGEST = 5
"""Items that are named in the terminal."""


def run_score(options: Options) -> None:
    """Write or print the score of every item, or -log p of every part of the items."""
    _check(options)
    run, model = opened_likelihood(options)
    kind, out, name = run.kind, options["out"], options["score"] or "nll"
    source = source_of(run, options, options["n"])
    if options["explain"] is not None:
        _explain(options, kind, model, source)
        return
    kind.check_parts(options["per"], color=options["color"])
    per = "color" if _coloured(options, kind.has_parts) else options["per"]
    if kind.is_of_parts(per, out):
        options.refuse("json", expects="scores of whole items, got --per, --color or an --out that are of their parts")
        if options["score"] is not None:
            raise UsageError(
                f"--score {name} is of whole items: it expects no --per, no --color, and --out ending in "
                f"{', '.join(FRAMES)}, got {out or per}"
            )
        say(kind.score_parts(model, source, per, out))
        return
    if out is None and not kind.prints_scores and not options["json"]:
        raise UsageError(
            "score expects --out, a .csv or .parquet file, or --json, as the run was not fitted on text or recordings"
        )
    if out is not None:
        check_suffix(out, FRAMES)
    if name == "complexity" and not kind.compressible:
        raise UsageError("--score complexity expects images, rows of levels, text or recordings, got numbers")
    calibration = run.calibration(options["calibration"]) if name in ("pvalue", "typicality") else None
    pairs: Pairs = ((items, None) for items in kind.items(model, source))
    if name == "ratio":
        other, background = background_of(run, options)
        pairs = zip(kind.items(model, source), other.kind.items(background, source), strict=True)
    if out is None and not options["json"]:
        _print(run, pairs, scorer(name, calibration))
        return
    notes: Counter[str] = Counter()
    if options["group"] is not None and calibration is not None:
        table = typicality_table(pairs, calibration, options["group"], notes)
    else:
        table = polars.concat(table for _, table in score_tables(pairs, scorer(name, calibration), notes))
    if name == "pvalue":
        table = table.with_columns(pvalue=1 - polars.col("score")).select(polars.exclude("score"), "score")
    about = {"run": str(options["run"]), "model": type(model).__name__, "score": name, "count": len(table)}
    if out is None:
        print_json(about | {"items": [kind.printed(row) for row in table.iter_rows(named=True)]})
        say(_counted(notes))
        return
    write_frame(table, out)
    say([f"wrote {name} of {len(table)} to {out}; higher is stranger", *_counted(notes)])
    strangest = table.drop_nulls("score").sort("score", descending=True).head(STRANGEST).iter_rows(named=True)
    if options["json"]:
        print_json(about | {"out": str(out), "strangest": list(strangest)})
    else:
        print_rows(strangest)


def _explain(options: Options, kind: Kind, model: AutoregressiveModel, source: Source) -> None:
    """Print which cells of the strangest rows are unusual, and write all of these rows' cells."""
    others = ("score", "background", "calibration", "group", "per", "color", "json")
    options.refuse(*others, expects="scores, got --explain, which explains cells")
    if options["explain"] < 1:
        raise UsageError(f"--explain expects at least 1 row, got {options['explain']}")
    for line in kind.explain(model, source, options["explain"], options["out"]):
        print(line)


def _check(options: Options) -> None:
    """Refuse options that contradict each other."""
    score = options["score"]
    if score is not None and score not in SCORES:
        raise UsageError(f"--score expects one of {', '.join(SCORES)}, got {score!r}{suggestion(score, SCORES)}")
    if options["json"] and options["color"]:
        raise UsageError("score expects --json or --color, got both")
    for name, wanted in {"background": "ratio", "group": "typicality"}.items():
        if score != wanted:
            got = "--score, got none" if score is None else f"--score {wanted}, got --score {score}"
            options.refuse(name, expects=got)
    if score == "ratio" and options["background"] is None:
        raise UsageError("--score ratio expects --background, a run of `fit --perturb 0.1` on the same data")
    if score not in ("pvalue", "typicality"):
        options.refuse("calibration", expects="--score pvalue or typicality, which compare with it")
    if options["group"] is not None and options["out"] is None:
        raise UsageError("--group expects --out, a .csv or .parquet file")


def _coloured(options: Options, parts: tuple[str, ...]) -> bool:
    """True if text is printed in colours: on request, and by default in a terminal."""
    plain = options["json"] or any(options[name] is not None for name in ("out", "per", "score"))
    return options["color"] or ("character" in parts and not plain and sys.stdout.isatty())


def _print(run: OpenRun, pairs: Pairs, score: Score) -> None:
    """Print a JSON object for each item as it is scored, and then all of them together."""
    notes: Counter[str] = Counter()
    nats, count = 0.0, 0
    for items, table in score_tables(pairs, score, notes):
        for row in table.iter_rows(named=True):
            print_json(run.kind.printed(row))
        nats, count = nats + float(table["nats"].sum()), count + int(torch.as_tensor(items.sizes).sum())
    say([run.kind.total(count, nats), *_counted(notes)])


def _counted(notes: Counter[str]) -> list[str]:
    """The notes with counts above zero, filled in."""
    return [note.format(count) for note, count in notes.items() if count]
