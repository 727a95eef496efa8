"""Real conditionals, missing values and columns, beside SciPy's densities and hand-made ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import Tensor

import chainrule
from chainrule.conditionals import (
    Bernoulli,
    Categorical,
    Columns,
    Conditional,
    Gaussian,
    GaussianMixture,
    LogisticMixture,
    Standardised,
    WithMissing,
)
from chainrule.models import MADE, NADE, RNN, Ensemble
from chainrule.testing import check_model

pytestmark = pytest.mark.quick

SCIPY = {Gaussian: stats.norm, GaussianMixture: stats.norm, LogisticMixture: stats.logistic}
REAL = [Gaussian(), GaussianMixture(3), LogisticMixture(4), GaussianMixture(1), LogisticMixture(1)]
each_real = pytest.mark.parametrize("family", REAL, ids=repr)


def density(family: Conditional, numbers: Tensor, x: float) -> float:
    """By SciPy, from the definition."""
    own = SCIPY[type(family)]
    values = numbers.numpy()
    if family.components == 1:
        return float(own.pdf(x, values[0], math.exp(values[1])))
    k = family.components
    weights = np.exp(values[:k]) / np.exp(values[:k]).sum()
    means = values[k : 2 * k] + np.linspace(-1.5, 1.5, k)
    return float((weights * own.pdf(x, means, np.exp(values[2 * k :]))).sum())


@each_real
def test_densities_are_scipys(family: Conditional) -> None:
    torch.manual_seed(0)
    numbers = torch.randn(family.num_parameters, dtype=torch.float64)
    distribution = family.distribution(numbers)
    for x in (-30.0, -1.0, 0.0, 0.3, 12.0):
        got = distribution.log_prob(torch.tensor(x, dtype=torch.float64)).exp().item()
        assert got == pytest.approx(density(family, numbers, x), rel=1e-9, abs=1e-300)


@each_real
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_densities_integrate_to_one_at_every_scale(family: Conditional, scale: float) -> None:
    units = Standardised(family, shift=3.0, scale=scale)
    distribution = units.distribution(torch.zeros(family.num_parameters, dtype=torch.float64))

    def at(z: float) -> float:
        return distribution.log_prob(torch.tensor(3.0 + scale * z, dtype=torch.float64)).exp().item() * scale

    assert integrate.quad(at, -60, 60, points=[-1.5, 0, 1.5], limit=200)[0] == pytest.approx(1, abs=1e-6)


@each_real
def test_scales_stay_within_their_bounds(family: Conditional) -> None:
    for log_scale in (-1e4, 1e4):
        numbers = torch.zeros(family.num_parameters)
        numbers[-family.components :] = log_scale
        log_prob = family.distribution(numbers).log_prob(torch.tensor([-1e6, 0.0, 1e6]))
        assert log_prob.isfinite().all()
        assert log_prob.max() <= math.log(1 / family.min_scale)


@each_real
def test_draws_are_of_the_density(family: Conditional) -> None:
    torch.manual_seed(1)
    distribution = family.distribution(torch.randn(family.num_parameters))
    draws = distribution.sample((4000,))
    assert stats.kstest(distribution.cdf(draws).numpy(), "uniform").pvalue > 1e-4
    assert abs(draws.mean() - distribution.mean) < 6 * draws.std() / 4000**0.5


@pytest.mark.parametrize(
    "family", [*REAL, Standardised(GaussianMixture(2), 5.0, 3.0), WithMissing(Gaussian())], ids=repr
)
def test_at_is_one_variable_of_an_event(family: Conditional) -> None:
    whole = family.distribution(torch.randn(4, 2, 3, family.num_parameters))
    x = torch.randn(4, 2, 3)
    for index in range(6):
        part = family.at(whole, index)
        torch.testing.assert_close(part.log_prob(x.flatten(1)[:, index]), whole.log_prob(x).flatten(1)[:, index])


def test_rescaling_a_column_changes_log_probs_by_the_log_of_the_factor() -> None:
    def fitted(factor: float) -> Tensor:
        torch.manual_seed(0)
        data = torch.randn(256, 3) * torch.tensor([1.0, factor, 1.0])
        columns = Columns([Standardised(Gaussian(), 0.0, scale) for scale in (1.0, factor, 1.0)])
        torch.manual_seed(0)
        model = MADE(event_shape=(3,), conditional=columns, hidden_sizes=[16])
        chainrule.fit(model, data[:200], data[200:], max_epochs=3, verbose=False)
        return model.log_prob(data).detach()

    torch.testing.assert_close(fitted(1.0) - math.log(10), fitted(10.0), atol=1e-3, rtol=0)


def test_columns_are_the_product_of_their_parts() -> None:
    torch.manual_seed(0)
    parts = [Standardised(GaussianMixture(2), 7.0, 2.0), Categorical(3), Standardised(GaussianMixture(2), -1.0, 0.5)]
    columns = Columns(parts)
    numbers = torch.randn(5, 3, columns.num_parameters)
    x = torch.tensor([[6.0, 2.0, -1.2]]).expand(5, 3)
    own = [part.distribution(numbers[:, i, : part.num_parameters]).log_prob(x[:, i]) for i, part in enumerate(parts)]
    torch.testing.assert_close(columns.distribution(numbers).log_prob(x), torch.stack(own, dim=1))
    assert len(columns.groups) == 2  # both mixtures are computed at once


def test_a_missing_value_is_a_value() -> None:
    family = WithMissing(Gaussian())
    distribution = family.distribution(torch.tensor([0.0, 0.0, 3.0]))
    missing = distribution.log_prob(torch.tensor(torch.nan)).exp()
    torch.testing.assert_close(missing, torch.tensor(3.0).sigmoid())
    read = family.encode(torch.tensor([torch.nan, math.sinh(0.5)]))
    torch.testing.assert_close(read, torch.tensor([[0.0, 1.0], [0.5, 0.0]]))
    torch.manual_seed(0)
    share = distribution.sample((4000,)).isnan().float().mean()
    assert abs(share - missing) < 0.03


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GaussianMixture(0), "at least 1 component, got 0"),
        (lambda: Gaussian(min_scale=0), "min_scale expects a number between 0 and 1e\\+06, got 0"),
        (lambda: Standardised(Gaussian(), 0.0, 0.0), "a positive scale, got 0.0 and 0.0"),
        (lambda: Columns([]), "at least one conditional, got none"),
        (lambda: MADE(event_shape=(2,), conditional=Columns([Gaussian()])), r"as many variables, got \(2,\)"),
        (lambda: RNN(event_shape=(1,), conditional=Columns([Gaussian()])), "RNN expects one conditional of all"),
        (lambda: Gaussian().check(torch.tensor([1.0, torch.nan])), "finite numbers, got nan"),
        (lambda: Columns([Bernoulli(), Gaussian()]).check(torch.tensor([[2.0, 1.0]])), "column 1: Bernoulli expects"),
    ],
)
def test_what_does_not_fit_is_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=message):
        make()


def test_a_mixture_over_real_models_is_drawn_from_a_member_each() -> None:
    models = [NADE(event_shape=(2,), conditional=Gaussian(), hidden_size=3) for _ in range(2)]
    both = Ensemble(models=models)
    check_model(both)
    assert chainrule.sample(both, 5, seed=0).shape == (5, 2)
    with pytest.raises(ValueError, match="values that can be listed"):
        both(torch.zeros(1, 2))
