"""The models that laws judge: copies with other weights, with a context filled in, or of a larger event."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Concatenate, ParamSpec

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.abilities import Mixture, Picked, components_of, members_of
from chainrule.devices import seed_everything
from chainrule.model import AutoregressiveModel
from chainrule.sequence import frame_size_of
from chainrule.state import State
from chainrule.testing.verdicts import Verdict, does_not_apply, together

LONG = 12
"""Variables of the events on which many steps are tried."""

ROWS = 3
"""Rows of larger images, so that a row has one above and one below."""

TWINS = 6
"""Copies with other random weights that are tried before a law complains of something that has no effect."""

Rest = ParamSpec("Rest")


def randomised(model: AutoregressiveModel, seed: int = 0, scale: float = 1.0) -> AutoregressiveModel:
    """A copy of ``model`` with noise added to every parameter, so that no weight is zero by initialisation.

    Args:
        model: The model; it stays as it is.
        seed: Seed of the noise. The global random state is not used.
        scale: Standard deviation of the noise of biases; that of weights is divided by the root of
            the number of weights per row.
    """
    generator = torch.Generator().manual_seed(seed)
    model = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator) * scale
            parameter.add_(noise.to(parameter) / parameter.shape[1:].numel() ** 0.5)
    return model


def twins(model: AutoregressiveModel) -> Iterator[AutoregressiveModel]:
    """``model`` itself, and then copies with other weights.

    A connection that is there shows in one of them, even if its units rest (ReLU) or saturate under the model's own
    weights: half of the copies have positive weights only, under which no ReLU unit rests, and some have small ones,
    under which no sigmoid saturates.
    """
    yield model
    for seed in range(1, TWINS + 1):
        twin = randomised(model, seed, scale=(1.0, 0.3, 3.0)[seed % 3])
        with torch.no_grad():
            for parameter in twin.parameters():
                if seed % 2:
                    parameter.abs_()
        yield twin


def larger(model: AutoregressiveModel, columns: int = 1) -> AutoregressiveModel | None:
    """A copy of ``model`` for a larger event, with random weights; itself if its event is as large.

    An event ``(n,)`` grows to `LONG` variables, an image to as many and to 3 rows or more.

    Args:
        model: The model.
        columns: The least number of columns of an image.

    Returns:
        The copy; None where the model's configuration does not give one: it takes no ``event_shape``, or not this one.
    """
    if model.num_variables >= LONG and _is_high(model.event_shape, columns):
        return model
    try:
        with torch.random.fork_rng():
            seed_everything(0)
            grown = _grown(model, columns)
    except (TypeError, ValueError, RuntimeError):
        return None
    if grown is None:
        return None
    return randomised(grown).to(model.device, model.dtype).train(model.training)


def _is_high(event_shape: tuple[int, ...], columns: int) -> bool:
    return len(event_shape) == 1 or (event_shape[-2] >= ROWS and event_shape[-1] >= columns)


def _grown(model: AutoregressiveModel, columns: int) -> AutoregressiveModel | None:
    """The same class with the same configuration, but for the event; of models made of models, their members grow."""
    if isinstance(model, Given):
        inner = _grown(model.model, columns)
        return None if inner is None else Given(model=inner, context=_longer(inner, model.context))
    config = model.config
    if "event_shape" in config and model.conditional.uniform:
        return type(model)(**{**config, "event_shape": _larger_shape(model.event_shape, columns)})
    members = {name: _grown_members(value, columns) for name, value in config.items()}
    if all(value is None for value in members.values()):
        return None
    return type(model)(**{name: config[name] if value is None else value for name, value in members.items()})


def _larger_shape(event_shape: tuple[int, ...], columns: int) -> tuple[int, ...]:
    if len(event_shape) == 1:
        return (max(event_shape[0], LONG),)
    *channels, height, width = event_shape
    height = max(height, ROWS)
    return (*channels, height, max(width, columns, math.ceil(LONG / (math.prod(channels) * height))))


def _longer(model: AutoregressiveModel, context: Tensor) -> Tensor:
    """``context`` for a larger model: a class as it is, frames in sufficient number."""
    frames = random_context(model, 1) if frame_size_of(model) is not None else None
    return context if frames is None else frames


def _grown_members(value: Any, columns: int) -> Any:
    """An argument that is a model, or a list of models, with each of them grown; None for other arguments."""
    if isinstance(value, AutoregressiveModel):
        return _grown(value, columns)
    if isinstance(value, list | tuple) and value and all(isinstance(each, AutoregressiveModel) for each in value):
        grown = [_grown(each, columns) for each in value]
        return None if any(each is None for each in grown) else grown
    return None


def law(
    function: Callable[Concatenate[AutoregressiveModel, Rest], Verdict],
) -> Callable[Concatenate[AutoregressiveModel, Rest], Verdict]:
    """Let a law judge a copy of the model, in evaluation mode and from a fixed random state.

    A model of classes or frames is judged given each of `contexts`. The user's model, its gradients and mode and the
    global random state stay as they were.
    """

    @functools.wraps(function)
    def judge(model: AutoregressiveModel, /, *rest: Rest.args, **named: Rest.kwargs) -> Verdict:
        verdicts = []
        for context in contexts(model):
            subject = copy.deepcopy(model)
            subject = (subject if context is None else Given(model=subject, context=context)).eval()
            subject.zero_grad()
            with own_random_state(), torch.enable_grad():
                verdicts.append(function(subject, *rest, **named))
        return together(verdicts)

    return judge


class Given(AutoregressiveModel, Mixture):
    """A model of classes or frames as the model given one context ``(1, ...)``, so that every law can judge it."""

    def __init__(self, *, model: AutoregressiveModel, context: Tensor) -> None:
        order = model.order.permutation.tolist()
        super().__init__(event_shape=model.event_shape, conditional=model.conditional, order=order)
        self.model, self.context = model, context

    @property
    def config(self) -> dict[str, Any]:
        return {"model": type(self.model)(**self.model.config), "context": self.context}

    @property
    def members(self) -> Sequence[AutoregressiveModel]:
        return [Given(model=member, context=self.context) for member in members_of(self.model)]

    @property
    def components(self) -> Sequence[AutoregressiveModel]:
        parts = components_of(self.model)
        return (self,) if len(parts) == 1 else [Given(model=part, context=self.context).eval() for part in parts]

    def pick(self, count: int, context: Tensor | None) -> Sequence[Picked]:
        return [Picked(self.model, torch.arange(count, device=self.device), self._context(count))]

    def _context(self, batch_size: int) -> Tensor | None:
        repeated = self.context.expand(batch_size, *self.context.shape[1:])
        return self.model.check_context(repeated, batch_size)

    def start_at(self, x: Tensor) -> None:
        self.model.start_at(x)

    def _log_prob(self, x: Tensor, context: Tensor | None) -> Tensor:
        return self.model._log_prob(x, self._context(len(x)))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        distribution: Distribution = self.model(x, self._context(len(x)))
        return distribution

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        return self.model.start(batch_size, self._context(batch_size))

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        return self.model.step(state, previous)


def contexts(model: AutoregressiveModel) -> Sequence[Tensor | None]:
    """The contexts ``(1, ...)`` that ``model`` is judged with: the first and the last class, or frames; else None."""
    if frame_size_of(model) is not None:
        return [random_context(model, 1)]
    if model.num_classes is not None:
        return [torch.tensor([label]) for label in sorted({0, model.num_classes - 1})]
    return [None]


def random_context(model: AutoregressiveModel, count: int) -> Tensor | None:
    """Random classes or frames of ``count`` examples, of a model that is conditioned on some."""
    if (size := frame_size_of(model)) is not None:
        return torch.randn(count, model.num_variables, size)
    return None if model.num_classes is None else torch.randint(model.num_classes, (count,))


def not_walkable(model: AutoregressiveModel) -> Verdict | None:
    """The verdict on a ``model`` without conditionals; None if it has them."""
    if len(components_of(model)) > 1:
        return does_not_apply("a mixture over orders has no conditionals p(x_t | x_<t)")
    return None


@contextmanager
def own_random_state() -> Iterator[None]:
    """Use random numbers of a fixed seed, and restore the global random state afterwards."""
    with torch.random.fork_rng(devices=list(range(torch.cuda.device_count()))):
        seed_everything(0)
        yield
