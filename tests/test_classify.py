"""Classification by Bayes' rule and representation, against the formulas."""

import pytest
import torch

import chainrule
from chainrule.conditionals import Bernoulli
from chainrule.model import AutoregressiveModel
from chainrule.models import FVSBN, MADE, NADE, Ensemble, Table
from chainrule.tasks.classify import classify_progressively
from chainrule.testing import randomised

pytestmark = pytest.mark.quick

X = torch.tensor([[0.0, 1.0, 1.0, 0.0], [1.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]])


def made(**arguments: object) -> AutoregressiveModel:
    made = MADE(
        event_shape=(4,), conditional=Bernoulli(), hidden_sizes=[9], num_classes=3, order="random:1", **arguments
    )
    return randomised(made, scale=2.0)


@pytest.mark.parametrize("prior", [None, torch.tensor([0.5, 0.2, 0.3])])
def test_is_bayes_rule(prior: torch.Tensor | None) -> None:
    model = made()
    joint = torch.stack([model.log_prob(X, torch.full((3,), c)).exp() for c in range(3)], dim=1).detach()
    joint = joint * (torch.ones(3) if prior is None else prior)
    found = chainrule.classify(model, X, prior=prior, batch_size=2).exp()
    assert torch.allclose(found, (joint / joint.sum(1, keepdim=True)).double(), atol=1e-6)


@pytest.mark.parametrize("model", [made(), Ensemble(models=[made(num_masks=2)], variants=2)], ids=["MADE", "Ensemble"])
def test_progressively_goes_from_the_prior_to_the_whole(model: AutoregressiveModel) -> None:
    prior = torch.tensor([0.5, 0.2, 0.3])
    found = classify_progressively(model, X, prior=prior)
    assert found.shape == (3, 5, 3)
    assert torch.allclose(found[:, 0], prior.double().log().expand(3, -1), atol=1e-6)
    assert torch.allclose(found[:, -1], chainrule.classify(model, X, prior=prior), atol=1e-5)
    known = torch.zeros(4, dtype=torch.bool)
    known[model.order.permutation[:2]] = True
    events = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4)
    same = events[(events[:, known] == X[0, known]).all(1)]
    part = torch.stack([model.log_prob(same, torch.full((4,), c)).exp().sum() for c in range(3)]).detach() * prior
    assert torch.allclose(found[0, 2].exp(), (part / part.sum()).double(), atol=1e-6)


def test_what_is_impossible_in_every_class_says_nothing_of_it() -> None:
    model = Table(event_shape=(2,), conditional=Bernoulli(), num_classes=2, prior=0)
    model.count([(torch.tensor([[0.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1]))])
    x, prior = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0.3, 0.7])
    expected = torch.tensor([[0.3, 0.7], [0.0, 1.0]], dtype=torch.double)
    assert torch.allclose(chainrule.classify(model, x, prior=prior).exp(), expected)
    assert torch.allclose(classify_progressively(model, x, prior=prior)[:, -1].exp(), expected)


def test_needs_classes_and_a_distribution_over_them() -> None:
    with pytest.raises(ValueError, match="classify expects a model with num_classes, got a FVSBN without"):
        chainrule.classify(FVSBN(event_shape=(4,), conditional=Bernoulli()), X)
    with pytest.raises(ValueError, match="prior expects probabilities of 3 classes, got the shape .*2.*, sum 1"):
        chainrule.classify(made(), X, prior=torch.tensor([0.5, 0.5]))


class TestRepresent:
    def test_nade_gives_the_hidden_layer_that_has_seen_everything(self) -> None:
        model = randomised(NADE(event_shape=(4,), conditional=Bernoulli(), hidden_size=5, order="reversed"))
        expected = torch.sigmoid(model.hidden_bias + X @ model.input_weight)
        assert torch.allclose(chainrule.represent(model, X, batch_size=2), expected, atol=1e-6)

    def test_made_gives_its_last_layer(self) -> None:
        made = MADE(event_shape=(4,), conditional=Bernoulli(), hidden_sizes=[9, 7], dropout=0.5).train()
        features = chainrule.represent(made, X)
        assert features.shape == (3, 7)
        assert torch.equal(features, chainrule.represent(made, X))
        assert made.training

    def test_an_ensemble_gives_its_members_side_by_side(self) -> None:
        model = NADE(event_shape=(4,), conditional=Bernoulli(), hidden_size=5, order_agnostic=True)
        assert chainrule.represent(Ensemble(models=[model], variants=3), X).shape == (3, 15)

    def test_needs_a_hidden_layer(self) -> None:
        with pytest.raises(ValueError, match="features expects a model with hidden layers, got FVSBN, which has none"):
            chainrule.represent(FVSBN(event_shape=(4,), conditional=Bernoulli()), X)
