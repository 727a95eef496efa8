"""Patches: order, tables, and models that read them."""

import itertools

import pytest
import torch

import chainrule
from chainrule.conditionals import Bernoulli, Categorical
from chainrule.models import GatedPixelCNN, PixelCNN, PixelCNNPlusPlus, PixelRNN
from chainrule.models.images.patches import Patches
from chainrule.testing import compiled_equals_step, randomised

pytestmark = pytest.mark.quick

MODELS = [PixelCNN, PixelRNN, GatedPixelCNN, PixelCNNPlusPlus]


def test_order_goes_patch_by_patch():
    patches = Patches(2, (2, 3, 3), Bernoulli())
    expected = [
        channel * 9 + row * 3 + column
        for top, left in itertools.product((0, 2), (0, 2))
        for row, column in itertools.product(range(top, min(top + 2, 3)), range(left, min(left + 2, 3)))
        for channel in range(2)
    ]
    assert patches.order == expected
    assert sorted(expected) == list(range(18))


@pytest.mark.parametrize(
    ("conditional", "shape"),
    [(Bernoulli(), (1, 3, 5)), (Bernoulli(), (2, 2, 3)), (Categorical(3), (1, 4, 3)), (Categorical(3), (1, 1, 2))],
)
def test_tables_are_read_by_the_values_before(conditional, shape):
    """Against loops over pixels."""
    levels, count = len(conditional.values), conditional.num_parameters
    patches = Patches(2, shape, conditional)
    numbers = torch.randn(2, patches.num_outputs, *patches.grid)
    x = torch.randint(levels, (2, *shape)).float()
    parameters = patches.parameters(numbers, x)
    assert parameters.shape == (2, *shape, count)
    for b, row, column, channel in itertools.product(range(2), range(shape[1]), range(shape[2]), range(shape[0])):
        top, left = row // 2 * 2, column // 2 * 2
        code = start = 0
        for place, (i, j, c) in enumerate(itertools.product(range(2), range(2), range(shape[0]))):
            if (top + i, left + j, c) == (row, column, channel):
                break
            inside = top + i < shape[1] and left + j < shape[2]
            start += levels**place * count
            code = code * levels + (int(x[b, c, top + i, left + j]) if inside else 0)
        expected = numbers[b, start + code * count : start + (code + 1) * count, top // 2, left // 2]
        assert torch.equal(parameters[b, channel, row, column], expected)


@pytest.mark.parametrize("model", MODELS)
def test_one_patch_is_a_table_by_the_chain_rule(model):
    """An image of one patch: nothing is before it, so p(x) is a table, whose logits are those of any image."""
    model = randomised(model(event_shape=(1, 2, 2), conditional=Bernoulli(), hidden_size=8, patch_size=2))
    images = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4))).view(16, 1, 2, 2)
    (numbers,) = model.network(torch.zeros(1, 4, 1, 1), None).double()
    for x, found in zip(images, model.log_prob(images), strict=True):
        bits = [int(bit) for bit in x.flatten()]
        expected, start = 0.0, 0
        for j, bit in enumerate(bits):
            logit = numbers[start + int("0" + "".join(map(str, bits[:j])), 2), 0, 0]
            expected += torch.nn.functional.logsigmoid(logit if bit else -logit).item()
            start += 2**j
        assert found.item() == pytest.approx(expected, abs=1e-4)


def test_the_lower_half_is_completed_exactly():
    model = randomised(GatedPixelCNN(event_shape=(1, 4, 3), conditional=Bernoulli(), hidden_size=8, patch_size=2))
    known = (torch.arange(4) < 2)[:, None].expand(1, 4, 3)
    x = torch.bernoulli(torch.full((5, 1, 4, 3), 0.5))
    completed = chainrule.completion(model, x, known, seed=0)
    assert completed.exact
    assert torch.equal(completed.x[:, :, :2], x[:, :, :2])


@pytest.mark.parametrize(
    ("size", "shape", "conditional", "message"),
    [
        (0, (1, 4, 4), Bernoulli(), "patch_size expects at least 1, got 0"),
        (2, (1, 4, 4), Categorical(256), "got patches of 4 variables with 256 values each: choose a smaller"),
        (4, (1, 8, 8), Bernoulli(), "tables of at most 4,096 numbers, got patches of 16 variables with 2 values"),
        (100, (1, 8, 8), Bernoulli(), "patch_size expects at most 8, the longer side, got 100"),
    ],
)
def test_patches_that_are_refused(size, shape, conditional, message):
    with pytest.raises(ValueError, match=message):
        PixelCNN(event_shape=shape, conditional=conditional, patch_size=size)


@pytest.mark.parametrize(("shape", "size"), [((1, 3, 7), 2), ((1, 3, 7), 3), ((1, 4, 4), 3), ((2, 5, 4), 2)])
@pytest.mark.parametrize("model", [PixelCNN, GatedPixelCNN])
def test_compiled_walks_know_the_edges(model, shape, size):
    for conditional in (Bernoulli(), Categorical(2, "scalar")):
        subject = model(event_shape=shape, conditional=conditional, hidden_size=6, patch_size=size)
        assert compiled_equals_step(randomised(subject)) == "passed"
