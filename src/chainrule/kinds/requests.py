"""Requests: the arguments that a command hands to a kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from chainrule.abilities import require_likelihood
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples
from chainrule.model import AutoregressiveModel, Model
from chainrule.words import suggestion


@dataclass(frozen=True)
class Drawing:
    """The settings with which values are drawn; see `chainrule.sample`."""

    seed: int = 0
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    greedy: bool = False

    def settings(self) -> dict[str, Any]:
        """The settings as keyword arguments of `chainrule.sample` and `chainrule.complete`."""
        return asdict(self)


@dataclass(frozen=True)
class Given:
    """Examples that a command is applied to.

    Attributes:
        examples: The examples.
        model: The model that they are examples of: the run's, or one whose classes are summed out.
        context: The classes ``(N,)`` that they are conditioned on; None for a model without classes.
        labels: Their own classes ``(N,)``, where the data have classes.
        names: The names of their files, where each example is a file.
        description: The data in a line.
        about: The data as plain values, for JSON.
    """

    examples: Examples
    model: Model
    context: Tensor | None
    labels: Tensor | None
    names: list[str] | None
    description: str
    about: dict[str, str]

    @property
    def likelihood(self) -> AutoregressiveModel:
        """The model, which must have a likelihood.

        Raises:
            ValueError: If it has none.
        """
        return require_likelihood(self.model)


@dataclass(frozen=True)
class Source:
    """The data that a command is applied to: all of a path, or a split of a data set.

    Attributes:
        path: The file or folder; None for a split.
        load: Loads the data set of the split, or for a path the one that the run was fitted on, when it is needed.
        split: The split of the data set.
        settings: The run's settings, which may say how its files were read.
        classes: The names of the classes that the run was fitted on, where they were the names of folders.
        class_counts: The number of training examples of each class, where that is known.
        label: The class of all examples, if the user names one.
        limit: The number of examples to read, from the first on, at most; None for all.
        stream: Lines that come in over time, as many at once as are there; None if the data are all there.
        keep: The columns of a table that scores are written beside.
    """

    path: Path | None
    load: Callable[[], Dataset]
    split: str
    settings: dict[str, Any]
    classes: tuple[str, ...] = ()
    class_counts: tuple[int, ...] = ()
    label: int | None = None
    limit: int | None = None
    stream: Iterator[list[str]] | None = None
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"n expects at least 1, got {self.limit}")

    @property
    def name(self) -> str:
        """The name of the file or folder, in an error."""
        return "standard input" if self.path is None else self.path.name

    def labels(self, names: list[str] | None) -> Tensor | None:
        """The classes ``(N,)`` of the files ``names``, by the folders that they are in; None if one is in none."""
        numbers = {name: number for number, name in enumerate(self.classes)}
        folders = [[part for part in Path(name).parts[:-1] if part in numbers] for name in names or []]
        return torch.tensor([numbers[own[0]] for own in folders]) if folders and all(folders) else None

    def count(self, examples: Examples) -> int:
        """The number of ``examples`` that are asked for."""
        return len(examples) if self.limit is None else min(self.limit, len(examples))

    def first(self, examples: Examples) -> Tensor:
        """The examples that are asked for, in memory.

        Raises:
            ValueError: If they have lengths of their own.
        """
        if examples.ragged:
            raise ValueError("this command expects examples of one length, got recordings or a series, which have any")
        return examples[: self.count(examples)]


NAMED = 8
"""Classes that an error names, at most."""

POINTS = ("mean", "median", "mode")
"""The estimates of a number that `complete` gives."""

COMPLETING = ("n", "observe", "point", "mean", "quantiles", "particles", "draws", "length")
"""The options of `complete` that only some kinds take."""


@dataclass(frozen=True)
class Completing:
    """A request to fill in unknown values.

    Attributes:
        source: The examples.
        out: The file or folder to write.
        drawing: The settings with which they are drawn.
        observe: The known variables, in words, as a fraction, or as a mask file; None if the data have gaps.
        draws: Completions of each example; None for the kind's usual number.
        point: One of `POINTS`, for an estimate of each unknown number and the most probable category; None for draws.
        quantiles: The quantiles of each unknown number to give beside its estimate.
        length: The number of values to append to a sequence.
        particles: Walks of each completion that can't be exact.
        uniform: True if names and types of columns must not depend on the rows, as others complete other rows.
        first: The place of the first row among all, from 0.
    """

    source: Source
    out: Path
    drawing: Drawing
    observe: str | None = None
    draws: int | None = None
    point: str | None = None
    quantiles: tuple[float, ...] = ()
    length: int | None = None
    particles: int = 16
    uniform: bool = False
    first: int = 0

    def __post_init__(self) -> None:
        if self.draws is not None and self.draws < 1:
            raise ValueError(f"draws expects at least 1, got {self.draws}")
        if self.point not in (None, *POINTS):
            raise ValueError(f"point expects {', '.join(POINTS)}, got {self.point!r}{suggestion(self.point, POINTS)}")
        for share in self.quantiles:
            if not 0 < share < 1:
                raise ValueError(f"quantiles expects shares between 0 and 1, got {share:g}")


@dataclass(frozen=True)
class Reporting:
    """A request to report on samples.

    Attributes:
        source: Examples that were held out.
        dataset: The data that the run was fitted on.
        target: The column to predict from the others; None for none.
        seed: Seed of the samples and of all random choices.
        say: Takes a line of progress before each part.
    """

    source: Source
    dataset: Dataset
    target: str | None
    seed: int
    say: Callable[[str], None]


@dataclass(frozen=True)
class Drifting:
    """A request to compare new examples with old ones.

    Attributes:
        new: The new examples.
        old: The old ones; None for those that the run was fitted on, and those that were held out.
        rate: The share of false alarms.
        chunks: The number of chunks of new examples to test also; None for none.
        time: The column that says when a row was taken; None for none.
        ignore: Columns that are not tested.
        seed: Seed of the choice of rows, where there are many.
        say: Takes a line of progress.
    """

    new: Source
    old: Source | None = None
    rate: float = 0.05
    chunks: int | None = None
    time: str | None = None
    ignore: tuple[str, ...] = ()
    seed: int = 0
    say: Callable[[str], None] = lambda line: None

    @property
    def held_out(self) -> tuple[str, ...]:
        """The splits of the run's data that its model was not fitted on and that are not the new examples."""
        return ("valid", "test") if self.new.path is not None else ("valid",)


