"""What the laws share: randomised copies, all events of a model, and its conditionals as tables."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Concatenate, ParamSpec

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.abilities import components_of
from chainrule.model import AutoregressiveModel, State
from chainrule.sequence import frame_size_of

PASSED = "passed"

MAX_EVENTS = 2**12
"""Events of more possible values than this are not enumerated."""

Rest = ParamSpec("Rest")


def randomised(model: AutoregressiveModel, seed: int = 0, scale: float = 1.0) -> AutoregressiveModel:
    """A copy of ``model`` with noise added to every parameter, so that no weight is zero by initialisation.

    Args:
        model: The model; it stays as it is.
        seed: Of the noise. The global random state is not used.
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


def law(
    function: Callable[Concatenate[AutoregressiveModel, Rest], str],
) -> Callable[Concatenate[AutoregressiveModel, Rest], str]:
    """Let a law judge a copy of the model, in evaluation mode and from a fixed random state.

    The user's model, its gradients and mode and the global random state stay as they were.
    """

    @functools.wraps(function)
    def judge(model: AutoregressiveModel, /, *rest: Rest.args, **named: Rest.kwargs) -> str:
        verdicts = []
        for context in contexts(model):
            subject = copy.deepcopy(model).eval()
            subject.zero_grad()
            subject = subject if context is None else Given(model=subject, context=context)
            with _own_random_state(subject), torch.enable_grad():
                verdicts.append(function(subject, *rest, **named))
        return "; ".join(dict.fromkeys(verdicts))

    return judge


class Given(AutoregressiveModel):
    """A model of classes or frames as the model given one context ``(1, ...)``, so that every law can judge it."""

    def __init__(self, *, model: AutoregressiveModel, context: Tensor) -> None:
        order = model.order.permutation.tolist()
        super().__init__(event_shape=model.event_shape, conditional=model.conditional, order=order)
        self.model, self.context = model, context

    @property
    def config(self) -> dict[str, Any]:
        return {"model": type(self.model)(**self.model.config), "context": self.context}

    def _context(self, batch_size: int) -> Tensor | None:
        repeated = self.context.expand(batch_size, *self.context.shape[1:])
        return self.model.check_context(repeated, batch_size)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        distribution: Distribution = self.model(x, self._context(len(x)))
        return distribution

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        return self.model.start(batch_size, self._context(batch_size))

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        return self.model.step(state, previous)


def contexts(model: AutoregressiveModel) -> list[Tensor | None]:
    """What the laws condition ``model`` on, ``(1, ...)`` each: the first and the last class, or frames; else None."""
    if frame_size_of(model) is not None:
        return [random_context(model, 1)]
    if model.num_classes is not None:
        return [torch.tensor([label]) for label in sorted({0, model.num_classes - 1})]
    return [None]


def random_context(model: AutoregressiveModel, count: int) -> Tensor | None:
    """Classes or frames of ``count`` examples, drawn at random, of a model that is conditioned on some."""
    if (frame_size := frame_size_of(model)) is not None:
        return torch.randn(count, model.num_variables, frame_size)
    return None if model.num_classes is None else torch.randint(model.num_classes, (count,))


def not_walkable(model: AutoregressiveModel) -> str | None:
    """Why ``model`` has no conditionals, or None where it has."""
    if len(components_of(model)) > 1:
        return "does not apply: a mixture over orders has no conditionals p(x_t | x_<t)"
    return None


@contextmanager
def _own_random_state(model: AutoregressiveModel) -> Iterator[None]:
    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices=list(devices)):
        torch.manual_seed(0)
        yield


def require(condition: bool, message: str) -> None:
    """Raise ``AssertionError`` with ``message`` unless ``condition`` holds; not switched off by ``python -O``."""
    if not condition:
        raise AssertionError(message)


