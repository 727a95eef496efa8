"""The declarations of a family (support, atoms, probes, starting parameters), and families of one's own."""

from __future__ import annotations

import math

import pytest
import torch
from families import ZeroInflatedLogNormal, ZeroInflatedPoisson
from torch import Tensor
from torch.distributions import constraints

import chainrule
from chainrule.conditionals import (
    Bernoulli,
    Categorical,
    Columns,
    Conditional,
    DiscretizedLogisticMixture,
    Gaussian,
    GaussianMixture,
    LogisticMixture,
    Standardised,
    WithMissing,
)
from chainrule.conditionals.support import Affine, Listed, values_of
from chainrule.models import FVSBN, MADE, NADE
from chainrule.testing import randomised

FAMILIES = [
    Bernoulli(),
    Categorical(3),
    DiscretizedLogisticMixture(8, 2),
    Gaussian(),
    GaussianMixture(2),
    LogisticMixture(3),
    WithMissing(Bernoulli()),
    WithMissing(GaussianMixture(2)),
    Standardised(Categorical(4), 2.0, 1.0),
    Standardised(WithMissing(Gaussian()), 5.0, 3.0),
    ZeroInflatedPoisson(),
    ZeroInflatedLogNormal(),
    WithMissing(ZeroInflatedLogNormal()),
    Standardised(ZeroInflatedLogNormal(), -4.0, 2.0),
]
OWN = [ZeroInflatedPoisson(), ZeroInflatedLogNormal(), WithMissing(ZeroInflatedPoisson())]


@pytest.mark.parametrize("family", FAMILIES, ids=repr)
def test_probes_are_values(family: Conditional) -> None:
    """They pass the check; the first is no atom; all atoms are among them."""
    family.check(family.probes)
    assert len(family.probes) >= 2
    assert bool(family.support.check(family.probes[:1]).all())
    for atom in [] if family.atoms is None else family.atoms.tolist():
        assert any(probe == atom or (probe != probe and atom != atom) for probe in family.probes.tolist())
    log_probs = family.distribution(torch.zeros(len(family.probes), family.num_parameters)).log_prob(family.probes)
    assert log_probs.isfinite().all()


@pytest.mark.parametrize(
    ("family", "value", "message"),
    [
        (ZeroInflatedPoisson(), -1.0, "ZeroInflatedPoisson expects integers of at least 0, got -1"),
        (ZeroInflatedPoisson(), 1.5, "got 1.5"),
        (ZeroInflatedPoisson(), math.inf, "got inf"),
        (ZeroInflatedPoisson(), math.nan, "got nan"),
        (ZeroInflatedLogNormal(), -0.5, "ZeroInflatedLogNormal expects numbers above 0, or 0, got -0.5"),
        (ZeroInflatedLogNormal(), math.inf, "got inf"),
        (WithMissing(ZeroInflatedPoisson()), 0.5, "got 0.5"),
        (Standardised(ZeroInflatedPoisson(), 3.0), 2.0, r"got -1, of \(x - 3\) / 1"),
    ],
)
def test_other_values_are_refused(family: Conditional, value: float, message: str) -> None:
    family.check(family.probes)
    with pytest.raises(ValueError, match=message):
        family.check(torch.tensor([float(family.probes[0]), value]))


def test_supports_follow_from_the_parts() -> None:
    assert values_of(Bernoulli().support).tolist() == [0, 1]
    assert values_of(WithMissing(Categorical(3)).support).tolist() == [0, 1, 2]
    assert WithMissing(Categorical(3)).atoms.isnan().tolist() == [True]
    assert Standardised(Gaussian(), 1.0, 2.0).support is constraints.real
    moved = Standardised(WithMissing(ZeroInflatedLogNormal()), -4.0, 2.0)
    assert isinstance(moved.support, Affine)
    assert moved.support.check(torch.tensor([-5.0, -4.0, -3.9, math.nan])).tolist() == [False, False, True, False]
    assert moved.support.lower_bound == -4
    torch.testing.assert_close(moved.atoms, torch.tensor([-4.0, math.nan]), equal_nan=True)
    levels = Standardised(Categorical(3), 10.0)
    assert levels.support.is_discrete
    assert values_of(levels.support).tolist() == [10, 11, 12]
    columns = Columns([Bernoulli(), ZeroInflatedLogNormal()])
    assert columns.support.check(torch.tensor([[1.0, 2.0], [0.5, -1.0]])).tolist() == [[True, True], [False, False]]
    assert columns.of(1).support is constraints.positive
    assert columns.of(1).atoms.tolist() == [0]
    with pytest.raises(ValueError, match="ask of"):
        _ = columns.probes