def shares_of(model: Model, class_counts: Sequence[int]) -> Tensor:
    """p(c) of each class of a model: its share in training, counting one more of each; equal where that is unknown.

    The counts end with the last class that training had.
    """
    assert model.num_classes is not None
    counts = torch.ones(model.num_classes, dtype=torch.float64)
    counts[: len(class_counts)] += torch.tensor(class_counts, dtype=torch.float64)
    return counts / counts.sum()


def drawn_classes(model: Model, label: int | None, count: int, class_counts: Sequence[int], seed: int) -> Tensor | None:
    """The classes of ``count`` examples to be drawn: ``label``, or else at random, by `shares_of`."""
    if model.num_classes is None or label is not None:
        return one_class(model, label, count)
    generator = torch.Generator().manual_seed(seed)
    return torch.multinomial(shares_of(model, class_counts), count, replacement=True, generator=generator)


def one_class(model: Model, label: int | None, count: int, names: Sequence[str] = ()) -> Tensor | None:
    """The class ``label`` of each of ``count`` examples; None for a model without classes.

    Raises:
        ValueError: If the model is conditioned on classes and none is given; it says the ``names`` of some.
    """
    if label is None and model.num_classes is not None:
        named = (
            f"one of {', '.join(names[:NAMED])}{', ...' if len(names) > NAMED else ''}, or a number " if names else ""
        )
        raise ValueError(
            f"expected --class, {named}from 0 to {model.num_classes - 1}, as the model is conditioned on classes"
        )
    return None if label is None else torch.full((count,), label)
