"""``chainrule classify``."""

from __future__ import annotations

from typing import Any

from chainrule import plots
from chainrule.abilities import components_of
from chainrule.cli.opening import opened_likelihood, print_json, print_rows, say, source_of
from chainrule.cli.parser import Options, UsageError
from chainrule.data.write import ARRAYS, check_suffix, write_array
from chainrule.tasks.classify import class_prior, classify, classify_progressively, first_classes

PRIORS = {"train": "class frequencies of the training split", "uniform": "same probability for every class"}


def run_classify(options: Options) -> None:
    """Print the accuracy of Bayes' rule, and write the probabilities of classes."""
    out = options["out"]
    pictured = out is not None and out.suffix.lower() in plots.FORMATS
    if out is not None:
        check_suffix(out, (*plots.FORMATS, *ARRAYS))
    if options["prior"] not in PRIORS:
        raise UsageError(f"--prior expects train or uniform, got {options['prior']!r}")
    run, model = opened_likelihood(options)
    if pictured and len(components_of(model)) > 1:
        raise UsageError(
            f"--out {out} expects a model of one order, to show p(c | x_<t) along it, "
            f"got a mixture over orders: write p(c | x) into one of {', '.join(ARRAYS)}"
        )
    source = source_of(run, options, options["n"])
    given = run.kind.given(source, model, conditioned=False)
    prior = None
    if options["prior"] == "train" and model.num_classes is not None:
        prior = class_prior(source.load().classes("train"), model.num_classes)
    log_probs = classify(model, given.examples, prior=prior, batch_size=options["batch_size"])
    result: dict[str, Any] = {"examples": len(log_probs), "prior": options["prior"]}
    if given.labels is not None:
        result["accuracy"] = (log_probs.argmax(1) == given.labels).double().mean().item()
        result["nats"] = -log_probs.gather(1, given.labels[:, None]).mean().item()
    if pictured:
        x = source.first(given.examples)
        progress = classify_progressively(model, x, prior=prior).exp()
        plots.progressive_classes(
            x, progress, out, levels=run.kind.format.levels, labels=given.labels, names=run.class_names
        )
    elif out is not None:
        more = {} if given.labels is None else {"classes": given.labels}
        write_array("probabilities", log_probs.exp().numpy(), out, **more)
    rows = first_classes(log_probs[: options["n"]], given.names, run.class_names) if given.labels is None else []
    if options["json"]:
        result |= {"first": rows} if rows else {}
        print_json(result | {"run": str(options["run"]), "model": type(model).__name__, **given.about})
        return
    print(f"{given.description}: {len(log_probs)} examples")
    if given.labels is not None:
        how = f"-log p(c | x) {result['nats']:.4f} nats, by Bayes' rule with the {PRIORS[options['prior']]}"
        print(f"accuracy {result['accuracy']:.2%}, {how}")
    print_rows(rows)
    if out is not None:
        say([f"wrote {out}"])
