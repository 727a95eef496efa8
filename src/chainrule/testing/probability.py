"""Laws of probability: the model sums to one, and samples and completions are drawn from it."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from scipy.stats import chi2
from torch import Tensor
from torch.distributions import Distribution

from chainrule.model import AutoregressiveModel
from chainrule.tasks.sample import sample
from chainrule.testing.probes import (
    PASSED,
    all_events,
    law,
    not_enumerable,
    not_walkable,
    number_of,
    random_events,
    require,
)
from chainrule.testing.quadrature import all_nodes, cells_of, not_integrable
from chainrule.walk import walk

DRAWS = 10_000
"""Samples of a chi-square test."""

SIGNIFICANCE = 1e-6
"""Below this p-value samples count as drawn from something else than the model; the seed is fixed."""


@law
@torch.no_grad()
def normalised(model: AutoregressiveModel) -> str:
    """The probabilities of all events sum to one; those of a few real variables integrate to one, by quadrature.

    Raises:
        AssertionError: If they sum to something else.
    """
    if model.conditional.values is None:
        return _integrates(model)
    if reason := not_enumerable(model):
        return reason
    total = float(model.log_prob(all_events(model)).double().exp().sum())
    require(abs(total - 1) <= 1e-5, f"normalised: the sum of p(x) over all x expected 1 within 1e-5, got {total:.9g}")
    return PASSED


def _integrates(model: AutoregressiveModel) -> str:
    if reason := not_integrable(model):
        return reason
    _soften(model)
    total = float(_masses(model).sum())
    require(abs(total - 1) <= 1e-3, f"normalised: the integral of p(x) expected 1 within 1e-3, got {total:.9g}")
    return f"{PASSED}, by quadrature"


def _soften(model: AutoregressiveModel) -> None:
    """Halve all parameters, so that no density is narrower than the nodes stand, or wider than they reach."""
    for parameter in model.parameters():
        parameter.mul_(0.5)


def _masses(model: AutoregressiveModel) -> Tensor:
    """P(x) of all nodes, times what each stands for."""
    double = copy.deepcopy(model).double()
    x, lengths, _ = all_nodes(model)
    return torch.cat([double.log_prob(some) for some in x.split(2**16)]).add(lengths).exp()


@law
@torch.no_grad()
def sampling_agrees(model: AutoregressiveModel) -> str:
    """Samples are distributed as p(x), by a chi-square test, and the same seed gives the same samples.

    Raises:
        AssertionError: If the test rejects them, or they differ at the same seed.
    """
    real = model.conditional.values is None
    if real:
        _soften(model)
    reason = not_integrable(model) if real else not_enumerable(model)
    draws = 16 if reason else DRAWS
    samples, again = (sample(model, draws, seed=1) for _ in range(2))
    require(
        torch.equal(samples.nan_to_num(), again.nan_to_num()),
        "sampling_agrees: expected the same samples from the same seed, got others",
    )
    _check_values(model, samples, "sampling_agrees")
    if reason:
        return reason
    if real:
        cells = all_nodes(model)[2]
        numbers, expected = cells_of(model, samples.cpu()), torch.zeros(int(cells.max()) + 1).double()
        expected.index_add_(0, cells, _masses(model))
        expected /= expected.sum()
    else:
        numbers, expected = number_of(model, samples), model.log_prob(all_events(model)).double().exp()
    _require_agreement(numbers, expected, "sampling_agrees: samples, as against p(x)")
    return PASSED


@law
@torch.no_grad()
def completion_agrees(model: AutoregressiveModel) -> str:
    """A walk with some variables known keeps them, and after a known beginning draws from p(rest | beginning).

    Raises:
        AssertionError: If a known variable is changed, or the chi-square test rejects the rest.
    """
    if reason := not_walkable(model):
        return reason
    n = model.num_variables
    known = model.order.flatten(random_events(model, 16)[:16])
    scattered = torch.arange(n) % 2 == 1
    got = model.order.flatten(_seeded_walk(model, len(known), _clamp(known, scattered)))
    kept = torch.equal(got[:, scattered].nan_to_num(), known[:, scattered].nan_to_num())
    require(kept, "completion_agrees: expected the known values to be kept, got others")
    if reason := not_enumerable(model):
        return reason
    length = (n + 1) // 2 if n > 1 else 0
    likely = model.log_prob(model.order.unflatten(known)).argmax()  # of a probability that is not zero
    beginning = known[likely : likely + 1]
    draws = _seeded_walk(model, DRAWS, _clamp(beginning.expand(DRAWS, -1), torch.arange(n) < length))
    events = all_events(model)
    possible = (model.order.flatten(events)[:, :length] == beginning[:, :length]).all(1)
    joint = model.log_prob(events).double().exp() * possible
    message = f"completion_agrees: the rest after {length} known variables, as against p(rest | known)"
    _require_agreement(number_of(model, draws), joint / joint.sum(), message)
    return PASSED


def _clamp(sequence: Tensor, known: Tensor) -> Callable[[int, Distribution], Tensor]:
    """Choose the values of ``sequence`` ``(B, n)`` at the times ``known`` ``(n,)``, and samples elsewhere."""
    return lambda t, distribution: sequence[:, t] if known[t] else distribution.sample()


def _seeded_walk(
    model: AutoregressiveModel, draws: int, choose: Callable[[int, Distribution], Tensor], seed: int = 1
) -> Tensor:
    torch.manual_seed(seed)
    return walk(model, draws, choose)


def _check_values(model: AutoregressiveModel, samples: Tensor, name: str) -> None:
    try:
        model.check(samples)
    except ValueError as error:
        raise AssertionError(f"{name}: expected samples that are valid examples, got: {error}") from error


def _require_agreement(numbers: Tensor, expected: Tensor, message: str) -> None:
    """Require that event ``numbers`` were drawn with probabilities ``expected``, by a chi-square test."""
    observed = torch.bincount(numbers, minlength=len(expected)).double()
    probability = chi_square(observed.cpu(), expected.cpu() * len(numbers))
    worst = int((observed - expected * len(numbers)).abs().argmax())
    require(
        probability >= SIGNIFICANCE,
        f"{message}: chi-square expected a p-value of at least {SIGNIFICANCE:g}, got {probability:.3g}; "
        f"the most off is event {worst}: expected {float(expected[worst]) * len(numbers):.1f} times, "
        f"got {int(observed[worst])}",
    )


def chi_square(observed: Tensor, expected: Tensor) -> float:
    """The p-value of Pearson's test; events that are expected fewer than five times count as one."""
    rare = expected < 5
    if bool(rare.any()):
        pooled = [torch.stack([counts[rare].sum()]) for counts in (observed, expected)]
        observed = torch.cat([observed[~rare], pooled[0]])
        expected = torch.cat([expected[~rare], pooled[1]])
        if float(expected[-1]) < 1 and float(observed[-1]) < 5:
            observed, expected = observed[:-1], expected[:-1]
    if len(observed) < 2:
        return 1.0
    statistic = float(((observed - expected) ** 2 / expected.clamp(min=1e-9)).sum())
    return float(chi2.sf(statistic, len(observed) - 1))
