"""The autoencoder: its loss and code by hand, and that nobody takes it for a generative model."""

import itertools

import pytest
import torch
from torch import Tensor

import chainrule
from chainrule.abilities import validation_loss
from chainrule.conditionals import Bernoulli, Categorical, Conditional
from chainrule.model import AutoregressiveModel, Model
from chainrule.models import Autoencoder

CONDITIONALS = [Bernoulli(), Categorical(3), Categorical(4, "scalar")]
SHAPES = [(1,), (4,), (2, 1, 3)]


def autoencoder(**arguments: object) -> Autoencoder:
    torch.manual_seed(0)
    model = Autoencoder(**{"event_shape": (4,), "conditional": Bernoulli(), "hidden_sizes": [5, 3], **arguments})
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape))
    return model.double()


def examples(model: Model, count: int = 9) -> Tensor:
    values = model.conditional.values
    assert values is not None
    return values[torch.randint(len(values), (count, *model.event_shape), generator=torch.Generator().manual_seed(3))]


def by_hand(model: Autoencoder, x: Tensor) -> tuple[Tensor, Tensor]:
    """The code, and the probabilities ``(B, n, K)`` of every value, layer by layer."""
    values = model.conditional.values
    assert values is not None
    column = x.flatten(1).double()
    if isinstance(model.conditional, Bernoulli):
        hidden = column
    elif model.conditional.num_features == 1:
        hidden = column / (len(values) - 1)
    else:
        hidden = torch.stack([(column == value).double() for value in values[1:]], dim=2).flatten(1)
    activate = torch.nn.ReLU() if model.activate is torch.relu else torch.nn.Sigmoid()
    weights = dict(model.named_parameters())
    for i in range(len(model.encoder)):
        hidden = activate(hidden @ weights[f"encoder.{i}.weight"].T + weights[f"encoder.{i}.bias"])
    code = hidden
    last = len(model.decoder) - 1
    for i in range(last + 1):
        hidden = hidden @ weights[f"decoder.{i}.weight"].T + weights[f"decoder.{i}.bias"]
        hidden = activate(hidden) if i < last else hidden
    if isinstance(model.conditional, Bernoulli):
        ones = 1 / (1 + torch.exp(-hidden))
        return code, torch.stack([1 - ones, ones], dim=2)
    return code, hidden.view(*column.shape, -1).softmax(2)


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("conditional", CONDITIONALS, ids=repr)
def test_losses_code_and_reconstruction(conditional: Conditional, shape: tuple[int, ...], activation: str) -> None:
    arguments = {"event_shape": shape, "conditional": conditional, "activation": activation}
    model = autoencoder(**arguments)
    x = examples(model)
    code, probabilities = by_hand(model, x)
    torch.testing.assert_close(model.encode(x), code)
    torch.testing.assert_close(model.features(x), code)
    assert code.shape == (len(x), 3)

    chosen = probabilities.gather(2, x.flatten(1).long()[..., None]).squeeze(2)
    torch.testing.assert_close(model.loss(x), -chosen.log().sum(1))
    torch.testing.assert_close(validation_loss(model, x), model.loss(x))
    assert model.reconstruct(x).equal(probabilities.argmax(2).view(x.shape).double())

    squared = autoencoder(**arguments, reconstruction="squared_error")
    values = conditional.values.double()
    means = (probabilities * values).sum(2)
    torch.testing.assert_close(squared.loss(x), (x.flatten(1) - means).square().sum(1))
    nearest = (means[..., None] - values).abs().argmin(2)
    assert squared.reconstruct(x).equal(values[nearest].view(x.shape))


def test_training_makes_it_copy_and_its_loss_no_likelihood() -> None:
    """Over all x, exp(-loss) sums to about the number of x once the network copies them: nothing like 1."""
    torch.manual_seed(0)
    model = Autoencoder(event_shape=(3,), conditional=Bernoulli(), hidden_sizes=[16])
    every = torch.tensor(list(itertools.product([0.0, 1.0], repeat=3)))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        model.loss(every).mean().backward()
        optimizer.step()
    assert model.loss(every).neg().exp().sum() > 7.5
    assert model.reconstruct(every).equal(every)


@pytest.mark.parametrize("reconstruction", ["cross_entropy", "squared_error"])
@pytest.mark.parametrize("conditional", CONDITIONALS, ids=repr)
def test_a_gradient_reaches_every_parameter(conditional: Conditional, reconstruction: str) -> None:
    model = autoencoder(conditional=conditional, reconstruction=reconstruction, activation="sigmoid")
    model.loss(examples(model, 20)).sum().backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
        assert parameter.grad.any()


