"""BayesianAR: what it infers from a sequence, and what it can't be built with."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import Tensor

import chainrule
from chainrule.conditionals import (
    Categorical,
    Conditional,
    Curved,
    DiscretizedLogisticMixture,
    Gaussian,
    GaussianMixture,
    LogisticMixture,
    Standardised,
    WithMissing,
)
from chainrule.models import BayesianAR

LOCATED = [
    Gaussian(),
    GaussianMixture(3),
    LogisticMixture(1),
    DiscretizedLogisticMixture(9, components=2),
    Standardised(LogisticMixture(2), 5.0, 3.0),
]


def process(length: int, seed: int = 0) -> Tensor:
    """A stationary AR(2) ``(1, length)`` with noise of deviation 1."""
    noise = np.random.RandomState(seed).normal(size=length)
    x = np.zeros(length)
    for t in range(2, length):
        x[t] = 1.5 * x[t - 1] - 0.8 * x[t - 2] + noise[t]
    return torch.from_numpy(x).float().unsqueeze(0)


def test_recursive_least_squares_is_ridge_regression() -> None:
    model = BayesianAR(event_shape=(60,), conditional=Gaussian(), lags=2, prior=0.5).double()
    x = process(60).double()
    got = model(x).mean[0, -1]
    steps = x[0].diff()
    rows = range(1, 59)
    lag = {k: torch.stack([steps[t - 1 - k] if t > k else steps[0] * 0 for t in rows]) for k in (0, 1)}
    phi = torch.stack([torch.ones(58), x[0, 1:59], lag[0], lag[1]], dim=1)
    first = torch.tensor([[1.0, float(x[0, 0]), 0.0, 0.0]], dtype=torch.float64)
    prior = torch.tensor([0.1, 0.1, 0.5, 0.5 / 2**0.5], dtype=torch.float64)
    regressors = torch.cat([first, phi])[:-1]
    precision = regressors.T @ regressors + (1 / prior**2).diag()
    weights = torch.linalg.solve(precision, regressors.T @ steps[:58])
    assert got.item() == pytest.approx((x[0, 58] + phi[-1] @ weights).item(), abs=1e-9)


def test_it_learns_the_process_without_training() -> None:
    x = process(600)
    model = BayesianAR(event_shape=(600,), conditional=Gaussian())
    model.start_at(x[0, :200])
    with torch.no_grad():
        nats = -model(x).log_prob(x)[0, 300:].mean()
    assert nats < 1.419 + 0.12  # the entropy of the noise


@pytest.mark.parametrize(("shift", "scale"), [(1000.0, 1.0), (0.0, 1e-3), (-5.0, 1e4)])
def test_it_has_no_unit_of_its_own(shift: float, scale: float) -> None:
    nats = []
    for units in ((0.0, 1.0), (shift, scale)):
        x = units[0] + units[1] * process(100).double()
        model = BayesianAR(event_shape=(100,), conditional=Standardised(Gaussian(), *units)).double()
        model.start_at(x[0])
        nats.append(-model(x).log_prob(x).mean().item() - np.log(units[1]))
    assert nats[0] == pytest.approx(nats[1], abs=1e-4)


def test_a_trend_beyond_the_training_values_is_followed() -> None:
    trend = torch.arange(200.0).unsqueeze(0) + 0.1 * process(200)
    model = BayesianAR(event_shape=(200,), conditional=GaussianMixture(2))
    model.start_at(trend[0, :100])
    errors = (model(trend).mean - trend)[0, 100:]
    assert errors.abs().mean() < 0.2


def test_the_scale_follows_the_errors() -> None:
    quiet = process(200)
    loud = torch.cat([quiet[:, :150], 5 * quiet[:, 150:]], dim=1)
    model = BayesianAR(event_shape=(200,), conditional=Gaussian())
    deviations = model(loud).stddev[0]
    assert deviations[170:].mean() > 2 * deviations[100:150].mean()


def test_chunks_agree_with_the_whole() -> None:
    model = BayesianAR(event_shape=(50,), conditional=GaussianMixture(3), lags=4)
    x = process(50)
    state, previous, parts = model.start(1), None, []
    for chunk in x.split([1, 20, 29], dim=1):
        distribution, state = model.advance(state, previous, chunk)
        parts.append(distribution.log_prob(chunk))
        previous = chunk[:, -1]
    assert torch.allclose(torch.cat(parts, dim=1), model(x).log_prob(x), atol=1e-5)


@pytest.mark.parametrize("value", [7.0, -1e5])
def test_constant_and_large_values_are_finite(value: float) -> None:
    model = BayesianAR(event_shape=(40,), conditional=GaussianMixture(3))
    x = torch.full((1, 40), value)
    x[0, 20] = 0.0
    model.start_at(x[0])
    assert model.log_prob(x).isfinite().all()


def test_the_first_conditional_has_the_frequencies() -> None:
    values = torch.randint(9, (500,)).float()
    family = DiscretizedLogisticMixture(9, components=2)
    model = BayesianAR(event_shape=(20,), conditional=family)
    before = copy.deepcopy(model.state_dict())
    model.start_at(values)
    expected = family.distribution(family.initial_parameters(values)).log_prob(values[:1])
    assert torch.equal(model(values[None]).log_prob(values[None])[0, :1], expected)
    assert not torch.equal(before["unit"], model.unit)


@pytest.mark.parametrize("family", LOCATED, ids=repr)
def test_components_are_those_of_the_distribution(family: Conditional) -> None:
    parameters = torch.randn(5, family.num_parameters)
    logits, means, log_deviations = family.components_of(parameters)
    assert torch.allclose(family.of_components(logits, means, log_deviations), parameters, atol=1e-6)
    first, second = family.on_line(torch.tensor([2.0, 3.0, 4.0])).diff()
    assert first.item() == pytest.approx(second.item(), rel=1e-5)
    if not isinstance(family, DiscretizedLogisticMixture):
        mean = (logits.softmax(-1) * means).sum(-1)
        assert torch.allclose(family.on_line(family.distribution(parameters).mean), mean, atol=1e-5)


@pytest.mark.parametrize("family", [Categorical(40), WithMissing(Categorical(4))], ids=repr)
def test_a_family_without_locations_is_refused(family: Conditional) -> None:
    with pytest.raises(ValueError, match="expected a conditional of locations and scales"):
        BayesianAR(event_shape=(9,), conditional=family)


def test_a_missing_value_is_bridged() -> None:
    model = BayesianAR(event_shape=(200,), conditional=WithMissing(Gaussian()), lags=3)
    x = process(200)
    x[0, [0, 50, 51, 52, 120]] = math.nan
    model.start_at(x[0])
    distribution = model(x)
    log_probs = distribution.log_prob(x)
    assert log_probs.isfinite().all()
    deviations = distribution.present.stddev[0]
    assert deviations[50] < deviations[51] < deviations[52]  # the longer the gap, the less is known
    assert log_probs[0, 51] > log_probs[0, 50] + 1  # gaps come in runs
    state, previous = model.start(1), None
    for value in x.unbind(1):
        one, state = model.step(state, previous)
        previous = value
    assert torch.allclose(one.log_prob(previous), log_probs[:, -1], atol=1e-5)


def test_nothing_is_learned_from_a_missing_value() -> None:
    family = WithMissing(Gaussian())
    model = BayesianAR(event_shape=(30,), conditional=family, lags=2)
    x = process(30)
    x[0, 20:] = math.nan
    state, previous = model.start(1), None
    weights = []
    for value in x.unbind(1):
        _, state = model.step(state, previous)
        weights.append(state.weights)
        previous = value
    assert torch.equal(weights[20], weights[29])
    assert not torch.equal(weights[19], weights[20])


def test_seasons_are_followed() -> None:
    wave = 5 * torch.sin(2 * math.pi * torch.arange(400.0) / 40)
    x = (wave + 0.5 * torch.randn(400, generator=torch.Generator().manual_seed(0)))[None]
    errors = []
    for periods in ((), (40.0,)):
        model = BayesianAR(event_shape=(400,), conditional=Gaussian(), lags=2, periods=periods)
        model.start_at(x[0])
        errors.append((model(x).mean - x)[0, 200:].square().mean().item())
    assert errors[1] < 0.8 * errors[0]


@pytest.mark.parametrize(
    "family", [WithMissing(Gaussian()), Curved([0.0, 5.0, 20.0], [-1.0, 0.0, 1.0], lower=-0.5, cells=True)], ids=repr
)
def test_values_that_are_missing_or_on_a_curve_have_places(family: Conditional) -> None:
    x = torch.tensor([[1.0, 3.0, 4.0, 9.0, 2.0, 0.0]])
    model = BayesianAR(event_shape=(6,), conditional=family, lags=2)
    model.start_at(x[0])
    assert model.log_prob(x).isfinite().all()
    assert family.on_line(x).diff().sign().tolist() == x.diff().sign().tolist()


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="periods expects numbers of values above 1, got \\[1\\]"):
        BayesianAR(event_shape=(9,), conditional=Gaussian(), periods=[1])
    with pytest.raises(ValueError, match="lags expects at least 1, got 0"):
        BayesianAR(event_shape=(9,), conditional=Gaussian(), lags=0)
    with pytest.raises(ValueError, match="prior expects a positive number, got 0"):
        BayesianAR(event_shape=(9,), conditional=Gaussian(), prior=0)


def test_forecasts_do_not_run_away_where_the_scale_grows_with_the_level() -> None:
    model, past = BayesianAR(event_shape=(148,), conditional=Gaussian(), lags=2), process(100)
    model.start_at(past)
    with torch.no_grad():
        model.scale_weights.copy_(torch.tensor([0.0, 0.0, 0.0, 0.5]))
    drawn = chainrule.sample(model.eval(), 400, seed=0, prefix=past[0])[:, 100:]
    # The noise alone drives some of 400 walks out to a thousand; without bounds it were half a million.
    assert float(drawn.abs().max()) < 1000 * float(past.abs().max())
