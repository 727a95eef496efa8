"""``chainrule marginal``."""

from __future__ import annotations

from chainrule.cli.opening import opened_likelihood, print_json, source_of
from chainrule.cli.parser import Options
from chainrule.kinds.observed import observed_variables
from chainrule.kinds.requests import one_class
from chainrule.tasks.marginal import marginal


def run_marginal(options: Options) -> None:
    """Print log p of the known part of each example."""
    run, model = opened_likelihood(options)
    source = source_of(run, options, options["n"])
    x = source.first(run.kind.given(source, model, conditioned=False).examples)
    observed = observed_variables(options["observe"], model)
    settings = {name: options[name] for name in ("particles", "repeats", "seed")}
    found = marginal(model, x, observed, context=one_class(model, options["label"], len(x)), **settings)
    if options["json"]:
        numbers = {"log_prob": found.log_prob.tolist(), "stderr": found.stderr.tolist()}
        print_json({"exact": found.exact, "method": found.method, **numbers})
        return
    known = f"{int(observed.sum())} of {observed.numel()} variables known"
    print(f"log p(known), nats, {known}; {found.method}")
    for log_prob, stderr in zip(found.log_prob.tolist(), found.stderr.tolist(), strict=True):
        print(f"{log_prob:.4f}" if found.exact else f"{log_prob:.4f} +- {stderr:.4f}")
