"""The part of the contract of a kind that is about results: figures, scores, calibrations and comparisons."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples
from chainrule.kinds.calibration import calibration_rows
from chainrule.kinds.items import Items
from chainrule.kinds.readable import ReadableKind
from chainrule.kinds.requests import Drifting, Reporting, Source
from chainrule.model import AutoregressiveModel, Model
from chainrule.tasks.evaluate import Evaluation, log_prob


class ScorableKind(ReadableKind):
    """A kind of data whose items have scores; see `chainrule.kinds.base.Kind` for the whole contract.

    Attributes:
        prints_scores: True if scores can be printed, a JSON object for each item, instead of written into a file.
        usual_score: The score that `score` gives by default: ``"nll"``, or ``"pvalue"`` if a run has enough examples to
            compare with.
        has_parts: The names that ``score --per`` takes, that of a whole item first.
        cross_fits: True if p-values of few examples are worth some more models; see `chainrule.runs.crossfit`.
        reads_lines: True if `items` takes lines that come in over time.
        keeps_columns: True if scores can be written beside columns of the data.
        compressible: True if a general compressor's size says how complex an item is.
    """

    prints_scores: ClassVar[bool] = False
    usual_score: ClassVar[str] = "nll"
    has_parts: ClassVar[tuple[str, ...]] = ()
    cross_fits: ClassVar[bool] = False
    reads_lines: ClassVar[bool] = False
    keeps_columns: ClassVar[bool] = False
    compressible: ClassVar[bool] = True

    @property
    @abstractmethod
    def unit(self) -> str:
        """The unit of figures: dimension, row, value, character, byte or sample."""

    def figures(self, evaluation: Evaluation, examples: Examples | None) -> dict[str, Any]:
        """Figures per `unit`, beside those of the evaluation itself; ``examples`` is None if they were in parts."""
        return {}

    @abstractmethod
    def summary(self, evaluation: Evaluation, figures: Mapping[str, Any]) -> list[str]:
        """The evaluation in words."""

    def worst_part(self, model: AutoregressiveModel, x: Tensor, context: Tensor | None) -> str:
        """The part of an example ``(1, *event_shape)`` with the least p, in words; empty if parts have no names."""
        return ""

    @abstractmethod
    def items(self, model: AutoregressiveModel, source: Source) -> Iterator[Items]:
        """Log p of all items of ``source``, some at a time.

        Raises:
            ValueError: If the source does not hold such items.
        """

    def check_parts(self, per: str | None, *, color: bool) -> None:
        """Raise ``ValueError`` if ``score`` can't name parts of items by ``--per PER``, or print them in colours."""
        if color and "character" not in self.has_parts:
            raise ValueError(f"--color expects a run on text, got one on data of the kind {self.name}")
        if self.has_parts and per is not None and per not in self.has_parts:
            raise ValueError(f"--per expects {' or '.join(self.has_parts)}, got {per!r}")

    def is_of_parts(self, per: str | None, out: Path | None) -> bool:
        """True if ``score --per PER --out OUT`` asks for the parts of items, such as pixels, and not for the items."""
        return per is not None and per not in self.has_parts[:1]

    def score_parts(self, model: AutoregressiveModel, source: Source, per: str | None, out: Path | None) -> list[str]:
        """Write or print -log p(x_t | x_<t) of every part of the items, and return sentences that say what was written.

        Raises:
            ValueError: If this kind has no such ``per``, or writes no file with the suffix of ``out``.
        """
        raise ValueError(
            f"--per expects a run on text or on a table with kinds of columns, got one on data of the kind {self.name}"
        )

    def explain(self, model: AutoregressiveModel, source: Source, rows: int, out: Path | None) -> list[str]:
        """Explain the strangest ``rows`` items by the tail probability of each part, and return a sentence for some.

        A table's cells are given all others, see `chainrule.kinds.table_explain`; pixels, characters and values of a
        series are given those before them, see `chainrule.tasks.explain_past`, and so are the stretches of recordings,
        see `chainrule.kinds.audio_explain`.

        Raises:
            ValueError: If this kind has no explanations, or writes no file with the suffix of ``out``.
        """
        raise ValueError(
            "--explain expects a run on a table, images, rows of levels, text, recordings or a series, got one on data "
            f"of the kind {self.name}"
        )

    def total(self, count: int, nats: float) -> str:
        """Describe the total of all items: ``count`` variables and ``nats``."""
        return f"{count} variables, {nats:.2f} nats"

    def printed(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row of scores as it is printed."""
        return row

    def calibration_log_probs(self, model: AutoregressiveModel, dataset: Dataset, split: str) -> Tensor:
        """Log p of items of a split, as `items` gives it, float64 ``(N,)``: new items are compared with these."""
        return self.example_log_probs(model, dataset, split, per_variable=False)

    def calibration_ways(self, model: AutoregressiveModel, dataset: Dataset, split: str) -> Tensor | None:
        """The ways in which the same items may be strange ``(N, K)``, as `items` gives them; the last is log p.

        None if p-values of this kind compare log p alone.
        """
        return None

    def example_log_probs(
        self, model: AutoregressiveModel, dataset: Dataset, split: str, *, per_variable: bool
    ) -> Tensor:
        """Log p(x) of the examples of a split that `calibration_rows` chooses, float64 ``(N,)`` nats.

        Args:
            model: The model.
            dataset: The data set.
            split: The split.
            per_variable: Give the mean over the variables of each example, where examples differ in length.
        """
        examples = dataset.split(split)
        rows = calibration_rows(examples, model.num_variables)
        context = None if model.num_classes is None else dataset.classes(split)[torch.from_numpy(rows)]
        log_probs = log_prob(model, examples.subset(rows), context=context).double()
        return log_probs / torch.from_numpy(examples.sizes[rows]) if per_variable else log_probs

    def levels_of(self, model: AutoregressiveModel, command: str) -> Tensor:
        """The ordered levels ``(K,)`` of each value of an example, whose means and distances have a meaning.

        Raises:
            ValueError: If values are no such levels; ``command`` names the command that needs them.
        """
        raise ValueError(
            f"{command} expects a run on images or on rows of levels, whose values can be listed, got one on "
            f"data of the kind {self.name}"
        )

    def report(self, model: AutoregressiveModel, request: Reporting) -> dict[str, Any]:
        """Compare samples of ``model`` with the rows of its data, as plain values; see `chainrule.kinds.table_report`.

        Raises:
            ValueError: If this kind has no report, or the request does not fit it.
        """
        raise ValueError(
            f"report expects a run on a table with kinds of columns, got one on data of the kind {self.name}"
        )

    def drift(self, model: AutoregressiveModel, request: Drifting) -> dict[str, Any]:
        """Compare new items with old ones, as plain values; see `chainrule.compare.drift`.

        Raises:
            ValueError: If there are too few of them, or the request does not fit this kind.
        """
        from chainrule.kinds.drift import items_drift  # scipy takes half a second to import

        return items_drift(self, model, request)

    def reach(self, model: Model) -> list[str]:
        """A line that says how far back ``model`` sees, where this kind has a unit for that, such as milliseconds."""
        return []

    def about(self, model: Model, receptive_field: int | None) -> tuple[list[str], dict[str, Any]]:
        """Further results of `describe` for a model of this kind: lines for a person, and values for JSON."""
        return [], {}
