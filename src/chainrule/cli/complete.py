"""``chainrule complete``."""

from __future__ import annotations

from dataclasses import replace

from chainrule.cli.opening import drawing_of, opened_likelihood, quoting_formulas, say, source_of
from chainrule.cli.parser import Options, UsageError
from chainrule.kinds.requests import Completing

EXAMPLES = 8
"""Examples of a split that are completed by default."""


@quoting_formulas
def run_complete(options: Options) -> None:
    """Fill in the unknown variables of examples, and write them in the form in which the data came."""
    run, model = opened_likelihood(options)
    run.kind.check_completing(options.typed)
    source = source_of(run, options, options["n"])
    if source.path is None and source.limit is None:
        source = replace(source, limit=EXAMPLES)
    if options["mean"] and options["point"] not in (None, "mean"):
        raise UsageError(f"expected --mean or --point, got both: --point {options['point']}")
    names = ("out", "observe", "draws", "length", "particles")
    request = Completing(
        source=source,
        drawing=drawing_of(options),
        point="mean" if options["mean"] else options["point"],
        quantiles=_shares(options["quantiles"]),
        **{name: options[name] for name in names},
    )
    say(run.kind.complete(model, request))


def _shares(text: str | None) -> tuple[float, ...]:
    """The quantiles in ``text``, such as 0.05,0.5,0.95."""
    try:
        return tuple(float(share) for share in text.split(",")) if text is not None else ()
    except ValueError:
        raise UsageError(f"--quantiles expects shares such as 0.05,0.5,0.95, got {text!r}") from None
