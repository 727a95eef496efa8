"""Completions by probability tables and Bayesian networks, against enumeration."""

import itertools
import math
import random
from collections.abc import Callable
from functools import partial

import pytest
import torch
from counted import BINARY, EDGES, data, each_family
from torch import Tensor

import chainrule
from chainrule.conditionals import Conditional
from chainrule.model import AutoregressiveModel, CountedModel
from chainrule.models import BayesNet, Ensemble, Table
from chainrule.tasks.marginal import marginal
from chainrule.testing import randomised
from chainrule.testing.probes import all_events


def random_forest(n: int, seed: int) -> list[list[int]]:
    generator = random.Random(seed)
    positions = generator.sample(range(n), n)
    return [[positions[generator.randrange(t)], positions[t]] for t in range(1, n) if generator.random() < 0.85]


def values_table(model: AutoregressiveModel, x: Tensor, context: Tensor | None) -> Tensor:
    distribution = model(x, context)
    return torch.stack([distribution.log_prob(value.expand(x.shape)) for value in model.conditional.values], dim=-1)


@pytest.mark.parametrize("classes", [None, 2])
@pytest.mark.parametrize("seed", range(5))
@each_family
def test_lookahead_is_exact(family: Conditional, seed: int, classes: int | None) -> None:
    """p(x_t | x_<t, known) and p(known), as against enumeration, for every set of known variables."""
    model = randomised(
        BayesNet(event_shape=(1, 5), conditional=family, structure=random_forest(5, seed), num_classes=classes),
        scale=3.0,
    ).double()
    assert isinstance(model, BayesNet)
    events = all_events(model)
    labels = None if classes is None else torch.randint(classes, (1,)).expand(len(events))
    joint = model.log_prob(events, labels).exp()
    conditionals = model.order.flatten(values_table(model, events, labels))
    sequences = model.order.flatten(events).int()
    generator = torch.Generator().manual_seed(seed)
    for known in itertools.islice(itertools.product([False, True], repeat=5), seed % 2, None, 3):
        x = events[torch.randint(len(events), (1,), generator=generator)]
        observed = torch.tensor(known).view(1, 5)
        ahead = model.lookahead(x, observed, None if labels is None else labels[:1])
        assert ahead is not None
        assert ahead.shape == (1, 5, len(family.values))
        fits = (events == x)[:, observed].all(1)
        weights = joint * fits
        # the conditionals of the walk, times each other, are p(unknown | known)
        posterior = (conditionals + ahead).log_softmax(-1)
        walked = posterior.gather(-1, sequences[..., None].long()).squeeze(-1).sum(1).exp()
        torch.testing.assert_close(walked.nan_to_num(0.0) * fits, weights / weights.sum(), rtol=1e-10, atol=1e-12)
        # each tree's evidence is that of its root
        roots = [t for t, i in enumerate(model.positions) if not model.parents[i]]
        evidence = (conditionals[0] + ahead[0]).logsumexp(-1)[roots].sum().exp()
        torch.testing.assert_close(evidence, weights.sum(), rtol=1e-10, atol=1e-15)


def test_lookahead_needs_single_parents() -> None:
    model = BayesNet(event_shape=(4,), conditional=BINARY, structure=EDGES["two parents"])
    assert model.lookahead(torch.zeros(1, 4), torch.tensor([True, False, False, True])) is None


@pytest.mark.parametrize("classes", [None, 2])
@pytest.mark.parametrize("order", ["reversed", "random:3", "raster"])
@each_family
def test_a_reordered_table_is_the_same_joint(family: Conditional, order: str, classes: int | None) -> None:
    model = Table(event_shape=(1, 2, 2), conditional=family, order="random:1", prior=0.0, num_classes=classes).double()
    x, labels = data(family, (1, 2, 2), 15, classes)  # few, so that much is impossible
    for subject in (model, randomised(model)):
        assert isinstance(subject, Table)
        if subject is model:
            model.count([(x, labels)])
        other = subject.reordered(order)
        assert other.order.permutation.equal(chainrule.order.Order(order, (1, 2, 2)).permutation)
        events = all_events(model)
        context = None if classes is None else torch.arange(len(events)) % classes
        got, expected = other.log_prob(events, context), subject.log_prob(events, context)
        torch.testing.assert_close(got.exp(), expected.exp(), rtol=1e-12, atol=1e-15)
        assert got.isinf().equal(expected.isinf())
    assert (model.reordered("random:1")) is model


@pytest.mark.parametrize("build", [Table, partial(BayesNet, structure="previous:1"), BayesNet])
def test_an_impossible_completion_says_so(build: Callable[..., CountedModel]) -> None:
    model = build(event_shape=(3,), conditional=BINARY, prior=0)
    model.count([(torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]]), None)])
    x = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    for observed in ([False, False, True], [True, False, True]):
        with pytest.raises(ValueError, match=r"possible under the model, got p = 0 for example 1"):
            chainrule.complete(model, x, torch.tensor(observed), seed=0)
        with pytest.raises(ValueError, match=r"possible under the model, got p = 0 for example 1"):
            marginal(model, x, torch.tensor(observed), seed=0)


@pytest.mark.parametrize("particles", [1, 16])
def test_an_impossible_completion_by_particles_says_so(particles: int) -> None:
    members = [BayesNet(event_shape=(4,), conditional=BINARY, prior=0, structure="previous:2") for _ in range(2)]
    for member in members:
        member.count([(torch.tensor([[0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]]), None)])
    model = Ensemble(models=members)
    x, observed = torch.tensor([[0.0, 0.0, 1.0, 0.0]]), torch.tensor([False, False, True, True])
    tried = rf"p = 0, or too few particles \({particles}\) to meet its values, for example 0"
    with pytest.raises(ValueError, match=f"possible under the model, got {tried}"):
        chainrule.complete(model, x, observed, particles=particles, seed=0)


def test_an_ensemble_goes_on_after_what_all_members_exclude() -> None:
    members = [Table(event_shape=(3,), conditional=BINARY, prior=0) for _ in range(2)]
    for member in members:
        member.count([(torch.tensor([[0.0, 0.0, 1.0]]), None)])
    model = Ensemble(models=members)
    x = torch.tensor([[1.0, 0.0, 1.0]])
    assert model.log_prob(x).tolist() == [-math.inf]
    assert not model(x).log_prob(x).isnan().any()
