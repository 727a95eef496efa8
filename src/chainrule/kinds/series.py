"""Time series: a column of a table as one long sequence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars
import torch
from torch import Tensor

from chainrule.conditionals import Conditional, GaussianMixture
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples
from chainrule.data.read.layout import FILE_CHOICES, FileChoices
from chainrule.data.read.table import read_frame
from chainrule.data.recordings import Recordings
from chainrule.data.schema import TableSchema
from chainrule.data.series import SeriesFormat, draws_frame, read_all
from chainrule.data.write import FRAMES, check_suffix, write_frame
from chainrule.kinds.base import SYMBOLS
from chainrule.kinds.explained import check_table, explained_parts, rounded, sentences_of, written
from chainrule.kinds.families import family_of_reals, refuse_arguments
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

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
FORECASTS = 100
"""Draws of a forecast by default."""
LENGTH = 24
"""Values that are forecast by default."""


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
        return series_plan(dataset.train.num_variables, minutes, categories=self.format.categories)

    def conditional(self, family: str | None, arguments: Mapping[str, Any]) -> Conditional:
        if family is not None:
            return self.format.conditional(family_of_reals(family, arguments))
        refuse_arguments(arguments)
        return self.format.conditional(GaussianMixture())

    def model_arguments(self, model: type[Model]) -> dict[str, Any]:
        require_sequence_model(model, "a series")
        return {}

    def independent_nats(self, dataset: Dataset, model: Model) -> float:
        train, valid = (_series(part)[:, None].float().numpy() for part in (dataset.train, dataset.valid))
        return TableSchema((self.format.column,)).independent_nats(train, valid)

    def reading(self, settings: Mapping[str, Any], *, named: bool) -> dict[str, Any]:
        return {"series": self.format.column.name} | {name: settings.get(name) for name in ("window", *FILE_CHOICES)}

    def read(self, path: Path, model: Model, settings: Mapping[str, Any]) -> tuple[Examples, list[str] | None]:
        return read_all(path, self.format, FileChoices.of(settings))

    def write(self, x: Tensor, path: Path) -> str:
        write_frame(draws_frame(x.cpu(), self.format.column), path)
        return f"{len(x)} series of {x.shape[1]} values"

    def leave_samples(self, model: AutoregressiveModel, dataset: Dataset, folder: Path) -> None:
        self.write(
            sample(model, self.num_samples, seed=0, length=self.sample_length(model)), folder / self.samples_file
        )

    def complete(self, model: AutoregressiveModel, request: Completing) -> list[str]:
        check_suffix(request.out, FRAMES)
        examples = self.given(request.source, model).examples
        assert isinstance(examples, Recordings)
        past = torch.from_numpy(examples.levels).to(model.dtype)
        length, count = request.length if request.length is not None else LENGTH, request.draws or FORECASTS
        drawn = sample(model, count, prefix=past, length=length, **request.drawing.settings())
        draws = drawn[:, len(past) :].double().cpu() + self.format.origin
        columns = {"step": np.arange(1, length + 1), "mean": draws.mean(0).numpy()}
        for share in QUANTILES:
            columns[f"{share:.0%}"] = draws.quantile(share, dim=0).numpy()
        write_frame(polars.DataFrame(columns), request.out)
        return [
            f"wrote the mean and quantiles of {count} draws of the {length} values after the {len(past)} known to "
            f"{request.out}; exact draws: what is known comes first"
        ]

    @property
    def unit(self) -> str:
        return "value"

    def figures(self, evaluation: Evaluation, examples: Examples | None) -> dict[str, Any]:
        return {"nats_per_value": figures_per(self.unit, evaluation)["nats_per_value"]}

    def items(self, model: AutoregressiveModel, source: Source) -> Iterator[Items]:
        examples = self.given(source, model).examples
        values = _series(examples)[: source.limit]
        nats = _nats(model, examples)[: source.limit]
        yield Items(
            {"value": (values + self.format.origin).tolist()}, -nats, sizes=torch.ones(len(nats), dtype=torch.long)
        )

    def explain(self, model: AutoregressiveModel, source: Source, rows: int, out: Path | None) -> list[str]:
        check_table(out)
        examples = self.given(source, model).examples
        nats = _nats(model, examples)[: source.limit]
        strangest = nats.argsort(descending=True, stable=True)[:rows]
        places = strangest.sort().values
        one = sequence_model(model)
        batches = examples.in_order(1, history=history_of(one, ragged=True))
        found = explain_stream(one, batches, places).map(lambda part: part[strangest.argsort().argsort()])
        if self.format.column.kind != "integer":
            found = replace(found, quantiles=rounded(found.quantiles))
        rows_of = {"row": (strangest + 1).tolist()} | self._times(source, strangest)
        parts = explained_parts("row", rows_of, _series(examples)[strangest], found, self._words, ordered=True)
        lines = sentences_of(parts, "row", lambda part: f"row {part['row']}" + _at(part))
        return lines + written(parts, out, f"the {len(parts)} strangest values")

    def _words(self, values: Tensor) -> list[str]:
        column = self.format.column
        return column.codec.words(column.shape.within(values.double().numpy()))

    def _times(self, source: Source, rows: Tensor) -> dict[str, list[str]]:
        """The times of these rows, where one column of the file has dates or times."""
        if source.path is None:
            return {}
        frame = read_frame(source.path, choices=FileChoices.of(source.settings))
        times = [column for column in frame if column.dtype.is_temporal()]
        return {"time": times[0].gather(rows.numpy()).cast(polars.String).to_list()} if len(times) == 1 else {}

    def calibration_log_probs(self, model: AutoregressiveModel, dataset: Dataset, split: str) -> Tensor:
        return -_nats(model, dataset.split(split))[-SYMBOLS:]


def _at(part: dict[str, Any]) -> str:
    return f", {part['time']}," if "time" in part else ""


def _series(examples: Examples) -> Tensor:
    """The values of a series ``(N,)``, in double precision."""
    return torch.from_numpy(next(examples.each()))


def _nats(model: AutoregressiveModel, examples: Examples) -> Tensor:
    """-log p(x_t | x_<t) in nats of all values of a series, float64 ``(N,)``."""
    return torch.cat([nats for _, nats in surprisals_in_order(model, examples)])
