"""``chainrule sample``."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from chainrule.cli.by_parts import ByParts, is_by_parts
from chainrule.cli.opening import drawing_of, opened_likelihood, quoting_formulas, say
from chainrule.cli.parser import Options, UsageError
from chainrule.kinds import Kind
from chainrule.kinds.requests import drawn_classes
from chainrule.model import AutoregressiveModel
from chainrule.runs.opened import OpenRun
from chainrule.tasks.progress import telling
from chainrule.tasks.sample import sample
from chainrule.tasks.where import sample_where

ROUGH = 4
"""Rows whose effective sample size is below this are called rough."""

FREE = ("prompt", "prompt_file", "stop", "length", "precision", "temperature", "top_k", "top_p", "greedy")
"""Options of samples without conditions."""


@quoting_formulas
def run_sample(options: Options) -> None:
    """Draw examples, and write them in the form in which the data came."""
    _check(options)
    if is_by_parts(options):
        _sample_by_parts(options)
        return
    run, model = opened_likelihood(options)
    kind, out = run.kind, options["out"]
    prompt = _prompt(run, options)
    prefix = kind.prefix(prompt)
    if out is not None:
        kind.check_out(out)
    elif not kind.prints_samples:
        raise UsageError(f"sample expects --out, {kind.files}")
    n = options["n"] if options["n"] is not None else 1 if out is None else kind.num_samples
    if options["where"] is not None:
        _sample_where(run, model, n, options)
        return
    options.refuse("particles", expects="--where, whose rows it draws")
    classes = drawn_classes(model, options["label"], n, run.class_counts, options["seed"])
    context, length = kind.sampling_context(n, classes, options["frames"])
    drawn = partial(
        sample,
        model,
        n,
        prefix=prefix,
        length=options["length"] if options["length"] is not None else length,
        context=context,
        precision=options["precision"],
        undrawn=kind.undrawn,
        **drawing_of(options).settings(),
    )
    if out is None and n == 1:
        with kind.printer(prompt or "", options["stop"]) as watch:
            drawn(watch=watch)
        return
    with telling(lambda line: say([line])):
        x = drawn().cpu()
    x = kind.stopped(x, 0 if prefix is None else len(prefix), options["stop"])
    if out is None:
        kind.print(x)
    else:
        say([f"wrote {_written(kind, x, model, options)} to {out}"])


def _check(options: Options) -> None:
    """Raise ``UsageError`` if a number or a text is too small, whatever the run is."""
    for flag, words in (("n", "-n expects at least 1 example"), ("scale", "--scale expects at least 1")):
        if options[flag] is not None and options[flag] < 1:
            raise UsageError(f"{words}, got {options[flag]}")
    if options["out"] is None:
        options.refuse("scale", expects="--out, a file or a folder of images")
    if options["stop"] == "":
        raise UsageError("--stop expects at least one character, got none")


def _written(kind: Kind, x: Tensor, model: AutoregressiveModel, options: Options) -> str:
    """Write samples into the file that is asked for, and describe them in a few words."""
    out, scale = options["out"], options["scale"]
    if out.suffix.lower() == ".gif":
        return kind.write_growth(x, model, out, scale)
    return kind.write(x if scale is None else kind.enlarged(x, scale), out)


def _prompt(run: OpenRun, options: Options) -> str | None:
    """The beginning of every sample: the words of ``--prompt``, or the content of ``--prompt-file``."""
    prompt: str | None = options["prompt"]
    if options["prompt_file"] is None:
        return prompt
    options.refuse("prompt", expects="no --prompt-file, which has the prompt")
    return run.kind.read_prompt(options["prompt_file"], run.settings)


def _sample_by_parts(options: Options) -> None:
    """Draw the examples of each part by a seed of its own."""
    needs_all = ("where", "particles", "frames", "quote_formulas", "scale", "prompt_file", "stop")
    work = ByParts.of("sample", options, needs_all=needs_all)
    names = ("prompt", "length", "precision")
    count = options["n"] if options["n"] is not None else work.kind.num_samples
    records = work.of_samples(count, drawing=drawing_of(options).settings(), **{name: options[name] for name in names})
    say([f"wrote {sum(record['items'] for record in records)} examples to {work.files}"])


def _sample_where(run: OpenRun, model: AutoregressiveModel, n: int, options: Options) -> None:
    """Draw examples that meet conditions, write them, and say how they were drawn."""
    kind = run.kind
    bounds = kind.bounds(options["where"], model)
    options.refuse(*FREE, expects="no --where, whose rows are drawn from p itself")
    context = drawn_classes(model, options["label"], n, run.class_counts, options["seed"])
    out = options["out"]
    done = sample_where(
        model,
        n,
        bounds,
        particles=options["particles"],
        seed=options["seed"],
        context=context,
        say=lambda line: say([line]),
    )
    lines = [f"wrote {kind.write(done.x.cpu(), out)} to {out}; {done.method}"]
    if done.effective_sample_size is not None:
        size = float(done.effective_sample_size.median())
        advice = "; these rows are rough: use more --particles" if size < ROUGH else ""
        lines.append(
            f"least effective sample size along the walk, median: {size:.1f} of {options['particles']}{advice}"
        )
    say(lines)
