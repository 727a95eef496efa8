"""Each model against an independent, naive reading of its paper, in float64."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from chainrule.conditionals import Bernoulli, Categorical, Conditional
from chainrule.model import AutoregressiveModel
from chainrule.models import FVSBN, MADE, NADE
from chainrule.models.nade import CHUNK
from chainrule.nn.degrees import hidden_degrees
from chainrule.state import select
from chainrule.testing import randomised

pytestmark = pytest.mark.quick

CONDITIONALS = [Bernoulli(), Categorical(3), Categorical(4, "scalar")]
SIZES = [1, 2, 5]


def array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def features(value: int, conditional: Conditional) -> list[float]:
    """The features of a value, from the conditionals' documentation."""
    if isinstance(conditional, Bernoulli):
        return [float(value)]
    assert isinstance(conditional, Categorical)
    if conditional.encoding == "scalar":
        return [value / (conditional.categories - 1)]
    return [float(value == category) for category in range(1, conditional.categories)]


def log_probability(value: int, parameters: np.ndarray, conditional: Conditional) -> float:
    if isinstance(conditional, Bernoulli):
        (logit,) = parameters
        return float(-np.log1p(np.exp(-logit if value else logit)))
    return float(parameters[value] - np.log(np.exp(parameters).sum()))


def examples(model: AutoregressiveModel, count: int = 12) -> Tensor:
    values = model.conditional.values
    assert values is not None
    generator = torch.Generator().manual_seed(3)
    return values[torch.randint(len(values), (count, *model.event_shape), generator=generator)]


def by_hand(model: AutoregressiveModel, parameters_of, x: Tensor) -> np.ndarray:
    """Log p of examples: `parameters_of(t, features of x_<t, one after the other)` in a plain loop over t."""
    result = []
    for sequence in x.flatten(1)[:, model.order.permutation].int().tolist():
        past: list[float] = []
        total = 0.0
        for t, value in enumerate(sequence):
            total += log_probability(value, parameters_of(t, np.array(past)), model.conditional)
            past += features(value, model.conditional)
        result.append(total)
    return np.array(result)


@pytest.mark.parametrize("order", ["raster", "reversed", "random:5"])
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("conditional", CONDITIONALS, ids=repr)
def test_fvsbn_is_one_regression_per_variable(conditional: Conditional, n: int, order: str) -> None:
    model = randomised(FVSBN(event_shape=(n,), conditional=conditional, order=order)).double()
    weight, bias = array(model.regressions.weight), array(model.regressions.bias)
    p = conditional.num_parameters

    def regression(t: int, past: np.ndarray) -> np.ndarray:
        return np.array(
            [bias[i] + sum(weight[i, j] * past[j] for j in range(len(past))) for i in range(t * p, t * p + p)]
        )

    x = examples(model)
    np.testing.assert_allclose(array(model.log_prob(x)), by_hand(model, regression, x), rtol=1e-12)


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
@pytest.mark.parametrize("n", [*SIZES, 2 * CHUNK + 3])
@pytest.mark.parametrize("conditional", CONDITIONALS, ids=repr)
def test_nade_is_its_loop(conditional: Conditional, n: int, activation: str) -> None:
    model = randomised(
        NADE(event_shape=(n,), conditional=conditional, hidden_size=6, activation=activation, order="random:2")
    ).double()
    f, p, along = conditional.num_features, conditional.num_parameters, array(model.order.permutation).astype(int)
    input_weight = array(model.input_weight).reshape(n, f, -1)[along].reshape(n * f, -1)
    output_weight = array(model.output_weight).reshape(n, p, -1)[along].reshape(n * p, -1)
    hidden_bias, output_bias = array(model.hidden_bias), array(model.output_bias).reshape(n, p)[along].ravel()

    def one_hidden_layer(t: int, past: np.ndarray) -> np.ndarray:
        summed = hidden_bias.copy()
        for j, feature in enumerate(past):
            summed += input_weight[j] * feature
        hidden = sigmoid(summed) if activation == "sigmoid" else np.maximum(summed, 0)
        return np.array([output_bias[i] + output_weight[i] @ hidden for i in range(t * p, t * p + p)])

    x = examples(model)
    np.testing.assert_allclose(array(model.log_prob(x)), by_hand(model, one_hidden_layer, x), rtol=1e-11)


