"""PixelCNN and GatedPixelCNN against an independent, naive reading of their papers."""

import pytest
import torch
import torch.nn.functional as F
from image_formulas import SHAPES, by_hand, images, log_prob, one_hot, subject
from torch import Tensor

from chainrule.models import GatedPixelCNN, PixelCNN


@pytest.mark.parametrize("shape", SHAPES)
def test_pixel_cnn_is_the_table_of_the_paper(shape: tuple[int, ...]) -> None:
    model = subject(PixelCNN, shape, hidden_size=6, num_blocks=2, first_kernel_size=5, head_size=9, num_classes=2)
    x, classes = images(model), torch.tensor([0, 1, 1, 0])
    hidden = by_hand(model.first, one_hot(x), "A")
    for block in model.layers:
        inner = by_hand(block.conv, by_hand(block.narrow, hidden.clamp(min=0)).clamp(min=0))
        inner = inner + block.class_bias.bias[classes][:, :, None, None]
        hidden = hidden + by_hand(block.widen, inner.clamp(min=0))
    parameters = by_hand(model.output, by_hand(model.head, hidden.clamp(min=0)).clamp(min=0))
    assert torch.allclose(model.log_prob(x, classes), log_prob(model, parameters, x))
    assert torch.allclose(model.features(x, classes), hidden.clamp(min=0).mean((2, 3)))


def gate(x: Tensor, colours: int) -> Tensor:
    parts = [share.tensor_split(2, dim=1) for share in x.tensor_split(colours, dim=1)]
    return torch.cat([torch.tanh(a) * torch.sigmoid(b) for a, b in parts], dim=1)


@pytest.mark.parametrize("shape", SHAPES)
def test_gated_pixel_cnn_is_the_figure_of_the_paper(shape: tuple[int, ...]) -> None:
    """Its vertical stack by whole kernels over an image that is moved down by a row, as the paper suggests."""
    model = subject(GatedPixelCNN, shape, hidden_size=6, num_layers=3, first_kernel_size=5, num_classes=2)
    x, classes = images(model), torch.tensor([1, 0, 1, 1])
    vertical = horizontal = one_hot(x)
    for layer in model.layers:
        rows, columns = layer.vertical.kernel_size
        kernel = F.pad(layer.vertical.weight, (0, 0, 0, columns - rows - (columns // 2 - layer.vertical.above)))
        kernel = kernel if not layer.first else F.pad(layer.vertical.weight, (0, 0, 0, columns - rows))
        above = F.conv2d(vertical, kernel, layer.vertical.bias, padding=columns // 2)
        both = by_hand(layer.horizontal, horizontal, "A" if layer is model.layers[0] else "B")[:, :, :, : shape[2]]
        both = both + F.conv2d(above, layer.down.weight, layer.down.bias)
        both = both + layer.class_bias.bias[classes][:, :, None, None]
        hidden = by_hand(layer.out, gate(both, model.colours))
        horizontal = hidden if layer.first else horizontal + hidden
        if not layer.last:
            vertical = gate(above + layer.vertical_class_bias.bias[classes][:, :, None, None], 1)
    parameters = by_hand(model.output, by_hand(model.head, horizontal.clamp(min=0)).clamp(min=0))
    assert torch.allclose(model.log_prob(x, classes), log_prob(model, parameters, x))
    assert torch.allclose(model.features(x, classes), horizontal.clamp(min=0).mean((2, 3)))
