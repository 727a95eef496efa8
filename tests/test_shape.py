"""Shape of a column: grids, atoms, bounds and curves, found from training rows and kept by samples."""

import numpy as np
import pytest
import torch
from scipy import stats

from chainrule.conditionals import Columns, Conditional, Curved, Gaussian, LogisticMixture, Standardised, WithAtoms
from chainrule.conditionals.scores import InCells, Scores
from chainrule.data.shape import Shape, grid_of, shape_of

pytestmark = pytest.mark.quick


def _start(shape: Shape, values: np.ndarray) -> tuple[Conditional, torch.distributions.Distribution]:
    family = shape.conditional(missing=False)
    return family, family.distribution(family.initial_parameters(torch.from_numpy(values)).double())


def test_a_curve_gives_the_density_that_numerical_differentiation_gives() -> None:
    units = Curved([1.0, 2.0, 5.0, 9.0], [-1.5, -0.5, 0.7, 1.2], lower=0.5, upper=9.5).units
    x = torch.tensor([0.6, 0.9, 1.4, 3.0, 8.0, 9.2, 9.4], dtype=torch.float64)
    z, step = units.z(x), 1e-6
    slope = (units.x(z + step) - units.x(z - step)) / (2 * step)
    torch.testing.assert_close(units.x(z), x)
    torch.testing.assert_close(units.log_scale(z, x), slope.log(), rtol=0, atol=1e-6)


def test_many_columns_together_have_the_numbers_of_each() -> None:
    first, second = Curved([0.0, 1.0], [-1.0, 1.0], lower=-1.0), Curved([5.0, 6.0, 9.0, 20.0], [-1.0, -0.5, 0.0, 1.5])
    both = Scores.together([first.units, second.units])
    x = torch.tensor([[-0.5, 30.0], [0.3, 7.0], [4.0, -2.0]])
    apart = torch.stack([first.units.z(x[:, 0]), second.units.z(x[:, 1])], dim=1)
    torch.testing.assert_close(both.z(x), apart)


def test_cells_have_the_probabilities_of_scipy() -> None:
    family = Curved([0.0, 10.0], [0.0, 10.0], cells=True, components=1)
    distribution = family.distribution(torch.tensor([3.0, 0.5], dtype=torch.float64))
    k = torch.arange(-20.0, 30.0, dtype=torch.float64)
    scale = float(np.exp(0.5))
    expected = stats.logistic.cdf(k + 0.5, 3, scale) - stats.logistic.cdf(k - 0.5, 3, scale)
    assert isinstance(distribution, InCells)
    np.testing.assert_allclose(distribution.log_prob(k).exp().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("lower", [-0.5, None])
def test_integers_beyond_those_of_training_are_improbable_and_not_impossible(lower: float | None) -> None:
    months = np.random.RandomState(0).choice([12.0, 24.0, 36.0, 48.0, 60.0], 500)
    _, start = _start(shape_of(months), months)
    seen, unseen, far = (float(start.log_prob(torch.tensor(k).double())) for k in (60.0, 72.0, 1e9))
    assert np.isfinite(far)
    assert far < unseen < seen - 3


def test_few_values_are_atoms_with_their_frequencies() -> None:
    values = np.repeat([1.0, 2.0, 3.0], [100, 300, 600])
    shape = shape_of(values)
    _, start = _start(shape, values)
    assert shape.atoms == (1.0, 2.0, 3.0)
    got = start.log_prob(torch.tensor([1.0, 2.0, 3.0]).double()).exp()
    np.testing.assert_allclose(got.numpy(), [0.1, 0.3, 0.6], atol=2e-3)


def test_a_column_with_many_zeros_has_zeros_and_a_density() -> None:
    generator = np.random.RandomState(0)
    values = np.where(generator.rand(4000) < 0.9, 0.0, generator.lognormal(8, 1, 4000))
    shape = shape_of(values)
    family, start = _start(shape, values)
    samples = start.sample(torch.Size([4000])).numpy()
    assert shape.atoms == (0.0,)
    assert family.atoms is not None
    assert family.atoms.tolist() == [0.0]
    assert abs((samples == 0).mean() - 0.9) < 0.02
    assert (samples >= 0).all()
    assert stats.ks_2samp(samples[samples > 0], values[values > 0]).pvalue > 1e-3


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e7])
def test_positive_and_skewed_numbers_stay_positive_in_any_unit(scale: float) -> None:
    values = scale * np.random.RandomState(1).lognormal(0, 1.5, 3000)
    _, start = _start(shape_of(values), values)
    samples = start.sample(torch.Size([20_000])).numpy()
    assert (samples >= 0).all()
    assert stats.ks_2samp(samples, values).statistic < 0.03