@pytest.mark.parametrize("scale", [0.3, 2.0])
@pytest.mark.parametrize("beside", [[], [Gaussian()]], ids=["alone", "in columns"])
def test_an_atom_has_no_unit(scale: float, beside: list[Conditional]) -> None:
    """Its probability and the integral of the density beside it are 1 in any unit, and a network sees the atom."""
    inner, shift = ZeroInflatedLogNormal(), 0.1
    family = Columns([Standardised(inner, shift, scale), *beside]) if beside else Standardised(inner, shift, scale)
    columns = 1 + len(beside)
    parameters = torch.tensor([0.4, 0.2, -0.5]).double()
    z = torch.cat([torch.zeros(1), torch.linspace(1e-6, 40, 200_001)]).double()
    x = z * scale + shift
    values = x.unsqueeze(-1).expand(-1, columns)
    log_prob = family.distribution(parameters.expand(len(x), columns, -1)).log_prob(values)[:, 0]
    torch.testing.assert_close(log_prob[0].exp(), torch.sigmoid(parameters[0]))
    total = log_prob[0].exp() + torch.trapezoid(log_prob[1:].exp(), x[1:])
    assert total.item() == pytest.approx(1.0, abs=1e-4)
    sample = family.distribution(parameters.float().expand(100, columns, -1)).sample()
    seen = family.encode(sample)[:, 0, :2]
    torch.testing.assert_close(seen[:, 1] == 0, sample[:, 0] == torch.tensor(shift))
    family.check(sample)


def test_listed_values_are_a_support() -> None:
    class Odd(Categorical):
        values = torch.tensor([1.0, 3.0, 9.0])
        support, check = Conditional.support, Conditional.check

    family = Odd(3)
    assert isinstance(family.support, Listed)
    assert family.probes.tolist() == [1, 3, 9]
    family.check(torch.tensor([3, 9, 1]))
    with pytest.raises(ValueError, match="Odd expects one of 1, 3, 9, got 2"):
        family.check(torch.tensor([1.0, 2.0]))


@pytest.mark.parametrize("family", OWN, ids=repr)
@pytest.mark.parametrize("make", [FVSBN, MADE, NADE], ids=lambda make: make.__name__)
def test_a_family_of_ones_own_works_in_every_task(family: Conditional, make: type) -> None:
    torch.manual_seed(0)
    model = randomised(make(event_shape=(4,), conditional=family), scale=0.3)
    x = chainrule.sample(model, 64, seed=0)
    family.check(x)
    assert model.log_prob(x).isfinite().all()
    observed = torch.tensor([False, True, False, True])
    filled = chainrule.complete(model, x, observed, seed=0, particles=4)
    family.check(filled)
    assert filled[:, observed].nan_to_num(-1.0).equal(x[:, observed].nan_to_num(-1.0))
    part = chainrule.marginal(model, x[:8], observed, seed=0, particles=8, repeats=2)
    assert part.log_prob.isfinite().all()
    state, previous, total = model.start(len(x)), None, torch.zeros(len(x))
    for values in x.unbind(1):
        distribution, state = model.step(state, previous)
        total, previous = total + distribution.log_prob(values), values
    torch.testing.assert_close(total, model.log_prob(x), rtol=1e-4, atol=1e-4)


def test_a_marginal_is_the_sum_over_the_support() -> None:
    """p(x_2) = sum over all counts x_1 of p(x_1, x_2); the sum converges long before 200."""
    torch.manual_seed(0)
    model = randomised(FVSBN(event_shape=(2,), conditional=ZeroInflatedPoisson()), scale=0.5).double()
    counts = torch.arange(200.0, dtype=torch.float64)
    pairs = torch.stack([counts, torch.full_like(counts, 2.0)], dim=1)
    expected = model.log_prob(pairs).logsumexp(0)
    got = chainrule.marginal(model, pairs[:1], torch.tensor([False, True]), seed=0, particles=4000)
    assert abs(got.log_prob[0] - expected) < 5 * got.stderr[0] + 1e-6


