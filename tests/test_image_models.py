"""Image models: branched states, the cost of their steps, completion and wrong arguments."""

import itertools
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from image_formulas import images, subject
from torch import Tensor
from torch.distributions import Distribution
from zoo import IMAGE_CONDITIONALS, IMAGE_MODELS, fits

import chainrule
from chainrule.conditionals import Bernoulli, DiscretizedLogisticMixture
from chainrule.models import GatedPixelCNN, PixelCNN, PixelCNNPlusPlus, PixelRNN
from chainrule.testing import randomised
from chainrule.walk import walk

BRANCHED = [(1, 1, 1), (1, 1, 5), (1, 5, 1), (2, 3, 3), (3, 4, 2), (4, 2, 3)]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        (name, shape)
        for name in IMAGE_MODELS
        for shape in BRANCHED
        if "patches" not in name or (shape[0] < 4 and max(shape[1:]) > 1)
    ],
)
def test_states_can_be_branched(name: str, shape: tuple[int, ...]) -> None:
    """Items of the batch are dropped and repeated after every variable; those that are left have their own p."""
    sizes = {"hidden_size": 12, "head_size": 12} if "PlusPlus" not in name else {"hidden_size": 4}
    build = IMAGE_MODELS[name]
    conditional = Bernoulli() if "patches" in name else DiscretizedLogisticMixture(3, 2)
    model = build.func(**build.keywords | sizes | {"event_shape": shape, "conditional": conditional})
    model = randomised(model, scale=0.5).double().eval()
    context = None if model.num_classes is None else torch.ones(6)
    generator, total = torch.Generator().manual_seed(0), torch.zeros(6, dtype=torch.double)

    def choose(t: int, distribution: Distribution) -> Tensor:
        value = distribution.sample()
        total.add_(distribution.log_prob(value))
        return value

    def select(t: int) -> Tensor:
        kept = torch.randint(6, (6,), generator=generator)
        total.copy_(total[kept])
        return kept

    with torch.inference_mode():
        x = walk(model, 6, choose, context, select=select)
        assert torch.allclose(model.log_prob(x, context), total)
        assert model.log_prob(x[:0], None if context is None else context[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("name", "conditional"),
    [pair for pair in itertools.product(IMAGE_MODELS, IMAGE_CONDITIONALS) if fits(*pair, (1, 9, 7))],
)
def test_a_sample_costs_no_more_than_two_passes(name: str, conditional: str) -> None:
    shape = (3, 9, 7) if fits(name, conditional, (3, 9, 7)) else (1, 9, 7)
    model = IMAGE_MODELS[name](event_shape=shape, conditional=IMAGE_CONDITIONALS[conditional])
    description = chainrule.describe(model)
    assert description.log_prob_operations is not None
    assert description.sample_operations is not None
    assert 0 < description.sample_operations <= 2 * description.log_prob_operations


@pytest.mark.parametrize(
    "build", [partial(PixelCNN, num_blocks=1), partial(GatedPixelCNN, num_layers=1), partial(PixelRNN, num_layers=1)]
)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"event_shape": (12,)}, r"expects images, an event_shape \(channels, height, width\), got \(12,\)"),
        ({"event_shape": (0, 4, 4)}, r"event_shape.* got \(0, 4, 4\)"),
        ({"hidden_size": 0}, "hidden_size expects at least 1, got 0"),
        ({"head_size": 0}, "head_size expects at least 1, got 0"),
        ({"num_blocks": 0, "num_layers": 0}, r"num_(blocks|layers) expects at least 1, got 0"),
        ({"first_kernel_size": 4}, "first_kernel_size expects an odd number of at least 3, got 4"),
        ({"first_kernel_size": 1}, "first_kernel_size expects an odd number of at least 3, got 1"),
        (
            {"event_shape": (3, 4, 4), "hidden_size": 4},
            "hidden_size expects a multiple of 3, the image's channels, got 4",
        ),
        ({"event_shape": (3, 4, 4), "head_size": 8}, "head_size expects a multiple of 3, the image's channels, got 8"),
        ({"dropout": 1.0}, r"dropout expects a probability in \[0, 1\), got 1"),
    ],
)
def test_wrong_arguments(build: Any, arguments: dict[str, Any], message: str) -> None:
    if "dropout" in arguments and build.func is PixelRNN:
        arguments, message = {"cell": "column"}, "cell expects 'diagonal' or 'row', got 'column'"
    known = build.func.__init__.__kwdefaults__.keys() | {"event_shape", "conditional"}
    own = {name: value for name, value in arguments.items() if name in known}
    with pytest.raises(ValueError, match=message):
        build(**{"event_shape": (1, 4, 4), "conditional": Bernoulli(), "hidden_size": 6} | own)


@pytest.mark.parametrize("build", [PixelCNN, GatedPixelCNN, PixelRNN, PixelCNNPlusPlus])
def test_completes_what_is_below_exactly(build: Any) -> None:
    model = subject(build, (1, 4, 4), hidden_size=6)
    x, observed = images(model), torch.zeros(1, 4, 4, dtype=torch.bool)
    observed[:, :2] = True
    done = chainrule.completion(model, x, observed, seed=0)
    assert done.exact
    assert torch.equal(done.x[..., :2, :], x[..., :2, :])
    with pytest.raises(ValueError, match=r"expects examples of shape \(B, 1, 4, 4\), got \(4, 1, 4, 5\)"):
        model.log_prob(F.pad(x, (0, 1)))
