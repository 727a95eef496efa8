"""Recurrent networks: the lecture's equations, any length, carried states, documents whose probabilities sum to one."""

import itertools
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import chainrule
from chainrule.conditionals import Bernoulli, Categorical
from chainrule.data.sequences import Stream
from chainrule.models import NADE, RNN
from chainrule.nn.recurrent import LockedDropout, Recurrent
from chainrule.tasks.score import stream_surprisals, surprisals
from chainrule.testing import randomised

CELLS = ["tanh", "lstm", "gru"]


def network(cell: str, levels: int = 3, **arguments: Any) -> RNN:
    arguments = {"event_shape": (6,), "hidden_size": 7, "num_layers": 2, "cell": cell} | arguments
    model = randomised(RNN(conditional=Categorical(levels), **arguments)).double().eval()
    assert isinstance(model, RNN)
    return model


def test_the_equations_of_the_lecture() -> None:
    model = network("tanh", levels=4, num_layers=1)
    x = torch.tensor([[0.0, 2.0, 1.0, 3.0]], dtype=torch.double)
    (layer,) = model.net.layers
    w_hh, w_xh = layer.weight_hh_l0, layer.weight_ih_l0
    assert model.output is not None
    assert [name for name, _ in layer.named_parameters()] == ["weight_ih_l0", "weight_hh_l0"], "no biases"
    h, total = model.net.first[0, 0], torch.zeros((), dtype=torch.double)
    for value in x[0].long():
        total = total + torch.log_softmax(model.output.weight @ h + model.output.bias, 0)[value]
        h = torch.tanh(w_hh @ h + w_xh @ torch.eye(4, dtype=torch.double)[value])
    assert torch.allclose(model.log_prob(x), total)


@pytest.mark.parametrize("cell", CELLS)
def test_parameters_do_not_grow_with_the_length(cell: str) -> None:
    assert network(cell, event_shape=(3,)).num_parameters == network(cell, event_shape=(300,)).num_parameters


@pytest.mark.parametrize("cell", CELLS)
def test_the_probabilities_of_all_strings_sum_to_one(cell: str) -> None:
    """Two letters and an end: all documents up to length 12, and the mass of those that go on."""
    model = network(cell, end_symbol=2)
    total = 0.0
    for length in range(13):
        strings = torch.tensor(list(itertools.product([0.0, 1.0], repeat=length)), dtype=torch.double)
        ended = torch.cat([strings.reshape(2**length, length), torch.full((2**length, 1), 2.0)], dim=1)
        with torch.no_grad():
            total += model.log_prob(ended).exp().sum().item()
            longer = model.log_prob(strings).exp().sum().item() if length else 1.0
            if length == 12:
                mass = -model(torch.cat([strings, ended[:, -1:]], 1)).log_prob(ended)[:, -1].exp() + 1
                longer = (model.log_prob(strings).exp() * mass).sum().item()
    assert 0 < longer < 1
    assert total + longer == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("end_symbol", [None, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_carried_state_equals_the_whole_sequence(cell: str, end_symbol: int | None) -> None:
    model = network(cell, end_symbol=end_symbol, embedding_size=5)
    x = torch.randint(3, (4, 50), generator=torch.Generator().manual_seed(0)).double()
    expected = model(x).log_prob(x)
    for cuts in ([1, 49], [49, 1], [17, 1, 1, 20, 11], [1] * 50):
        state, previous, parts = model.start(4), None, []
        for part in x.split(cuts, dim=1):
            distribution, state = model.advance(state, previous, part)
            previous = part[:, -1]
            parts.append(distribution.log_prob(part))
        assert torch.allclose(torch.cat(parts, dim=1), expected, atol=1e-12)
        after, _ = model.step(state, previous)
        longer = torch.cat([x, x[:, :1]], dim=1)
        assert torch.allclose(after.log_prob(longer[:, -1]), model(longer).log_prob(longer)[:, -1], atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_every_symbol_of_a_stream_is_counted_once(cell: str) -> None:
    model = network(cell)
    symbols = torch.randint(3, (2500,), generator=torch.Generator().manual_seed(1))
    whole = -model.log_prob(symbols[None].double()).item()
    model.train()
    result = chainrule.evaluate(model, Stream(symbols.numpy(), window=100))
    assert model.training, "as it was"
    model.eval()
    assert (result.variables, result.nats) == (2500, pytest.approx(whole, rel=1e-12))
    pieces = list(stream_surprisals(model, [symbols[:7].numpy(), symbols[7:2000], symbols[2000:]]))
    assert [len(piece) for piece in pieces] == [7, 1993, 500]
    assert torch.cat(pieces).sum().item() == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_what_fills_a_document_up_counts_for_nothing(cell: str) -> None:
    model = network(cell, end_symbol=0)
    x = torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0], [2.0, 1.0, 1.0]], dtype=torch.double)
    filled = torch.cat([x, torch.zeros(3, 40, dtype=torch.double)], dim=1)
    assert torch.equal(surprisals(model, filled)[:2, 3:], torch.zeros(2, 40))
    # The same terms in sums of another length, which may be added up in another sequence.
    assert torch.allclose(model.log_prob(filled)[:2], model.log_prob(x)[:2], rtol=1e-13, atol=0)
    gradients = [torch.autograd.grad(model.log_prob(part[:2]).sum(), model.net.first)[0] for part in (x, filled)]
    assert torch.allclose(*gradients, rtol=1e-12, atol=1e-15)
    assert model.log_prob(torch.tensor([[1.0, 0.0, 2.0]])).item() == -torch.inf, "nothing follows the end"