def paper_masks(model: MADE, seed: int) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """MADE's masks in the reversed order, by its equations 8, 9, 12 and 13: hidden layers, output, direct."""
    n, f, p = model.num_variables, model.conditional.num_features, model.conditional.num_parameters
    inputs = [n - j // f for j in range(n * f)]
    outputs = [n - i // p for i in range(n * p)]
    layers = [inputs]
    masks = []
    for degrees in hidden_degrees(n, [layer.out_features for layer in model.hidden_layers], seed):
        layers.append(sorted(degrees.tolist()))
        masks.append(np.array([[float(m >= before) for before in layers[-2]] for m in layers[-1]]))
    output = np.array([[float(d > m) for m in layers[-1]] for d in outputs])
    direct = np.array([[float(d > m) for m in inputs] for d in outputs])
    return masks, output, direct


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("sizes", [[7], [9, 5], [6, 8, 7]])
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("conditional", CONDITIONALS, ids=repr)
def test_made_is_a_masked_autoencoder(conditional: Conditional, n: int, sizes: list[int], direct: bool) -> None:
    activation = "relu" if direct else "sigmoid"
    model = randomised(
        MADE(
            event_shape=(n,), conditional=conditional, hidden_sizes=sizes,
            activation=activation, direct=direct, mask_seed=4, order="reversed",
        )
    ).double()  # fmt: skip
    masks, output_mask, direct_mask = paper_masks(model, 4)
    x = examples(model)
    encoded = np.array([[features(v, conditional) for v in row] for row in x.int().tolist()])
    encoded = hidden = encoded.reshape(len(x), -1)
    for layer, mask in zip(model.hidden_layers, masks, strict=True):
        hidden = hidden @ (array(layer.weight) * mask).T + array(layer.bias)
        hidden = np.maximum(hidden, 0) if direct else sigmoid(hidden)
    parameters = hidden @ (array(model.output_layer.weight) * output_mask).T + array(model.output_layer.bias)
    if model.direct_layer is not None:
        parameters += encoded @ (array(model.direct_layer.weight) * direct_mask).T
    parameters = parameters.reshape(len(x), n, -1)
    expected = by_hand_of_table(x, parameters, conditional)
    np.testing.assert_allclose(array(model.log_prob(x)), expected, rtol=1e-12)
    live = sum(int(mask.sum()) for mask in masks) + int(output_mask.sum()) + direct * int(direct_mask.sum())
    assert model.num_parameters == live + sum(sizes) + n * conditional.num_parameters


def by_hand_of_table(x: Tensor, parameters: np.ndarray, conditional: Conditional) -> np.ndarray:
    return np.array(
        [
            sum(log_probability(value, numbers, conditional) for value, numbers in zip(row, rows, strict=True))
            for row, rows in zip(x.int().tolist(), parameters, strict=True)
        ]
    )


@pytest.mark.parametrize(("n", "sizes"), [(1, [4]), (2, [4, 4]), (9, [50, 40, 30]), (784, [500, 500])])
def test_made_degrees_are_as_in_the_paper(n: int, sizes: list[int]) -> None:
    layers = [degrees.numpy() for degrees in hidden_degrees(n, sizes, seed=0)]
    least = 1
    for size, degrees in zip(sizes, layers, strict=True):
        assert len(degrees) == size
        assert degrees.min() >= least
        assert degrees.max() <= max(n - 1, 1)
        least = degrees.min()
    if n == 784:  # uniform
        assert abs(layers[0].mean() - 392) < 4 * 226 / 500**0.5


def test_parameter_counts() -> None:
    n = 6
    for conditional in CONDITIONALS:
        f, p = conditional.num_features, conditional.num_parameters
        assert FVSBN(event_shape=(n,), conditional=conditional).num_parameters == f * p * n * (n - 1) // 2 + n * p
        nade = NADE(event_shape=(n,), conditional=conditional, hidden_size=7)
        assert nade.num_parameters == n * f * 7 + 7 + n * p * 7 + n * p
    assert NADE(event_shape=(784,), conditional=Bernoulli(), hidden_size=500).num_parameters == 785_284
    assert FVSBN(event_shape=(784,), conditional=Bernoulli()).num_parameters == 784 * 785 // 2


def nade_of(n: int, conditional: Conditional) -> NADE:
    model = randomised(NADE(event_shape=(n,), conditional=conditional, hidden_size=5)).double()
    assert isinstance(model, NADE)
    return model


@pytest.mark.parametrize("n", [1, 2, CHUNK, CHUNK + 1, 3 * CHUNK - 1])
@pytest.mark.parametrize("conditional", [Bernoulli(), Categorical(4, "scalar")], ids=repr)
def test_nade_agrees_on_sparse_dense_and_differentiable_inputs(n: int, conditional: Conditional) -> None:
    """Its forward pass shares hidden states between variables, unless the input's gradient is asked for."""
    model = nade_of(n, conditional)
    highest = conditional.num_parameters - 1 or 1
    generator = torch.Generator().manual_seed(0)
    for density in (0.0, 0.05, 0.5, 1.0):
        x = highest * (torch.rand(6, n, generator=generator) < density).double()
        shared = model(x).logits
        every = model(x.clone().requires_grad_()).logits
        torch.testing.assert_close(shared, every, rtol=1e-12, atol=1e-12)
        together = model(torch.cat([x, torch.full_like(x, highest)])).logits[: len(x)]
        torch.testing.assert_close(together, shared, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("density", [0.0, 0.1, 1.0])
def test_nade_has_the_same_gradients_with_shared_states(density: float) -> None:
    model = nade_of(CHUNK + 5, Bernoulli())
    x = (torch.rand(6, CHUNK + 5, generator=torch.Generator().manual_seed(0)) < density).double()
    gradients = []
    for example in (x, x.clone().requires_grad_()):
        loss = model(example).log_prob(x).sum()
        gradients.append(torch.autograd.grad(loss, list(model.parameters())))
    for shared, every in zip(*gradients, strict=True):
        torch.testing.assert_close(shared, every, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(
    "model",
    [
        FVSBN(event_shape=(5,), conditional=Bernoulli(), order="reversed"),
        NADE(event_shape=(5,), conditional=Bernoulli(), hidden_size=6, order="reversed"),
        MADE(event_shape=(5,), conditional=Bernoulli(), hidden_sizes=[40], activation="sigmoid", order="reversed"),
    ],
    ids=lambda model: type(model).__name__,
)
def test_jacobian_is_strictly_triangular(model: AutoregressiveModel) -> None:
    """The derivative of each logit by each input, exactly zero from its own variable on."""
    model = randomised(model).double()
    x = torch.rand(5, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda x: model(x[None]).logits[0], x)
    along_the_order = jacobian.flip(0, 1)
    assert (along_the_order.triu() == 0).all()
    assert (along_the_order.tril(-1) != 0).equal(torch.ones(5, 5).tril(-1) > 0)


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("kind", [FVSBN, NADE, MADE])
def test_dropout_acts_in_training_only(kind: type[AutoregressiveModel], n: int) -> None:
    torch.manual_seed(0)
    model = randomised(kind(event_shape=(n,), conditional=Bernoulli(), dropout=0.5))
    x = torch.ones(64, n)
    assert model.eval().log_prob(x).unique().numel() == 1
    reads_something = n > 1 or kind is NADE  # a NADE drops units of its first hidden layer too
    trained = model.train().log_prob(x)
    assert trained.isfinite().all()
    assert (trained.unique().numel() > 1) == reads_something


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda **a: NADE(hidden_size=0, **a), "hidden_size expects at least 1, got 0"),
        (lambda **a: NADE(activation="tanh", **a), "activation expects .*got 'tanh'"),
        (lambda **a: NADE(dropout=1.0, **a), r"dropout expects .*got 1\.0"),
        (lambda **a: FVSBN(dropout=-0.1, **a), r"dropout expects .*got -0\.1"),
        (lambda **a: MADE(hidden_sizes=[], **a), r"hidden_sizes expects .*got \[\]"),
        (lambda **a: MADE(hidden_sizes=[3, 0], **a), r"hidden_sizes expects .*got \[3, 0\]"),
        (lambda **a: MADE(activation="tanh", **a), "activation expects .*got 'tanh'"),
        (lambda **a: MADE(dropout=float("nan"), **a), "dropout expects .*got nan"),
    ],
)
def test_invalid_arguments_say_expected_and_got(build, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(event_shape=(3,), conditional=Bernoulli())


@pytest.mark.parametrize("shape", [(), (0,), (2, 0)])
def test_invalid_event_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="event_shape expects sizes of at least 1, got"):
        FVSBN(event_shape=shape, conditional=Bernoulli())


@pytest.mark.parametrize("kind", [FVSBN, NADE, MADE])
def test_config_is_all_that_a_copy_needs(kind: type[AutoregressiveModel]) -> None:
    model = kind(event_shape=[2, 2], conditional=Categorical(3), order="column")
    copy = kind(**model.config)
    assert copy.config == model.config
    assert copy.event_shape == (2, 2)
    assert {name: tensor.shape for name, tensor in copy.state_dict().items()} == {
        name: tensor.shape for name, tensor in model.state_dict().items()
    }


def test_a_batch_of_none_has_no_log_probabilities() -> None:
    for kind in (FVSBN, NADE, MADE):
        assert kind(event_shape=(3,), conditional=Bernoulli()).log_prob(torch.zeros(0, 3)).shape == (0,)


@pytest.mark.parametrize("kind", [FVSBN, NADE, MADE])
def test_states_can_be_branched(kind: type[AutoregressiveModel]) -> None:
    """`select` selects items of the batch; the selected ones go on as if they had been alone."""
    model = randomised(kind(event_shape=(4,), conditional=Bernoulli(), order="reversed")).double()
    x = torch.tensor([[0, 1, 1, 0], [1, 1, 0, 1], [0, 0, 1, 1]], dtype=torch.float64)
    with torch.no_grad():
        state, previous = model.start(3), None
        for t, value in enumerate(x.flip(1).unbind(1)):
            if t == 2:
                state, previous = select(state, torch.tensor([2, 0])), previous[[2, 0]]
            kept = value if t < 2 else value[[2, 0]]
            distribution, state = model.step(state, previous)
            expected = model(x).logits[:, 3 - t]
            torch.testing.assert_close(distribution.logits, expected if t < 2 else expected[[2, 0]])
            previous = kept


def test_probabilities_by_hand() -> None:
    """p(x1, x2) = p(x1) p(x2 | x1) from four numbers chosen by hand."""
    model = FVSBN(event_shape=(2,), conditional=Bernoulli(), order="reversed")
    with torch.no_grad():
        model.regressions.bias.copy_(torch.tensor([0.0, np.log(3.0)]))  # p(x_2 = 1) = 1/2, then odds 3
        model.regressions.weight[1, 0] = -np.log(9.0)  # and odds 1/3 if x_2 = 1
        events = list(itertools.product((0, 1), repeat=2))
        got = dict(zip(events, model.log_prob(torch.tensor(events)).exp().tolist(), strict=True))
    assert got == pytest.approx({(0, 0): 0.125, (1, 0): 0.375, (0, 1): 0.375, (1, 1): 0.125}, rel=1e-6)


def test_nade_rounds_by_the_number_of_its_hidden_states() -> None:
    """Causal up to rounding, not bit for bit: a later value adds states to a product and can change its last bits."""
    torch.manual_seed(0)
    model = NADE(event_shape=(8,), conditional=Bernoulli(), hidden_size=50)
    x = torch.tensor([[0, 0, 0, 0, 0, 0, 0, 1.0], [0, 0, 1, 1, 0, 0, 1, 1]])
    with torch.no_grad():
        few, many = model(x[:1]).logits[0, :3], model(x[1:]).logits[0, :3]
        torch.testing.assert_close(few, many, rtol=0, atol=1e-6)
        few, many = model.double()(x[:1].double()).logits[0, :3], model(x[1:].double()).logits[0, :3]
        torch.testing.assert_close(few, many, rtol=0, atol=1e-14)
