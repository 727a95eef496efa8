"""The base of scenes: what the page shows of a run, and does with it."""

from __future__ import annotations

import shlex
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

from chainrule.kinds.requests import Drawing
from chainrule.runs.opened import OpenRun
from chainrule.web.fields import Request, flag, integer, number
from chainrule.web.link import Event, Link

Action = Callable[[Request, Link], Iterable[Event]]
"""Answers a request by events: those that it returns or yields, and those that it sends while a walk is under way."""

SEEDS = 2**53 - 1
"""The greatest seed: JavaScript has no larger integers."""


class Scene(ABC):
    """One run on the page.

    A subclass says in `about` what its JavaScript module, ``static/scenes/NAME.js``, needs to know at first, and in
    `actions` what can be asked for. An action walks with `chainrule.walk.walk`, whose ``choose`` adds every step to a
    `chainrule.web.link.Growth`, or calls `Link.check` at least. It sends the command that does the same (`command`),
    and raises ``ValueError`` where a request is wrong.

    Args:
        run: The run, whose model must have a likelihood.

    Attributes:
        name: The name of the JavaScript module.
    """

    name: ClassVar[str]

    def __init__(self, run: OpenRun) -> None:
        self.run = run
        self.model = run.likelihood

    @property
    @abstractmethod
    def actions(self) -> dict[str, Action]:
        """The actions by their names in the address ``/api/runs/INDEX/NAME``."""

    def about(self) -> dict[str, Any]:
        """What the page needs to know of the run, as plain values; a subclass adds its own."""
        record = self.run.config.get("data", {})
        return {
            "model": type(self.model).__name__,
            "parameters": self.model.num_parameters,
            "event_shape": list(self.model.event_shape),
            "classes": self.classes,
            "data": record.get("name") or Path(record.get("path", "")).name,
            "folder": str(self.run.folder),
        }

    @property
    def classes(self) -> list[str]:
        """The names of the classes that the model is conditioned on, or their numbers; none without classes."""
        names, count = self.run.class_names, self.model.num_classes or 0
        return [names[i] if i < len(names) else str(i) for i in range(count)]

    def label(self, request: Request) -> int | None:
        """The class that a request names by its number; None for none.

        Raises:
            ValueError: If there is no such class.
        """
        if request.get("label") is None:
            return None
        if self.model.num_classes is None:
            raise ValueError(f"label expects null, for a model without classes, got {request['label']!r}")
        return integer(request, "label", 0, self.model.num_classes - 1)

    def drawing(self, request: Request) -> Drawing:
        """The settings with which a request wants values drawn.

        Raises:
            ValueError: If one is out of range.
        """
        top_k = request.get("top_k")
        top_p = request.get("top_p")
        return Drawing(
            seed=integer(request, "seed", 0, SEEDS, 0),
            temperature=number(request, "temperature", 0.01, 100, 1.0),
            top_k=None if top_k is None else integer(request, "top_k", 1, 2**31),
            top_p=None if top_p is None else number(request, "top_p", 1e-6, 1.0),
            greedy=flag(request, "greedy"),
        )

    def command(self, verb: str, *words: str, drawing: Drawing | None = None, label: int | None = None) -> Event:
        """The event that tells a command line which does what an action does.

        Args:
            verb: The command, such as ``"sample"``.
            words: What follows the run.
            drawing: Settings to name; those that are as usual are left out.
            label: The class to name.
        """
        more = [] if label is None else ["--class", str(label)]
        if drawing is not None:
            usual = Drawing()
            for name, value in drawing.settings().items():
                if name == "seed" or value != getattr(usual, name):
                    more += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
        return {"command": shlex.join(["chainrule", verb, str(self.run.folder), *words, *more])}
