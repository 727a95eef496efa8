"""Completion: fill in the unknown variables of given examples, whichever they are."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from chainrule.model import AutoregressiveModel
from chainrule.tasks.particles import run_particles
from chainrule.tasks.sample import drawer, drawing

COLLAPSE = 2.0
"""An effective sample size below this, for most examples, is warned of."""


@dataclass(frozen=True)
class Completion:
    """Completed examples, and how they came about.

    Attributes:
        x: Completed examples ``(B, *event_shape)``.
        exact: Whether they are draws from p(unknown | known) itself, and ``log_evidence`` is log p(known) itself.
        method: How they were drawn, in words.
        log_evidence: Log p(known), ``(B,)`` in nats; of an approximation, the log of an unbiased estimate.
        effective_sample_size: Of an approximation, the least along the walk, ``(B,)``; None if exact.
    """

    x: Tensor
    exact: bool
    method: str
    log_evidence: Tensor
    effective_sample_size: Tensor | None


@dataclass(frozen=True)
class _Route:
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
        observed: Which variables are known: booleans of shape ``event_shape``, the same for all examples.
        particles: Walks per example, where only sequential Monte Carlo is left; 1 is a walk with the known values
            put in their places, which ignores what they say of the unknown variables before them.
        seed: The same seed gives the same completions; None draws from torch's own generator.
        temperature: See `chainrule.sample`, as for the settings that follow.
        top_k: Keep only the k most probable values.
        top_p: Keep only the nucleus of this probability.
        greedy: Take the most probable value of every unknown variable.
        context: What each example is conditioned on: classes ``(B,)``.

    Returns:
        Completed examples ``(B, *event_shape)``.

    Raises:
        ValueError: If a shape or an observed value does not fit the model, or what is observed is impossible (p = 0).
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
    """As `complete`, with how it was done.

    Exact where the known variables come first in the model's order; where the model can be taken in an order in
    which they do (`Table`, order-agnostic models); and where it knows what later values say of earlier ones
    (`BayesNet` trees). Elsewhere by sequential Monte Carlo; see `chainrule.tasks.particles`.

    Warns:
        UserWarning: If the effective sample size of sequential Monte Carlo collapses.
    """
    if particles < 1:
        raise ValueError(f"particles expects at least 1, got {particles}")
    x, observed = check_observed(model, x, observed)
    context = model.check_context(context, len(x))
    components = model.components
    draw = drawer(model, temperature=temperature, top_k=top_k, top_p=top_p, greedy=greedy)
    done = []
    with drawing(model, seed):
        for component in components:
            way = route(component, x, observed, context)
            count = 1 if way.exact else particles
            cloud = run_particles(way.model, x, observed, count, draw, lookahead=way.lookahead, context=context)
            picked = torch.multinomial(cloud.log_weights.exp(), 1).squeeze(1)
            done.append((way, cloud, cloud.x[torch.arange(len(x)), picked]))
        # Of a mixture, the component that completes an example is drawn by its evidence.
        evidence = torch.stack([cloud.log_evidence for _, cloud, _ in done], dim=1)
        owner = torch.multinomial(evidence.softmax(1), 1).squeeze(1)
        completed = torch.stack([x for _, _, x in done], dim=1)[torch.arange(len(x)), owner]
    exact = all(way.exact for way, _, _ in done)
    size = None if exact else torch.stack([cloud.least_size for way, cloud, _ in done if not way.exact]).amin(0).clone()
    if size is not None and particles > 1 and float(size.median()) < COLLAPSE:
        warnings.warn(
            f"the effective sample size fell to {float(size.median()):.1f} of {particles} particles: "
            "these completions are rough; use more particles, or an order-agnostic model",
            stacklevel=2,
        )
    methods = [way.method if way.exact else f"{way.method}, {particles} particles" for way, _, _ in done]
    method = "; ".join(dict.fromkeys(methods)) + (f", of {len(done)} components" if len(done) > 1 else "")
    log_evidence = (evidence.logsumexp(1) - math.log(len(done))).clone()
    return Completion(completed.clone(), exact, method, log_evidence, size)


def check_observed(model: AutoregressiveModel, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
    """``x``, with zeros where it is not observed, and ``observed`` as booleans, both on the model's device.

    Raises:
        ValueError: If a shape or an observed value does not fit the model.
    """
    if tuple(observed.shape) != model.event_shape:
        raise ValueError(f"observed expects the shape of one example, {model.event_shape}, got {tuple(observed.shape)}")
    model.check_shape(x)
    if not bool(((observed == 0) | (observed == 1)).all()):
        raise ValueError("observed expects booleans, or 0 and 1, got other values")
    observed = observed.to(device=x.device, dtype=torch.bool)
    return model.check(torch.where(observed, x, torch.zeros_like(x))).to(model.device), observed.to(model.device)


def route(model: AutoregressiveModel, x: Tensor, observed: Tensor, context: Tensor | None) -> _Route:
    """The best way to p(unknown | known) that ``model`` has."""
    known = model.order.flatten(observed.unsqueeze(0))[0]
    count = int(known.sum())
    if bool(known[:count].all()):
        return _Route(model, True, "exact: the known variables come first")
    order = model.order.permutation
    reordered = model.reordered(torch.cat([order[known], order[~known]]).tolist())
    if reordered is not None:
        return _Route(reordered, True, "exact, in an order in which the known variables come first")
    lookahead = model.lookahead(x, observed, context)
    if lookahead is not None:
        return _Route(model, True, "exact: every variable sees ahead", lookahead)
    return _Route(model, False, "approximate: sequential Monte Carlo")
