"""``chainrule conditionals``: the figure of the NADE paper."""

from __future__ import annotations

import torch

from chainrule import plots
from chainrule.cli.opening import opened_likelihood, say, source_of
from chainrule.cli.parser import Options
from chainrule.data.write import check_suffix
from chainrule.kinds.requests import one_class
from chainrule.tasks.sample import sample


def run_conditionals(options: Options) -> None:
    """Plot examples beside the conditional means of their variables."""
    check_suffix(options["out"], plots.FORMATS)
    run, model = opened_likelihood(options)
    values = run.kind.levels_of(model, "conditionals")
    if options["data"] or options["file"]:
        options.refuse("seed", expects="samples, got data, which have none")
        source = source_of(run, options, options["n"])
        x = source.first(run.kind.given(source, model, conditioned=False).examples)
    else:
        context = one_class(model, options["label"], options["n"])
        x = sample(model, options["n"], seed=options["seed"], context=context)
    with torch.no_grad():
        x = model.check(x.to(model.device))
        distribution = model(x, model.check_context(one_class(model, options["label"], len(x)), len(x)))
        means = (model.conditional.log_probs(distribution).exp() * values.to(x)).sum(-1)
    plots.conditionals_figure(x.cpu(), means.cpu(), options["out"], levels=len(values))
    say([f"wrote {len(x)} examples beside their conditional means to {options['out']}"])
