"""Completion and marginals of any known set, against enumeration."""

import itertools
import math
import warnings
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

import chainrule
from chainrule.conditionals import Bernoulli, Categorical, Conditional, DiscretizedLogisticMixture
from chainrule.model import AutoregressiveModel, CountedModel
from chainrule.models import FVSBN, MADE, NADE, BayesNet, Ensemble, Table
from chainrule.tasks.complete import completion
from chainrule.tasks.marginal import hidden_nats, marginal
from chainrule.testing import randomised

pytestmark = pytest.mark.quick

OBSERVED = torch.tensor([False, True, False, True, True])
"""Known variables that come after unknown ones in every order tried here."""


def events(conditional: Conditional, n: int) -> Tensor:
    values = conditional.values
    assert values is not None
    return torch.cartesian_prod(*[values] * n)


def nade(conditional: Conditional, **arguments: object) -> AutoregressiveModel:
    """Far from independent: later values say much about earlier ones."""
    torch.manual_seed(0)
    return randomised(NADE(event_shape=(5,), conditional=conditional, hidden_size=6, **arguments), seed=3, scale=2.0)


def posterior(model: AutoregressiveModel, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Events that agree with ``x`` where observed, their p(event | known), and log p(known), all by enumeration."""
    possible = events(model.conditional, model.num_variables)
    possible = possible[(possible[:, observed] == x[observed]).all(1)]
    joint = model.log_prob(possible).double()
    return possible, joint.softmax(0), joint.logsumexp(0)


@torch.no_grad()
def clamping_error(model: AutoregressiveModel, x: Tensor) -> float:
    """The total variation between the distribution of a clamped walk and p(unknown | known)."""
    possible, expected, _ = posterior(model, x, OBSERVED)
    clamped = (model(possible).log_prob(possible) * ~OBSERVED).sum(1).exp()
    return float((clamped - expected).abs().sum() / 2)


def frequencies(x: Tensor, possible: Tensor) -> Tensor:
    return torch.stack([(x == event).all(1).double().mean() for event in possible])


@pytest.mark.parametrize("conditional", [Bernoulli(), Categorical(3)], ids=repr)
def test_many_particles_agree_with_enumeration(conditional: Conditional) -> None:
    model = nade(conditional)
    x = max(events(conditional, 5), key=lambda row: clamping_error(model, row))
    possible, expected, evidence = posterior(model, x, OBSERVED)
    done = completion(model, x.expand(4000, -1), OBSERVED, particles=256, seed=0)
    assert not done.exact
    assert "sequential Monte Carlo, 256 particles" in done.method
    assert torch.equal(done.x[:, OBSERVED], x[OBSERVED].expand(4000, -1))
    assert frequencies(done.x, possible).sub(expected).abs().max() < 0.03
    assert done.log_evidence.exp().mean().log().item() == pytest.approx(evidence.item(), abs=0.01)
    one = completion(model, x.expand(4000, -1), OBSERVED, particles=1, seed=0)
    assert frequencies(one.x, possible).sub(expected).abs().max() > 0.05, "one particle ignores later evidence"


@pytest.mark.parametrize("resampled", [True, False])
def test_the_evidence_is_unbiased(resampled: bool) -> None:
    model = nade(Bernoulli())
    x = torch.tensor([0.0, 1.0, 0.0, 0.0, 1.0])
    evidence = posterior(model, x, OBSERVED)[2]
    estimate = completion(model, x.expand(20_000, -1), OBSERVED, particles=4 if resampled else 1, seed=1).log_evidence
    spread = estimate.exp().std().item() / math.sqrt(20_000)
    assert estimate.exp().mean().item() == pytest.approx(evidence.exp().item(), abs=4 * spread)


@pytest.mark.parametrize("order", ["raster", "reversed", "random:2"])
def test_order_agnostic_models_complete_exactly(order: str) -> None:
    model = nade(Bernoulli(), order_agnostic=True, order=order)
    x = torch.tensor([0.0, 1.0, 0.0, 1.0, 0.0])
    done = completion(model, x.expand(8000, -1), OBSERVED, seed=0)
    assert done.exact
    assert "in another order" in done.method
    assert "not that of log_prob" in done.method
    assert done.effective_sample_size is None
    order_of_known = [int(i) for i in model.order.permutation if OBSERVED[i]]
    order_of_rest = [int(i) for i in model.order.permutation if not OBSERVED[i]]
    walked = model.reordered(order_of_known + order_of_rest)
    assert walked is not None
    possible, expected, evidence = posterior(walked, x, OBSERVED)
    assert frequencies(done.x, possible).sub(expected).abs().max() < 0.02
    assert done.log_evidence[0].item() == pytest.approx(evidence.item(), abs=1e-5)


def test_a_mixture_over_orders_completes_by_its_components() -> None:
    model = Ensemble(models=[nade(Bernoulli(), order="reversed"), nade(Bernoulli(), order="random:1")])
    x = torch.tensor([0.0, 1.0, 0.0, 1.0, 0.0])
    possible, expected, evidence = posterior(model, x, OBSERVED)
    done = completion(model, x.expand(4000, -1), OBSERVED, particles=128, seed=0)
    assert frequencies(done.x, possible).sub(expected).abs().max() < 0.03
    assert done.log_evidence.exp().mean().log().item() == pytest.approx(evidence.item(), abs=0.02)


def test_a_mixture_of_mixtures_completes_as_what_it_is() -> None:
    """A member that is a mixture itself counts as one member, however many components it has."""
    orders = Ensemble(models=[nade(Bernoulli(), order="reversed"), nade(Bernoulli(), order="random:1")])
    other = randomised(FVSBN(event_shape=(5,), conditional=Bernoulli()), seed=8, scale=2.0)
    model = Ensemble(models=[orders, other])
    assert len(model.components) == 4
    x = torch.tensor([0.0, 1.0, 0.0, 1.0, 0.0])
    possible, expected, evidence = posterior(model, x, OBSERVED)
    done = completion(model, x.expand(4000, -1), OBSERVED, particles=128, seed=0)
    assert frequencies(done.x, possible).sub(expected).abs().max() < 0.03
    assert done.log_evidence.exp().mean().log().item() == pytest.approx(evidence.item(), abs=0.02)


def counted(model: CountedModel, *rows: list[float]) -> CountedModel:
    model.count([(torch.tensor(rows), None)])
    return model


def test_an_ensemble_of_mixtures_is_a_mixture() -> None:
    """Conditionals that have no table of their own: all components of all members together."""
    mixture = DiscretizedLogisticMixture(3, components=2)
    members = [randomised(MADE(event_shape=(4,), conditional=mixture, hidden_sizes=[8]), seed=seed) for seed in (1, 2)]
    model, x = Ensemble(models=members), events(mixture, 4)
    joints = torch.stack([member.log_prob(x).exp() for member in members]).mean(0)
    assert torch.allclose(model(x).log_prob(x).sum(1).exp(), joints, atol=1e-6)
    assert joints.sum().item() == pytest.approx(1, abs=1e-5)
    drawn = chainrule.sample(model, 20_000, seed=0)
    assert frequencies(drawn, x).sub(joints).abs().sum() / 2 < 0.05


def test_an_ensemble_completes_exactly_where_each_member_does() -> None:
    rows = [[0.0, 0.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    members = [counted(build(event_shape=(3,), conditional=Categorical(2)), *rows) for build in (Table, BayesNet)]
    model = Ensemble(models=members)
    x, observed = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([False, False, True])
    possible, expected, evidence = posterior(model, x, observed)
    done = completion(model, x.expand(8000, -1), observed, seed=0)
    assert done.exact
    assert done.effective_sample_size is None
    assert frequencies(done.x, possible).sub(expected).abs().max() < 0.02
    assert done.log_evidence[0].item() == pytest.approx(evidence.item(), abs=1e-5)
    found = marginal(model, x[None], observed)
    assert (found.exact, found.stderr.item()) == (True, 0.0)
    assert found.log_prob.item() == pytest.approx(evidence.item(), abs=1e-5)


def test_a_member_that_excludes_what_is_known_leaves_it_to_the_others() -> None:
    table = partial(Table, event_shape=(3,), conditional=Categorical(2), prior=0)
    excludes, allows = counted(table(), [0.0, 0.0, 0.0]), counted(table(order="reversed"), [1.0, 0.0, 1.0])
    x, observed = torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([False, False, True])
    for members in ([excludes, allows], [allows, excludes]):
        done = completion(Ensemble(models=members), x.expand(50, -1), observed, seed=0)
        assert torch.equal(done.x, torch.tensor([[1.0, 0.0, 1.0]]).expand(50, -1))
        assert done.log_evidence[0].item() == pytest.approx(math.log(0.5))


def test_one_example_whose_particles_died_does_not_stop_the_others() -> None:
    """The known values are possible, but only one of 2^12 walks meets them."""
    rows = torch.cat([torch.eye(12).flip(0), torch.zeros(4000, 12)])
    rows = torch.cat([rows, (rows.sum(1, keepdim=True) > 0).float()], dim=1)
    model = BayesNet(event_shape=(13,), conditional=Categorical(2), structure="previous:12", prior=0)
    model.count([(rows, None)])
    x, observed = torch.zeros(2, 13), torch.arange(13) == 12
    x[1, 12] = 1.0
    with pytest.raises(ValueError, match=r"p = 0, or too few particles \(2\) to meet its values, for example 1"):
        completion(model, x, observed, particles=2, seed=0)
    found = marginal(model, x, observed, particles=64, repeats=64, seed=0)
    assert found.log_prob.exp().tolist() == pytest.approx([4000 / 4012, 12 / 4012], rel=0.5)
    assert (found.log_prob.exp()[1] - 12 / 4012).abs() < 4 * found.stderr[1] * found.log_prob.exp()[1]


@pytest.mark.parametrize("changed", [{"greedy": True}, {"temperature": 0.5}, {"top_k": 1}, {"top_p": 0.3}])
def test_changed_conditionals_are_not_called_exact(changed: dict[str, Any]) -> None:
    model, observed = nade(Categorical(3)), torch.tensor([True, False, False, False, False])
    assert completion(model, torch.zeros(2, 5), observed, seed=0).exact
    done = completion(model, torch.zeros(2, 5), observed, seed=0, **changed)
    assert not done.exact
    assert "changed conditionals, so not distributed as p(unknown | known)" in done.method


class TestMarginal:
    def test_is_within_its_standard_error(self) -> None:
        model = nade(Categorical(3))
        x = events(Categorical(3), 5)[::17]
        found = marginal(model, x, OBSERVED, particles=32, repeats=16, seed=0)
        expected = torch.stack([posterior(model, row, OBSERVED)[2] for row in x])
        assert not found.exact
        z = (found.log_prob - expected) / found.stderr
        assert z.abs().max() < 6
        assert 0.3 < z.square().mean().sqrt() < 2

    @pytest.mark.parametrize("observed", [torch.zeros(5), torch.ones(5), torch.tensor([1, 1, 0, 0, 0])])
    def test_is_exact_for_a_known_beginning(self, observed: Tensor) -> None:
        model = nade(Bernoulli())
        x = events(Bernoulli(), 5)[3:9]
        found = marginal(model, x, observed)
        expected = torch.stack([posterior(model, row, observed.bool())[2] for row in x])
        assert found.exact
        assert torch.equal(found.stderr, torch.zeros(6, dtype=torch.float64))
        assert torch.allclose(found.log_prob, expected, atol=1e-5)


class TestHiddenNats:
    def test_one_particle_is_the_clamped_walk(self) -> None:
        model, x = nade(Bernoulli()), events(Bernoulli(), 5)
        expected = -(model(x).log_prob(x) * ~OBSERVED).sum(1)
        assert torch.allclose(hidden_nats(model, x, OBSERVED, particles=1, seed=0), expected.double(), atol=1e-5)

    def test_many_particles_come_down_to_the_conditional(self) -> None:
        model, x = nade(Bernoulli()), events(Bernoulli(), 5)
        log_prob = model.log_prob(x).detach()
        exact = torch.stack([posterior(model, row, OBSERVED)[2].detach() for row in x]) - log_prob
        weights = log_prob.double().exp()
        many = x.repeat(200, 1)
        means = []
        for count in (1, 4, 100):
            nats = hidden_nats(model, many, OBSERVED, particles=count, seed=0).unflatten(0, (200, -1)).mean(0)
            means.append((nats * weights).sum().item())
        assert means[0] > means[1] > means[2]
        assert means[2] == pytest.approx((exact * weights).sum().item(), abs=0.01)

    def test_is_exact_in_any_order(self) -> None:
        model, x = nade(Bernoulli(), order_agnostic=True), events(Bernoulli(), 5)
        walked = model.reordered([1, 3, 4, 0, 2])
        assert walked is not None
        expected = -(walked(x).log_prob(x) * ~OBSERVED).sum(1)
        assert torch.allclose(hidden_nats(model, x, OBSERVED), expected.double(), atol=1e-5)


def test_a_collapse_is_warned_of() -> None:
    model = FVSBN(event_shape=(40,), conditional=Bernoulli())
    with torch.no_grad():
        model.regressions.weight.copy_(5 * torch.randn(40, 40, generator=torch.Generator().manual_seed(0)))
    x = torch.tensor([0.0, 1.0] * 20).expand(100, -1)
    observed = torch.arange(40) % 2 == 1
    with pytest.warns(UserWarning, match=r"effective sample size fell to \d\.\d of 4 particles"):
        chainrule.complete(model, x, observed, particles=4, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chainrule.complete(nade(Bernoulli()), torch.ones(3, 5), OBSERVED, particles=16, seed=0)


def test_settings_out_of_range() -> None:
    model, x = nade(Bernoulli()), torch.zeros(1, 5)
    with pytest.raises(ValueError, match="particles expects at least 1, got 0"):
        chainrule.complete(model, x, OBSERVED, particles=0)
    with pytest.raises(ValueError, match="repeats expects at least 2, got 1"):
        marginal(model, x, OBSERVED, repeats=1)


def test_seed_repeats() -> None:
    model, x = nade(Bernoulli()), torch.zeros(6, 5)
    first, second, other = (chainrule.complete(model, x, OBSERVED, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("variants", list(itertools.product([1, 3], [1, 2])))
def test_an_ensemble_is_the_mean_of_joints(variants: tuple[int, int]) -> None:
    count, models = variants
    parts = [
        randomised(MADE(event_shape=(4,), conditional=Bernoulli(), hidden_sizes=[9], num_masks=3), seed=i)
        for i in range(models)
    ]
    ensemble = Ensemble(models=parts, variants=count)
    x = events(Bernoulli(), 4)
    joints = torch.stack([part.variant(i).log_prob(x).exp() for part in parts for i in range(count)])
    assert torch.allclose(ensemble.log_prob(x).exp(), joints.mean(0), atol=1e-6)
    assert torch.allclose(ensemble(x).log_prob(x).sum(1), ensemble.log_prob(x), atol=1e-5)
    result = chainrule.evaluate(ensemble, x)
    assert result.member_nats == pytest.approx([-joint.log().mean().item() for joint in joints], rel=1e-5)
