"""Tables: rows of numbers, categories and gaps, in columns that have names."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars
import torch
from numpy.typing import NDArray
from torch import Tensor

from chainrule.conditionals import Conditional
from chainrule.data.conditions import bounds_of_conditions
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples
from chainrule.data.read.column_types import with_type
from chainrule.data.read.layout import FILE_CHOICES, FileChoices
from chainrule.data.read.part import ROWS
from chainrule.data.read.table import chunks_of, read_all, read_cells
from chainrule.data.schema import TableSchema
from chainrule.data.write import FRAMES, check_suffix, write_frame, write_parts
from chainrule.kinds.base import Kind
from chainrule.kinds.families import family_of_reals, refuse_arguments
from chainrule.kinds.filling import fill_frame
from chainrule.kinds.items import Items
from chainrule.kinds.requests import Completing, Drifting, Reporting, Source, one_class
from chainrule.kinds.streams import frames_of, kept_cells
from chainrule.model import AutoregressiveModel, Model
from chainrule.plans import Plan
from chainrule.plans.table import table_plan
from chainrule.tasks.evaluate import Evaluation
from chainrule.tasks.gaps import known_log_prob
from chainrule.tasks.particles import Bounds
from chainrule.tasks.sample import sample
from chainrule.tasks.score import surprisals
from chainrule.tasks.where import impossible_variable

BATCH = 4096
"""Rows that are scored at once."""

UNSEEN = (
    "{} rows have a value that no row had in training: their log p is -inf; the schema of `chainrule describe` lists "
    "the values of training"
)
GAPS = "{} rows have empty cells where training had none: their score is log p of their other cells"
ESTIMATES = "{} of them are estimated, as the known cells don't come first"
BROKEN = (
    "{} rows have a value that no row had in training, or an empty cell where there was none: such a value is "
    "infinitely surprising, and cells after it are left empty"
)


class TableKind(Kind):
    """Rows of a table, whose schema says what each column is."""

    name = "table"
    formats = TableSchema
    files = "a .csv or .parquet file"
    suffixes = FRAMES
    samples_file = "samples.csv"
    has_parts = ("row", "cell")
    completes_with = ("n", "point", "mean", "quantiles", "particles", "draws")
    cross_fits = True
    compressible = False
    reads_lines = True
    keeps_columns = True
    separable = True
    part_suffix = ".parquet"
    format: TableSchema

    def plan(self, dataset: Dataset, minutes: float, device: str) -> Plan:
        kinds = ["rough" if own.family == "real" and not own.smooth else own.family for own in self.format.used]
        return table_plan(len(dataset.train), kinds, minutes)

    def conditional(self, family: str | None, arguments: Mapping[str, Any]) -> Conditional:
        if family is not None:
            return self.format.conditional(family_of_reals(family, arguments))
        refuse_arguments(arguments)
        return self.format.conditional()

    def check_model(self, model: Model) -> None:
        if model.event_shape != (len(self.format.used),):
            raise ValueError(
                f"a table of {len(self.format.used)} columns expects a model of as many variables, "
                f"got event_shape {model.event_shape}"
            )
        super().check_model(model)

    def independent_nats(self, dataset: Dataset, model: Model) -> float:
        train, valid = dataset.train.bounded(), dataset.valid.bounded()
        return self.format.independent_nats(train[:].numpy(), valid[:].numpy())

    def reading(self, settings: Mapping[str, Any], *, named: bool) -> dict[str, Any]:
        return {} if named else {"schema": self.format} | {name: settings.get(name) for name in FILE_CHOICES}

    def read(self, path: Path, model: Model, settings: Mapping[str, Any]) -> tuple[Examples, list[str] | None]:
        return read_all(path, self.format, FileChoices.of(settings))

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.format.columns)

    def part_size(self, model: Model) -> int:
        return ROWS  # as many as are read at once, so that a part has the same batches in a whole file

    def write(self, x: Tensor, path: Path) -> str:
        write_frame(self.format.decode(x.cpu().numpy(), text=path.suffix.lower() == ".csv"), path)
        return f"{len(x)} rows"

    def bounds(self, conditions: str, model: AutoregressiveModel) -> Bounds:
        bounds = Bounds(*map(torch.from_numpy, bounds_of_conditions(conditions, self.format)))
        if (index := impossible_variable(model, bounds)) is not None:
            column = self.format.used[index]
            raise ValueError(f"--where {conditions!r} expects a value of {column.name!r} ({column.words})")
        return bounds

    def leave_samples(self, model: AutoregressiveModel, dataset: Dataset, folder: Path) -> None:
        context = None if model.num_classes is None else torch.arange(self.num_samples) % model.num_classes
        self.write(sample(model, self.num_samples, seed=0, context=context), folder / self.samples_file)

    def complete(self, model: AutoregressiveModel, request: Completing) -> list[str]:
        path = request.source.path
        if path is None:
            raise ValueError("complete expects a FILE of rows with empty cells, as the run was fitted on a table")
        check_suffix(request.out, FRAMES)
        cells = read_cells(path, FileChoices.of(request.source.settings, self.columns))
        frame = cells.frame if request.source.limit is None else cells.frame.head(request.source.limit)
        x = torch.from_numpy(self.format.encode(frame, path.name, gaps=True))
        context = one_class(model, request.source.label, len(x))
        filled, methods = fill_frame(model, self.format, frame, x, request, context)
        if cells.text and request.out.suffix.lower() != ".csv" and not request.uniform:
            filled = filled.with_columns(map(with_type, filled.select(polars.selectors.string())))
        write_frame(filled, request.out)
        return [f"filled {int(x.isnan().sum())} cells of {len(x)} rows, in {request.out}", *str(methods).splitlines()]

    @property
    def unit(self) -> str:
        return "row"

    def total(self, count: int, nats: float) -> str:
        return f"{count} rows, {nats:.2f} nats"

    def summary(self, evaluation: Evaluation, figures: Mapping[str, Any]) -> list[str]:
        return [f"{evaluation} per row, in the file's units"]

    def worst_part(self, model: AutoregressiveModel, x: Tensor, context: Tensor | None) -> str:
        nats = surprisals(model, x, context)[0]
        column = self.format.used[int(nats.argmax())]
        return f"column {column.name!r} ({column.words})"

    def items(self, model: AutoregressiveModel, source: Source) -> Iterator[Items]:
        unmissing = self._never_missing()
        for x, names in self._chunks_with(source.keep, model, source):
            possible = ~np.isinf(x).any(axis=1)
            log_probs = torch.full((len(x),), -math.inf, dtype=torch.float64)
            estimates = 0
            if possible.any():
                examples = torch.from_numpy(x[possible])
                unknown = examples.isnan() & torch.from_numpy(unmissing)
                context = one_class(model, source.label, len(examples))
                known, estimates = known_log_prob(model, examples, unknown, seed=0, context=context, batch_size=BATCH)
                log_probs[torch.from_numpy(possible)] = known
            partial = torch.from_numpy((np.isnan(x) & unmissing).any(axis=1) & possible)
            impossible = int((log_probs == -math.inf).sum())
            notes = Counter({GAPS: int(partial.sum()), ESTIMATES: estimates, UNSEEN: impossible})
            yield Items(names, log_probs, notes=notes, partial=partial)

    def score_parts(self, model: AutoregressiveModel, source: Source, per: str | None, out: Path | None) -> list[str]:
        if out is None:
            raise ValueError("score expects --out, a .csv or .parquet file, as the run was fitted on a table")
        check_suffix(out, FRAMES)
        rows = broken = 0

        def tables() -> Iterator[polars.DataFrame]:
            nonlocal rows, broken
            for cells, count in self._cell_nats(model, source):
                rows, broken = rows + len(cells), broken + count
                columns = {column.name: cells[:, index] for index, column in enumerate(self.format.used)}
                yield polars.DataFrame(columns).fill_nan(None)

        write_parts(tables(), out)
        lines = [f"wrote -log p(cell), nats, of {rows} rows to {out}"]
        return lines + ([BROKEN.format(broken)] if broken else [])

    def _cell_nats(self, model: AutoregressiveModel, source: Source) -> Iterator[tuple[NDArray[np.float64], int]]:
        """-log p of each cell given those before it in the model's order, ``(k, n)``, and the number of broken rows.

        A value that training did not have is infinite; an empty cell of a column that had none is NaN. All cells after
        either are NaN too.
        """
        unmissing = self._never_missing()
        order = model.order.permutation.cpu().numpy()
        stand_in = np.array(
            [column.low if column.family == "integer" else 0 for column in self.format.used], np.float32
        )
        for chunk in self._chunks(model, source):
            for start in range(0, len(chunk), BATCH):
                x = chunk[start : start + BATCH]
                unseen, empty = np.isinf(x), np.isnan(x) & unmissing
                examples = torch.from_numpy(np.where(unseen | empty, stand_in, x))
                nats = surprisals(model, examples, one_class(model, source.label, len(x))).double().cpu().numpy()
                broken = (unseen | empty)[:, order].cumsum(axis=1) > 0
                first = broken & (broken.cumsum(axis=1) == 1)
                along = np.where(broken, np.nan, nats[:, order])
                nats[:, order] = np.where(first & unseen[:, order], np.inf, along)
                yield nats, int(broken.any(axis=1).sum())

    def explain(self, model: AutoregressiveModel, source: Source, rows: int, out: Path | None) -> list[str]:
        from chainrule.kinds.table_explain import explain_rows  # matplotlib takes a second to import

        if source.path is None:
            x = source.first(self.given(source, model).examples)
            frame = self.format.decode(x.numpy())
        else:
            chunks = chunks_of(source.path, self.format, choices=FileChoices.of(source.settings))
            frame = polars.concat(list(chunks)).head(source.limit if source.limit is not None else sys.maxsize)
            x = torch.from_numpy(self.format.encode(frame, source.path.name, gaps=True, unseen=True))
        return explain_rows(self.format, model, frame, x, source.label, rows, out)

    def _never_missing(self) -> NDArray[np.bool_]:
        """Columns whose empty cells are unknown values and not values of their own."""
        return ~np.array([column.missing for column in self.format.used])

    def _chunks(self, model: AutoregressiveModel, source: Source) -> Iterator[NDArray[np.float32]]:
        """The rows ``(k, n)`` that are asked for, a chunk of a large file at a time; unseen values become infinite."""
        return (x for x, _ in self._chunks_with((), model, source))

    def _chunks_with(
        self, kept: Sequence[str], model: AutoregressiveModel, source: Source
    ) -> Iterator[tuple[NDArray[np.float32], dict[str, list[Any]]]]:
        """The same, each with the cells of the columns ``kept``, as they are in the file."""
        if source.path is None and source.stream is None:
            x = source.first(self.given(source, model).examples).numpy()
            yield x, kept_cells(self.format.decode(x), kept)
            return
        left = math.inf if source.limit is None else source.limit
        first = 0
        for chunk in self._frames(source):
            try:
                x = self.format.encode(chunk, source.name, gaps=True, unseen=True)
            except ValueError as error:
                rows = f" (rows are counted from {first + 1} on)" if first else ""
                raise ValueError(f"{error}{rows}") from None
            count = int(min(left - first, len(x)))
            yield x[:count], kept_cells(chunk[:count], kept)
            first += len(chunk)
            if first >= left:
                return

    def _frames(self, source: Source) -> Iterator[polars.DataFrame]:
        """The cells of a file or a stream, as they are."""
        choices = FileChoices.of(source.settings)
        if source.stream is not None:
            names = [column.name for column in self.format.used]
            return frames_of(source.stream, names, header=choices.header)
        assert source.path is not None
        return chunks_of(source.path, self.format, choices=choices)

    def report(self, model: AutoregressiveModel, request: Reporting) -> dict[str, Any]:
        from chainrule.kinds.table_report import table_report  # scikit-learn takes a second to import

        given = self.given(request.source, model)
        return table_report(self.format, model, given, request)

    def drift(self, model: AutoregressiveModel, request: Drifting) -> dict[str, Any]:
        from chainrule.kinds.table_drift import table_drift  # scipy takes half a second to import

        return table_drift(self.format, model, request)

    def about(self, model: Model, receptive_field: int | None) -> tuple[list[str], dict[str, Any]]:
        return self.format.lines, {}
