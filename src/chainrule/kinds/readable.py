"""The part of the contract of a kind that is about files: how its data are read, and become examples of a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from chainrule.data.examples import Examples
from chainrule.data.formats import Format
from chainrule.kinds.requests import Given, Source, one_class
from chainrule.model import Model


class ReadableKind(ABC):
    """A kind of data whose files can be read; see `chainrule.kinds.base.Kind` for the whole contract.

    Attributes:
        name: The kind's name, the same as that of its format.
        formats: The class of its formats.
        same_as: The names of other kinds whose data can be read as this one's.
    """

    name: ClassVar[str]
    formats: ClassVar[type[Format]]
    same_as: ClassVar[tuple[str, ...]] = ()

    def __init__(self, format: Any) -> None:
        self.format = format

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

    def check_like(self, other: ReadableKind, where: str) -> None:
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
