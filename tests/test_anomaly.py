"""Anomaly scores by their definitions, and purification beside a brute-force search."""

from __future__ import annotations

import math
import zlib

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from zoo import ZOO, model_of

import chainrule
from chainrule.abilities import components_of
from chainrule.conditionals import Bernoulli, Categorical, Gaussian
from chainrule.model import AutoregressiveModel
from chainrule.models import FVSBN, MADE, NADE, Ensemble, PixelCNN
from chainrule.tasks.anomaly import anomaly_scores, compressed_nats
from chainrule.tasks.calibration import Calibration
from chainrule.tasks.evaluate import log_prob
from chainrule.tasks.purify import purify
from chainrule.testing import randomised
from chainrule.testing.probes import random_events
from chainrule.testing.subjects import random_context


def image_model() -> AutoregressiveModel:
    torch.manual_seed(0)
    return randomised(PixelCNN(event_shape=(1, 3, 3), conditional=Categorical(4), hidden_size=12, num_blocks=1)).eval()


def by_brute_force(model: AutoregressiveModel, x: Tensor, epsilon: int) -> Tensor:
    """The paper's algorithm for one example: a whole pass for every pixel, and a loop over the values nearby.

    Unlike in the paper, the example stays as it is if its p would not rise.
    """
    purified = x.clone()
    for position in model.order.permutation.tolist():
        with torch.no_grad():
            distribution = model.conditional.at(model(purified[None]), position)
        given = int(x.flatten()[position])
        best, most = given, -math.inf
        for value in range(max(0, given - epsilon), min(3, given + epsilon) + 1):
            probable = distribution.log_prob(torch.tensor([float(value)])).item()
            if probable > most:
                best, most = value, probable
        purified.view(-1)[position] = best
    with torch.no_grad():
        return purified if model.log_prob(purified[None]) > model.log_prob(x[None]) else x


@pytest.mark.parametrize("epsilon", [1, 2])
def test_purify_is_the_papers_algorithm(epsilon: int) -> None:
    model = image_model()
    x = torch.randint(4, (8, 1, 3, 3)).float()
    got = purify(model, x, epsilon)
    expected = torch.stack([by_brute_force(model, example, epsilon) for example in x])
    assert torch.equal(got, expected)
    assert (got - x).abs().max() <= epsilon
    assert not torch.equal(got, x)


@pytest.mark.parametrize("order", ["raster", "reversed", "random:3"])
def test_purify_along_any_order(order: str) -> None:
    model = randomised(MADE(event_shape=(5,), conditional=Categorical(4), hidden_sizes=[20], order=order)).eval()
    x = torch.randint(4, (6, 5)).float()
    assert torch.equal(purify(model, x, 1), torch.stack([by_brute_force(model, example, 1) for example in x]))


def test_a_distance_of_nothing_gives_the_example_back() -> None:
    x = torch.randint(4, (4, 1, 3, 3)).float()
    assert torch.equal(purify(image_model(), x, 0), x)


ONE_ORDER = {model_of(name): name for name in ZOO if ", Categorical, " in name and "(1,)" not in name}
"""A name in the zoo for each model."""


@pytest.mark.parametrize("name", ONE_ORDER.values(), ids=ONE_ORDER)
def test_purification_never_lowers_p(name: str) -> None:
    model = randomised(ZOO[name]()).eval()
    if len(components_of(model)) > 1:
        pytest.skip("a mixture over orders is not purified")
    x = random_events(model, 64)
    context = random_context(model, 64)
    purified = purify(model, x, 1, context=context)
    before, after = (log_prob(model, each, context=context) for each in (x, purified))
    assert bool((after >= before - 1e-4).all())  # log p is rounded in one batch as it is not in another
    assert bool((after > before + 0.1).any())


def test_an_example_stays_where_the_greedy_search_would_lower_p() -> None:
    model = FVSBN(event_shape=(2,), conditional=Bernoulli())
    with torch.no_grad():
        model.regressions.bias.copy_(torch.tensor([0.04, -10.0]))  # 1 first is a little more probable,
        model.regressions.weight[1, 0] = 10.0  # but then nothing is known of the second
    greedy = torch.tensor([[1.0, 0.0]])
    assert model.log_prob(greedy) < model.log_prob(torch.zeros(1, 2)) - 0.5
    assert torch.equal(purify(model, torch.tensor([[0.0, 0.0], [0.0, 1.0]]), 1), torch.tensor([[0.0, 0.0], [1.0, 0.0]]))


def test_what_purify_refuses() -> None:
    model = image_model()
    with pytest.raises(ValueError, match="batch_size expects at least 1, got 0"):
        purify(model, torch.zeros(1, 1, 3, 3), 1, batch_size=0)
    with pytest.raises(ValueError, match="0 or more, got -1"):
        purify(model, torch.zeros(1, 1, 3, 3), -1)
    with pytest.raises(ValueError, match="integers from 0 to 3, got 7"):
        purify(model, torch.full((1, 1, 3, 3), 7.0), 1)
    with pytest.raises(ValueError, match="values that can be listed"):
        purify(FVSBN(event_shape=(2,), conditional=Gaussian()), torch.zeros(1, 2), 1)
    orders = NADE(event_shape=(3,), conditional=Categorical(3), hidden_size=4, order_agnostic=True)
    with pytest.raises(ValueError, match="a model of one order"):
        purify(Ensemble(models=[orders], variants=2), torch.zeros(1, 3), 1)


