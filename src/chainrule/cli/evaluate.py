"""``chainrule evaluate``."""

from __future__ import annotations

from typing import Any

import polars

from chainrule.cli.by_parts import ByParts, is_by_parts
from chainrule.cli.opening import opened_likelihood, print_json, source_of
from chainrule.cli.parser import Options
from chainrule.kinds import Kind
from chainrule.kinds.requests import Given
from chainrule.tasks.evaluate import Evaluation, Outlier, Tally, evaluate


def run_evaluate(options: Options) -> None:
    """Print the mean NLL of a file or a split, and the figures per unit of its kind."""
    if is_by_parts(options):
        _evaluate_by_parts(options)
        return
    options.refuse("out", expects="--engine, local or ray, whose parts it is for")
    run, model = opened_likelihood(options)
    source = source_of(run, options)
    given = run.kind.given(source, model)
    found = evaluate(given.likelihood, given.examples, context=given.context, batch_size=options["batch_size"])
    figures = run.kind.figures(found, given.examples)
    outlier = None if found.outlier is None else _outlier_line(run.kind, given, found.outlier)
    about = {"run": str(options["run"]), "model": type(model).__name__, **given.about}
    _print(options, run.kind, found, figures, about, [given.description, outlier])


def _evaluate_by_parts(options: Options) -> None:
    """Evaluate each part, and add up."""
    work = ByParts.of("evaluate", options, needs_all=("frames",))
    records = work.of_data(batch_size=options["batch_size"])
    rows = [polars.read_parquet(work.out / record["file"]).row(0, named=True) for record in records]
    found = Tally.total([Tally(**row | {"member_means": tuple(row["member_means"])}) for row in rows]).evaluation()
    about = {"run": str(options["run"]), "model": type(work.model).__name__, "data": work.data}
    outlier = None if found.outlier is None else _outlier_words(f"number {found.outlier.index + 1}", "", found.outlier)
    _print(options, work.kind, found, work.kind.figures(found, None), about, [work.data, outlier])


def _print(
    options: Options,
    kind: Kind,
    found: Evaluation,
    figures: dict[str, Any],
    about: dict[str, Any],
    words: list[str | None],
) -> None:
    """Print the figures of an evaluation; ``words`` describe the data, and the example that decides the mean."""
    if options["json"]:
        print_json(found.as_dict() | figures | about)
        return
    description, outlier = words
    print(f"{description}: {found.examples} examples")
    for line in kind.summary(found, figures):
        print(line)
    if outlier is not None:
        print(outlier)
    if found.member_nats:
        low, high = min(found.member_nats), max(found.member_nats)
        print(f"the log of the mean of {len(found.member_nats)} members, of {low:.4f} to {high:.4f} nats each")


def _outlier_line(kind: Kind, given: Given, outlier: Outlier) -> str:
    """The example that decides the mean, and the part of it that does, in words."""
    place = slice(outlier.index, outlier.index + 1)
    name = f"{given.names[outlier.index]}" if given.names else f"number {outlier.index + 1}"
    context = None if given.context is None else given.context[place]
    part = "" if given.examples.ragged else kind.worst_part(given.likelihood, given.examples[place], context)
    return _outlier_words(name, part and f", most of it by {part}", outlier)


def _outlier_words(name: str, part: str, outlier: Outlier) -> str:
    return (
        f"warning: {name} has {outlier.nats:.6g} nats, more than all others together{part}; "
        f"the others have {outlier.others_nats:.4f} nats on average"
    )
