"""Explanations from the past: tail probabilities that keep their law on samples of every model of the zoo."""

from __future__ import annotations

import pytest
import torch
import zoo
from scipy import stats
from torch import Tensor

from chainrule.batch import Batch
from chainrule.conditionals import Bernoulli, Categorical, DiscretizedLogisticMixture, Gaussian, GaussianMixture
from chainrule.model import AutoregressiveModel
from chainrule.models import FVSBN, MADE, NADE, RNN, Ensemble, Table
from chainrule.tasks.explain_past import explain_past, explain_stream
from chainrule.tasks.sample import sample

COUNT = 1000
LEVELS = (0.01, 0.05, 0.2, 0.5)


def sampled(model: AutoregressiveModel) -> tuple[Tensor, Tensor | None]:
    """Samples of a model, and what they are conditioned on."""
    context = None if model.num_classes is None else torch.arange(COUNT) % model.num_classes
    if (size := getattr(model, "frame_size", None)) is not None:
        frames = -(-model.num_variables // model.config["hop"])
        context = torch.randn(COUNT, frames, size, generator=torch.Generator().manual_seed(0))
    return sample(model, COUNT, seed=3, context=context), context


def one_of_each() -> list[str]:
    """A name of the zoo for each model, and for each model of numbers and each conditional of those."""
    found = {}
    for name in zoo.ZOO:
        model = zoo.model_of(name)
        family = name.removeprefix(f"{model}, ").split(", (")[0]
        found[model, family if name in zoo.REAL else ""] = name
    return list(found.values())


@pytest.mark.parametrize("name", one_of_each())
def test_a_tail_is_at_most_a_with_a_probability_of_at_most_a(name: str) -> None:
    model = zoo.ZOO[name]()
    tails = explain_past(model, *sampled(model)).tails
    if "Gaussian mixture" in name or ", Logistic mixture" in name:  # of a density they are uniform
        assert min(stats.kstest(column.numpy(), "uniform").pvalue for column in tails.unbind(1)) > 1e-4
    assert ((tails > 0) & (tails <= 1)).all()
    for level in LEVELS:
        error = (level * (1 - level) / COUNT) ** 0.5
        assert (tails <= level).double().mean(0).max() <= level + 4.5 * error


def test_the_tail_of_a_listed_value_is_the_mass_at_most_as_probable() -> None:
    """The mixture's conditionals of a table, by Bayes' rule, along an order of its own."""
    torch.manual_seed(0)
    tables = [Table(event_shape=(2,), conditional=Categorical(3), order="reversed") for _ in range(2)]
    for table in tables:
        for parameter in table.parameters():
            parameter.data.normal_(0, 2)
    model = Ensemble(models=tables)
    events = torch.cartesian_prod(torch.arange(3.0), torch.arange(3.0))
    found = explain_past(model, events)
    p = model.log_prob(events).detach().double().exp().view(3, 3)
    last = p.sum(0)  # of the second variable, which comes first
    given = p / last
    for index, event in enumerate(events.long().tolist()):
        own = given[:, event[1]]
        assert found.tails[index, 0].item() == pytest.approx(float(own[own <= own[event[0]] + 1e-9].sum()), abs=1e-5)
        assert found.tails[index, 1].item() == pytest.approx(float(last[last <= last[event[1]] + 1e-9].sum()), abs=1e-5)
        assert found.likeliest[index, 0, 0] == own.argmax()
        assert found.shares[index, 0, 0].item() == pytest.approx(float(own.max()), abs=1e-5)


def test_quantiles_and_tails_are_those_of_the_conditional() -> None:
    model = FVSBN(event_shape=(2,), conditional=Gaussian())
    for parameter in model.parameters():
        parameter.data.zero_()
    found = explain_past(model, torch.tensor([[0.0, 3.0], [-8.0, -1.0]]))
    assert torch.allclose(found.quantiles[0, 0], torch.tensor([-1.645, 0.0, 1.645]).double(), atol=0.2)
    expected = torch.from_numpy(2 * stats.norm.sf([[0.0, 3.0], [8.0, 1.0]])).clamp(min=1e-7)
    assert torch.allclose(found.tails.log(), expected.log(), atol=0.2)


def test_many_levels_are_numbers_and_their_tails_include_the_value() -> None:
    """Of 4096 levels by the cdf, as by the probabilities of all."""
    family = DiscretizedLogisticMixture(4096, components=2)
    model = FVSBN(event_shape=(1,), conditional=family)
    x = torch.tensor([[0.0], [100.0], [4095.0]])
    found = explain_past(model, x)
    p = model(x).log_prob(torch.arange(4096.0)[:, None, None]).detach().double().exp()[:, :, 0]
    below = torch.stack([p[: int(value) + 1, i].sum() for i, value in enumerate(x[:, 0])])
    above = torch.stack([p[int(value) :, i].sum() for i, value in enumerate(x[:, 0])])
    assert torch.allclose(found.tails[:, 0], (2 * torch.minimum(below, above)).clamp(max=1.0), atol=1e-4)
    assert found.likeliest.isnan().all()


def test_a_stream_is_explained_as_the_whole_sequence() -> None:
    torch.manual_seed(0)
    model = RNN(event_shape=(8,), conditional=Categorical(5), hidden_size=6)
    x = torch.randint(5, (1, 40)).float()
    whole = explain_past(model, x)
    item = torch.zeros(1, dtype=torch.long)
    chunks = [Batch(part, None, item, continues=i > 0) for i, part in enumerate(x.split(7, dim=1))]
    chosen = torch.tensor([0, 6, 7, 39])
    found = explain_stream(model, chunks, chosen)
    assert torch.allclose(found.tails, whole.tails[0, chosen], atol=1e-5)
    assert torch.equal(found.likeliest, whole.likeliest[0, chosen])
    with pytest.raises(ValueError, match="places below 40"):
        explain_stream(model, chunks, torch.tensor([3, 40]))


def test_the_same_examples_have_the_same_explanation() -> None:
    """Also where an order is drawn for each, and where a quantile is that of samples."""
    nade = NADE(event_shape=(3,), conditional=Bernoulli(), hidden_size=4, order_agnostic=True)
    model = Ensemble(models=[nade], variants=3)
    x = sample(model, 20, seed=0)
    assert torch.equal(explain_past(model, x).tails, explain_past(model, x).tails)
    made = MADE(event_shape=(3,), conditional=GaussianMixture(2), hidden_sizes=[8])
    x = sample(made, 5, seed=0)
    assert torch.equal(explain_past(made, x).quantiles, explain_past(made, x).quantiles)


def test_what_does_not_fit_is_refused() -> None:
    model = FVSBN(event_shape=(3,), conditional=Bernoulli())
    with pytest.raises(ValueError, match="at least one example"):
        explain_past(model, torch.zeros(0, 3))
    with pytest.raises(ValueError, match="shape"):
        explain_past(model, torch.zeros(2, 4))
