"""Curves, regressions, and the MADE on what they leave."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from chainrule.conditionals import Bernoulli, Columns, Gaussian, LogisticMixture, Standardised, WithMissing
from chainrule.models import MADE, WhitenedMADE
from chainrule.nn.curves import STRAIGHT, Curve, likeliest_curve
from chainrule.runs import folder

pytestmark = pytest.mark.quick


def curve(place: float, bend: float, shift: float = 0.3, scale: float = 0.5) -> Curve:
    numbers = (torch.tensor([value], dtype=torch.float64) for value in (5.0, 2.0, place, bend, shift, scale))
    return Curve(*numbers, real=torch.tensor([True]))


def start(x: torch.Tensor, conditional: object, order: object = "raster") -> WhitenedMADE:
    torch.manual_seed(0)
    model = WhitenedMADE(event_shape=x.shape[1:], conditional=conditional, hidden_sizes=[8], order=order)
    model.start_at(x)
    return model.eval()


def correlated(count: int, seed: int = 0) -> torch.Tensor:
    mixing = torch.tensor([[1.0, 0.0, 0.0], [0.99, 0.1, 0.0], [0.5, 2.0, 0.3]])
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed)) @ mixing.T + torch.tensor([3.0, -1, 50])


@pytest.mark.parametrize(("place", "bend"), [(0.0, STRAIGHT), (-1.5, 0.2), (3.0, 1.0)])
def test_a_curve_is_undone_and_its_slope_is_its_derivative(place: float, bend: float) -> None:
    units = curve(place, bend)
    x = torch.linspace(-20, 40, 50, dtype=torch.float64, requires_grad=True).unsqueeze(1)
    x.retain_grad()
    z = units.z(x)
    z.sum().backward()
    assert torch.allclose(units.x(z), x, rtol=1e-6)
    assert torch.allclose(units.log_scale(z, x), -x.grad.log(), atol=1e-6)


def test_the_likeliest_curve_undoes_a_logarithm_and_leaves_a_gaussian_alone() -> None:
    gaussian = torch.randn(1000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    skewed = gaussian.exp()
    u = torch.cat([gaussian, (skewed - skewed.mean()) / skewed.std()], dim=1)
    place, bend = likeliest_curve(u)
    assert bend[0] == STRAIGHT
    bent = ((u[:, 1] - place[1]) / bend[1]).asinh()
    assert bent.sub(bent.mean()).pow(3).mean().abs() < 0.3 * bent.std() ** 3
    assert bend[1] < 1


@pytest.mark.parametrize("order", ["raster", "reversed", "random:1"])
def test_training_starts_at_the_joint_gaussian(order: str) -> None:
    x = correlated(2000)
    model = start(x, Gaussian(), order)
    joint = MultivariateNormal(x.mean(0), x.T.cov())
    assert math.isclose(model.log_prob(x).mean().item(), joint.log_prob(x).mean().item(), abs_tol=0.01)


def test_noise_is_left_alone() -> None:
    noise = torch.randn(80, 20, generator=torch.Generator().manual_seed(0))
    plain = MADE(event_shape=(20,), conditional=Gaussian(), hidden_sizes=[8])
    plain.start_at(noise)
    fresh = torch.randn(1000, 20, generator=torch.Generator().manual_seed(1))
    assert start(noise, Gaussian()).log_prob(fresh).mean() > plain.log_prob(fresh).mean() - 0.2


def test_clumps_are_at_least_as_likely_as_they_are_apart() -> None:
    chosen = torch.randint(3, (300, 2), generator=torch.Generator().manual_seed(0))
    clumps = torch.tensor([0.0, 1.0, 5.0])[(chosen[:, :1] + torch.tensor([0, 1]) * chosen) % 3]
    plain = MADE(event_shape=(2,), conditional=LogisticMixture(3), hidden_sizes=[8])
    plain.start_at(clumps)
    assert start(clumps, LogisticMixture(3)).log_prob(clumps).mean() > plain.log_prob(clumps).mean() - 0.01


def test_gaps_and_categories_are_read_and_stay() -> None:
    x = correlated(400)
    x[:, 0] = (x[:, 0] > 3).float()
    x[::3, 1] = torch.nan
    conditional = Columns([Bernoulli(), WithMissing(Gaussian()), Standardised(Gaussian(), 50.0, 2.0)])
    model = start(x, conditional)
    assert model.whitening.real.tolist() == [False, True, True]
    plain = MADE(event_shape=(3,), conditional=conditional, hidden_sizes=[8])
    plain.start_at(x)
    assert model.log_prob(x).mean() > plain.log_prob(x).mean() + 0.3


def test_a_run_keeps_its_whitening(tmp_path: object) -> None:
    x = correlated(100)
    model = start(x, Gaussian())
    folder.save(model, tmp_path)
    assert torch.equal(folder.load(tmp_path).log_prob(x), model.log_prob(x))


def test_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expects an event_shape \(n,\), a row of a table, got \(1, 2, 2\)"):
        WhitenedMADE(event_shape=(1, 2, 2), conditional=Gaussian())
