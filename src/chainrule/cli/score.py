"""``chainrule score``: how strange each image, row, line, recording or value is, or each part of one."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import polars
import torch

from chainrule.cli.by_parts import ByParts, is_by_parts
from chainrule.cli.opening import (
    background_of,
    names_of,
    opened_likelihood,
    print_json,
    print_rows,
    quoting_formulas,
    say,
    source_of,
)
from chainrule.cli.options import SCORES
from chainrule.cli.parser import Options, UsageError
from chainrule.cli.stream import scored_source
from chainrule.data.write import FRAMES, check_suffix, write_parts
from chainrule.kinds import Kind
from chainrule.kinds.items import Items
from chainrule.kinds.requests import Source
from chainrule.model import AutoregressiveModel
from chainrule.runs.opened import OpenRun
from chainrule.runs.scores import Pairs, Rule, score_tables, typicality_table
from chainrule.tasks.calibration import LEAST, Calibration
from chainrule.words import suggestion

COMPARED = ("pvalue", "typicality")
"""Scores that compare with calibration examples."""

STRANGEST = 5
"""Items that are named in the terminal."""


@quoting_formulas
def run_score(options: Options) -> None:
    """Write or print the score of every item, or what is said of the parts of the items."""
    _check(options)
    if is_by_parts(options):
        _score_by_parts(options)
        return
    run, model = opened_likelihood(options)
    source = scored_source(run, options)
    if options["explain"] is not None:
        _explain(options, run.kind, model, source)
        return
    run.kind.check_parts(options["per"], color=options["color"])
    per = "color" if _coloured(options, run.kind.has_parts) else options["per"]
    if run.kind.is_of_parts(per, options["out"]):
        _score_parts(options, run.kind, model, source, per)
    else:
        _score_items(options, run, model, source)


def _score_by_parts(options: Options) -> None:
    """Write the scores of each part into a file of its own."""
    needs_all = ("fdr", "group", "per", "explain", "color", "json", "calibrate", "n", "frames", "quote_formulas")
    work, rule = ByParts.of("score", options, needs_all=needs_all), Rule(options["rate"])
    name = _score_name(work.kind, options, rule)
    background = options["background"]
    records = work.of_data(
        score=name,
        rate=rule.rate,
        calibration=options["calibration"] if name in COMPARED else None,
        background=None if background is None else str(background.resolve()),
        keep=names_of(options["keep"]),
    )
    notes: Counter[str] = sum((Counter(record["notes"]) for record in records), Counter())
    count = sum(record["items"] for record in records)
    compared_with = None if rule == Rule() else _number_of(work.run.calibration(options["calibration"]))
    words = rule.words(sum(record["anomalous"] or 0 for record in records), count, compared_with)
    say([f"wrote {name} of {count} to {work.files}; higher is stranger", *words, *_counted(notes)])


def _score_parts(options: Options, kind: Kind, model: AutoregressiveModel, source: Source, per: str | None) -> None:
    """Write or print -log p of every part of the items."""
    out = options["out"]
    options.refuse("json", expects="scores of whole items, got --per, --color or an --out that are of their parts")
    for name in ("score", "rate", "fdr"):
        if options[name] is not None:
            raise UsageError(
                f"--{name} {options[name]} is of whole items: it expects no --per, no --color, and --out ending in "
                f"{', '.join(FRAMES)}, got {out or per}"
            )
    say(kind.score_parts(model, source, per, out))


def _score_items(options: Options, run: OpenRun, model: AutoregressiveModel, source: Source) -> None:
    """Write or print the score of every item."""
    kind, out, rule = run.kind, options["out"], Rule(options["rate"], options["fdr"])
    name = _score_name(kind, options, rule)
    if options["score"] is None and rule == Rule():
        name = run.usual_score
    if name not in COMPARED:
        for each in ("calibration", "calibrate"):
            options.refuse(each, expects="--score pvalue or typicality, which compare with it")
    if out is None and not kind.prints_scores and not options["json"] and source.stream is None:
        raise UsageError(
            "score expects --out, a .csv or .parquet file, or --json, as the run was not fitted on text or recordings"
        )
    if out is not None:
        check_suffix(out, FRAMES)
    calibration = _calibration(run, model, options) if name in COMPARED else None
    pairs: Pairs = ((items, None) for items in kind.items(model, source))
    if name == "ratio":
        other, background = background_of(run, options)
        pairs = zip(kind.items(model, source), other.kind.items(background, source), strict=True)
    if source.stream is None:
        pairs = _some(pairs, source)
    notes: Counter[str] = Counter()
    if out is None and not options["json"]:
        _print(run, score_tables(pairs, name, calibration, notes), rule, notes)
        return
    about = {"run": str(options["run"]), "model": type(model).__name__, "score": name}
    if options["group"] is not None and calibration is not None:
        tables = iter([typicality_table(pairs, calibration, options["group"], notes)])
    else:
        tables = (table for _, table in score_tables(pairs, name, calibration, notes))
    if out is None or rule.fdr is not None:  # these need all scores together
        tables = iter([polars.concat(tables)])
    decided = map(rule.applied, tables)
    if out is None:
        (table,) = decided
        print_json(about | {"count": len(table), "items": [kind.printed(row) for row in table.iter_rows(named=True)]})
        say([*rule.words_of(table, _number_of(calibration)), *_counted(notes)])
    else:
        _write(options, decided, about, partial(rule.words, compared_with=_number_of(calibration)), notes)


def _score_name(kind: Kind, options: Options, rule: Rule) -> str:
    """The score that is asked for, by its name or by the rule.

    Raises:
        UsageError: If items of this kind have no such score.
    """
    name: str = options["score"] or ("nll" if rule == Rule() else "pvalue")
    if name == "complexity" and not kind.compressible:
        raise UsageError("--score complexity expects images, rows of levels, text or recordings, got numbers")
    return name


def _write(
    options: Options,
    tables: Iterator[polars.DataFrame],
    about: dict[str, Any],
    words_of: Callable[[int, int], list[str]],
    notes: Counter[str],
) -> None:
    """Write the scores as they come, and print how many there are, how many are anomalous, and the strangest."""
    out, summary = options["out"], Summary()
    write_parts(map(summary.with_table, tables), out)
    words = words_of(summary.anomalous, summary.count)
    say([f"wrote {about['score']} of {summary.count} to {out}; higher is stranger", *words, *_counted(notes)])
    strangest = summary.strangest.iter_rows(named=True)
    if options["json"]:
        print_json(about | {"count": summary.count, "out": str(out), "strangest": list(strangest)})
    else:
        print_rows(strangest)


def _number_of(calibration: Calibration | None) -> int | None:
    """The number of calibration examples; None if there are none."""
    return None if calibration is None else len(calibration.log_probs)


class Summary:
    """The summary of scores that are written and not kept: their number, and the strangest.

    Attributes:
        count: The number of items.
        anomalous: The number of those that a rule calls anomalous.
        strangest: The rows of the strangest.
    """

    def __init__(self) -> None:
        self.count = self.anomalous = 0
        self.strangest = polars.DataFrame()

    def with_table(self, table: polars.DataFrame) -> polars.DataFrame:
        """The table, whose rows are summed up, too."""
        self.count += len(table)
        self.anomalous += int(table["anomalous"].sum()) if "anomalous" in table.columns else 0
        # Ties are broken by log p, where it is there.
        by = [column for column in ("score", "log_prob") if column in table.columns]
        rows = polars.concat([self.strangest, table.drop_nulls("score")]) if self.count > len(table) else table
        rows = rows.drop_nulls("score").sort(by, descending=[column == "score" for column in by])
        self.strangest = rows.head(STRANGEST)
        return table


def _explain(options: Options, kind: Kind, model: AutoregressiveModel, source: Source) -> None:
    """Print which parts of the strangest items are unusual, and write all parts of these."""
    others = ("score", "rate", "fdr", "background", "calibration", "calibrate", "group", "per", "color", "json")
    options.refuse(*others, expects="scores, got --explain, which explains their parts")
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
    decides = [name for name in ("rate", "fdr") if options[name] is not None]
    if decides:
        if len(decides) > 1:
            raise UsageError("score expects --rate or --fdr, got both")
        if score not in (None, "pvalue"):
            raise UsageError(f"--{decides[0]} expects --score pvalue, which it is a share of, got --score {score}")
        if options["fdr"] is not None and options["out"] is None and not options["json"]:
            raise UsageError("--fdr expects --out or --json, for it depends on all p-values together")
    if options["calibrate"] is not None:
        options.refuse("calibration", expects="no --calibrate, which names other examples to compare with")
    if options["group"] is not None and options["out"] is None:
        raise UsageError("--group expects --out, a .csv or .parquet file")


def _coloured(options: Options, parts: tuple[str, ...]) -> bool:
    """True if text is printed in colours: on request, and by default in a terminal."""
    plain = options["json"] or any(options[name] is not None for name in ("out", "per", "score"))
    return options["color"] or ("character" in parts and not plain and sys.stdout.isatty())


def _some(pairs: Pairs, source: Source) -> Pairs:
    """The same, of at least one item.

    Raises:
        ValueError: If there is none.
    """
    none = True
    for pair in pairs:
        none = False
        yield pair
    if none:
        raise ValueError(f"{source.name}: expected items to score, got none")


def _calibration(run: OpenRun, model: AutoregressiveModel, options: Options) -> Calibration:
    """The calibration of the scores: by a split of the run's own data, or by the user's own examples."""
    file, split = options["calibrate"], options["calibration"]
    if file is None:
        calibration, where = run.calibration(split), f"the run's {split} examples"
    else:
        source = source_of(run, Options({**options, "file": None, "data": file}, typed=()))
        parts = list(run.kind.items(model, source))
        whole = [each.log_probs if each.partial is None else each.log_probs[~each.partial] for each in parts]
        ways = [each.ways for each in parts if each.ways is not None]
        if not whole:
            raise ValueError(f"{file}: expected examples to compare with, got none")
        calibration = Calibration.of(torch.cat(whole), torch.cat(ways) if ways else None)
        where = f"--calibrate {file}"
    if (count := len(calibration.log_probs)) < LEAST:
        raise ValueError(
            f"p-values expect at least {LEAST} examples to compare with, got {count} ({where}): "
            "name a file of ordinary examples with --calibrate FILE"
        )
    return calibration


def _print(run: OpenRun, tables: Iterator[tuple[Items, polars.DataFrame]], rule: Rule, notes: Counter[str]) -> None:
    """Print a JSON object for each item as it is scored, and then all of them together."""
    nats, count = 0.0, 0
    for items, table in tables:
        for row in rule.applied(table).iter_rows(named=True):
            print_json(run.kind.printed(row))
        sys.stdout.flush()  # others may wait for each line
        sizes = torch.ones(len(table)) if items.sizes is None else torch.as_tensor(items.sizes)
        nats, count = nats - float((items.log_probs * sizes).sum()), count + int(sizes.sum())
    say([run.kind.total(count, nats), *_counted(notes)])


def _counted(notes: Counter[str]) -> list[str]:
    """The notes with counts above zero, filled in."""
    return [note.format(count) for note, count in notes.items() if count]
