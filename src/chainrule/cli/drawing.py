"""Commands that draw: each loads a model, calls one task, and writes examples or a picture."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import torch

from chainrule import plots
from chainrule.cli.audio import audio_format, complete_audio, sample_audio
from chainrule.cli.loading import dataset_of, first_examples, levels_of, load_run, observation, one_class
from chainrule.cli.parser import UsageError
from chainrule.cli.series import FORECASTS, forecast, sample_series, series_of
from chainrule.cli.tables import complete_table, sample_table, table_schema
from chainrule.cli.text import sample_text, text_format
from chainrule.cli.writing import PICTURES, check_suffix, write_examples
from chainrule.tasks.complete import COLLAPSE, completion
from chainrule.tasks.sample import sample


def run_sample(options: dict[str, Any]) -> None:
    """``chainrule sample``."""
    model, config = load_run(options)
    text = text_format(config)
    drawing = _drawing(options) | {"precision": options["precision"]}
    if text is not None:
        if options["out"] is not None:
            check_suffix(options["out"], (".txt",))
        sample_text(options, model, text, drawing)
        return
    audio = audio_format(config)
    if audio is not None:
        sample_audio(options, model, audio, drawing)
        return
    if (series := series_of(config)) is not None:
        sample_series(options, model, series, drawing)
        return
    if (schema := table_schema(config)) is not None:
        sample_table(options, model, schema, drawing)
        return
    for name in ("prompt", "length"):
        if options[name] is not None:
            raise UsageError(f"--{name} expects a model of text, got one that was fitted on other data")
    if options["out"] is None:
        raise UsageError("sample expects --out, a file to write")
    check_suffix(options["out"])
    n = 64 if options["n"] is None else options["n"]
    x = sample(model, n, context=one_class(options, model, n), **drawing)
    write_examples(x.cpu(), options["out"], levels_of(model))
    print(f"wrote {n} examples to {options['out']}", file=sys.stderr)


def run_complete(options: dict[str, Any]) -> None:
    """``chainrule complete``."""
    model, config = load_run(options)
    series = series_of(config)
    if options["draws"] is None:
        options["draws"] = FORECASTS if series is not None or options["mean"] else 1
    if options["draws"] < 1:
        raise ValueError(f"draws expects at least 1, got {options['draws']}")
    if series is not None:
        forecast(options, model, config, series, _drawing(options))
        return
    if options["length"] is not None:
        raise UsageError("complete expects no --length, as the run was not fitted on a time series")
    if audio_format(config) is not None:
        if options["observe"] is None:
            raise UsageError("complete expects --observe, first-half or a fraction, of recordings")
        complete_audio(options, model, config)
        return
    if (schema := table_schema(config)) is not None:
        complete_table(options, model, schema, _drawing(options))
        return
    if options["observe"] is None or options["file"] is not None or options["mean"]:
        raise UsageError("complete expects --observe, no FILE and no --mean, as the run was not fitted on a table")
    check_suffix(options["out"])
    truth = first_examples(dataset_of(options["data"], config, model).split(options["split"]), options)
    observed = observation(options["observe"], model)
    drawing = _drawing(options)
    seed = drawing.pop("seed")
    drawing |= {"particles": options["particles"], "context": one_class(options, model, len(truth))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said below, for all draws
        done = [completion(model, truth, observed, seed=seed + draw, **drawing) for draw in range(options["draws"])]
    draws = torch.stack([completed.x.cpu() for completed in done])
    if options["out"].suffix in PICTURES:
        plots.completions(truth, observed, draws, options["out"], levels=levels_of(model))
    else:
        write_examples(draws.flatten(0, 1), options["out"], levels_of(model), truth=truth, observed=observed)
    print(f"wrote {len(draws)} x {len(truth)} completions to {options['out']}; {done[0].method}", file=sys.stderr)
    sizes = [completed.effective_sample_size for completed in done if completed.effective_sample_size is not None]
    if sizes:
        size = float(torch.cat(sizes).median())
        advice = "; they are rough: use more --particles" if size < COLLAPSE else ""
        print(f"least effective sample size along the walk, median: {size:.1f}{advice}", file=sys.stderr)


def run_conditionals(options: dict[str, Any]) -> None:
    """``chainrule conditionals``: the NADE figure."""
    check_suffix(options["out"], PICTURES)
    model, config = load_run(options)
    if (values := model.conditional.values) is None:
        raise UsageError(f"conditionals expects a model whose values can be listed, got one of {model.conditional}")
    if options["data"]:
        x = first_examples(dataset_of(options["data"], config, model).split(options["split"]), options)
    else:
        x = sample(model, options["n"], seed=options["seed"], context=one_class(options, model, options["n"]))
    with torch.no_grad():
        x = model.check(x.to(model.device))
        distribution = model(x, model.check_context(one_class(options, model, len(x)), len(x)))
        means = (model.conditional.log_probs(distribution).exp() * values.to(x)).sum(-1)
    plots.conditionals_figure(x.cpu(), means.cpu(), options["out"], levels=levels_of(model))
    print(f"wrote {len(x)} examples beside their conditional means to {options['out']}", file=sys.stderr)


def _drawing(options: dict[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in ("seed", "temperature", "top_k", "top_p", "greedy")}
