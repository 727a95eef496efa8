"""Masked convolutions and likelihoods of images by hand, for the tests of image models."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from chainrule.conditionals import Categorical
from chainrule.models.images.contract import ImageModel
from chainrule.nn.masked_conv import MaskedConv2d
from chainrule.testing import randomised

SHAPES = [(1, 3, 4), (3, 4, 3)]


def subject(build: Callable[..., ImageModel], shape: tuple[int, ...], scale: float = 1.0, **arguments: Any) -> Any:
    arguments = {"conditional": Categorical(3)} | arguments
    return randomised(build(event_shape=shape, **arguments), scale=scale).double().eval()


def images(model: ImageModel, count: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(3, (count, *model.event_shape), generator=generator).double()


def whole_kernel(layer: MaskedConv2d, mask: str, in_colours: Tensor, out_colours: Tensor) -> Tensor:
    """The k x k kernel of the paper with its mask A or B, the masked weights zeroed one by one."""
    k, rows, columns = 2 * layer.reach + 1, *layer.kernel_size
    kernel = torch.zeros(layer.out_channels, layer.in_channels, k, k, dtype=torch.double)
    for row in range(rows):
        for column in range(columns):
            above, beside = row - (rows - 1), column - layer.reach
            for after in range(layer.out_channels):
                for before in range(layer.in_channels):
                    own, other = int(out_colours[after]), int(in_colours[before])
                    lives = above < 0 or beside < 0
                    if above == 0 and beside == 0:
                        lives = other < own or (other == own and mask == "B")
                    if lives:
                        place = (after, before, layer.reach + above, layer.reach + beside)
                        kernel[place] = layer.weight[after, before, row, column]
    return kernel


def by_hand(layer: MaskedConv2d, x: Tensor, mask: str = "B") -> Tensor:
    """The masked convolution by a whole kernel."""
    inputs, outputs = (torch.arange(size) * layer.colours // size for size in (layer.in_channels, layer.out_channels))
    return F.conv2d(x, whole_kernel(layer, mask, inputs, outputs), layer.bias, padding=layer.reach)


def one_hot(x: Tensor) -> Tensor:
    """Channels of what is read of three values: for every colour whether it is 1, and whether it is 2."""
    return torch.stack([(x == value).double() for value in (1, 2)], dim=2).flatten(1, 2)


def log_prob(model: ImageModel, parameters: Tensor, x: Tensor) -> Tensor:
    """Log p(x) from ``(B, colours * 3, height, width)``."""
    logits = parameters.unflatten(1, (model.colours, 3)).log_softmax(2)
    return logits.gather(2, x.long()[:, :, None]).flatten(1).sum(1)
