"""``chainrule evaluate``."""

from __future__ import annotations

from chainrule.cli.opening import opened_likelihood, print_json, source_of
from chainrule.cli.parser import Options
from chainrule.kinds import Kind
from chainrule.kinds.requests import Given
from chainrule.model import AutoregressiveModel
from chainrule.tasks.evaluate import Outlier, evaluate


def run_evaluate(options: Options) -> None:
    """Print the mean NLL of a file or a split, and the figures per unit of its kind."""
    run, model = opened_likelihood(options)
    source = source_of(run, options)
    given = run.kind.given(source, model)
    found = evaluate(model, given.examples, context=given.context, batch_size=options["batch_size"])
    figures = run.kind.figures(found, given.examples)
    if options["json"]:
        about = {"run": str(options["run"]), "model": type(model).__name__, **given.about}
        print_json(found.as_dict() | figures | about)
        return
    print(f"{given.description}: {found.examples} examples")
    for line in run.kind.summary(found, figures):
        print(line)
    if found.outlier is not None:
        print(_outlier_line(run.kind, model, given, found.outlier))
    if found.member_nats:
        low, high = min(found.member_nats), max(found.member_nats)
        print(f"the log of the mean of {len(found.member_nats)} members, of {low:.4f} to {high:.4f} nats each")


def _outlier_line(kind: Kind, model: AutoregressiveModel, given: Given, outlier: Outlier) -> str:
    """The example that decides the mean, and the part of it that does, in words."""
    place = slice(outlier.index, outlier.index + 1)
    name = f"{given.names[outlier.index]}" if given.names else f"number {outlier.index + 1}"
    context = None if given.context is None else given.context[place]
    part = "" if given.examples.ragged else kind.worst_part(model, given.examples[place], context)
    return (
        f"warning: {name} has {outlier.nats:.6g} nats, more than all others together"
        f"{part and f', most of it by {part}'}; the others have {outlier.others_nats:.4f} nats on average"
    )
