"""``chainrule sample``."""

from __future__ import annotations

from typing import Any

from chainrule.cli.opening import drawing_of, opened_likelihood, say
from chainrule.cli.parser import UsageError
from chainrule.kinds.requests import one_class
from chainrule.tasks.sample import sample


def run_sample(options: dict[str, Any]) -> None:
    """Draw examples, and write them in the form in which the data came."""
    run, model = opened_likelihood(options)
    kind, out = run.kind, options["out"]
    prefix = kind.prefix(options["prompt"])
    if out is not None:
        kind.check_out(out)
    elif not kind.prints_samples:
        raise UsageError(f"sample expects --out, {kind.files}")
    n = options["n"] if options["n"] is not None else 1 if out is None else kind.num_samples
    streamed = out is None and n == 1
    x = sample(
        model,
        n,
        prefix=prefix,
        length=options["length"],
        watch=kind.printer(options["prompt"] or "") if streamed else None,
        context=one_class(model, options["label"], n),
        precision=options["precision"],
        **drawing_of(options).settings(),
    ).cpu()
    if streamed:
        print()
    elif out is None:
        kind.print(x)
    else:
        say([f"wrote {kind.write(x, out)} to {out}"])
