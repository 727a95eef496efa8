"""Completion: fill in the unknown variables of given examples, whichever they are."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from chainrule.abilities import FarSighted, Reorderable, components_of, members_of
from chainrule.card import Card, Shown
from chainrule.choices import Choose
from chainrule.model import AutoregressiveModel
from chainrule.tasks.particles import Bounds, Particles, draw_present, run_particles
from chainrule.tasks.sample import drawer, drawing

COLLAPSE = 2.0
"""An effective sample size below this, for most examples, gives a warning."""


@dataclass(frozen=True, repr=False)
class Completion(Shown):
    """Completed examples, and the method that completed them.

    Attributes:
        x: Completed examples ``(B, *event_shape)``.
        exact: True if they are draws from p(unknown | known) itself, and ``log_evidence`` is log p(known) itself. A
            model trained for all orders completes in an order in which the known variables come first, where its joint
            differs from that of its ``log_prob``; ``method`` then says so.
        method: The method, in words.
        log_evidence: Log p(known), ``(B,)`` in nats; for an approximation, the log of an estimate, which is unbiased
            unless a temperature, ``top_k``, ``top_p`` or ``greedy`` changed what was drawn.
        effective_sample_size: The least along a walk of sequential Monte Carlo, ``(B,)``; None without.
    """

    x: Tensor
    exact: bool
    method: str
    log_evidence: Tensor
    effective_sample_size: Tensor | None

    def _card(self) -> Card:
        least = None if self.effective_sample_size is None else self.effective_sample_size.median().item()
        facts = {"examples": len(self.x), "shape of one": tuple(self.x.shape[1:])}
        facts |= {"exact": "yes" if self.exact else "no", "method": self.method}
        facts |= {"log p(known), mean, nats": self.log_evidence.mean().item()}
        return Card("Completion", facts | {"least effective sample size along a walk, median": least})


@dataclass(frozen=True)
class Route:
    """The model to walk along, and what makes the walk exact."""

    model: AutoregressiveModel
    exact: bool
    method: str
    lookahead: Tensor | None = None


def complete(
    model: AutoregressiveModel,
    x: Tensor,
    observed: Tensor,
    *,
    particles: int = 16,
    seed: int | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    greedy: bool = False,
    context: Tensor | None = None,
) -> Tensor:
    """Draw the unobserved variables from p(unobserved | observed); the observed keep their values.

    `completion` does the same, and says how.

    Args:
        model: Any model of the contract.
        x: Examples ``(B, *event_shape)``; values that are not observed are ignored.
        observed: The known variables, booleans of shape ``event_shape``, the same for all examples.
        particles: Walks per example of sequential Monte Carlo, the method where no exact one exists. A single walk only
            puts the known values in their places, and ignores their evidence on the unknown variables before them.
        seed: The same seed gives the same completions; None draws from torch's own generator.
        temperature: See `chainrule.sample`, as for the settings that follow.
        top_k: Keep only the k most probable values.
        top_p: Keep only the nucleus of this probability.
        greedy: Take the most probable value of every unknown variable.
        context: What each example is conditioned on: classes ``(B,)``.

    Returns:
        Completed examples ``(B, *event_shape)``.

    Raises:
        ValueError: If a shape or an observed value does not fit the model, or what is observed is impossible (p = 0),
            or so improbable that no particle survived it.
    """
    return completion(
        model, x, observed, particles=particles, seed=seed, temperature=temperature, top_k=top_k, top_p=top_p,
        greedy=greedy, context=context,
    ).x  # fmt: skip


def completion(
    model: AutoregressiveModel,
    x: Tensor,
    observed: Tensor,
    *,
    particles: int = 16,
    seed: int | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    greedy: bool = False,
    context: Tensor | None = None,
) -> Completion:
    """`complete`, with the method and the evidence beside the examples.

    It is exact where the known variables come first in the model's order; where the model can be taken in an order in
    which they do (`Table`, order-agnostic models); and where it knows the probability of later values given earlier
    ones (`BayesNet` trees). An `Ensemble` is exact where each of its members is: the member that completes an example
    is drawn by its evidence. Elsewhere sequential Monte Carlo approximates; see `chainrule.tasks.particles`.

    Warns:
        UserWarning: If the effective sample size of sequential Monte Carlo collapses.
    """
    x, observed = check_observed(model, x, observed)
    context = model.check_context(context, len(x))
    changed = greedy or temperature != 1.0 or top_k is not None or top_p is not None
    draw = drawer(model, temperature=temperature, top_k=top_k, top_p=top_p, greedy=greedy) or draw_present
    with drawing(model, seed):
        walked = walk_routes(routes(model, x, observed, context), x, observed, particles, draw, context)
        evidence = torch.stack([cloud.log_evidence for _, cloud in walked], dim=1)
        exact = all(way.exact for way, _ in walked)
        check_possible(evidence.amax(1), None if exact else particles)
        completed = pick(walked, evidence)
    sizes = [cloud.least_size for way, cloud in walked if not way.exact]
    size = torch.stack(sizes).amin(0).clone() if sizes else None
    if size is not None and particles > 1 and float(size.median()) < COLLAPSE:
        warnings.warn(
            f"the effective sample size fell to {float(size.median()):.1f} of {particles} particles: "
            "these completions are rough; use more particles, or an order-agnostic model",
            stacklevel=2,
        )
    methods = [way.method if way.exact else f"{way.method}, {particles} particles" for way, _ in walked]
    method = "; ".join(dict.fromkeys(methods)) + (f", of {len(walked)} components" if len(walked) > 1 else "")
    if changed:
        method = f"changed conditionals, so not distributed as p(unknown | known); walked as {method}"
    log_evidence = (evidence.logsumexp(1) - math.log(len(walked))).clone()
    return Completion(completed.clone(), exact and not changed, method, log_evidence, size)


def pick(walked: Sequence[tuple[Route, Particles]], evidence: Tensor) -> Tensor:
    """One particle ``(B, *event_shape)`` for each example, of a component that is drawn by its evidence ``(B, C)``."""
    owner = torch.multinomial(evidence.softmax(1), 1).squeeze(1)
    examples = torch.arange(len(evidence))
    picked = [torch.multinomial(cloud.log_weights.exp(), 1).squeeze(1) for _, cloud in walked]
    own = [cloud.x[examples, index] for (_, cloud), index in zip(walked, picked, strict=True)]
    return torch.stack(own, dim=1)[examples, owner]


def walk_routes(
    ways: Sequence[Route],
    x: Tensor,
    observed: Tensor,
    particles: int,
    draw: Choose | None,
    context: Tensor | None,
    bounds: Bounds | None = None,
) -> list[tuple[Route, Particles]]:
    """Walk along all ``ways``: once per example where it is exact, with ``particles`` elsewhere.

    ``draw`` and ``bounds`` are as of `run_particles`.
    """
    if particles < 1:
        raise ValueError(f"particles expects at least 1, got {particles}")
    walked = []
    for way in ways:
        count = 1 if way.exact else particles
        cloud = run_particles(
            way.model, x, observed, count, draw, lookahead=way.lookahead, bounds=bounds, context=context
        )
        walked.append((way, cloud))
    return walked


def check_possible(log_evidence: Tensor, particles: int | None) -> None:
    """Raise ``ValueError`` where the evidence ``(B,)`` of the observed values is 0, naming the first example.

    Args:
        log_evidence: Log p(observed values), or its estimate.
        particles: The number of particles of the estimate; None if it is exact.
    """
    dead = log_evidence == -math.inf
    if bool(dead.any()):
        why = "p = 0" if particles is None else f"p = 0, or too few particles ({particles}) to meet its values,"
        raise ValueError(
            f"observed expects values that are possible under the model, got {why} for example {int(dead.nonzero()[0])}"
        )


def check_observed(model: AutoregressiveModel, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
    """``x``, with zeros where it is not observed, and ``observed`` as booleans, both on the model's device.

    Raises:
        ValueError: If a shape or an observed value does not fit the model.
    """
    if tuple(observed.shape) != model.event_shape:
        raise ValueError(f"observed expects the shape of one example, {model.event_shape}, got {tuple(observed.shape)}")
    model.check_shape(x)
    if tuple(x.shape[1:]) != model.event_shape:  # a model of sequences of any length
        raise ValueError(f"x expects examples of the model's event_shape {model.event_shape}, got {tuple(x.shape)}")
    if not bool(((observed == 0) | (observed == 1)).all()):
        raise ValueError("observed expects booleans, or 0 and 1, got other values")
    observed = observed.to(device=x.device, dtype=torch.bool)
    return legal_where(model, x, observed), observed.to(model.device)


def legal_where(model: AutoregressiveModel, x: Tensor, observed: Tensor) -> Tensor:
    """``x`` with legal values where it is not ``observed``, on the model's device.

    Raises:
        ValueError: If an observed value is not one of the model's.
    """
    return model.check(torch.where(observed, x, _legal(model).to(x))).to(model.device)


def _legal(model: AutoregressiveModel) -> Tensor:
    """An example ``event_shape`` of valid values, for the places where nothing is known."""
    values = [
        model.conditional.of(i).probes[0] for i in range(model.num_variables if not model.conditional.uniform else 1)
    ]
    return torch.stack(values).expand(model.num_variables).reshape(model.event_shape)


def routes(model: AutoregressiveModel, x: Tensor, observed: Tensor, context: Tensor | None) -> list[Route]:
    """The best way to p(unknown | known) of each equally probable part of ``model``."""
    ways = [route(component, x, observed, context) for component in components_of(model)]
    members = members_of(model)
    if members and not all(way.exact for way in ways):
        # Members of one order, which the mixture can be walked along, may each have an exact way that it has not.
        inner = [routes(member, x, observed, context) for member in members]
        if all(len(parts) == 1 and parts[0].exact for parts in inner):
            return [parts[0] for parts in inner]
    return ways


def route(model: AutoregressiveModel, x: Tensor, observed: Tensor, context: Tensor | None) -> Route:
    """The best way to p(unknown | known) along a model of one order."""
    known = model.order.flatten(observed.unsqueeze(0))[0]
    count = int(known.sum())
    if bool(known[:count].all()):
        return Route(model, True, "exact: the known variables come first")
    order = model.order.permutation
    if isinstance(model, Reorderable):
        reordered = model.reordered(torch.cat([order[known], order[~known]]).tolist())
    else:
        reordered = None
    if isinstance(model, Reorderable) and reordered is not None:
        if model.one_joint:
            return Route(reordered, True, "exact, in an order in which the known variables come first")
        return Route(
            reordered,
            True,
            "exact for the model in another order, in which the known variables come first "
            "(its joint there is not that of log_prob)",
        )
    lookahead = model.lookahead(x, observed, context) if isinstance(model, FarSighted) else None
    if lookahead is not None:
        return Route(model, True, "exact: every variable sees ahead", lookahead)
    return Route(model, False, "approximate: sequential Monte Carlo")
