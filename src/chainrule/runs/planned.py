"""The plan of a fit of one file: the data, the settings, and what it will cost."""

from __future__ import annotations

import contextlib
import reprlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

from chainrule.data import READING
from chainrule.data.dataset import Dataset
from chainrule.data.read.layout import FILE_CHOICES
from chainrule.data.series_column import series_column_of
from chainrule.devices import check_device
from chainrule.kinds import kind_of
from chainrule.model import CountedModel
from chainrule.plans import Plan
from chainrule.plans.plan import MINUTES
from chainrule.runs.settings import (
    Settings,
    build,
    check_members,
    classes_of,
    limited,
    load_data,
    training_settings,
)
from chainrule.settings import model_arguments
from chainrule.signatures import convert
from chainrule.training import Cost, Training, cost_of
from chainrule.words import suggestion

MENTIONED = ("data", "model", "conditional")
"""Settings that a plan mentions before the others."""


@dataclass(frozen=True, repr=False)
class Planned:
    """A fit before it begins: the data, the settings, the model and its cost.

    Attributes:
        dataset: The data set.
        plan: The settings, the user's included, and those that are tried first.
        model: The model in words: its class, its variables and their family.
        cost: What a training of one model takes; None for a model that counts.
        reach: How far back the model sees, in a line, where its kind has a unit for that.
    """

    dataset: Dataset
    plan: Plan
    model: str
    cost: Cost | None
    reach: tuple[str, ...] = ()

    @property
    def settings(self) -> Settings:
        """The settings of the fit."""
        return self.plan.settings

    def __str__(self) -> str:
        lines = [
            self.dataset.headline,
            *map("note: {}".format, self.dataset.notes),
            f"plan: {self.model}",
            f"with {_words(self.settings)}",
        ]
        if self.plan.candidates:
            tried = "; ".join(_changes(candidate) for candidate in self.plan.candidates)
            lines.append(f"tried first, the best by validation is kept: {tried}")
        lines += [*self.plan.reasons, *self.reach]
        if self.cost is not None:
            lines.append(f"cost: {self.cost}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f'<pre style="white-space:pre-wrap">{escape(str(self))}</pre>'

    def as_dict(self) -> dict[str, Any]:
        """The plan as plain values."""
        cost = {} if self.cost is None else self.cost.as_dict()
        return {
            "data": self.dataset.headline,
            "notes": list(self.dataset.notes),
            "settings": self.settings,
            "candidates": list(self.plan.candidates),
            "reasons": list(self.plan.reasons),
            "reach": list(self.reach),
            "cost": cost,
        }


def plan(data: str | Path | Any, **given: Any) -> Planned:
    """The plan of ``chainrule.fit(data, **given)``: the model, the settings, and what they will cost.

    Args:
        data: A named data set, a file or a folder; or a frame of polars or pandas.
        **given: Settings that override the plan's, by name, such as ``minutes=10``; ``model.`` and ``conditional.``
            begin the names of their arguments, so give those as ``**{"model.dropout": 0.1}``.

    Raises:
        ValueError: If the data are of no kind, nothing can be learnt from them, or a setting does not fit them.
        FileNotFoundError: If a file is missing.
    """
    frame = None if isinstance(data, str | Path) else data
    settings = {"data": name_of(data)} | given
    Training.of(training_settings(settings))  # a number out of range is refused before the data are read
    of_file = {name: given.get(name) for name in FILE_CHOICES}
    guess = "model" not in given and not any(name in given for name in READING if name not in FILE_CHOICES)
    if guess and frame is None and (series := series_column_of(Path(data).expanduser(), **of_file)):
        settings["series"] = series
    dataset = load_data(settings, frame)
    kind = kind_of(dataset)
    planned = kind.plan(dataset, settings.get("minutes", MINUTES), check_device(settings.get("device", "auto")))
    planned, settings = _with_arguments(planned, settings)
    planned = Plan({"minutes": MINUTES} | planned.settings, planned.candidates, planned.reasons).overridden(settings)
    if any(name in planned.settings and name not in settings for name in READING):
        dataset = load_data(planned.settings, frame)  # the plan says how to read it, too
    dataset, cost = limited(dataset, planned.settings), None
    with _naming(planned, given):
        check_members(planned.settings, dataset)
        model = build(planned.settings, dataset)
        if not isinstance(model, CountedModel):
            context = classes_of(planned.settings, dataset, "train")
            cost = cost_of(model, dataset.train, train_context=context, **training_settings(planned.settings))
    shape = f"{model.num_variables} variables {model.event_shape}"
    words = f"{type(model).__name__} of {shape}, {model.conditional}"
    return Planned(dataset, planned, words, cost, tuple(kind.reach(model)))


def _with_arguments(planned: Plan, given: Settings) -> tuple[Plan, Settings]:
    """The plan whose models take the arguments ``model.<name>`` that a user gives, and the settings with their types.

    Where the user names no model, they are for the one that is planned; of several that are tried, those are left that
    take them all.

    Raises:
        ValueError: If no such model takes them, or a value is of another type.
    """
    names = [name for name in given if name.startswith("model.")]
    changes = planned.candidates if planned.candidates and "model" not in given else ({},)
    chosen = [str((planned.settings | change | given)["model"]) for change in changes]
    if not names or ":" in chosen[0]:
        return planned, given
    types = {
        model: {f"model.{argument.name}": argument.annotation for argument in model_arguments(model)}
        for model in dict.fromkeys(chosen)
    }
    taking = [model for model, own in types.items() if own.keys() >= set(names)]
    if not taking:
        wrong = next((name for name in names if not any(name in own for own in types.values())), names[0])
        by, other = ("", "") if "model" in given else (" by the plan", ": --model names another")
        hint = suggestion(wrong, [name for own in types.values() for name in own]) or other
        raise ValueError(f"{wrong} expects a model that takes it, got {' or '.join(types)}{by}{hint}")
    left = tuple(change for change, model in zip(changes, chosen, strict=True) if model in taking)
    typed = {name: convert(given[name], types[taking[0]][name], name) for name in names}
    return replace(planned, candidates=left if planned.candidates else ()), given | typed


@contextlib.contextmanager
def _naming(planned: Plan, given: Settings) -> Iterator[None]:
    """Have errors in arguments of a model that the user did not name say which one is planned."""
    try:
        yield
    except ValueError as error:
        if "model" not in given and any(name.startswith("model.") for name in given):
            error.add_note(f"the plan's model is {planned.settings['model']}")
        raise


def name_of(data: Any) -> str:
    """The name of data in settings: a name or a path as it is; all frames have one."""
    return str(data) if isinstance(data, str | Path) else "frame"


def _words(settings: Settings) -> str:
    """The settings in a line, those of the model first."""
    shown = {name: value for name, value in settings.items() if name not in MENTIONED}
    own = {name: value for name, value in shown.items() if name.startswith("model.")}
    return _changes(own | {name: value for name, value in shown.items() if name not in own})


def _changes(settings: Settings) -> str:
    """Settings as ``name value``, long lists cut short."""
    words = [f"{name.removeprefix('model.')} {reprlib.repr(value)}" for name, value in settings.items()]
    return ", ".join(words) or "nothing changed"
