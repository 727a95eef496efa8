"""``chainrule represent``."""

from __future__ import annotations

from chainrule.cli.opening import opened, say, source_of
from chainrule.cli.parser import Options, UsageError
from chainrule.data.write import ARRAYS, check_suffix, write_array
from chainrule.tasks.represent import represent


def run_represent(options: Options) -> None:
    """Write the features of examples, with their classes if they have any."""
    check_suffix(options["out"], ARRAYS)
    run = opened(options)
    given = run.kind.given(source_of(run, options), run.model)
    if given.model is not run.model:
        raise UsageError("represent expects --class or examples with classes, as features depend on them")
    features = represent(run.model, given.examples, context=given.context, batch_size=options["batch_size"])
    more = {} if given.labels is None else {"classes": given.labels}
    write_array("features", features.numpy(), options["out"], **more)
    say([f"wrote {features.shape[1]} features of {len(features)} examples to {options['out']}"])
