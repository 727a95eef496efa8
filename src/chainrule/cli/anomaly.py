"""``chainrule score --score``: how strange each example, row, recording, line or value of some data is, as a table."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars
import torch
from numpy.typing import NDArray
from torch import Tensor

from chainrule import runs
from chainrule.cli.loading import asked_examples, levels_of, load_background, load_run
from chainrule.cli.parser import UsageError, suggestion
from chainrule.cli.rows import score_rows
from chainrule.cli.series import series_of, series_values
from chainrule.cli.tables import table_schema
from chainrule.cli.text import text_format
from chainrule.cli.writing import FRAMES, check_suffix
from chainrule.data.read.table import write_frame
from chainrule.data.read.text import check_text
from chainrule.data.sequences import Recordings
from chainrule.data.text import TextFormat
from chainrule.model import AutoregressiveModel
from chainrule.runs.lines import scored_lines
from chainrule.sequence import reads_streams, sequence_model
from chainrule.tasks.anomaly import SCORES, anomaly_scores, compressed_nats
from chainrule.tasks.evaluate import log_prob, sequence_log_probs
from chainrule.tasks.score import stream_surprisals

BATCH = 256
"""Examples that are compressed at once."""
STRANGEST = 5
"""How many are named in the terminal."""


@dataclass(frozen=True)
class Things:
    """What is scored.

    Attributes:
        names: Columns that say which each is, ``N`` rows; none where they are known by their number.
        log_probs: Log p of each, of lines and recordings the mean over their symbols or samples, ``(N,)`` float64.
        remarks: What is to be said of them.
        partial: Those whose log p is of a part only, and can't be compared with that of whole ones, ``(N,)``.
        complexity: Gives the nats that zlib makes of each, or of each of its symbols; None where that says nothing.
    """

    names: dict[str, list[Any]]
    log_probs: Tensor
    remarks: list[str]
    partial: Tensor | None = None
    complexity: Callable[[], Tensor] | None = None


def run_scores(options: dict[str, Any]) -> None:
    """``chainrule score --score NAME``."""
    _check(options)
    model, config = load_run(options)
    if options["score"] == "complexity" and (series_of(config) or table_schema(config)) is not None:
        raise UsageError("--score complexity expects images, rows of levels, text or recordings, got numbers")
    background = load_background(options, model, config) if options["score"] == "ratio" else None
    needed: dict[str, Any] = {}
    if options["score"] in ("pvalue", "typicality"):
        needed["calibration"] = runs.read_calibration(options["run"], options["calibration"])
    things = _things(options, model, config)
    if options["score"] == "complexity" and things.complexity is not None:
        needed["complexity"] = things.complexity()
    if background is not None:
        needed["background"] = _things(options, background, config).log_probs
    columns, scores = _scores(options, things, needed)
    frame = polars.DataFrame(columns | {"score": scores.numpy()}).fill_nan(None)
    write_frame(frame, options["out"])
    print(f"wrote {options['score']} of {len(frame)} to {options['out']}; higher is stranger", file=sys.stderr)
    for remark in things.remarks:
        print(remark, file=sys.stderr)
    for row in frame.drop_nulls("score").sort("score", descending=True).head(STRANGEST).iter_rows(named=True):
        print(
            "  ".join(f"{name} {f'{value:.4f}' if isinstance(value, float) else value}" for name, value in row.items())
        )


def _scores(options: dict[str, Any], things: Things, needed: dict[str, Any]) -> tuple[dict[str, Any], Tensor]:
    """The columns of the table, and the scores; NaN where there is none."""
    if options["group"] is not None:
        scores = needed["calibration"].typicality(things.log_probs, options["group"])
        first = np.arange(len(scores)) * options["group"] + 1
        columns: dict[str, Any] = {"first": first, "last": first + options["group"] - 1}
        partial = None if things.partial is None else things.partial.view(-1, options["group"]).any(1)
    else:
        scores, partial = anomaly_scores(options["score"], things.log_probs, **needed), things.partial
        columns = {"number": range(1, len(scores) + 1)} | things.names | {"log_prob": things.log_probs.numpy()}
    if partial is not None and options["score"] in ("pvalue", "typicality"):
        scores = scores.masked_fill(partial, math.nan)
        if count := int(partial.sum()):
            things.remarks.append(f"{count} scores are empty, as what is compared with them is log p of whole rows")
    if options["score"] == "pvalue":
        columns["pvalue"] = 1 - scores.numpy()
    return columns, scores


def _check(options: dict[str, Any]) -> None:
    """Refuse what does not go together."""
    score = options["score"]
    if score not in SCORES:
        raise UsageError(f"--score expects one of {', '.join(SCORES)}, got {score!r}{suggestion(score, SCORES)}")
    if options["out"] is None:
        raise UsageError("score expects --out, a .csv or .parquet file, with --score")
    check_suffix(options["out"], FRAMES)
    for name, wanted in {"background": "ratio", "group": "typicality"}.items():
        if options[name] is not None and score != wanted:
            raise UsageError(f"--{name} expects --score {wanted}, got --score {score}")
    if score == "ratio" and options["background"] is None:
        raise UsageError("--score ratio expects --background, a run of `fit --perturb 0.1` on the same data")
    for name in ("per", "color", "json"):
        if options[name]:
            raise UsageError(f"score expects no --{name} with --score, whose table has a row for each")


def _things(options: dict[str, Any], model: AutoregressiveModel, config: dict[str, Any]) -> Things:
    """What was asked for, and log p of it."""
    if (text := text_format(config)) is not None:
        return _lines(options, model, text)
    if (series := series_of(config)) is not None:
        values = series_values(options, config, model, series)[: options["n"]]
        nats = torch.cat(list(stream_surprisals(sequence_model(model), [values.astype(np.float32)])))
        return Things({"value": values.tolist()}, -nats.double(), [])
    if (schema := table_schema(config)) is not None:
        scored = score_rows(options, model, config, schema)
        return Things({}, scored.log_probs, scored.remarks, scored.partial)
    examples, context, names = asked_examples(options, config, model)
    count = len(examples) if options["n"] is None else min(options["n"], len(examples))
    context = None if context is None else context[:count]
    named: dict[str, list[Any]] = {} if names is None else {"file": names[:count]}
    levels = levels_of(model)
    if isinstance(examples, Recordings):
        clips = [examples.levels[examples.starts[row] : examples.ends[row]] for row in range(count)]
        log_probs, _ = sequence_log_probs(sequence_model(model), clips, context)
        named["samples"] = [len(clip) for clip in clips]
        return Things(
            named, log_probs / torch.tensor(named["samples"]), [], complexity=lambda: _per_symbol(clips, levels)
        )
    x = examples if count == len(examples) else examples[:count]
    log_probs = log_prob(model, x, context=context).double()
    parts = range(0, count, BATCH)
    return Things(
        named,
        log_probs,
        [],
        complexity=lambda: torch.cat([compressed_nats(x[start : start + BATCH], levels) for start in parts]),
    )


def _per_symbol(sequences: Sequence[NDArray[Any]], levels: int) -> Tensor:
    """The nats that zlib makes of each symbol of each sequence, ``(N,)``."""
    nats = [compressed_nats(torch.from_numpy(one.astype(np.int64))[None], levels) / len(one) for one in sequences]
    return torch.cat(nats)


def _lines(options: dict[str, Any], model: AutoregressiveModel, text: TextFormat) -> Things:
    """The lines of a file of text."""
    if options["file"] is None:
        raise UsageError("score expects a file of text as DATA, as the run was fitted on text")
    check_text(options["file"])
    if not reads_streams(model):
        raise UsageError("score expects the run of one model of sequences, such as RNN, that was fitted on text")
    parts = list(itertools.islice(scored_lines(model, text, options["file"]), options["n"]))
    names: dict[str, list[Any]] = {
        "line": [part.line for part in parts],
        "symbols": [len(part.symbols) for part in parts],
        "text": [text.vocabulary.decode(part.symbols).removesuffix("\n") for part in parts],
    }
    means = torch.tensor([-part.nats.mean() for part in parts], dtype=torch.float64)
    symbols = [part.symbols for part in parts]
    new = text.vocabulary.unknown
    unknown = 0 if new is None else sum(int((part == new).sum()) for part in symbols)
    remarks = [f"{unknown} characters are new to the model, and read as one unknown symbol"] if unknown else []
    return Things(names, means, remarks, complexity=lambda: _per_symbol(symbols, len(text.vocabulary)))
