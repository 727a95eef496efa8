"""``chainrule complete``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from chainrule.cli.by_parts import ByParts, is_by_parts
from chainrule.cli.opening import drawing_of, opened_likelihood, quoting_formulas, say, source_of
from chainrule.cli.parser import Options, UsageError
from chainrule.kinds.requests import Completing
from chainrule.tasks.progress import telling

EXAMPLES = 8
"""Examples of a split that are completed by default."""


@quoting_formulas
def run_complete(options: Options) -> None:
    """Fill in the unknown variables of examples, and write them in the form in which the data came."""
    if is_by_parts(options):
        _complete_by_parts(options)
        return
    run, model = opened_likelihood(options)
    run.kind.check_completing(options.typed)
    source = source_of(run, options, options["n"])
    if source.path is None and source.limit is None:
        source = replace(source, limit=EXAMPLES)
    request = Completing(source=source, out=options["out"], drawing=drawing_of(options), **_choices(options))
    with telling(lambda line: say([line])):
        lines = run.kind.complete(model, request)
    say(lines)


def _complete_by_parts(options: Options) -> None:
    """Complete the examples of each part by a seed of its own."""
    work = ByParts.of("complete", options, needs_all=("n", "frames", "quote_formulas"))
    work.kind.check_completing(options.typed)
    choices = _choices(options)
    if choices["observe"] is not None and Path(choices["observe"]).is_file():
        choices["observe"] = str(Path(choices["observe"]).resolve())
    records = work.of_data(drawing=drawing_of(options).settings(), **choices)
    say([f"completed {sum(record['items'] for record in records)} examples, in {work.files}"])


def _choices(options: Options) -> dict[str, Any]:
    """The choices of a completion, as plain values."""
    if options["mean"] and options["point"] not in (None, "mean"):
        raise UsageError(f"expected --mean or --point, got both: --point {options['point']}")
    names = ("observe", "draws", "length", "particles")
    point = "mean" if options["mean"] else options["point"]
    return {name: options[name] for name in names} | {"point": point, "quantiles": _shares(options["quantiles"])}


def _shares(text: str | None) -> tuple[float, ...]:
    """The quantiles in ``text``, such as 0.05,0.5,0.95."""
    try:
        return tuple(float(share) for share in text.split(",")) if text is not None else ()
    except ValueError:
        raise UsageError(f"--quantiles expects shares such as 0.05,0.5,0.95, got {text!r}") from None
