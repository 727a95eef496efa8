"""Time series: a column of a table as one long sequence, or one of each group."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars
import torch
from torch import Tensor

from chainrule.conditionals import Conditional
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples
from chainrule.data.read.layout import FILE_CHOICES, FileChoices
from chainrule.data.schema import TableSchema
from chainrule.data.series import SeriesFormat, read_all, samples_frame
from chainrule.data.series_examples import SeriesExamples
from chainrule.data.write import FRAMES, write_frame
from chainrule.kinds.calibration import SYMBOLS
from chainrule.kinds.explained import check_table, explained_parts, rounded, sentences_of, written
from chainrule.kinds.families import family_of_reals, refuse_arguments
from chainrule.kinds.forecast import check_forecast, write_forecasts
from chainrule.kinds.items import Items, figures_per
from chainrule.kinds.requests import Completing, Source
from chainrule.kinds.sequence import SequenceKind, require_sequence_model
from chainrule.model import AutoregressiveModel, Model
from chainrule.plans import Plan
from chainrule.plans.series import series_plan
from chainrule.sequence import history_of, sequence_model
from chainrule.tasks.evaluate import Evaluation
from chainrule.tasks.explain_past import explain_stream
from chainrule.tasks.sample import sample
from chainrule.tasks.score import surprisals_in_order

TAKEN = ("number", "value", "nats", "log_prob", "pvalue", "score", "anomalous")
"""Columns of scores, beside which those of the file have other names."""


class SeriesKind(SequenceKind):
    """One column of a table, in the order of time."""

    name = "series"
    formats = SeriesFormat
    files = "a .csv or .parquet file"
    suffixes = FRAMES
    samples_file = "samples.csv"
    num_samples = 8
    has_ensembles = False
    completes_with = ("draws", "length")
    compressible = False
    format: SeriesFormat

    def plan(self, dataset: Dataset, minutes: float, device: str) -> Plan:
        return series_plan(
            dataset.train.num_variables,
            minutes,
            categories=self.format.categories,
            atoms=self.format.curved and bool(self.format.column.shape.atoms),
            periods=() if self.format.axis is None else self.format.axis.frequency.periods,
            curved=self.format.curved,
        )

    def conditional(self, family: str | None, arguments: Mapping[str, Any]) -> Conditional:
        if family is not None:
            return self.format.conditional(family_of_reals(family, arguments))
        refuse_arguments(arguments)
        return self.format.conditional()

    def model_arguments(self, model: type[Model]) -> dict[str, Any]:
        require_sequence_model(model, "a series")
        return {}

    def independent_nats(self, dataset: Dataset, model: Model) -> float:
        train, valid = (_values(part)[:, None].float().numpy() for part in (dataset.train, dataset.valid))
        return TableSchema((self.format.column,)).independent_nats(train, valid)

    def reading(self, settings: Mapping[str, Any], *, named: bool) -> dict[str, Any]:
        own = {"series": self.format.column.name, "group": self.format.group}
        return own | {name: settings.get(name) for name in ("window", *FILE_CHOICES)}

    def read(self, path: Path, model: Model, settings: Mapping[str, Any]) -> tuple[Examples, list[str] | None]:
        return read_all(path, self.format, FileChoices.of(settings))

    def write(self, x: Tensor, path: Path) -> str:
        write_frame(samples_frame(x.cpu(), self.format), path)
        return f"{len(x)} series of {x.shape[1]} values"

    def leave_samples(self, model: AutoregressiveModel, dataset: Dataset, folder: Path) -> None:
        self.write(
            sample(model, self.num_samples, seed=0, length=self.sample_length(model)), folder / self.samples_file
        )

    def complete(self, model: AutoregressiveModel, request: Completing) -> list[str]:
        check_forecast(request)
        return write_forecasts(model, self._examples(model, request.source), self.format, request)

    @property
    def unit(self) -> str:
        return "value"

    def figures(self, evaluation: Evaluation, examples: Examples | None) -> dict[str, Any]:
        return {"nats_per_value": figures_per(self.unit, evaluation)["nats_per_value"]}

    def items(self, model: AutoregressiveModel, source: Source) -> Iterator[Items]:
        examples = self._examples(model, source)
        values, nats = _values(examples)[: source.limit], _nats(model, examples)[: source.limit]
        rows = examples.rows[: len(nats)].with_columns(polars.selectors.temporal().cast(polars.String))
        names = {f"{name} of the file" if name in TAKEN else name: rows[name].to_list() for name in rows.columns}
        numbers = [None if math.isnan(value) else value for value in (values + self.format.origin).tolist()]
        yield Items(names | {"value": numbers}, -nats, sizes=torch.ones(len(nats), dtype=torch.long))

    def _examples(self, model: Model, source: Source) -> SeriesExamples:
        examples = self.given(source, model).examples
        assert isinstance(examples, SeriesExamples)
        return examples

    def explain(self, model: AutoregressiveModel, source: Source, rows: int, out: Path | None) -> list[str]:
        check_table(out)
        examples = self._examples(model, source)
        nats = _nats(model, examples)[: source.limit].masked_fill(_values(examples)[: source.limit].isnan(), -math.inf)
        strangest = nats.argsort(descending=True, stable=True)[:rows]
        places = strangest.sort().values
        one = sequence_model(model)
        batches = examples.in_order(1, history=history_of(one, ragged=True))
        found = explain_stream(one, batches, places).map(lambda part: part[strangest.argsort().argsort()])
        if self.format.column.kind != "integer":
            found = replace(found, quantiles=rounded(found.quantiles))
        rows_of = {"row": (strangest + 1).tolist()} | self._times(examples, strangest)
        parts = explained_parts("row", rows_of, _values(examples)[strangest], found, self._words, ordered=True)
        lines = sentences_of(parts, "row", lambda part: f"row {part['row']}" + _at(part))
        return lines + written(parts, out, f"the {len(parts)} strangest values")

    def _words(self, values: Tensor) -> list[str]:
        column = self.format.column
        return column.codec.words(column.shape.within(values.double().numpy()))

    def _times(self, examples: SeriesExamples, rows: Tensor) -> dict[str, list[str]]:
        """The times of these values, and their groups, as the file writes them."""
        axis = examples.table.axis
        names = [] if axis is None else list(axis.times.columns)
        if not names:
            return {}
        cells = examples.rows[rows.numpy()].select([*filter(None, [self.format.group]), *names])
        return {"time": cells.select(polars.concat_str(polars.all(), separator=" ")).to_series().to_list()}

    def calibration_log_probs(self, model: AutoregressiveModel, dataset: Dataset, split: str) -> Tensor:
        return -_nats(model, dataset.split(split))[-SYMBOLS:]


def _at(part: dict[str, Any]) -> str:
    return f", {part['time']}," if "time" in part else ""


def _values(examples: Examples) -> Tensor:
    """The values of all series that count ``(N,)``, in double precision."""
    return torch.from_numpy(np.concatenate(list(examples.each())))


def _nats(model: AutoregressiveModel, examples: Examples) -> Tensor:
    """-log p(x_t | x_<t) in nats of all values of all series, float64 ``(N,)``."""
    return torch.cat([nats for _, nats in surprisals_in_order(model, examples)])
