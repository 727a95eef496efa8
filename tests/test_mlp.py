"""MLP against its formula, variable by variable, and against the laws."""

import itertools

import pytest
import torch
from torch import Tensor

from chainrule.conditionals import Bernoulli, Categorical, Conditional
from chainrule.model import AutoregressiveModel
from chainrule.models import MLP
from chainrule.state import select
from chainrule.tasks.describe import describe
from chainrule.testing import randomised

CONDITIONALS = [Bernoulli(), Categorical(3), Categorical(3, "scalar")]
LINE_ORDERS = ["raster", "reversed", "random:1"]
EVENTS: dict[tuple[int, ...], list[str]] = {
    (4,): LINE_ORDERS,
    (1, 2, 2): [*LINE_ORDERS, "diagonal"],
    (3, 1, 2): [*LINE_ORDERS, "diagonal"],
    (1,): ["raster"],
}
CASES = [(shape, order) for shape, orders in EVENTS.items() for order in orders]


def mlp(**arguments: object) -> MLP:
    torch.manual_seed(0)
    model = randomised(MLP(**arguments)).double()
    assert isinstance(model, MLP)
    return model


def examples(model: AutoregressiveModel, count: int = 9) -> Tensor:
    values = model.conditional.values
    assert values is not None
    generator = torch.Generator().manual_seed(3)
    return values[torch.randint(len(values), (count, *model.event_shape), generator=generator)]


def encoded(value: int, conditional: Conditional) -> list[float]:
    """The features of a value, from the conditionals' documentation."""
    if isinstance(conditional, Categorical) and conditional.encoding == "one_hot":
        return [float(value == category) for category in range(1, conditional.categories)]
    return [value / (conditional.categories - 1) if isinstance(conditional, Categorical) else float(value)]


def log_probability(value: int, numbers: Tensor, conditional: Conditional) -> Tensor:
    if isinstance(conditional, Bernoulli):
        probability = 1 / (1 + torch.exp(-numbers[0]))
        return (probability if value else 1 - probability).log()
    return (numbers[value].exp() / numbers.exp().sum()).log()


def by_hand(model: MLP, sequence: list[int], label: int | None = None) -> Tensor:
    """Log p of one example along the order: h_t = g(A_t x_<t + c_t), then alpha_t h_t + b_t, in a plain loop."""
    d, p, conditional = model.hidden_size, model.conditional.num_parameters, model.conditional
    total = torch.zeros((), dtype=torch.float64)
    past: list[float] = []
    for t, value in enumerate(sequence):
        hidden = []
        for k in range(d):
            row = model.hidden_layer.weight[t * d + k]
            summed = model.hidden_layer.bias[t * d + k] + sum(row[j] * past[j] for j in range(len(past)))
            if label is not None:
                assert model.class_bias.bias is not None
                summed = summed + model.class_bias.bias[label, t * d + k]
            hidden.append(1 / (1 + torch.exp(-summed)) if model.activate is torch.sigmoid else summed.clamp(min=0))
        numbers = torch.stack(
            [
                model.output_bias[t * p + i] + sum(model.output_weight[t, k, i] * hidden[k] for k in range(d))
                for i in range(p)
            ]
        )
        total = total + log_probability(value, numbers, conditional)
        past += encoded(value, conditional)
    return total


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("conditional", CONDITIONALS, ids=repr)
def test_is_one_network_per_variable(conditional: Conditional, n: int, activation: str) -> None:
    model = mlp(event_shape=(n,), conditional=conditional, hidden_size=3, activation=activation, order="random:1")
    x = examples(model)
    sequences = x[:, model.order.permutation].int().tolist()
    expected = torch.stack([by_hand(model, sequence) for sequence in sequences])
    torch.testing.assert_close(model.log_prob(x), expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("conditional", CONDITIONALS, ids=repr)
def test_number_of_parameters(conditional: Conditional) -> None:
    n, d = 6, 7
    f, p = conditional.num_features, conditional.num_parameters
    model = MLP(event_shape=(2, 3), conditional=conditional, hidden_size=d)
    expected = d * f * n * (n - 1) // 2 + n * d + n * d * p + n * p
    assert model.num_parameters == expected
    assert MLP(event_shape=(2, 3), conditional=conditional, hidden_size=d, num_classes=4).num_parameters == (
        expected + 4 * n * d
    )


def test_growth_is_the_number_of_parameters_of_bits() -> None:
    n, d = 784, 16
    model = MLP(event_shape=(n,), conditional=Bernoulli(), hidden_size=d)
    assert model.growth == "dn(n - 1)/2 + 2nd + n"
    assert model.num_parameters == d * n * (n - 1) // 2 + 2 * n * d + n


def test_classes_have_hidden_units_of_their_own() -> None:
    model = mlp(event_shape=(2, 2), conditional=Bernoulli(), hidden_size=3, order="diagonal", num_classes=2)
    x = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4))).view(16, 2, 2)
    for label in (0, 1):
        context = torch.full((16,), label)
        log_probs = model.log_prob(x, context)
        assert log_probs.exp().sum().item() == pytest.approx(1)
        sequences = model.order.flatten(x).int().tolist()
        expected = torch.stack([by_hand(model, sequence, label) for sequence in sequences])
        torch.testing.assert_close(log_probs, expected, rtol=1e-11, atol=1e-12)
    with pytest.raises(ValueError, match="context expects"):
        model.log_prob(x)