@pytest.mark.parametrize("family", [Bernoulli(), Categorical(4)], ids=repr)
def test_starting_parameters_have_the_frequencies_of_listed_values(family: Conditional) -> None:
    values = family.values
    x = values[torch.randint(len(values), (500, 3), generator=torch.Generator().manual_seed(0))]
    x[:, 2] = 0
    distribution = family.distribution(family.initial_parameters(x))
    for value in values:
        expected = ((x == value).float().sum(0) + 1 / len(values)) / 501
        torch.testing.assert_close(distribution.log_prob(value.expand(3)).exp(), expected)
    torch.testing.assert_close(family.initial_parameters(x[:, 1]), family.initial_parameters(x)[1])


@pytest.mark.parametrize("family", [Gaussian(), GaussianMixture(5), LogisticMixture(1), LogisticMixture(4)], ids=repr)
def test_starting_parameters_have_the_mean_and_variance_of_real_values(family: Conditional) -> None:
    x = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 50.0]) - 3
    distribution = family.distribution(family.initial_parameters(x))
    torch.testing.assert_close(distribution.mean, x.mean(0), rtol=0.02, atol=0.5)
    torch.testing.assert_close(distribution.variance, x.var(0, correction=0), rtol=0.05, atol=1e-4)
    assert family.distribution(family.initial_parameters(torch.full((5,), 2.0))).log_prob(torch.tensor(2.0)).isfinite()


def test_starting_parameters_have_the_mean_and_variance_of_levels() -> None:
    family = DiscretizedLogisticMixture(64, 8)
    x = torch.randint(64, (2000,), generator=torch.Generator().manual_seed(0)).float() ** 2 // 64
    probabilities = family.log_probs(family.distribution(family.initial_parameters(x))).exp()
    mean = (probabilities * family.values).sum()
    assert mean.item() == pytest.approx(x.mean().item(), abs=0.5)
    variance = (probabilities * (family.values - mean).square()).sum()
    assert variance.item() == pytest.approx(x.var().item(), rel=0.05)


def test_starting_parameters_of_families_made_of_others() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1000, generator=generator) * 4 + 10
    x[:250] = math.nan
    missing = WithMissing(Gaussian())
    distribution = missing.distribution(missing.initial_parameters(x))
    assert distribution.log_prob(torch.tensor(math.nan)).exp().item() == pytest.approx(0.25, abs=1e-3)
    assert distribution.present.mean.item() == pytest.approx(x[250:].mean().item(), abs=1e-4)
    assert missing.initial_parameters(torch.full((3,), math.nan)).isfinite().all()
    outer = Standardised(missing, 7.0, 2.0)
    assert outer.distribution(outer.initial_parameters(x)).present.mean.item() == pytest.approx(
        x[250:].mean().item(), abs=1e-4
    )
    bits = (torch.rand(1000, generator=generator) < 0.2).float()
    columns = Columns([Bernoulli(), outer])
    rows = torch.stack([bits, x], dim=1)
    parameters = columns.initial_parameters(rows)
    assert parameters.shape == (2, columns.num_parameters)
    one = torch.tensor([[1.0, math.nan]])
    got = columns.distribution(parameters).log_prob(one)[0].exp().tolist()
    assert got == pytest.approx([bits.mean().item(), 0.25], abs=1e-3)
    torch.testing.assert_close(columns.of(1).initial_parameters(x), parameters[1])


def test_starting_parameters_of_a_family_that_says_none_are_zeros() -> None:
    assert ZeroInflatedPoisson().initial_parameters(torch.ones(5, 3)).equal(torch.zeros(3, 2))
    with pytest.raises(ValueError, match="at least one value, got none"):
        Gaussian().initial_parameters(torch.zeros(0, 2))


def zeros(family: Conditional) -> Tensor:
    return family.encode(torch.zeros(2, dtype=torch.float64))


@pytest.mark.parametrize("family", [family for family in FAMILIES if not isinstance(family, Standardised)], ids=repr)
def test_the_value_zero_is_read_as_zeros(family: Conditional) -> None:
    assert not zeros(family).any()