def test_pvalues_of_like_examples_are_uniform() -> None:
    torch.manual_seed(0)
    calibration = Calibration.of(torch.randn(2000))
    assert stats.kstest(calibration.pvalues(torch.randn(2000)).numpy(), "uniform").statistic < 0.05


def test_the_scores_by_their_definitions() -> None:
    torch.manual_seed(0)
    train, background = torch.randn(50), torch.randn(6)
    new = train[:6] + 0.01  # none is less probable than all of them: ranks, and no tail
    calibration = Calibration.of(train)
    assert torch.equal(anomaly_scores("nll", new), -new.double())
    shares = [(1 + sum(float(t) <= float(x) for t in train)) / 51 for x in new]
    got = anomaly_scores("pvalue", new, calibration=calibration)
    torch.testing.assert_close(got, -torch.tensor(shares, dtype=torch.float64).log())
    typical = (-new.double() + train.double().mean()).abs()
    torch.testing.assert_close(anomaly_scores("typicality", new, calibration=calibration), typical)
    grouped = (new.double().view(2, 3).mean(1) - train.double().mean()).abs()
    torch.testing.assert_close(calibration.typicality(new, group=3), grouped)
    ratio = anomaly_scores("ratio", new, background=background)
    torch.testing.assert_close(ratio, background.double() - new.double())
    x = torch.randint(256, (6, 1, 4, 4)).float()
    nats = torch.tensor([8 * math.log(2) * len(zlib.compress(e.numpy().astype(np.uint8).tobytes(), 9)) for e in x])
    torch.testing.assert_close(compressed_nats(x), nats.double(), rtol=1e-6, atol=0)
    torch.testing.assert_close(anomaly_scores("complexity", new, complexity=nats), -new.double() - nats.double())


def test_what_no_model_finds_possible_is_strange() -> None:
    impossible = torch.tensor([-math.inf, -3.0])
    assert anomaly_scores("ratio", impossible, background=impossible).tolist() == [math.inf, 0.0]


def test_levels_say_how_values_are_compressed() -> None:
    x = torch.arange(40.0)[None]
    assert compressed_nats(x, levels=300) > compressed_nats(x)


def test_what_scores_refuse() -> None:
    with pytest.raises(ValueError, match="expects one of nll, pvalue, typicality, ratio, complexity, got 'likelihood'"):
        anomaly_scores("likelihood", torch.zeros(2))
    with pytest.raises(ValueError, match="the score pvalue expects a calibration, got none"):
        anomaly_scores("pvalue", torch.zeros(2))
    with pytest.raises(ValueError, match="at least one example"):
        Calibration.of(torch.zeros(0))
    with pytest.raises(ValueError, match="ascending"):
        Calibration(torch.tensor([1.0, 0.0]))
    with pytest.raises(ValueError, match="ascending"):
        Calibration.of(torch.tensor([1.0, math.nan]))
    with pytest.raises(ValueError, match="got NaN"):
        Calibration.of(torch.zeros(3)).pvalues(torch.tensor([math.nan]))
    with pytest.raises(ValueError, match=r"as many as log p, \(3,\), got \(1,\)"):
        anomaly_scores("ratio", torch.zeros(3), background=torch.zeros(1))
    with pytest.raises(ValueError, match="integers from 0 to 255, got -1.5"):
        compressed_nats(torch.tensor([[-1.5, 2.0]]))
    with pytest.raises(ValueError, match="at most 65536"):
        compressed_nats(torch.zeros(1, 2), levels=70_000)
    with pytest.raises(ValueError, match="a divisor of 5"):
        Calibration.of(torch.zeros(3)).typicality(torch.zeros(5), group=2)


def test_strange_examples_score_higher() -> None:
    torch.manual_seed(0)
    model = NADE(event_shape=(6,), conditional=Categorical(3), hidden_size=16)
    like = torch.arange(6).remainder(3).repeat(600, 1).float()
    like = torch.where(torch.rand(like.shape) < 0.1, torch.randint(3, like.shape).float(), like)
    chainrule.fit(model, like[:500], like[500:550], max_epochs=20, learning_rate=0.01, verbose=False)
    with torch.no_grad():
        calibration = Calibration.of(model.log_prob(like[:500]))
        new, strange = model.log_prob(like[550:]), model.log_prob(torch.randint(3, (50, 6)).float())
    for score in ("nll", "pvalue", "typicality"):
        usual, odd = (anomaly_scores(score, x, calibration=calibration) for x in (new, strange))
        assert odd.median() > usual.median()
