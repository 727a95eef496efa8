"""WaveNet beside independent computations: by loops, by its Jacobian, and by its compiled step."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import chainrule
from chainrule.conditionals import Bernoulli, Categorical, DiscretizedLogisticMixture
from chainrule.models import WaveNet
from chainrule.tasks.describe import describe
from chainrule.tasks.receptive_field import receptive_field
from chainrule.testing import randomised
from chainrule.walk import walk


def wavenet(**arguments: Any) -> WaveNet:
    settings: dict[str, Any] = {"event_shape": (12,), "conditional": Categorical(4)}
    settings |= {"residual_channels": 5, "skip_channels": 6, "layers": 3, "blocks": 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = randomised(WaveNet(**(settings | arguments)), scale=0.5).eval()
    assert isinstance(model, WaveNet)
    return model


def by_loops(model: WaveNet, x: Tensor, gates: Tensor | None = None) -> Tensor:
    """The logits of one example, one number at a time, straight from the paper's equations."""
    net, kernel = model.net, model.net.layers[0].kernel_size
    values = [torch.zeros(model.input.in_features, dtype=x.dtype)]
    for value in x[:-1]:
        one_hot = [float(value == level) for level in range(1, 4)]
        values.append(torch.tensor([*one_hot, 1.0], dtype=x.dtype))
    hidden = [model.input.weight @ value + model.input.bias for value in values]
    skips = [torch.zeros(net.layers[0].skip_channels, dtype=x.dtype) for _ in values]
    for number, layer in enumerate(net.layers):
        after = []
        for t in range(len(hidden)):
            a = layer.gates.bias if gates is None else layer.gates.bias + gates[t, number]
            for tap in range(kernel):
                past = t - (kernel - 1 - tap) * layer.dilation
                if past >= 0:
                    a = a + layer.gates.weight[:, tap * net.channels : (tap + 1) * net.channels] @ hidden[past]
            z = torch.tanh(a[: net.channels]) * torch.sigmoid(a[net.channels :])
            mixed = layer.mix.weight @ z + layer.mix.bias
            skips[t] = skips[t] + mixed[: layer.skip_channels]
            after.append(hidden[t] + mixed[layer.skip_channels :] if number + 1 < len(net.layers) else hidden[t])
        hidden = after
    first, last = model.output[1], model.output[3]
    return torch.stack([last(first(skip.clamp(min=0)).clamp(min=0)) for skip in skips])


@pytest.mark.parametrize("kernel_size", [2, 3])
def test_conditionals_are_those_of_the_equations(kernel_size: int) -> None:
    model = wavenet(kernel_size=kernel_size, layers=2).double()
    x = torch.randint(4, (2, 12)).double()
    expected = torch.stack([by_loops(model, example).log_softmax(-1) for example in x])
    torch.testing.assert_close(model(x).logits, expected)


def test_a_class_adds_to_the_gates() -> None:
    model = wavenet(num_classes=3).double()
    x = torch.randint(4, (1, 12)).double()
    assert model.class_gates.bias is not None
    gates = model.class_gates.bias[2].view(1, 6, 10).expand(12, 6, 10)
    expected = by_loops(model, x[0], gates).log_softmax(-1)
    torch.testing.assert_close(model(x, torch.tensor([2])).logits[0], expected)


