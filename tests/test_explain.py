"""Explanations: tail probabilities that are exact on models that are known exactly."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.distributions import Distribution, Normal

from chainrule.conditionals import Bernoulli, Categorical, Columns, Curved, Gaussian, WithAtoms, WithMissing
from chainrule.model import AutoregressiveModel
from chainrule.models import MADE, Ensemble, Table
from chainrule.tasks.curves import Curves
from chainrule.tasks.explain import explain
from chainrule.tasks.sample import sample

SLOPE, REST = 0.8, 0.6
"""x_1 ~ N(0, 1) and x_2 ~ N(0.8 x_1, 0.6^2), so that x_1 ~ N(0.8 x_2, 0.6^2) given x_2."""


class Pair(AutoregressiveModel):
    """Two Gaussian numbers whose joint density is known."""

    def __init__(self) -> None:
        super().__init__(event_shape=(2,), conditional=Gaussian())
        self.one = torch.nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        mean = torch.stack([torch.zeros_like(x[:, 0]), SLOPE * x[:, 0]], dim=1) * self.one
        return Normal(mean, torch.tensor([1.0, REST]).expand_as(mean), validate_args=False)


def test_tails_of_numbers_are_those_of_both_neighbours() -> None:
    """Given all others, before and after; far in the tails too."""
    x = torch.tensor([[0.0, 0.0], [1.0, -0.4], [0.3, 3.0], [5.0, 4.0], [-9.0, 2.0]])
    found = explain(Pair(), x)
    z = (x - SLOPE * x.flip(1)).double() / REST
    expected = torch.from_numpy(2 * stats.norm.sf(z.abs().numpy()))
    assert torch.allclose(found.tails.log(), expected.log(), rtol=0.02, atol=0.03)
    quantiles = SLOPE * x.flip(1)[:, :, None] + REST * torch.tensor([-1.645, 0.0, 1.645])
    assert torch.allclose(found.quantiles[:3], quantiles[:3].double(), atol=0.1)
    assert torch.allclose(found.quantiles, quantiles.double(), atol=0.25)  # far beyond all sampled rows
    assert found.likeliest.isnan().all()
    assert (found.missing == 0).all()


def test_tails_are_uniform_on_rows_of_the_model() -> None:
    tails = explain(Pair(), sample(Pair(), 1000, seed=1)).tails
    for column in tails.unbind(1):
        assert stats.kstest(column.numpy(), "uniform").pvalue > 0.01


def test_a_wrong_value_is_more_suspicious_than_those_that_depend_on_it() -> None:
    x = sample(Pair(), 400, seed=2)
    wrong = torch.arange(400) % 2
    x[torch.arange(400), wrong] += 8.0
    found = explain(Pair(), x)
    assert (found.suspicion.argmax(1) == wrong).double().mean() > 0.95


def test_the_tail_of_a_listed_value_is_the_mass_at_most_as_probable() -> None:
    """On a table of probabilities, by Bayes' rule; each tail is at most a with a probability of at most a."""
    torch.manual_seed(0)
    model = Table(event_shape=(3,), conditional=Categorical(4))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 2)
    events = torch.cartesian_prod(*[torch.arange(4.0)] * 3)
    found = explain(model, events)
    p = model.log_prob(events).double().exp().view(4, 4, 4)
    for index in range(3):
        given = (p / p.sum(index, keepdim=True)).movedim(index, 2)
        expected = (given[:, :, None, :] * (given[:, :, None, :] <= given[..., None] * (1 + 1e-9))).sum(3)
        tails = found.tails[:, index].view(4, 4, 4).movedim(index, 2)
        assert torch.allclose(tails, expected, atol=1e-5)
        for level in (0.05, 0.2, 0.5):
            assert p.movedim(index, 2)[tails <= level].sum() <= level + 1e-5
    assert torch.allclose(found.shares[0, 0].sum(), found.shares[0, 0, :3].sum())
    assert found.quantiles.isnan().all()


def mixed() -> AutoregressiveModel:
    columns = [
        Categorical(3),
        WithMissing(Bernoulli()),
        Gaussian(),
        WithMissing(WithAtoms(Gaussian(), [0.0])),
        Curved([0.0, 3.0, 10.0], [-1.0, 0.0, 1.0], lower=-0.5, cells=True),
        WithAtoms(Curved([0.0, 3000.0, 9000.0], [-1.0, 0.0, 1.0], cells=True), [0.0, 5000.0]),
    ]
    return MADE(event_shape=(6,), conditional=Columns(columns), hidden_sizes=[16])


@pytest.mark.parametrize("members", [1, 2])
def test_tails_are_valid_whatever_the_family(members: int) -> None:
    """P(tail <= a) <= a on rows of the model: categories, missing values, atoms, few and many integers; mixtures."""
    torch.manual_seed(3)
    models = [mixed() for _ in range(members)]
    model = models[0] if members == 1 else Ensemble(models=models)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    x = sample(model, 400, seed=4)
    found = explain(model, x)
    assert ((found.tails >= 0) & (found.tails <= 1)).all()
    assert found.suspicion.isfinite().all()
    for level in (0.02, 0.1, 0.3, 0.6):
        shares = (found.tails <= level).double().mean(0)
        assert (shares <= level + 4 * math.sqrt(level * (1 - level) / len(x))).all(), (level, shares)
    densities = found.tails[:, 2]
    assert stats.kstest(densities.numpy(), "uniform").pvalue > 0.001
    gaps = x[:, 3].isnan()
    assert gaps.any()
    assert torch.allclose(found.missing[:, 3].mean(), gaps.double().mean(), atol=0.1)


def test_curves_of_exponential_tails_are_exact() -> None:
    """A density e^-x from five places, and the geometric distribution 0.5^(k + 1) from four."""
    places = torch.tensor([[0.0, 0.5, 2.0, 7.0, 20.0]]).double()
    curve = Curves.of(places, -places, torch.zeros_like(places, dtype=torch.bool), 0.0)
    for place in (0.5, 7.0, 20.0):
        assert torch.allclose(curve.tails(torch.tensor([place]).double())[1].log(), torch.tensor(-place).double())
    assert torch.allclose(curve.quantiles(torch.tensor([[0.25, 0.9]])), -torch.tensor([[0.75, 0.1]]).log().double())
    counts = torch.tensor([[0.0, 1.0, 5.0, 9.0]]).double()
    curve = Curves.of(counts, counts * math.log(0.5), torch.zeros_like(counts, dtype=torch.bool), 1.0)
    assert torch.allclose(curve.tails(torch.tensor([5.0]).double())[1], torch.tensor(0.5**5).double())
    assert torch.allclose(curve.log_total().exp(), torch.tensor(2.0).double())
    assert curve.quantiles(torch.tensor([[0.4, 0.6, 0.95]])).tolist() == [[0.0, 1.0, 4.0]]


def test_a_spike_says_nothing_about_its_neighbours() -> None:
    """Half of the probability is at the atom 1 of the density e^-x."""
    places = torch.tensor([[0.0, 0.5, 1.0, 2.0, 20.0]]).double()
    logs = torch.where(places == 1, 0.0, -places)
    curve = Curves.of(places, logs, places == 1, 0.0)
    below, above = curve.tails(torch.tensor([1.0]).double())
    assert torch.allclose(below, torch.tensor(0.5 * (1 - math.exp(-1)) + 0.5).double())
    assert torch.allclose(above, torch.tensor(0.5 * math.exp(-1) + 0.5).double())


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one example"):
        explain(Pair(), torch.zeros(0, 2))
    with pytest.raises(ValueError, match="shape"):
        explain(Pair(), torch.zeros(3, 5))
