"""The scene of series: history and forecast from any origin, how surprising past values were, and what was expected."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from chainrule.batch import Batch
from chainrule.data.read.column_types import with_type
from chainrule.data.series import SeriesFormat
from chainrule.data.series_examples import SeriesExamples
from chainrule.kinds.explained import rounded
from chainrule.kinds.forecast import DRAWS, LENGTH, quantiles_of
from chainrule.sequence import history_of, sequence_model
from chainrule.tasks.explain_past import explain_stream
from chainrule.tasks.forecast import forecast
from chainrule.tasks.score import surprisals_in_order
from chainrule.web.fields import Request, integer
from chainrule.web.link import Event, Link
from chainrule.web.scene import Action, Scene
from chainrule.web.scenes.history import Floats, History, overview, plain

SHOWN = 2000
"""Values of a history that are sent at once, at most."""

LONGEST, MOST_DRAWS = 500, 2000
"""Values and draws of a forecast, at most."""

FEW_DRAWS = 50
"""Draws of the forecast that is there at once."""

PATHS = 5
"""Draws that are sent as they are."""

STRANGE = 50
"""Values that are explained at once, at most."""

CARRIED = 100_000
"""Rows of a file of past values, at most."""


class SeriesScene(Scene):
    """A run on a time series, or on several."""

    name = "series"

    @property
    def format(self) -> SeriesFormat:
        """The column and its times."""
        own = self.run.kind.format
        assert isinstance(own, SeriesFormat)
        return own

    @property
    def actions(self) -> dict[str, Action]:
        return {
            "history": self.history,
            "forecast": self.forecast,
            "surprisal": self.surprisal,
            "explain": self.explain,
            "past": self.past,
        }

    def about(self) -> dict[str, Any]:
        column, axis = self.format.column, self.format.axis
        return (
            super().about()
            | {
                "column": column.name,
                "kind": column.kind,
                "words": column.words,
                "group": self.format.group,
                "times": None if axis is None else {"columns": list(axis.times.columns), "words": axis.frequency.words},
                "length": LENGTH,
                "draws": DRAWS,
                "longest": LONGEST,
                "most_draws": MOST_DRAWS,
            }
            | self._about_data()
        )

    def _about_data(self) -> dict[str, Any]:
        """The series of the data that the run was fitted on, or why they can't be read."""
        try:
            examples = self._examples
        except (ValueError, OSError) as error:
            return {"series": [], "problem": str(error)}
        ends = [self._dataset.split(split).lengths.tolist() for split in ("train", "valid")]
        series = [
            {"name": name, "size": size, "train": train, "valid": valid}
            for name, size, train, valid in zip(examples.names, examples.lengths.tolist(), *ends, strict=True)
        ]
        return {"series": series, "problem": None, "others": self._others(examples)}

    def _others(self, examples: SeriesExamples) -> list[Event]:
        """Other columns of numbers in the file, each with the command that fits a run to it."""
        rows = examples.table.rows
        axis = self.format.axis
        taken = {self.format.group, *(() if axis is None else axis.times.columns)}
        names = [name for name in rows.columns if name not in taken and with_type(rows[name]).dtype.is_numeric()]
        path = self.run.config.get("data", {}).get("path", "FILE")
        return [{"name": name, "command": shlex.join(["chainrule", "fit", path, "--series", name])} for name in names]

    @cached_property
    def _dataset(self) -> Any:
        return self.run.dataset()

    @cached_property
    def _examples(self) -> SeriesExamples:
        """All values of all series."""
        test = self._dataset.test
        assert isinstance(test, SeriesExamples)
        return SeriesExamples(test.table, test.window, self.format.origin)

    def _history(self, request: Request) -> History:
        """The series that a request names by its number."""
        examples = self._examples
        return History(examples, integer(request, "series", 0, len(examples) - 1, 0))

    def history(self, request: Request, link: Link) -> Iterator[Event]:
        """Values ``first`` to ``first + count`` of a series, and an overview of all."""
        own = self._history(request)
        first = integer(request, "first", 0, len(own), max(0, len(own) - SHOWN))
        stop = min(len(own), first + integer(request, "count", 0, SHOWN, SHOWN))
        yield {
            "first": first,
            "values": plain(own.values[first:stop]),
            "times": own.times(first, stop),
            "size": len(own),
            "overview": overview(own.values),
        }

    def forecast(self, request: Request, link: Link) -> Iterator[Event]:
        """Quantiles of the ``length`` values after the first ``origin``, and what really came."""
        own = self._history(request)
        origin = integer(request, "origin", 1, len(own), len(own))
        length, count = integer(request, "length", 1, LONGEST, LENGTH), integer(request, "draws", 1, MOST_DRAWS, DRAWS)
        drawing = self.drawing(request)
        words = ["--length", str(length), "--draws", str(count), "--out", "forecast.csv"]
        file = [] if origin == len(own) and len(self._examples) == 1 else ["past.csv"]
        yield self.command("complete", *file, *words, drawing=drawing)
        history = history_of(self.model, ragged=True)
        start = 0 if history is None or history >= origin else origin - max(1, int(history))
        past = torch.from_numpy(own.levels[start:origin])
        for number in dict.fromkeys((min(FEW_DRAWS, count), count)):
            link.check()
            drawn = forecast(self.model, past, number, length, watch=link.check, **drawing.settings())
            draws = self.format.column.shape.within(drawn.double().cpu().numpy())
            yield self._forecast_event(own, origin, draws + self.format.origin)

    def _forecast_event(self, own: History, origin: int, draws: Floats) -> Event:
        """The forecast of draws ``(count, length)``, in the file's units."""
        length = draws.shape[1]
        bands = {f"{share:.0%}": values for share, values in quantiles_of(draws, self.format).items()}
        came = own.values[origin : origin + length]
        there = ~np.isnan(came)
        inside = (came >= bands["5%"][: len(came)]) & (came <= bands["95%"][: len(came)])
        return {
            "origin": origin,
            "times": own.times_after(origin, length),
            "bands": {name: plain(values) for name, values in bands.items()},
            "paths": [plain(path) for path in draws[:PATHS]],
            "draws": len(draws),
            "came": plain(came),
            "inside": int(inside[there].sum()),
            "known": int(there.sum()),
        }

    def surprisal(self, request: Request, link: Link) -> Iterator[Event]:
        """-log p(x_t | x_<t), nats, of all values of a series, from the first on, and which of them are missing.

        A missing value counts as what it is to the model, a value of its own: -log p(missing | x_<t).
        """
        own = self._history(request)
        yield self._scoring("--score", "nll", "--out", "scores.csv")
        first = 0
        for nats in self._nats(own):
            link.check()
            missing = np.isnan(own.values[first : first + len(nats)])
            yield {"first": first, "nats": plain(nats), "missing": (first + missing.nonzero()[0]).tolist()}
            first += len(nats)

    def _nats(self, own: History) -> Iterator[Floats]:
        some = own.examples.subset(np.array([own.index]))
        return (nats.numpy() for _, nats in surprisals_in_order(self.model, some))

    def explain(self, request: Request, link: Link) -> Iterator[Event]:
        """What was expected in the place of some values given those before: of ``places``, or of the strangest."""
        own = self._history(request)
        if "place" not in request and len(own.examples) == 1:
            yield self._scoring("--explain", str(integer(request, "count", 1, STRANGE, 5)), "--out", "strange.csv")
        places = self._places(request, own, link)
        model = sequence_model(self.model)
        batches = own.examples.subset(np.array([own.index])).in_order(1, history=history_of(model, ragged=True))
        found = explain_stream(model, _watched(batches, link), torch.from_numpy(places))
        if self.format.column.kind != "integer":
            found = replace(found, quantiles=rounded(found.quantiles))
        low, median, high = (self._words(part.numpy()) for part in found.quantiles.unbind(1))
        times = [own.times(place, place + 1)[0] for place in places.tolist()]
        values = self._words(own.levels[places])
        names = ("place", "time", "value", "expected", "low", "high", "tail")
        rows = zip(places.tolist(), times, values, median, low, high, found.tails.tolist(), strict=True)
        parts = [dict(zip(names, row, strict=True)) for row in rows]
        yield {"parts": sorted(parts, key=lambda part: part["tail"])}

    def _places(self, request: Request, own: History, link: Link) -> NDArray[np.int64]:
        """The places of the values to explain, ascending."""
        if "place" in request:
            return np.array([integer(request, "place", 0, len(own) - 1)])
        count = integer(request, "count", 1, STRANGE, 5)
        parts = []
        for nats in self._nats(own):
            link.check()
            parts.append(nats)
        nats = np.concatenate(parts)
        nats[np.isnan(own.values)] = -np.inf
        return np.sort(np.argsort(-nats, kind="stable")[:count])

    def _words(self, values: Floats) -> list[str]:
        column = self.format.column
        return column.codec.words(column.shape.within(values.astype(np.float64)))

    def _scoring(self, *words: str) -> Event:
        """The command that scores all values of the run's own data."""
        path = self.run.config.get("data", {}).get("path")
        return self.command("score", *([] if path is None else [path]), *words)

    def past(self, request: Request, link: Link) -> Iterator[Event]:
        """The file of the values before ``origin`` that the command of a forecast reads."""
        own = self._history(request)
        origin = integer(request, "origin", 1, min(len(own), CARRIED), min(len(own), CARRIED))
        yield {"file": "past.csv", "text": own.frame(origin, self.format.column.name).write_csv()}


def _watched(batches: Iterator[Batch], link: Link) -> Iterator[Batch]:
    """``batches``, between which other requests go on."""
    for batch in batches:
        link.check()
        yield batch