@pytest.mark.parametrize("num_classes", [None, 3])
def test_states_can_be_branched(num_classes: int | None) -> None:
    """With and without gradients, an item of the batch goes on as if it had been alone."""
    model = mlp(event_shape=(4,), conditional=Categorical(3), hidden_size=3, order="reversed", num_classes=num_classes)
    x = examples(model, 3).double()
    context = None if num_classes is None else torch.tensor([2, 0, 1])
    kept = torch.tensor([2, 0])
    for recorded in (False, True):
        with torch.set_grad_enabled(recorded):
            expected = model(x, context).logits.flip(1)
            state, previous = model.start(3, context), None
            for t, value in enumerate(x.flip(1).unbind(1)):
                if t == 2:
                    assert previous is not None
                    state, previous = select(state, kept), previous[kept]
                distribution, state = model.step(state, previous)
                rows = slice(None) if t < 2 else kept
                torch.testing.assert_close(distribution.logits, expected[rows, t])
                previous = value[rows]


def test_features_are_the_hidden_units() -> None:
    model = mlp(event_shape=(3,), conditional=Bernoulli(), hidden_size=2, order="reversed")
    x = torch.tensor([[1.0, 0, 1], [0, 1, 1]])
    units = model.features(x)
    assert units.shape == (2, 6)
    weight, bias = model.hidden_layer.weight, model.hidden_layer.bias
    torch.testing.assert_close(units[0, :2], torch.sigmoid(bias[:2]))  # the first along the order sees nothing
    expected = torch.sigmoid(bias[2:4] + weight[2:4, 0] * x[0, 2])
    torch.testing.assert_close(units[0, 2:4], expected)
    with pytest.raises(ValueError, match="expects"):
        model.features(x[:, :2])


@pytest.mark.parametrize(("activation", "gain"), [("sigmoid", 1.0), ("relu", 2**0.5)])
def test_sums_spread_alike_however_many_inputs_a_unit_sees(activation: str, gain: float) -> None:
    torch.manual_seed(0)
    model = MLP(event_shape=(100,), conditional=Categorical(3), hidden_size=400, activation=activation)
    layer = model.hidden_layer
    norms = (layer.weight * layer.mask).square().sum(1).view(100, 400).mean(1)
    assert norms[0] == 0
    torch.testing.assert_close(norms[1:], torch.full((99,), gain**2), rtol=0.3, atol=0)
    assert model.log_prob(torch.zeros(1, 100)).isfinite().all()


def test_dropout_acts_in_training_only() -> None:
    model = MLP(event_shape=(3,), conditional=Bernoulli(), dropout=0.5)
    x = torch.ones(64, 3)
    assert model.eval().log_prob(x).unique().numel() == 1
    trained = model.train().log_prob(x)
    assert trained.isfinite().all()
    assert trained.unique().numel() > 1


def test_sampling_costs_no_more_operations_than_a_parallel_pass() -> None:
    costs = describe(MLP(event_shape=(20,), conditional=Bernoulli(), hidden_size=8))
    assert costs.sample_operations <= costs.log_prob_operations


def test_a_batch_of_none_has_no_log_probabilities() -> None:
    assert MLP(event_shape=(3,), conditional=Bernoulli()).log_prob(torch.zeros(0, 3)).shape == (0,)


def test_config_is_all_that_a_copy_needs() -> None:
    model = MLP(event_shape=[2, 2], conditional=Categorical(3), order="column", num_classes=2)
    copy = MLP(**model.config)
    copy.load_state_dict(model.state_dict())
    assert copy.config == model.config


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_size": 0}, "hidden_size expects at least 1, got 0"),
        ({"activation": "tanh"}, "activation expects 'relu' or 'sigmoid', got 'tanh'"),
        ({"dropout": 1.0}, r"dropout expects a probability in \[0, 1\), got 1\.0"),
        ({"dropout": float("nan")}, "dropout expects .*got nan"),
    ],
)
def test_invalid_arguments_say_expected_and_got(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MLP(event_shape=(3,), conditional=Bernoulli(), **arguments)