def test_samples_of_any_length_begin_with_the_prefix() -> None:
    model = network("lstm")
    prefix = torch.tensor([2.0, 0.0, 1.0])
    seen: list[Tensor] = []
    x = chainrule.sample(model, 5, prefix=prefix, length=9, seed=0, watch=seen.append)
    assert x.shape == (5, 12)
    assert torch.equal(x[:, :3], prefix.expand(5, 3).double())
    assert torch.equal(torch.stack(seen, dim=1), x[:, 3:])
    assert chainrule.sample(model, 2).shape == (2, 6)
    assert chainrule.sample(model, 2, prefix=prefix).shape == (2, 9)


def test_a_prefix_of_other_models() -> None:
    model = NADE(event_shape=(4,), conditional=Bernoulli(), hidden_size=3, order="reversed")
    x = chainrule.sample(model, 3, prefix=torch.tensor([1.0, 0.0]))
    assert torch.equal(x[:, 2:], torch.tensor([[0.0, 1.0]]).expand(3, 2))
    with pytest.raises(ValueError, match="length expects 4, as many variables as the prefix leaves, got 9"):
        chainrule.sample(model, 3, length=9)
    with pytest.raises(ValueError, match="length expects 2, as many variables as the prefix leaves, got 4"):
        chainrule.sample(model, 3, length=4, prefix=torch.tensor([1.0, 0.0]))
    with pytest.raises(ValueError, match=r"prefix expects \(3, at most 4\) values, got \(3, 5\)"):
        chainrule.sample(model, 3, prefix=torch.zeros(5))
    with pytest.raises(ValueError, match="expects values 0 or 1, got 2"):
        chainrule.sample(model, 3, prefix=torch.tensor([2.0]))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("kind", ["dropout", "weight_dropout"])
def test_dropout_acts_in_training_only(cell: str, kind: str) -> None:
    model = network(cell, **{kind: 0.5})
    x = torch.zeros(2, 6, dtype=torch.double)
    assert torch.equal(model.log_prob(x), model.log_prob(x))
    model.train()
    assert not torch.equal(model.log_prob(x), model.log_prob(x))


@pytest.mark.parametrize("cell", CELLS)
def test_dropout_acts_between_layers_and_on_weights(cell: str) -> None:
    inputs = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    for options in ({"dropout": 0.5}, {"weight_dropout": 0.5}):
        net = Recurrent(3, 7, 2, cell, **options).train()
        first, second = (net(inputs, net.start(2))[0] for _ in range(2))
        assert not torch.equal(first, second), options
    one = Recurrent(3, 7, 1, cell, dropout=0.5).train()
    assert torch.equal(one(inputs, one.start(2))[0], one(inputs, one.start(2))[0]), "none before the first layer"


def test_an_lstm_remembers_at_first() -> None:
    """The forget gate is the second of torch's four."""
    for layer in Recurrent(3, 7, 2, "lstm").layers:
        assert torch.equal(layer.get_parameter("bias_hh_l0")[7:14], torch.ones(7))
        assert layer.get_parameter("bias_hh_l0")[:7].abs().max() < 0.5


@pytest.mark.parametrize("cell", CELLS)
def test_a_class_has_a_first_state_of_its_own(cell: str) -> None:
    model = network(cell, num_classes=2)
    x = torch.zeros(2, 6, dtype=torch.double)
    with torch.no_grad():
        first = model(x, torch.tensor([0, 1])).logits[:, 0]
    assert not torch.allclose(first[0], first[1])


