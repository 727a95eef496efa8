"""``chainrule evaluate``."""

from __future__ import annotations

from chainrule.cli.opening import opened_likelihood, print_json, source_of
from chainrule.cli.parser import Options
from chainrule.tasks.evaluate import evaluate


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
    if found.member_nats:
        low, high = min(found.member_nats), max(found.member_nats)
        print(f"the log of the mean of {len(found.member_nats)} members, of {low:.4f} to {high:.4f} nats each")