def require_close(got: Tensor, expected: Tensor, tolerance: float, message: str) -> None:
    """Raise ``AssertionError`` where two tensors differ by more than ``tolerance``, relative to 1 and to expected."""
    require(got.shape == expected.shape, f"{message}: expected shape {tuple(expected.shape)}, got {tuple(got.shape)}")
    excess = (got - expected).abs() - tolerance * expected.abs().clamp(min=1)
    bad = ~((excess <= 0) | (got == expected))
    if bool(bad.any()):
        where = tuple(bad.nonzero()[0].tolist())
        raise AssertionError(f"{message}: at index {where} expected {expected[where]:.9g}, got {got[where]:.9g}")


def not_enumerable(model: AutoregressiveModel) -> str | None:
    """Why the events of ``model`` can't be enumerated, or None where they can."""
    values = model.conditional.values
    if values is None:
        return "does not apply: the values of its variables can't be listed"
    if len(values) ** model.num_variables > MAX_EVENTS:
        count = f"{len(values)}**{model.num_variables}"
        return f"does not apply: {count} events are too many to enumerate (more than {MAX_EVENTS})"
    return None


def values_of(model: AutoregressiveModel, position: int = 0) -> Tensor:
    """The values of the variable at a position of the flattened event, or a few of them where they can't be listed."""
    return model.conditional.of(position).probes.to(dtype=model.dtype, device=model.device)


def values_along(model: AutoregressiveModel) -> Tensor:
    """As `values_of`, of all variables, ``(n, K)``; those of which there are fewer are repeated."""
    rows = [values_of(model, position) for position in range(model.num_variables)]
    most = max(len(row) for row in rows)
    return torch.stack([row[torch.arange(most) % len(row)] for row in rows])


def all_events(model: AutoregressiveModel) -> Tensor:
    """Every possible example, counted up with the last variable of the order changing fastest."""
    columns = [values_of(model)] * model.num_variables
    return model.order.unflatten(torch.cartesian_prod(*columns).reshape(-1, model.num_variables))


def number_of(model: AutoregressiveModel, x: Tensor) -> Tensor:
    """Where each example of ``x`` stands in `all_events`."""
    values = values_of(model)
    digits = torch.searchsorted(values, model.order.flatten(x).contiguous())
    places = len(values) ** torch.arange(model.num_variables - 1, -1, -1, device=x.device)
    return (digits * places).sum(1)


def random_events(model: AutoregressiveModel, count: int) -> Tensor:
    """Examples whose variables are drawn uniformly; every event instead, where there are no more than ``count``."""
    if not_enumerable(model) is None and len(values_of(model)) ** model.num_variables <= count:
        return all_events(model)
    values = values_along(model)
    chosen = torch.randint(values.shape[1], (count, model.num_variables), device=model.device)
    flat = values.gather(1, chosen.T).T
    return flat.reshape(count, *model.event_shape)


def table(model: AutoregressiveModel, distribution: Distribution) -> Tensor:
    """Log-probabilities ``(B, n, K)`` of every value under every conditional of examples, along the order."""
    shape = distribution.batch_shape
    columns = [value.reshape(model.event_shape) for value in values_along(model).T]
    log_probs = torch.stack([distribution.log_prob(value.expand(shape)) for value in columns], dim=-1)
    return model.order.flatten(log_probs)


def step_table(model: AutoregressiveModel, distribution: Distribution, t: int) -> Tensor:
    """Log-probabilities ``(*batch_shape, K)`` of every value under the distribution of variable t of the order."""
    values = values_along(model)[int(model.order.permutation[t])]
    return torch.stack([distribution.log_prob(value.expand(distribution.batch_shape)) for value in values], dim=-1)


def change(after: Tensor, before: Tensor) -> Tensor:
    """How much log-probabilities changed, relative to 1 and to their size; infinite where one is not a number."""
    difference = (after - before).abs() / before.abs().clamp(min=1)
    return torch.where(after == before, 0.0, difference.nan_to_num(torch.inf))
