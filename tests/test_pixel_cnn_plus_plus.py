"""PixelCNN++ against an independent, naive reading of its paper."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from image_formulas import by_hand, images, log_prob, one_hot, subject
from torch import Tensor

from chainrule.conditionals import Bernoulli, Categorical, Conditional, DiscretizedLogisticMixture
from chainrule.data.dataset import Dataset
from chainrule.data.examples import ArrayExamples
from chainrule.data.formats import ImageFormat
from chainrule.models import PixelCNNPlusPlus
from chainrule.nn.masked_conv import RowsAbove
from chainrule.runs.settings import build
from chainrule.testing import causal, gradients_flow, randomised, step_equals_forward, uses_its_past


def bin_probability(x: Tensor, mean: Tensor, scale: Tensor, levels: int) -> Tensor:
    """P(x) of logistics cut into bins, from their distribution function."""
    half, centre = 1 / (levels - 1), 2 * x / (levels - 1) - 1
    upper = torch.where(x == levels - 1, 1.0, torch.sigmoid((centre + half - mean) / scale))
    return upper - torch.where(x == 0, 0.0, torch.sigmoid((centre - half - mean) / scale))


def elus(x: Tensor) -> Tensor:
    return torch.cat([torch.where(part > 0, part, part.exp() - 1) for part in (x, -x)], dim=1)


def above_by_hand(layer: RowsAbove, x: Tensor) -> Tensor:
    """Row by row: the kernel's lowest row lies on the row itself, or, for a first layer, on the one above."""
    rows, columns = layer.kernel_size
    down = F.pad(x, (columns // 2, columns // 2, rows - 1 if layer.own_row else rows, 0))
    return F.conv2d(down, layer.weight, layer.bias)[:, :, : x.shape[2]]


def blocks_by_hand(model: Any, blocks: Any, u: Tensor, v: Tensor, bias: Any) -> tuple[Tensor, Tensor]:
    """A resolution: blocks, the half resolution, and blocks that read what the first ones gave, the last one first."""

    def stream(net: Any, x: Tensor, skips: list[Tensor], conv: Callable[..., Tensor]) -> Tensor:
        hidden = conv(net.first, elus(x))
        if skips:
            hidden = hidden + F.conv2d(elus(torch.cat(skips, dim=1)), net.skip.weight, net.skip.bias)
        a, b = (conv(net.second, elus(hidden)) + bias(net.class_bias)).tensor_split(2, dim=1)
        return x + a * torch.sigmoid(b)

    kept = []
    for block in blocks.before:
        u = stream(block.u, u, [], above_by_hand)
        v = stream(block.v, v, [u], by_hand)
        kept.append((u, v))
    if len(blocks.after):
        small_u, small_v = above_by_hand(blocks.halve_u, u)[..., ::2, ::2], by_hand(blocks.halve_v, v)[..., ::2, ::2]
        smaller = blocks_by_hand(model, blocks.inner, small_u, small_v, bias)
        whole = []
        for x, double, like in zip(smaller, (blocks.double_u, blocks.double_v), (u, v), strict=True):
            out = torch.zeros_like(like)
            for corner in range(4):
                row, column = divmod(corner, 2)
                weight, offset = double.weight[corner::4], double.bias[corner::4]
                part = F.conv2d(x, weight, offset)
                place = out[:, :, row::2, column::2]
                place.copy_(part[:, :, : place.shape[2], : place.shape[3]])
            whole.append(out)
        u, v = whole
        for block, (skip_u, skip_v) in zip(blocks.after, kept[::-1], strict=True):
            u = stream(block.u, u, [skip_u], above_by_hand)
            v = stream(block.v, v, [u, skip_v], by_hand)
    return u, v


@pytest.mark.parametrize("shape", [(1, 4, 6), (1, 5, 3)])
def test_pixel_cnn_plus_plus_is_two_streams_with_shortcuts(shape: tuple[int, ...]) -> None:
    model = subject(PixelCNNPlusPlus, shape, 0.5, hidden_size=4, num_blocks=2, num_resolutions=2, num_classes=2)
    x, classes = images(model), torch.tensor([0, 1, 1, 0])
    with torch.no_grad():
        features = torch.cat([one_hot(x), torch.ones_like(x)], dim=1)
        u, v = above_by_hand(model.above, features), by_hand(model.beside, features, "A")
        _, v = blocks_by_hand(model, model.blocks, u, v, lambda layer: layer.bias[classes][:, :, None, None])
        parameters = F.conv2d(elus(v), model.output.weight, model.output.bias)
        assert torch.allclose(model.log_prob(x, classes), log_prob(model, parameters, x))
        assert torch.allclose(model.features(x, classes), v.mean((2, 3)))


@pytest.mark.parametrize("levels", [3, 256])
def test_colours_of_pixel_cnn_plus_plus_are_one_joint_mixture(levels: int) -> None:
    """p(r, g, b) = sum_i pi_i p_i(r) p_i(g given r) p_i(b given r and g), from the numbers of the network."""
    mixture = DiscretizedLogisticMixture(levels, components=3)
    model = subject(PixelCNNPlusPlus, (3, 3, 4), 0.3, conditional=mixture, hidden_size=6, num_blocks=1, num_classes=2)
    x, classes = torch.randint(levels, (4, 3, 3, 4), generator=torch.Generator().manual_seed(0)), torch.arange(4) % 2
    x = x.double()
    numbers = model.network(model.read(x), classes).unflatten(1, (-1, 3))
    pi, means, scales, c = numbers[:, 0].softmax(1), numbers[:, 1:4], numbers[:, 4:7].exp(), numbers[:, 7:].tanh()
    r, g, _ = (2 * x / (levels - 1) - 1)[:, :, None].unbind(1)
    means = [means[:, 0], means[:, 1] + c[:, 0] * r, means[:, 2] + c[:, 1] * r + c[:, 2] * g]
    joint = pi
    for colour, mean in enumerate(means):
        joint = joint * bin_probability(x[:, colour, None], mean, scales[:, colour], levels)
    assert torch.allclose(model.log_prob(x, classes), joint.sum(1).log().flatten(1).sum(1))


@pytest.mark.parametrize("shape", [(1, 5, 4), (1, 4, 7), (3, 3, 2)])
def test_three_resolutions_of_pixel_cnn_plus_plus(shape: tuple[int, ...]) -> None:
    """Odd sizes, halved twice: the laws that a deep network keeps, on it."""
    model = PixelCNNPlusPlus(
        event_shape=shape, conditional=DiscretizedLogisticMixture(2, 2), hidden_size=5, num_blocks=2, num_resolutions=3
    )
    model = randomised(model, scale=0.5)
    for law in (causal, uses_its_past, step_equals_forward, gradients_flow):
        assert law(model).startswith("passed")  # or passed up to rounding, which the processor decides


def test_pixel_cnn_plus_plus_says_what_it_expects() -> None:
    with pytest.raises(ValueError, match="expects a DiscretizedLogisticMixture for 3 channels, got Bernoulli"):
        PixelCNNPlusPlus(event_shape=(3, 4, 4), conditional=Bernoulli())
    with pytest.raises(ValueError, match="num_resolutions expects at least 1, got 0"):
        PixelCNNPlusPlus(event_shape=(1, 4, 4), conditional=Bernoulli(), num_resolutions=0)


@pytest.mark.parametrize(("colours", "levels"), [(1, 2), (1, 256), (3, 2), (3, 256)])
def test_the_family_of_pixel_cnn_plus_plus_is_chosen_by_the_colours(colours: int, levels: int) -> None:
    images = ArrayExamples(np.zeros((3, colours, 2, 2), dtype=np.uint8), (colours, 2, 2))
    dataset = Dataset("images", "", ImageFormat(levels), dict.fromkeys(("train", "valid", "test"), images), {})
    model = build({"model": "PixelCNNPlusPlus", "model.hidden_size": 4, "model.num_blocks": 1}, dataset)
    expected: Conditional = Bernoulli() if levels == 2 else Categorical(levels, encoding="scalar")
    if colours == 3:
        expected = DiscretizedLogisticMixture(levels)
    assert repr(model.conditional) == repr(expected)
    with pytest.raises(ValueError, match="conditional expects one of"):
        build({"model": "PixelCNNPlusPlus", "conditional": "Poisson"}, dataset)
