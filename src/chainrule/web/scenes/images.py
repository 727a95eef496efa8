"""The scene of images: samples that grow, completions, surprisals, and what a pixel depends on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.abilities import components_of
from chainrule.data.dataset import Dataset
from chainrule.data.read.image_file import decode, read_header
from chainrule.kinds.requests import drawn_classes, shares_of
from chainrule.model import AutoregressiveModel
from chainrule.models.class_mixture import ClassMixture
from chainrule.tasks.batches import evaluation_mode
from chainrule.tasks.classify import classify_progressively
from chainrule.tasks.receptive_field import receptive_field
from chainrule.tasks.sample import drawer, drawing, leaves
from chainrule.tasks.score import surprisals
from chainrule.walk import walk
from chainrule.web.completing import completed
from chainrule.web.fields import SPLITS, Request, choice, flag, integer, numbers, text
from chainrule.web.link import Event, Growth, Link
from chainrule.web.received import file_of
from chainrule.web.scene import Action, Scene
from chainrule.web.scenes.reading import rounded

MOST = 16
"""Samples, or completions, that are shown side by side."""

PARTICLES = 1024
"""Walks of a completion, at most."""

BARS = 256
"""A conditional is sent value by value if it has at most so many."""

PASS = 32
"""Images of a parallel pass, between which other pages have their turn."""


class ImagesScene(Scene):
    """A run on images."""

    name = "images"

    @property
    def actions(self) -> dict[str, Action]:
        return {
            "sample": self.sample,
            "complete": self.complete,
            "example": self.example,
            "surprisal": self.surprisal,
            "field": self.field,
        }

    def about(self) -> dict[str, Any]:
        components = components_of(self.model)
        one = len(components) == 1
        return super().about() | {
            "levels": self.run.kind.format.levels,
            "order": self.model.order.permutation.tolist() if one else None,
            "splits": self.run.config.get("data", {}).get("splits", {}),
        }

    def sample(self, request: Request, link: Link) -> Iterator[Event]:
        """Draw ``count`` samples, pixel by pixel, each with the conditional that it was drawn from."""
        count, settings, label = integer(request, "count", 1, MOST, 1), self.drawing(request), self.label(request)
        yield self.command("sample", "-n", str(count), "--out", "sample.png", drawing=settings, label=label)
        context = drawn_classes(self.model, label, count, self.run.class_counts, settings.seed)
        if context is not None:
            yield {"labels": context.tolist()}
        own = settings.settings()
        draw = drawer(self.model, **{name: value for name, value in own.items() if name != "seed"})
        with drawing(self.model, settings.seed):
            for leaf in leaves(self.model, count, draw is not None, context):
                yield {"samples": leaf.examples.tolist(), "order": leaf.model.order.permutation.tolist()}
                walked = _Walked(leaf.model, len(leaf.examples), self._prior if context is not None else None)
                growth = Growth(link, walked.event)

                def choose(
                    t: int, distribution: Distribution, walked: _Walked = walked, growth: Growth = growth
                ) -> Tensor:
                    values = distribution.sample() if draw is None else draw(t, distribution)
                    growth.add(walked.step(t, distribution, values))
                    return values

                walk(leaf.model, len(leaf.examples), choose, leaf.context)
                growth.flush()

    def complete(self, request: Request, link: Link) -> Iterator[Event]:
        """Draw the unknown pixels given the known ones, ``draws`` times."""
        x = self._image(request)
        draws, particles = integer(request, "draws", 1, MOST, 4), integer(request, "particles", 1, PARTICLES, 16)
        settings, label = self.drawing(request), self.label(request)
        observed = ~x.isnan()
        words = ["--data", "image.png", "--observe", "known.png", "--draws", str(draws), "--particles", str(particles)]
        yield self.command("complete", *words, "--out", "completed.png", drawing=settings, label=label)
        model, context = self._given(label)
        for number in range(draws):
            own = replace(settings, seed=settings.seed + number)
            named = {"draw": number}
            yield from completed(model, x.nan_to_num(), observed, particles, own, context, link, named)

    def example(self, request: Request, link: Link) -> Iterator[Event]:
        """An example of the data that the run was fitted on."""
        split = choice(request, "split", SPLITS, "test")
        dataset = self._dataset
        examples = dataset.split(split)
        index = integer(request, "index", 0, len(examples) - 1)
        label = None if dataset.labels is None else int(dataset.labels[split][index])
        yield {"x": _flat(examples[[index]][0]), "label": label, "count": len(examples), "index": index}

    def surprisal(self, request: Request, link: Link) -> Iterator[Event]:
        """-log p of every pixel given those before it, of an image or of the content of an image file.

        A mixture over orders has no such surprisals, but the sum of all.
        """
        said: Event = {}
        if "file" in request:
            name = text(request, "name", 255, "image")
            x, said = file_of(request, lambda path: self._decoded(path, name))
            x = self.run.kind.format.levels - 1 - x if flag(request, "invert") else x
        else:
            x = self._image(request)
        label = self.label(request)
        yield self.command("score", "image.png", "--out", "surprisal.png", label=label)
        model, context = self._given(label)
        one_order = len(components_of(model)) == 1
        if one_order:
            nats = surprisals(model, x[None], context).flatten().double().cpu()
            yield {"x": _flat(x), "nats": rounded(nats), "total": float(nats.sum()), **said}
        else:
            with evaluation_mode(model), torch.inference_mode():
                yield {"x": _flat(x), "total": -float(model.log_prob(x[None].to(model.device), context)), **said}
        if one_order and self.model.num_classes is not None:
            yield {"classes": rounded(classify_progressively(self.model, x[None], prior=self._prior)[0].exp())}

    def field(self, request: Request, link: Link) -> Iterator[Event]:
        """How much the conditional of one variable changes with each earlier one, in nats."""
        x = self._image(request)
        position = integer(request, "variable", 0, self.model.num_variables - 1)
        t = int(self.model.order.inverse[position])
        label = self.label(request)
        context = None if self.model.num_classes is None else torch.tensor([label or 0])
        field = receptive_field(self.model, x[None], t, context=context, batch_size=PASS, watch=link.check)
        yield {"field": rounded(field.flatten()), "t": t}

    @property
    def _prior(self) -> Tensor:
        return shares_of(self.model, self.run.class_counts)

    @cached_property
    def _dataset(self) -> Dataset:
        return self.run.dataset()

    def _given(self, label: int | None) -> tuple[AutoregressiveModel, Tensor | None]:
        """The model of one image of the class ``label``, or of any class, and its context."""
        if label is not None:
            return self.model, torch.tensor([label])
        if self.model.num_classes is not None:
            return ClassMixture(model=self.model, shares=self._prior.tolist()), None
        return self.model, None

    def _image(self, request: Request) -> Tensor:
        """The field ``x``, an image ``event_shape`` whose unknown variables are NaN."""
        x = torch.tensor(numbers(request, "x", self.model.num_variables)).view(self.model.event_shape)
        self.model.conditional.check(x[~x.isnan()])
        return x

    def _decoded(self, path: Path, name: str) -> tuple[Tensor, Event]:
        """The levels of an image file, and in words, by its ``name``, whether it was made to fit."""
        _, height, width = self.model.event_shape
        form = self.run.kind.format
        form = replace(form, size=(width, height), fit="centre") if form.fit == "same" else form
        size = read_header(path).size
        x = torch.from_numpy(decode(path, self.model.event_shape, form)).float()
        if size == (width, height):
            return x, {}
        return x, {"said": f"{name} has {size[0]}x{size[1]} pixels, and was made to fit {width}x{height}."}


class _Walked:
    """The steps of a walk as events, with p(class | x_<t) where there are classes.

    Args:
        model: The model of one order that is walked along.
        count: The number of images that grow side by side.
        prior: p(class), or None without classes.
    """

    def __init__(self, model: AutoregressiveModel, count: int, prior: Tensor | None) -> None:
        self.model, self.prior = model, prior
        self.sequence = torch.zeros(count, model.num_variables)
        self.told = 0

    def step(self, t: int, distribution: Distribution, values: Tensor) -> dict[str, Any]:
        """Values, their surprisals in nats, the means of their conditionals, and the first one value by value."""
        self.sequence[:, t] = values
        conditional = self.model.conditional
        step = {"values": values.tolist(), "nats": rounded(-distribution.log_prob(values))}
        if conditional.values is None:
            return step | {"means": rounded(distribution.mean)}
        probabilities = conditional.log_probs(distribution).exp()
        step["means"] = rounded(probabilities @ conditional.values.to(probabilities))
        return step | ({"bars": rounded(probabilities[0])} if len(conditional.values) <= BARS else {})

    def event(self, steps: list[dict[str, Any]]) -> Event:
        """An event of the steps since the one before."""
        event: Event = {"steps": steps}
        if self.prior is not None:
            x = self.model.order.unflatten(self.sequence[:1])
            progress = classify_progressively(self.model, x, prior=self.prior)[0].exp()
            before, self.told = self.told, self.told + len(steps)
            event["classes"] = rounded(progress[before + (before > 0) : self.told + 1])
        return event


def _flat(x: Tensor) -> list[int]:
    return x.flatten().long().tolist()
