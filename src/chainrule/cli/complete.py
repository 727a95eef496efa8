"""``chainrule complete``."""

from __future__ import annotations

from dataclasses import replace

from chainrule.cli.opening import drawing_of, opened_likelihood, say, source_of
from chainrule.cli.parser import Options
from chainrule.kinds.requests import Completing

EXAMPLES = 8
"""Examples of a split that are completed by default."""


def run_complete(options: Options) -> None:
    """Fill in the unknown variables of examples, and write them in the form in which the data came."""
    run, model = opened_likelihood(options)
    run.kind.check_completing(options.typed)
    source = source_of(run, options, options["n"])
    if source.path is None and source.limit is None:
        source = replace(source, limit=EXAMPLES)
    names = ("out", "observe", "draws", "mean", "length", "particles")
    request = Completing(
        source=source,
        drawing=drawing_of(options),
        **{name: options[name] for name in names},
    )
    say(run.kind.complete(model, request))
