"""The contract of a kind of data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from chainrule.conditionals import Conditional
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples, chosen
from chainrule.data.formats import Format
from chainrule.data.write import check_suffix
from chainrule.kinds.families import check_values
from chainrule.kinds.items import Items
from chainrule.kinds.requests import COMPLETING, Completing, Drifting, Given, Reporting, Source, one_class
from chainrule.model import AutoregressiveModel, Model
from chainrule.plans import Plan
from chainrule.tasks.evaluate import Evaluation, log_prob
from chainrule.tasks.particles import Bounds

EXAMPLES = 10_000
"""A calibration reads at most this many examples of a split, chosen at random."""

VALUES = 2**21
"""And at most so many values of them."""

SYMBOLS = 2**18
"""A calibration reads at most this many symbols of a stream or values of a series, or about as many samples."""


class Kind(ABC):
    """One kind of data, bound to a format, which holds a reader's findings about it.

    To add a kind, write a subclass with the class attributes and the abstract methods below, in a file of its own, and
    add a line to `chainrule.kinds.KINDS`. A default that can't serve the kind refuses by name.

    Attributes:
        name: The kind's name, the same as that of its format.
        formats: The class of its formats.
        same_as: The names of other kinds whose data can be read as this one's.
        files: The files that ``sample --out`` writes, in words.
        suffixes: Their suffixes.
        samples_file: The name of the file of samples that `fit` leaves in a run folder.
        num_samples: The number of examples that `sample` draws by default.
        prints_samples: True if samples can be printed instead of written into a file.
        prints_scores: True if scores can be printed, a JSON object for each item, instead of written into a file.
        usual_score: The score that `score` gives by default: ``"nll"``, or ``"pvalue"`` if a run has enough examples to
            compare with.
        has_ensembles: True if an ensemble can be fitted.
        event_dims: The number of dimensions of a model's event.
        has_parts: The names that ``score --per`` takes, that of a whole item first.
        completes_with: Those of `chainrule.kinds.requests.COMPLETING` that `complete` takes.
        cross_fits: True if p-values of few examples are worth some more models; see `chainrule.runs.crossfit`.
        reads_lines: True if `items` takes lines that come in over time.
        keeps_columns: True if scores can be written beside columns of the data.
        compressible: True if a general compressor's size says how complex an item is.
        takes_frames: True if examples may be conditioned on frames, which files beside them hold.
        separable: True if items of a file are independent, so that parts of it can be worked on by themselves.
        part_suffix: The suffix of samples and completions that are written part by part; empty if they can't be.
    """

    name: ClassVar[str]
    formats: ClassVar[type[Format]]
    same_as: ClassVar[tuple[str, ...]] = ()
    files: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    samples_file: ClassVar[str]
    num_samples: ClassVar[int] = 64
    prints_samples: ClassVar[bool] = False
    prints_scores: ClassVar[bool] = False
    usual_score: ClassVar[str] = "nll"
    has_ensembles: ClassVar[bool] = True
    event_dims: ClassVar[int] = 1
    has_parts: ClassVar[tuple[str, ...]] = ()
    completes_with: ClassVar[tuple[str, ...]] = ()
    cross_fits: ClassVar[bool] = False
    reads_lines: ClassVar[bool] = False
    keeps_columns: ClassVar[bool] = False
    compressible: ClassVar[bool] = True
    takes_frames: ClassVar[bool] = False
    separable: ClassVar[bool] = False
    part_suffix: ClassVar[str] = ""

    def __init__(self, format: Any) -> None:
        self.format = format

    # Fitting

    @abstractmethod
    def plan(self, dataset: Dataset, minutes: float, device: str) -> Plan:
        """The model, the family and the training that `fit` chooses for a data set of this kind.

        Args:
            dataset: The data set.
            minutes: The minutes that the whole fit may take.
            device: The device that trains: ``"cpu"``, ``"cuda"`` or ``"mps"``.

        Raises:
            ValueError: If nothing can be learnt from the data.
        """

    @abstractmethod
    def conditional(self, family: str | None, arguments: Mapping[str, Any]) -> Conditional:
        """The conditional of the variables: the ``family`` that the user names, or the usual one.

        Raises:
            ValueError: If the family does not fit the values, or does not take an argument.
        """

    def model_arguments(self, model: type[Model]) -> dict[str, Any]:
        """Arguments of the model's constructor that the data decide, beside ``event_shape`` and ``conditional``.

        Raises:
            ValueError: If such a model can't be fitted to this kind.
        """
        return {}

    def check_model(self, model: Model) -> None:
        """Raise ``ValueError``, saying expected and got, unless the examples of ``model`` are of this kind and format.

        They are, if a model for this format would have events of as many dimensions, the same arguments that the data
        decide, and variables that take the same values.
        """
        if len(model.event_shape) != self.event_dims:
            raise ValueError(
                f"data of the kind {self.name} expect a model whose event_shape has length {self.event_dims}, "
                f"got {model.event_shape}"
            )
        for name, value in self.model_arguments(type(model)).items():
            if model.config.get(name) != value:
                raise ValueError(
                    f"data of the kind {self.name} expect a model with {name} {value}, got {model.config.get(name)}"
                )
        check_values(self.conditional(None, {}), model, self.name)

    @abstractmethod
    def independent_nats(self, dataset: Dataset, model: Model) -> float:
        """Mean validation NLL in nats, per unit of the training of ``model``, if all variables were independent."""

    # Reading

    def reading(self, settings: Mapping[str, Any], *, named: bool) -> dict[str, Any]:
        """The arguments with which `chainrule.data.load` reads other data in this format; None for a default.

        Args:
            settings: The settings that the run was fitted with.
            named: True if the data are a named set, which fixes how it is read.
        """
        return {}

    def check_name(self, kind: str, where: str) -> None:
        """Raise ``ValueError`` if data of the kind named ``kind``, read from ``where``, can't be of this kind."""
        if kind not in (self.name, *self.same_as):
            raise ValueError(f"--data expects {self.name}, as the run was fitted on {self.name}, got {where}")

    def check_like(self, other: Kind, where: str) -> None:
        """Raise ``ValueError`` unless data of the kind ``other``, read from ``where``, are in this one's format."""
        self.check_name(other.name, where)

    @abstractmethod
    def read(self, path: Path, model: Model, settings: Mapping[str, Any]) -> tuple[Examples, list[str] | None]:
        """All examples of a file or folder in this format, and the files' names where each example is a file.

        Args:
            path: The file or folder.
            model: The model whose events the examples are.
            settings: The settings of the run, which may say how its files were read.

        Raises:
            ValueError: If the content is anything else.
            FileNotFoundError: If there is no such path.
        """

    def given(self, source: Source, model: Model, *, conditioned: bool = True) -> Given:
        """The examples of ``source``, all of them.

        Args:
            source: The file or the split.
            model: The run's model.
            conditioned: False where the task needs no classes to condition on, such as classification.

        Raises:
            ValueError: If the data are no examples of the model, or have no classes that it needs.
        """
        if source.path is not None:
            examples, names = self.read(source.path, model, source.settings)
            labels, words, about = source.labels(names), str(source.path), {"data": str(source.path)}
        else:
            dataset = source.load()
            examples = dataset.split(source.split)
            labels = None if dataset.labels is None else dataset.labels[source.split]
            names = list(getattr(examples, "names", [])) or None
            words, about = f"{dataset.description}, {source.split}", {"data": dataset.name, "split": source.split}
        context = None
        if conditioned and model.num_classes is not None and source.label is None:
            context = labels
            model = model if labels is not None else self.without_classes(model, source)
        elif conditioned:
            context = one_class(model, source.label, len(examples))
        return Given(examples, model, context, labels, names, words, about)

    def without_classes(self, model: Model, source: Source) -> Model:
        """The model of examples of ``source`` whose class is not known.

        Raises:
            ValueError: If the classes of such examples can't be summed out: one must be named.
        """
        one_class(model, source.label, 0, source.classes)  # raises, and names the option
        return model

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that a file is known to have."""
        return ()

    def part_size(self, model: Model) -> int:
        """The number of items of a part, by default: about `VALUES` variables."""
        return max(1, VALUES // model.num_variables)

    # Sampling and completion

    @property
    def undrawn(self) -> int | None:
        """A value that samples never take, see `chainrule.sample`, as it stands for no value of the data; or None."""
        return None

    def prefix(self, prompt: str | None) -> Tensor | None:
        """The values ``(k,)`` that every sample begins with.

        Raises:
            ValueError: If a prompt is given and this kind takes none.
        """
        if prompt is not None:
            raise ValueError(f"--prompt expects a model of text, got one that was fitted on other data ({self.name})")
        return None

    def sampling_context(self, n: int, classes: Tensor | None, frames: Path | None) -> tuple[Tensor | None, int | None]:
        """The context of ``n`` samples, ``(n, ...)``, and the length that follows from it, if one does.

        Args:
            n: The number of samples.
            classes: Their classes ``(n,)``, where the model has any.
            frames: The file of frames that the user names.

        Raises:
            ValueError: If the model needs another context.
        """
        return classes, None

    def read_prompt(self, path: Path, settings: Mapping[str, Any]) -> str:
        """The prompt in a file; ``settings`` are those of the run.

        Raises:
            ValueError: If this kind takes no prompt, or the file is no text.
            FileNotFoundError: If there is no such file.
        """
        raise ValueError(f"--prompt-file expects a model of text, got one that was fitted on other data ({self.name})")

    def bounds(self, conditions: str, model: AutoregressiveModel) -> Bounds:
        """The bounds of the variables of an example that meets ``conditions``, as ``sample --where`` gives them.

        Raises:
            ValueError: If this kind takes no conditions, or they name a column or a value that there is not.
        """
        raise ValueError(f"--where expects a run on a table, got one on data of the kind {self.name}")

    def check_out(self, path: Path) -> None:
        """Raise ``ValueError``, before any work is done, if samples can't be written to ``path``."""
        check_suffix(path, self.suffixes)

    def stopped(self, x: Tensor, known: int, stop: str | None) -> Any:
        """Samples ``(N, *event_shape)``, each until the text ``stop``, which is left out, after ``known`` variables.

        They are in a form that `print` and `write` take.

        Raises:
            ValueError: If a text is given and this kind has none.
        """
        if stop is not None:
            raise ValueError(f"--stop expects a model of text, got one that was fitted on other data ({self.name})")
        return x

    def printer(self, prompt: str, stop: str | None = None) -> AbstractContextManager[Callable[[Tensor], None]]:
        """Print the prompt, and, in its block, the values of one example by a function that is called with each."""
        raise ValueError(f"sample expects --out, {self.files}")

    def print(self, x: Tensor) -> None:
        """Print samples ``(N, *event_shape)`` on standard output."""
        raise ValueError(f"sample expects --out, {self.files}")

    @abstractmethod
    def write(self, x: Tensor, path: Path) -> str:
        """Write samples ``(N, *event_shape)`` completely or not at all, and describe the result in a few words."""

    def enlarged(self, x: Tensor, scale: int) -> Tensor:
        """Samples whose pixels are ``scale`` times larger.

        Raises:
            ValueError: If this kind has no pixels.
        """
        raise ValueError(f"--scale expects a run on images, got one on data of the kind {self.name}")

    def write_growth(self, x: Tensor, model: AutoregressiveModel, path: Path, scale: int | None) -> str:
        """Write samples of ``model`` as an animation in which they grow, and describe the result in a few words.

        Raises:
            ValueError: If this kind has no such animations.
        """
        raise ValueError(f"--out expects a .gif of images only, got one for data of the kind {self.name}")

    @abstractmethod
    def leave_samples(self, model: AutoregressiveModel, dataset: Dataset, folder: Path) -> None:
        """Draw samples of a fitted model, and write them as `samples_file` into its run folder."""

    def check_completing(self, options: Collection[str]) -> None:
        """Raise ``ValueError`` if one of the ``options`` of `complete` has no effect on this kind."""
        for name in COMPLETING:
            if name in options and name not in self.completes_with:
                taken = ", ".join(map(_flag, self.completes_with))
                raise ValueError(
                    f"complete expects no {_flag(name)}, as the run was fitted on data of the kind {self.name}, "
                    f"which takes {taken or 'none of its options'}"
                )

    @abstractmethod
    def complete(self, model: AutoregressiveModel, request: Completing) -> list[str]:
        """Fill in the unknown values of the given examples, write them, and return sentences that say how.

        Raises:
            ValueError: If the request does not fit the kind.
        """

    # Evaluation and scores

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
        """Log p(x) of at most `EXAMPLES` examples of a split, chosen at random, float64 ``(N,)`` nats.

        Args:
            model: The model.
            dataset: The data set; of recordings, about `SYMBOLS` samples are read.
            split: The split.
            per_variable: Give the mean over the variables of each example, where examples differ in length.
        """
        examples = dataset.split(split)
        count = EXAMPLES if examples.ragged else min(EXAMPLES, max(1, VALUES // model.num_variables))
        rows = chosen(len(examples), count)
        if examples.ragged:
            rows = rows[: 1 + int(np.searchsorted(examples.sizes[rows].cumsum(), SYMBOLS))]
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


def _flag(name: str) -> str:
    return f"-{name}" if len(name) == 1 else f"--{name}"
