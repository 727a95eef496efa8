"""The contract of a kind of data: how it is fitted, sampled and completed, beside how it is read and scored."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from chainrule.conditionals import Conditional
from chainrule.data.dataset import Dataset
from chainrule.data.write import check_suffix
from chainrule.kinds.calibration import VALUES
from chainrule.kinds.families import check_values
from chainrule.kinds.requests import COMPLETING, Completing
from chainrule.kinds.scorable import ScorableKind
from chainrule.model import AutoregressiveModel, Model
from chainrule.plans import Plan
from chainrule.tasks.particles import Bounds


class Kind(ScorableKind):
    """One kind of data, bound to a format, which holds a reader's findings about it.

    To add a kind, write a subclass with the class attributes and the abstract methods of this class, of `ScorableKind`
    and of `ReadableKind`, in a file of its own, and add a line to `chainrule.kinds.KINDS`. A default that can't serve
    the kind refuses by name.

    Attributes:
        files: The files that ``sample --out`` writes, in words.
        suffixes: Their suffixes.
        samples_file: The name of the file of samples that `fit` leaves in a run folder.
        num_samples: The number of examples that `sample` draws by default.
        prints_samples: True if samples can be printed instead of written into a file.
        has_ensembles: True if an ensemble can be fitted.
        event_dims: The number of dimensions of a model's event.
        completes_with: Those of `chainrule.kinds.requests.COMPLETING` that `complete` takes.
        takes_frames: True if examples may be conditioned on frames, which files beside them hold.
        separable: True if items of a file are independent, so that parts of it can be worked on by themselves.
        part_suffix: The suffix of samples and completions that are written part by part; empty if they can't be.
    """

    files: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    samples_file: ClassVar[str]
    num_samples: ClassVar[int] = 64
    prints_samples: ClassVar[bool] = False
    has_ensembles: ClassVar[bool] = True
    event_dims: ClassVar[int] = 1
    completes_with: ClassVar[tuple[str, ...]] = ()
    takes_frames: ClassVar[bool] = False
    separable: ClassVar[bool] = False
    part_suffix: ClassVar[str] = ""

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


def _flag(name: str) -> str:
    return f"-{name}" if len(name) == 1 else f"--{name}"