def test_a_frame_adds_to_the_gates_of_its_variables() -> None:
    model = wavenet(frame_size=2, hop=5).double()
    x, frames = torch.randint(4, (1, 12)).double(), torch.randn(1, 3, 2).double()
    assert model.frame_gates is not None
    gates = model.frame_gates(frames[0]).view(3, 6, 10)[torch.arange(12) // 5]
    torch.testing.assert_close(model(x, frames).logits[0], by_loops(model, x[0], gates).log_softmax(-1))


@pytest.mark.parametrize(("layers", "blocks", "kernel_size"), [(10, 2, 2), (3, 2, 2), (2, 3, 3), (1, 1, 2)])
def test_the_receptive_field_is_the_sum_of_the_reaches(layers: int, blocks: int, kernel_size: int) -> None:
    model = wavenet(layers=layers, blocks=blocks, kernel_size=kernel_size)
    assert model.receptive_field == 1 + blocks * (kernel_size**layers - 1)


def test_the_receptive_field_is_what_the_jacobian_says_and_describe_prints() -> None:
    model = wavenet(event_shape=(24,)).double()
    seen = receptive_field(model, torch.randint(4, (8, 24)).double(), 23)
    ago = 23 - seen.nonzero().squeeze(1)
    assert ago.max() == model.receptive_field == 15
    assert sorted(ago.tolist()) == list(range(1, 16))
    assert describe(model).receptive_field == 15
    assert "each sees the 15 before it" in str(describe(model))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("arguments", [{}, {"num_classes": 2}, {"frame_size": 2, "hop": 60}])
def test_compiled_draws_are_those_of_steps(arguments: dict[str, Any], threads: int) -> None:
    model = wavenet(event_shape=(100,), **arguments)
    context = torch.randn(3, 2, 2) if model.frame_size else None
    context = torch.tensor([0, 1, 1]) if model.num_classes else context
    known = torch.tensor([3.0, 1.0, 2.0])
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        drawn = chainrule.sample(model, 3, seed=1, context=context, prefix=known)
        stepped = chainrule.sample(model, 3, seed=1, context=context, prefix=known, watch=lambda values: None)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(drawn, stepped)
    assert len(drawn.unique(dim=0)) == 3


def test_compiled_draws_want_a_frame_for_every_variable() -> None:
    model = wavenet(frame_size=2, hop=4)
    with pytest.raises(ValueError, match="at least 4 frames for 16 variables, got 3"):
        chainrule.sample(model, 1, context=torch.randn(1, 3, 2), length=16)


def test_a_sample_costs_a_pass() -> None:
    model = wavenet(event_shape=(64,), residual_channels=16, skip_channels=16).double()
    x = torch.ones(1, 64).double()
    with torch.no_grad(), FlopCounterMode(display=False) as one_pass:
        model(x)
    with torch.no_grad(), FlopCounterMode(display=False) as steps:
        walk(model, 1, lambda t, distribution: distribution.sample())
    assert steps.get_total_flops() <= 1.1 * one_pass.get_total_flops()


def test_sequences_of_any_length_and_their_continuation() -> None:
    model = wavenet()
    assert model.log_prob(torch.zeros(2, 40)).shape == (2,)
    assert model.log_prob(torch.zeros(2, 1)).shape == (2,)  # shorter than the receptive field
    prefix = torch.randint(4, (30,)).float()
    x = chainrule.sample(model, 3, seed=0, prefix=prefix, length=5)
    assert x.shape == (3, 35)
    assert (x[:, :30] == prefix).all()


def test_a_mixture_over_sixteen_bits() -> None:
    model = wavenet(conditional=DiscretizedLogisticMixture(65_536, components=3))
    x = torch.randint(65_536, (2, 12)).float()
    assert model.log_prob(x).isfinite().all()
    assert chainrule.sample(model, 2, seed=0).shape == (2, 12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layers": 0}, "layers expects at least 1, got 0"),
        ({"kernel_size": 1}, "kernel_size expects at least 2, got 1"),
        ({"frame_size": 2, "num_classes": 2}, "frame_size expects no num_classes, got both"),
        ({"frame_size": 0}, "frame_size expects at least 1, got 0"),
        ({"hop": 0}, "hop expects at least 1, got 0"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WaveNet(event_shape=(4,), conditional=Bernoulli(), **arguments)


def test_wrong_frames_are_refused() -> None:
    model = wavenet(frame_size=2, hop=5)
    x = torch.zeros(2, 12)
    with pytest.raises(ValueError, match=r"context expects frames \(2, F, 2\) of this WaveNet, got None"):
        model.log_prob(x)
    with pytest.raises(ValueError, match=r"got the shape \(2, 3\)"):
        model.log_prob(x, torch.zeros(2, 3))
    with pytest.raises(ValueError, match="not finite"):
        model.log_prob(x, torch.full((2, 3, 2), math.nan))
    with pytest.raises(ValueError, match="at least 3 frames for 11 variables, got 2"):
        model.log_prob(x, torch.zeros(2, 2, 2))