@pytest.mark.parametrize("reconstruction", ["cross_entropy", "squared_error"])
def test_it_can_be_fitted_saved_and_loaded(reconstruction: str, tmp_path) -> None:
    torch.manual_seed(0)
    x = (torch.rand(64, 1, 4) < 0.5).float().expand(-1, 2, -1).contiguous()
    model = Autoencoder(
        event_shape=(2, 4), conditional=Bernoulli(), hidden_sizes=(16, 4), reconstruction=reconstruction, dropout=0.1
    )
    before = model.eval().loss(x).mean()
    done = chainrule.fit(
        model, x[:48], x[48:], max_epochs=12, batch_size=8, learning_rate=0.02, device="cpu", verbose=False
    )
    assert done.best_nats == pytest.approx(model.eval().loss(x[48:]).mean().item(), rel=1e-5)
    assert model.loss(x).mean() < 0.9 * before
    chainrule.save(model, tmp_path / "run")
    loaded = chainrule.load(tmp_path / "run")
    assert isinstance(loaded, Autoencoder)
    assert loaded.loss(x).equal(model.loss(x))
    assert loaded.features(x).equal(model.features(x))


@pytest.mark.parametrize(
    "ask",
    [
        lambda model, x: model(x),
        lambda model, x: model.log_prob(x),
        lambda model, x: model.start(2),
        lambda model, x: model.step(None, None),
        lambda model, x: model.order,
        lambda model, x: chainrule.sample(model, 1),
        lambda model, x: chainrule.evaluate(model, x),
        lambda model, x: chainrule.complete(model, x, torch.tensor([True, False, False, False])),
    ],
    ids=["forward", "log_prob", "start", "step", "order", "sample", "evaluate", "complete"],
)
def test_it_says_why_it_is_no_generative_model(ask) -> None:
    model = Autoencoder(event_shape=(4,), conditional=Bernoulli())
    with pytest.raises(ValueError, match=r"sees x_i itself.* sum to one over all x.*no way to draw.*MADE"):
        ask(model, torch.zeros(2, 4))
    assert not isinstance(model, AutoregressiveModel)
    assert model.training  # as it was


def test_describe_says_that_it_has_no_likelihood() -> None:
    description = chainrule.describe(Autoencoder(event_shape=(4,), conditional=Bernoulli(), hidden_sizes=[3]))
    assert description.log_prob_operations is None
    assert description.sample_operations is None
    assert str(description).startswith("Autoencoder of 4 variables (4,), Bernoulli(): 31 parameters")
    assert str(description).endswith("no likelihood")


def test_counts_of_parameters() -> None:
    n, (first, code) = 6, (5, 3)
    for conditional in CONDITIONALS:
        f, p = conditional.num_features, conditional.num_parameters
        model = Autoencoder(event_shape=(2, 3), conditional=conditional, hidden_sizes=[first, code])
        inner = 2 * first * code + first + code
        assert model.num_parameters == n * f * first + first + inner + n * p * first + n * p
    assert (
        Autoencoder(event_shape=(6,), conditional=Bernoulli(), hidden_sizes=[4]).num_parameters == 6 * (2 * 4 + 1) + 4
    )


def test_dropout_acts_in_training_only() -> None:
    model = autoencoder(dropout=0.5, hidden_sizes=[32])
    x = torch.ones(64, 4)
    assert model.eval().loss(x).unique().numel() == 1
    assert model.train().loss(x).unique().numel() > 1


def test_invalid_examples_say_expected_and_got() -> None:
    model = autoencoder()
    for method in (model.loss, model.encode, model.reconstruct, model.features):
        for x in (torch.zeros(2, 5), torch.full((2, 4), 0.5), torch.full((2, 4), float("nan"))):
            with pytest.raises(ValueError, match=r"expects .*got"):
                method(x)
    for method in (model.loss, model.features):
        with pytest.raises(ValueError, match="context expects None"):
            method(torch.zeros(2, 4), torch.zeros(2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_sizes": []}, r"hidden_sizes expects .*got \[\]"),
        ({"hidden_sizes": [3, 0]}, r"hidden_sizes expects .*got \[3, 0\]"),
        ({"activation": "tanh"}, "activation expects 'relu' or 'sigmoid', got 'tanh'"),
        ({"reconstruction": "hinge"}, "reconstruction expects 'cross_entropy' or 'squared_error', got 'hinge'"),
        ({"dropout": -0.1}, r"dropout expects .*got -0\.1"),
    ],
)
def test_invalid_arguments_say_expected_and_got(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Autoencoder(event_shape=(3,), conditional=Bernoulli(), **arguments)
