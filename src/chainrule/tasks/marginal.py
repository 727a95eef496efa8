"""Marginals: how probable a part of an example is, whatever the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from chainrule.abilities import components_of
from chainrule.model import AutoregressiveModel
from chainrule.tasks.complete import check_observed, check_possible, route, routes, walk_routes
from chainrule.tasks.particles import run_particles
from chainrule.tasks.sample import drawer, drawing


@dataclass(frozen=True)
class Marginal:
    """Log p of the observed part of each example.

    Attributes:
        log_prob: ``(B,)`` nats.
        stderr: Its standard error, ``(B,)`` nats; zero if exact.
        exact: True if it is log p itself, and no estimate; `chainrule.tasks.complete.Completion` says of which joint.
        method: The method, in words.
    """

    log_prob: Tensor
    stderr: Tensor
    exact: bool
    method: str


def marginal(
    model: AutoregressiveModel,
    x: Tensor,
    observed: Tensor,
    *,
    particles: int = 64,
    repeats: int = 8,
    seed: int | None = None,
    context: Tensor | None = None,
) -> Marginal:
    """Log p(observed part of x) = log of the sum of p(x) over all values of the rest.

    It is exact where `chainrule.complete` is. Elsewhere it is the log of the mean of ``repeats`` unbiased estimates by
    sequential Monte Carlo; an estimate whose particles all died is 0. The standard error of the log is that of the mean
    divided by the mean (delta method). In units of it, errors follow Student's t with ``repeats`` - 1 degrees of
    freedom.

    Args:
        model: Any model of the contract.
        x: Examples ``(B, *event_shape)``; values that are not observed are ignored.
        observed: The observed variables, booleans of shape ``event_shape``.
        particles: Walks of each estimate.
        repeats: Independent estimates, at least 2.
        seed: The same seed gives the same estimate.
        context: What each example is conditioned on: classes ``(B,)``.

    Raises:
        ValueError: If a shape or an observed value does not fit the model, or the observed part is impossible (p = 0)
            or so improbable that no particle survived it.

    >>> from chainrule.conditionals import Bernoulli
    >>> from chainrule.models import FVSBN
    >>> model = FVSBN(event_shape=(3,), conditional=Bernoulli())  # untrained: all 8 events are equally probable
    >>> part = marginal(model, torch.zeros(1, 3), torch.tensor([False, True, False]), seed=0)
    >>> round(part.log_prob.exp().item(), 4), part.exact
    (0.5, False)
    """
    if repeats < 2:
        raise ValueError(f"repeats expects at least 2, got {repeats}")
    x, observed = check_observed(model, x, observed)
    context = model.check_context(context, len(x))
    estimates = []
    for repeat in range(repeats):
        with drawing(model, None if seed is None else seed * repeats + repeat):
            walked = walk_routes(routes(model, x, observed, context), x, observed, particles, drawer(model), context)
            evidence = torch.stack([cloud.log_evidence for _, cloud in walked])
            estimates.append((evidence.logsumexp(0) - math.log(len(walked))).clone())
        if all(way.exact for way, _ in walked):
            check_possible(estimates[0], None)
            methods = dict.fromkeys(way.method for way, _ in walked)
            return Marginal(estimates[0], torch.zeros_like(estimates[0]), True, "; ".join(methods))
    logs = torch.stack(estimates)
    check_possible(logs.amax(0), repeats * particles)
    relative = (logs - logs.amax(0)).exp()
    stderr = relative.std(0) / math.sqrt(repeats) / relative.mean(0)
    method = f"approximate: sequential Monte Carlo, {repeats} x {particles} particles"
    return Marginal(logs.logsumexp(0) - math.log(repeats), stderr, False, method)


def hidden_nats(
    model: AutoregressiveModel,
    x: Tensor,
    observed: Tensor,
    *,
    particles: int = 16,
    seed: int | None = None,
    context: Tensor | None = None,
) -> Tensor:
    """-log q(hidden part | observed part) of the distribution q that `chainrule.complete` draws from, ``(B,)`` nats.

    It is exact where completion is. For sequential Monte Carlo it is an upper bound, in expectation: with the true
    hidden part kept as one of the particles, E[log Z] - log p(x) bounds -log q, Z being the estimate of p(observed) of
    that run (conditional SMC, Jensen's inequality). With one particle it is the sum of -log p(x_t | x_<t) over the
    hidden variables; more particles bring it down to -log p(hidden | observed).

    Raises:
        ValueError: If an example does not fit the model, or the model is a mixture over orders.
    """
    x = model.check(x).to(model.device)
    _, mask = check_observed(model, x, observed)
    if len(components_of(model)) > 1:
        raise ValueError("hidden_nats expects a model of one order, got a mixture: give one of its components")
    context = model.check_context(context, len(x))
    way = route(model, x, mask, context)
    with drawing(model, seed):
        cloud = run_particles(
            way.model, x, mask, 1 if way.exact else particles, drawer(model),
            lookahead=way.lookahead, retain=not way.exact, context=context,
        )  # fmt: skip
        nats = cloud.log_evidence - way.model.log_prob(x, context)
    return nats.clone()  # outside of inference mode: an ordinary tensor