def test_dropout_is_locked_along_a_sequence() -> None:
    torch.manual_seed(0)
    states = LockedDropout(0.25)(torch.ones(200, 5, 30))
    assert torch.equal(states, states[:, :1].expand_as(states))
    assert states.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert states.mean().item() == pytest.approx(1.0, abs=0.05)


def test_tied_weights() -> None:
    model = network("gru", embedding_size=7, tied=True)
    assert model.output is None
    assert model.num_parameters == network("gru", embedding_size=7).num_parameters - 3 * 7


@pytest.mark.parametrize("arguments", [{"cell": "tanh"}, {"cell": "lstm", "embedding_size": 7, "tied": True}])
def test_weights_of_version_0_1_had_no_bias_here(arguments: dict[str, Any]) -> None:
    model = network(**arguments)
    weights = {name: weight for name, weight in model.state_dict().items() if name not in ("output.bias", "tied_bias")}
    assert len(weights) == len(model.state_dict()) - 1
    model.load_state_dict(weights)
    assert not model._output()[1].any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cell": "elu"}, "cell expects 'tanh', 'lstm' or 'gru', got 'elu'"),
        ({"hidden_size": 0}, "hidden_size expects at least 1, got 0"),
        ({"num_layers": 0}, "num_layers expects at least 1, got 0"),
        ({"embedding_size": 0}, "embedding_size expects at least 1, got 0"),
        ({"dropout": 1.0}, r"dropout expects a probability in \[0, 1\), got 1"),
        ({"weight_dropout": -0.1}, r"weight_dropout expects a probability in \[0, 1\), got -0.1"),
        ({"end_symbol": 3}, "end_symbol expects a value of .*, got 3"),
        ({"tied": True}, "tied expects values read one-hot and an embedding_size of hidden_size"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network(**{"cell": "lstm"} | arguments)


def test_wrong_lengths() -> None:
    model = network("gru")
    with pytest.raises(ValueError, match=r"expects examples of shape \(B, any length\), got \(2, 0\)"):
        model.log_prob(torch.zeros(2, 0))
    image = RNN(event_shape=(1, 2, 2), conditional=Bernoulli())
    with pytest.raises(ValueError, match=r"x expects examples of the model's event_shape \(6,\), got \(2, 12\)"):
        chainrule.complete(model, torch.zeros(2, 12), torch.zeros(6, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"prefix expects the values \(k,\) .* got \(3, 3\)"):
        chainrule.sample(model, 2, prefix=torch.zeros(3, 3))
    with pytest.raises(ValueError, match="sequences of any length, got one of events"):
        next(stream_surprisals(image, [torch.zeros(4)]))
    with pytest.raises(ValueError, match="at least one variable"):
        chainrule.evaluate(model, Stream(np.zeros(0), window=3))


def test_features_are_of_the_examples() -> None:
    model = network("lstm")
    x = torch.eye(3, dtype=torch.double).repeat(1, 2)
    assert chainrule.represent(model, x).shape == (3, 7)
    assert torch.allclose(model.features(x)[1:], model.features(x[1:]))
    _, hidden, *_ = model.start(1)
    states, h, c = [], [part[0] for part in hidden], [part[1] for part in hidden]
    for value in x[0].long():
        inputs = torch.eye(3, dtype=torch.double)[value][None]
        for i, layer in enumerate(model.net.layers):
            h[i], c[i] = torch.lstm_cell(inputs, (h[i], c[i]), *layer.parameters())
            inputs = h[i]
        states.append(inputs)
    assert torch.allclose(model.features(x[:1]), torch.cat(states).mean(0))


@pytest.mark.parametrize("cell", CELLS)
def test_features_end_with_the_document(cell: str) -> None:
    model = network(cell, end_symbol=0)
    x = torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0], [2.0, 1.0, 1.0]], dtype=torch.double)
    filled = torch.cat([x, torch.zeros(3, 40, dtype=torch.double)], dim=1)
    assert torch.allclose(model.features(filled)[:2], model.features(x)[:2])
    assert not torch.allclose(model.features(filled)[2], model.features(x)[2]), "its end is one of its symbols"


def test_reads_images_in_any_order() -> None:
    build = partial(RNN, event_shape=(1, 2, 3), conditional=Bernoulli(), hidden_size=4)
    x = torch.bernoulli(torch.full((5, 1, 2, 3), 0.5))
    assert build(order="column").log_prob(x).shape == (5,)
