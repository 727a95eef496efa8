"""The scenes of rows: one as a form, what its unknown cells may be, rows that fit, and which cells are strange."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import polars
from torch import Tensor

from chainrule.data.dataset import Dataset
from chainrule.data.schema import TableSchema
from chainrule.kinds.requests import drawn_classes, one_class
from chainrule.kinds.table_explain import UNUSUAL, cells_of, explain_cells
from chainrule.tasks.gaps import Completions, complete_rows, known_log_prob
from chainrule.tasks.sample import sample
from chainrule.web.fields import SPLITS, Request, choice, integer
from chainrule.web.link import Event, Link
from chainrule.web.scene import SEEDS, Action, Scene
from chainrule.web.scenes.distributions import distribution_of
from chainrule.web.scenes.form import Row, about_column, form_of, read_row, unseen_notes
from chainrule.web.scenes.strange import judge_filled

WALKS = (128, 2048)
"""Completions behind the distributions: few at first, which are there at once, and then more."""

MOST_ROWS = 200
"""Rows that are drawn at once, at most."""


class CellsScene(Scene):
    """A run whose examples are rows of cells. A subclass says what the cells are, and the commands that do the same."""

    name = "table"

    @property
    @abstractmethod
    def schema(self) -> TableSchema:
        """The columns of a row."""

    @abstractmethod
    def completing(self, row: Row, count: int, seed: int, label: int | None) -> Event:
        """The command that draws ``count`` completions of a row, and the files that it reads."""

    @abstractmethod
    def explaining(self, row: Row, label: int | None) -> Event:
        """The command that explains the cells of a row, and the files that it reads."""

    @property
    def actions(self) -> dict[str, Action]:
        return {
            "distributions": self.distributions,
            "rows": self.rows,
            "strange": self.strange,
            "example": self.example,
        }

    def about(self) -> dict[str, Any]:
        return super().about() | {
            "columns": [about_column(column) for column in self.schema.used],
            "splits": self.run.config.get("data", {}).get("splits", {}),
            "unusual": UNUSUAL,
            "most_rows": MOST_ROWS,
        }

    def distributions(self, request: Request, link: Link) -> Iterator[Event]:
        """p(cell | filled cells) of each unknown cell, from completions: from few at first, then from many.

        Before them come notes on filled cells whose values training did not have.
        """
        row = read_row(self.schema, request.get("cells"))
        seed, label = integer(request, "seed", 0, SEEDS, 0), self.label(request)
        yield self.completing(row, WALKS[-1], seed, label) | {"notes": unseen_notes(self.schema, row)}
        if not bool(row.unknown.any()):
            yield {"columns": {}, "method": "all cells are filled", "exact": True, "effective_sample_size": None}
            return
        for count in WALKS:
            done = self._completed(row, count, seed, label, link)[0]
            values, weights = done.x[0].double().cpu().numpy(), done.weights[0].cpu().numpy()
            found = {}
            for index in row.unknown[0].nonzero().squeeze(1).tolist():
                column = self.schema.used[index]
                found[column.name] = distribution_of(column, values[:, index], weights)
                link.check()
            yield {"columns": found, "walks": len(weights), **_how(done)}

    def rows(self, request: Request, link: Link) -> Iterator[Event]:
        """Draw ``count`` rows that have the filled cells."""
        row = read_row(self.schema, request.get("cells"))
        count = integer(request, "count", 1, MOST_ROWS, 10)
        seed, label = integer(request, "seed", 0, SEEDS, 0), self.label(request)
        if bool(row.unknown.all()):
            words = ("-n", str(count), "--seed", str(seed), "--out", "rows.csv")
            yield self.command("sample", *words, label=label)
            context = drawn_classes(self.model, label, count, self.run.class_counts, seed)
            x = sample(self.model, count, seed=seed, context=context)
            yield {**self._texts(x), "method": "exact: drawn row by row", "exact": True, "effective_sample_size": None}
            return
        if not bool(row.unknown.any()):
            raise ValueError("cells expects an unknown cell at least, got none: there is nothing to draw")
        yield self.completing(row, count, seed, label)
        done, drawn = self._completed(row, count, seed, label, link, particles=WALKS[-1])
        yield {**self._texts(drawn[0], row), **_how(done)}

    def strange(self, request: Request, link: Link) -> Iterator[Event]:
        """How unusual each filled cell is given the other filled ones, what was expected, and log p of them all."""
        row = read_row(self.schema, request.get("cells"), unseen=True)
        label = self.label(request)
        if bool(row.unknown.all()):
            raise ValueError("cells expects a filled cell at least, got none: there is nothing to judge")
        context = one_class(self.model, label, 1)
        if bool(row.unknown.any()):
            yield {"command": None, "why": "chainrule score --explain judges whole rows"}
            parts, size = judge_filled(self.model, self.schema, row, context, link)
            yield {"cells": [*map(_plain, parts)], "effective_sample_size": size, **self._likelihood(row, context)}
            return
        yield self.explaining(row, label)

        def watch(index: int) -> None:
            link.send({"done": index, "of": len(self.schema.used)})
            link.check()

        found = explain_cells(self.schema, self.model, row.x, context, watch)
        cells = cells_of(self.schema, found, np.zeros(1, dtype=np.int64), row.frame).drop("row", "index")
        parts = [_plain(part) for part in cells.iter_rows(named=True)]
        yield {"cells": parts, "effective_sample_size": None, **self._likelihood(row, context)}

    def _likelihood(self, row: Row, context: Tensor | None) -> Event:
        """Log p of the filled cells; of a whole row the share of held-out rows that are stranger, too."""
        x, unknown = row.x, row.unknown
        if bool(x.isinf().any()):
            return {"log_p": None, "exact": True, "pvalue": 0.0}
        log_p, estimates = known_log_prob(self.model, x, unknown, seed=0, context=context)
        pvalue = None
        if not bool(unknown.any()) and self.run.config.get("calibration", {}).get("examples"):
            pvalue = float(self.run.calibration("valid").pvalues(log_p)[0])
        return {"log_p": float(log_p[0]), "exact": not estimates, "pvalue": pvalue}

    def example(self, request: Request, link: Link) -> Iterator[Event]:
        """A row of the data that the run was fitted on, as the cells of a form."""
        split = choice(request, "split", SPLITS, "test")
        examples = self._dataset.split(split)
        index = integer(request, "index", 0, len(examples) - 1)
        yield {"cells": form_of(self.schema, examples[[index]][0]), "index": index, "count": len(examples)}

    @cached_property
    def _dataset(self) -> Dataset:
        return self.run.dataset()

    def _completed(
        self, row: Row, count: int, seed: int, label: int | None, link: Link, particles: int = 1
    ) -> tuple[Completions, Tensor]:
        """Completions of one row, and ``count`` draws of them ``(1, count, n)``: those of `chainrule complete`."""
        found: list[tuple[Completions, Tensor]] = []
        complete_rows(
            self.model,
            row.x,
            lambda _, done: found.append((done, done.draw(count))),
            walks=count,
            particles=particles,
            seed=seed,
            context=one_class(self.model, label, 1),
            unknown=row.unknown,
            watch=link.check,
        )
        return found[0]

    def _texts(self, x: Tensor, row: Row | None = None) -> Event:
        """Rows as text, in the format of the file; the filled cells of ``row`` as they were filled."""
        frame = self.schema.decode(x.cpu().numpy(), text=True)
        if row is not None:
            frame = frame.with_columns(polars.lit(cell[0]).alias(cell.name) for cell in row.frame if cell[0])
        return {"names": frame.columns, "rows": [list(row) for row in frame.fill_null("").iter_rows()]}


def _how(done: Completions) -> Event:
    """How completions were found, and how well."""
    size = done.effective_sample_size
    return {
        "method": done.method,
        "exact": size is None,
        "effective_sample_size": None if size is None else float(size),
    }


def _plain(part: dict[str, Any]) -> dict[str, Any]:
    """Values that JSON has: None for what is not finite."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in part.items()
    }
