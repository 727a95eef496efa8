"""PixelCNN: convolutions whose kernels see only the pixels above and to the left.

h_0 = masked convolution A of x,  h_(l+1) = h_l + W_3 relu(W_2 * relu(W_1 relu(h_l))),  p(x_t | x_<t) from 1x1 layers

Kernels share their weights over the image. A pixel does not see all that is above it: layers of k x k kernels leave a
blind spot to the right, which `GatedPixelCNN` closes.

References:
    Pixel recurrent neural networks (van den Oord, Kalchbrenner and Kavukcuoglu, 2016),
    https://arxiv.org/abs/1601.06759
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from chainrule.conditionals import Conditional
from chainrule.models.images.contract import ImageLayer, LayeredImageModel, check_kernels, check_shares, colours_of
from chainrule.nn.checks import check_counts, check_dropout
from chainrule.nn.class_bias import ClassBias, plus
from chainrule.nn.masked_conv import MaskedConv2d, Site
from chainrule.nn.masked_program import MaskedInstructions, Sites
from chainrule.nn.native.program import Program
from chainrule.state import State


class PixelCNN(LayeredImageModel):
    """The PixelCNN of the paper's table 1, for images of any size and number of channels.

    `features` are the last block's output, averaged over the pixels.

    Args:
        event_shape: ``(channels, height, width)``.
        conditional: The family of p(x_t | x_<t).
        hidden_size: The paper's h: blocks go from 2h features to h and back.
        num_blocks: Residual blocks.
        first_kernel_size: Width of the first kernel, which sees no pixel itself.
        kernel_size: Width of the kernels of the blocks.
        head_size: Features of the 1x1 layer before the last; by default 2h.
        dropout: Probability with which a feature of a block is dropped in training.
        num_classes: The number of classes that an example can be conditioned on, by a bias in every block.
        patch_size: Pixels of a side of the square patches that are read, and given a joint distribution, at once.

    Raises:
        ValueError: If the event is no image, a size is below 1 or can't be divided among the channels, or a kernel is
            even.

    >>> import torch
    >>> from chainrule.conditionals import Bernoulli
    >>> model = PixelCNN(event_shape=(1, 5, 4), conditional=Bernoulli(), hidden_size=4, num_blocks=2)
    >>> model.log_prob(torch.zeros(3, 1, 5, 4)).shape
    torch.Size([3])
    """

    growth = "constant in n"

    def __init__(
        self,
        *,
        event_shape: Sequence[int],
        conditional: Conditional,
        hidden_size: int = 24,
        num_blocks: int = 15,
        first_kernel_size: int = 7,
        kernel_size: int = 3,
        head_size: int | None = None,
        dropout: float = 0.0,
        num_classes: int | None = None,
        patch_size: int = 1,
    ) -> None:
        colours = colours_of(event_shape, "PixelCNN", patch_size)
        check_counts(num_blocks=num_blocks)
        check_shares(colours, hidden_size=hidden_size, head_size=head_size)
        check_kernels(first_kernel_size=first_kernel_size, kernel_size=kernel_size)
        super().__init__(
            event_shape=event_shape,
            conditional=conditional,
            size=2 * hidden_size,
            first_kernel_size=first_kernel_size,
            layers=[
                ResidualBlock(hidden_size, kernel_size, colours, check_dropout(dropout), num_classes)
                for _ in range(num_blocks)
            ],
            head_size=2 * hidden_size if head_size is None else head_size,
            num_classes=num_classes,
            patch_size=patch_size,
        )


class ResidualBlock(ImageLayer):
    """h + W_3 relu(W_2 * relu(W_1 relu(h))): 1x1 from 2h features to h, k x k, and 1x1 back (the paper's figure 5).

    Args:
        hidden_size: h.
        kernel_size: k.
        colours: Groups of features.
        dropout: Probability with which a feature is dropped in training.
        num_classes: Classes, each of which adds a bias to the k x k layer.
    """

    def __init__(
        self, hidden_size: int, kernel_size: int, colours: int, dropout: float, num_classes: int | None
    ) -> None:
        super().__init__()
        self.narrow = MaskedConv2d(2 * hidden_size, hidden_size, 1, colours=colours)
        self.conv = MaskedConv2d(hidden_size, hidden_size, kernel_size, colours=colours)
        self.widen = MaskedConv2d(hidden_size, 2 * hidden_size, 1, colours=colours)
        self.dropout = nn.Dropout(dropout)
        self.class_bias = ClassBias(num_classes, hidden_size)

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        hidden = plus(self.conv(self.narrow(x.relu()).relu_()), self.class_bias(context))
        widened: Tensor = self.widen(self.dropout(hidden.relu()))
        return widened.add_(x)

    def start(self, batch_size: int, width: int, context: Tensor | None) -> State:
        bias = self.class_bias(context)
        layers = tuple(layer.start(batch_size, width) for layer in (self.narrow, self.conv, self.widen))
        shares = None if bias is None else bias.unflatten(1, (self.conv.colours, -1))
        return *layers, shares

    def step(self, state: State, x: Tensor, site: Site) -> tuple[Tensor, State]:
        narrow, conv, widen, bias = state
        hidden, narrow = self.narrow.step(narrow, (x.relu(), site), site)
        hidden, conv = self.conv.step(conv, (hidden.relu_(), site), site)
        hidden = hidden if bias is None else hidden + bias[:, site.colour]
        widened, widen = self.widen.step(widen, (hidden.relu_(), site), site)
        return x + widened, (narrow, conv, widen, bias)

    def instruct(self, program: Program, x: int, sites: Sites) -> bool:
        narrow, conv, widen = (
            MaskedInstructions(layer, program, sites) for layer in (self.narrow, self.conv, self.widen)
        )
        size = self.conv.out_channels // self.conv.colours
        seen, hidden, inner = program.units(2 * size), program.units(size), program.units(size)
        program.map(seen, x, 2 * size, "relu")
        narrow.step(hidden, seen)
        program.map(hidden, hidden, size, "relu")
        conv.step(inner, hidden)
        if self.class_bias.size:
            bias = self.class_bias
            program.add(inner, program.give(bias.size, lambda _, context: bias(context)) + sites.colour * size, size)
        program.map(inner, inner, size, "relu")
        widen.step(x, inner, add=True)
        return True