def test_caps_are_atoms_and_bounds_of_samples() -> None:
    values = np.random.RandomState(2).normal(0, 1, 3000).clip(-1, None)
    shape = shape_of(values)
    _, start = _start(shape, values)
    assert shape.lower == -1
    assert shape.upper is None
    assert -1.0 in shape.atoms
    assert shape.within(start.sample(torch.Size([5000])).numpy()).min() == -1
    assert float(start.log_prob(torch.tensor(-1.5).double())) > -200  # improbable, not impossible


@pytest.mark.parametrize(
    ("values", "step"),
    [([0.5, 1.0, 4.5], 0.5), ([1.0, 7.0], 1.0), ([19.99, 5.49, 0.0], 0.01), ([0.1, np.e], 0.0), ([1e5, 3e5], 1.0)],
)
def test_the_grid_of_a_column_is_found(values: list[float], step: float) -> None:
    assert grid_of(np.unique(values)) == pytest.approx(step)


def test_samples_are_on_the_grid_and_its_density_is_that_of_cells() -> None:
    cents = np.random.RandomState(3).gamma(3, 10, 5000).round(2)
    shape = shape_of(cents)
    family, start = _start(shape, cents)
    samples = shape.within(start.sample(torch.Size([1000])).double().numpy())
    np.testing.assert_array_equal(samples, samples.round(2))
    grid = torch.arange(0, 200_00).double() / 100
    assert float(start.log_prob(grid).exp().sum() * 0.01) == pytest.approx(1, abs=2e-3)
    assert isinstance(family, Standardised)


def test_single_precision_finds_every_cell_of_a_grid() -> None:
    values = np.arange(0, 20_000) / 100 + 330.01
    shape = shape_of(values)
    family = shape.conditional(missing=False)
    assert isinstance(family, Standardised)
    places = family.units.z(torch.from_numpy(values).float())
    torch.testing.assert_close(places, torch.arange(20_000.0))


def test_config_builds_equal_numbers() -> None:
    shape = shape_of(np.random.RandomState(4).gamma(2, 3, 500).round(1))
    assert Shape.from_config(shape.config) == shape


def test_one_value_is_refused() -> None:
    with pytest.raises(ValueError, match="two or more different values, got 1"):
        shape_of(np.ones(5))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: WithAtoms(Gaussian(), []), "one or more different values"),
        (lambda: WithAtoms(Gaussian(), [1.0, 1.0]), "one or more different values"),
        (lambda: Curved([0.0], [0.0]), "two or more knots"),
        (lambda: Curved([0.0, 0.0], [0.0, 1.0]), "increasing"),
        (lambda: Curved([0.0, 1.0], [0.0, 1.0], lower=0.5), "bounds beyond"),
    ],
)
def test_families_refuse_wrong_arguments(build: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()  # type: ignore[operator]


def test_columns_of_one_group_are_computed_together_and_as_alone() -> None:
    columns = [
        WithAtoms(Curved([0.0, 1.0], [-1.0, 1.0], components=2), [0.0]),
        WithAtoms(Curved([3.0, 4.0, 9.0], [-1.0, 0.0, 1.0], components=2), [3.0, 5.0, 7.0]),
        Standardised(LogisticMixture(2), 1.0, 2.0),
        Standardised(LogisticMixture(2), 3.0, 0.1),
    ]
    joint = Columns(columns)
    parameters = torch.randn(6, 4, joint.num_parameters)
    x = torch.tensor([[0.0, 5.0, 1.0, 3.0], [0.4, 3.5, 2.0, 2.9]]).repeat(3, 1)
    together = joint.distribution(parameters).log_prob(x)
    apart = [
        column.distribution(parameters[:, i, : column.num_parameters]).log_prob(x[:, i])
        for i, column in enumerate(columns)
    ]
    assert len(joint.groups) == 2
    torch.testing.assert_close(together, torch.stack(apart, dim=1))
