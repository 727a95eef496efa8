"""Open a run: its model, what it was fitted on, and the kind of data that it is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule import data
from chainrule.abilities import require_likelihood
from chainrule.card import Card, Shown
from chainrule.data.dataset import Dataset
from chainrule.devices import check_device
from chainrule.kinds import Kind, kind_of, kind_of_run
from chainrule.model import AutoregressiveModel, Model
from chainrule.runs.calibration import read_calibration
from chainrule.runs.folder import CONFIG, load, read_config
from chainrule.runs.provenance import check_unchanged, record_of
from chainrule.runs.shown import facts_of, pictures_of
from chainrule.tasks.calibration import LEAST, Calibration


@dataclass(frozen=True, repr=False)
class OpenRun(Shown):
    """A run folder that is in use.

    Attributes:
        folder: The run folder.
        model: Its model, in evaluation mode.
        config: The content of its ``config.json``.
        kind: The kind of data that it was fitted on, bound to their format.
    """

    folder: Path
    model: Model
    config: dict[str, Any]
    kind: Kind

    def _card(self) -> Card:
        data = self.config.get("data", {})
        return Card(f"Run {self.folder}", facts_of(self.model) | {"data": data.get("name"), "kind": self.kind.name})

    def _below(self) -> str:
        return pictures_of(self.folder)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that it was fitted with."""
        settings: dict[str, Any] = self.config.get("settings", {})
        return settings

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes that it was fitted on; none where they have numbers only."""
        return tuple(self.config.get("data", {}).get("classes", ()))

    @property
    def class_counts(self) -> tuple[int, ...]:
        """The number of training examples of each class; none where it is not known."""
        return tuple(self.config.get("data", {}).get("class_counts", ()))

    @property
    def likelihood(self) -> AutoregressiveModel:
        """Its model, which must have a likelihood.

        Raises:
            ValueError: If it has none.
        """
        return require_likelihood(self.model, f" in {self.folder}")

    def dataset(self, spec: str | None = None, *, changed: bool = False) -> Dataset:
        """The data set ``spec``, read in the format of the run; by default the one that it was fitted on.

        Args:
            spec: The name or the path of the data.
            changed: True to take the data that it was fitted on as they are now.

        Raises:
            ValueError: If the run does not say what it was fitted on, these data changed, or the data are not of its
                format or shape.
        """
        own = spec is None
        imposed = self.kind.reading(self.settings, named=spec in data.NAMES)
        if spec is None:
            spec, reading = self._own_data()
            imposed = reading | self.kind.reading(self.settings, named=spec in data.NAMES)
        elif spec in data.NAMED:
            self.kind.check_name(data.NAMED[spec].kind, spec)
        chosen = {name: value for name, value in imposed.items() if value is not None}
        try:
            dataset = data.load(spec, seed=self.settings.get("seed", 0), **chosen)
        except (ValueError, OSError) as error:
            if own:
                error.add_note(f"the run in {self.folder} was fitted on it")
            raise
        if own and not changed:
            now = record_of(dataset, self.folder)
            check_unchanged(self.config.get("data", {}), now, self.folder, "name a file of new data, or fit anew")
        self.kind.check_like(kind_of(dataset), spec)
        if not self.model.any_length and dataset.event_shape != self.model.event_shape:
            expected, got = self.model.event_shape, dataset.event_shape
            raise ValueError(f"--data expects examples of shape {expected}, got {got} in {spec}")
        return dataset

    def _own_data(self) -> tuple[str, dict[str, Any]]:
        """The data that the run was fitted on, and how they were read."""
        if "data" not in self.settings:
            raise ValueError(f"expected --data, for the run in {self.folder} does not say what it was fitted on")
        spec, reading = self.settings["data"], {name: self.settings.get(name) for name in data.READING}
        record = self.config.get("data", {})  # it has absolute paths: this process may run in another folder
        if spec not in data.NAMES:
            spec = record.get("path", spec)
        if "frames" in record:
            reading["frames"] = record["frames"]
        return spec, reading

    @property
    def usual_score(self) -> str:
        """The score that is given by default: that of the kind, or ``"nll"`` if there are too few to compare with."""
        known = self.config.get("calibration", {})
        enough = "ways" in known and known["examples"] >= LEAST
        return self.kind.usual_score if enough else "nll"

    def calibration(self, split: str) -> Calibration:
        """Log p of the examples of ``split``, valid or train, that it was calibrated with.

        Raises:
            ValueError: If the run has none, or its file is damaged.
        """
        return read_calibration(self.folder, split)

    def check_background(self, other: OpenRun) -> AutoregressiveModel:
        """The model of ``other``, as the background of a likelihood ratio with this run's.

        Raises:
            ValueError: If it is of other examples, values, classes or data.
        """
        model, background = self.likelihood, other.likelihood
        if background.event_shape != model.event_shape and not background.any_length:
            expected, got = model.event_shape, background.event_shape
            raise ValueError(f"--background expects examples of shape {expected}, got {got}")
        if repr(background.conditional) != repr(model.conditional) or background.num_classes != model.num_classes:
            raise ValueError(
                f"--background expects values of {model.conditional} and {model.num_classes or 'no'} classes, "
                f"got {background.conditional} and {background.num_classes or 'none'}"
            )
        if other.kind.format != self.kind.format:
            raise ValueError(
                f"--background expects a run on the same data as {self.folder}, got another {other.kind.format.key}"
            )
        return background


def open_run(folder: str | Path, *, device: str = "auto", classes: Mapping[str, type] | None = None) -> OpenRun:
    """Open the run in ``folder``; nothing that it names is imported or run.

    Args:
        folder: A run folder.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        classes: Models and conditionals of your own, by name; see `chainrule.load`.

    Raises:
        ValueError: If a file is missing or damaged, or names a class that is neither chainrule's nor in ``classes``.
    """
    chosen = check_device(device)
    config = read_config(folder)
    model = load(folder, classes=classes).to(chosen)
    try:
        kind = kind_of_run(config.get("data", {}), model)
    except ValueError as error:
        raise ValueError(f"{Path(folder) / CONFIG}: {error}") from None
    return OpenRun(Path(folder), model, config, kind)


def own_classes(name: str | None) -> dict[str, type]:
    """The user's own class that ``name``, as in ``package.module:Class``, names, by its name; none for None."""
    if name is None:
        return {}
    from chainrule.runs.settings import model_class  # it imports all models and plans

    own = model_class(name)
    return {own.__name__: own}
