"""PixelRNN: LSTMs that run over an image by rows or by diagonals.

h_0 = masked convolution A of x,  h_(l+1) = h_l + W LSTM_l(h_l),  p(x_t | x_<t) from 1x1 layers

The Row LSTM sees a triangle above the pixel. The Diagonal BiLSTM sees all pixels before it but one: far from the right
edge, it misses the last pixel of the row above, because the features there (mask A) have not read it in any layer.

References:
    Pixel recurrent neural networks (van den Oord, Kalchbrenner and Kavukcuoglu, 2016),
    https://arxiv.org/abs/1601.06759
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor

from chainrule.conditionals import Conditional
from chainrule.models.images.contract import ImageLayer, LayeredImageModel, check_kernels, check_shares, colours_of
from chainrule.nn.checks import check_counts
from chainrule.nn.class_bias import ClassBias
from chainrule.nn.masked_conv import MaskedConv2d, Site
from chainrule.nn.pixel_lstm import DiagonalBiLSTM, PixelLSTM, RowLSTM
from chainrule.state import State


class PixelRNN(LayeredImageModel):
    """The PixelRNN of the paper's table 1, for images of any size and number of channels.

    `features` are the last layer's output, averaged over the pixels.

    Args:
        event_shape: ``(channels, height, width)``.
        conditional: The family of p(x_t | x_<t).
        hidden_size: The paper's h: LSTMs have h units, and 2h features go from layer to layer.
        num_layers: LSTM layers.
        cell: ``"diagonal"``, the Diagonal BiLSTM, or ``"row"``, the Row LSTM.
        first_kernel_size: Width of the first kernel, which sees no pixel itself.
        head_size: Features of the 1x1 layer before the last; by default 2h.
        num_classes: The number of classes that an example can be conditioned on, by a bias of all gates.
        patch_size: Pixels of a side of the square patches that are read, and given a joint distribution, at once.

    Raises:
        ValueError: If the event is no image, the cell unknown, a size is below 1 or can't be divided among the
            channels, or the kernel is even.

    >>> import torch
    >>> from chainrule.conditionals import Bernoulli
    >>> model = PixelRNN(event_shape=(1, 5, 4), conditional=Bernoulli(), hidden_size=4, num_layers=2)
    >>> model.log_prob(torch.zeros(3, 1, 5, 4)).shape
    torch.Size([3])
    """

    growth = "constant in n"

    def __init__(
        self,
        *,
        event_shape: Sequence[int],
        conditional: Conditional,
        hidden_size: int = 18,
        num_layers: int = 7,
        cell: Literal["diagonal", "row"] = "diagonal",
        first_kernel_size: int = 7,
        head_size: int | None = None,
        num_classes: int | None = None,
        patch_size: int = 1,
    ) -> None:
        colours = colours_of(event_shape, "PixelRNN", patch_size)
        check_counts(num_layers=num_layers)
        check_shares(colours, hidden_size=hidden_size, head_size=head_size)
        check_kernels(first_kernel_size=first_kernel_size)
        if cell not in ("diagonal", "row"):
            raise ValueError(f"cell expects 'diagonal' or 'row', got {cell!r}")
        lstm = DiagonalBiLSTM if cell == "diagonal" else RowLSTM
        super().__init__(
            event_shape=event_shape,
            conditional=conditional,
            size=2 * hidden_size,
            first_kernel_size=first_kernel_size,
            layers=[LSTMLayer(lstm(2 * hidden_size, hidden_size, colours), num_classes) for _ in range(num_layers)],
            head_size=2 * hidden_size if head_size is None else head_size,
            num_classes=num_classes,
            patch_size=patch_size,
        )


class LSTMLayer(ImageLayer):
    """x + W LSTM(x): a 1x1 layer goes back from the units to the features (the paper's figure 5, right).

    Args:
        lstm: The LSTM.
        num_classes: Classes, each of which adds a bias to the gates.
    """

    def __init__(self, lstm: PixelLSTM, num_classes: int | None) -> None:
        super().__init__()
        self.lstm = lstm
        self.widen = MaskedConv2d(lstm.hidden_size, lstm.in_channels, 1, colours=lstm.colours)
        self.class_bias = ClassBias(num_classes, 4 * lstm.hidden_size)

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        widened: Tensor = self.widen(self.lstm(x, self.class_bias(context)))
        return x + widened

    def start(self, batch_size: int, width: int, context: Tensor | None) -> State:
        return self.lstm.start(batch_size, width, self.class_bias(context)), self.widen.start(batch_size, width)

    def step(self, state: State, x: Tensor, site: Site) -> tuple[Tensor, State]:
        lstm, widen = state
        units, lstm = self.lstm.step(lstm, x, site)
        widened, widen = self.widen.step(widen, (units, site), site)
        return x + widened, (lstm, widen)
