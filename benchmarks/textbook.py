"""Models as a textbook would write them (and rivals do), to compare speeds in one run.

Nothing is shared and nothing is cached. They are an independent check of the values, too.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class WholeKernel(nn.Conv2d):
    """A k x k kernel, of which a mask holds at zero all from the pixel itself (A), or from the next one on (B)."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, own: bool) -> None:
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
        mask, middle = torch.ones(kernel_size, kernel_size), kernel_size // 2
        mask[middle, middle + own :] = 0
        mask[middle + 1 :] = 0
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class TextbookPixelCNN(nn.Module):
    """Residual blocks of whole kernels, channels first."""

    def __init__(self, hidden_size: int, num_blocks: int) -> None:
        super().__init__()
        wide = 2 * hidden_size
        self.first = WholeKernel(1, wide, 7, own=False)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.ReLU(),
                nn.Conv2d(wide, hidden_size, 1),
                nn.ReLU(),
                WholeKernel(hidden_size, hidden_size, 3, own=True),
                nn.ReLU(),
                nn.Conv2d(hidden_size, wide, 1),
            )
            for _ in range(num_blocks)
        )
        self.head = nn.Sequential(nn.ReLU(), nn.Conv2d(wide, wide, 1), nn.ReLU(), nn.Conv2d(wide, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        return self.head(hidden)


class TextbookGatedPixelCNN(nn.Module):
    """Two stacks; the vertical one is padded above and cut, the horizontal one to the left."""

    def __init__(self, hidden_size: int, num_layers: int) -> None:
        super().__init__()
        layers = []
        for layer in range(num_layers):
            inputs, reach = (hidden_size, 1) if layer else (1, 3)
            layers.append(
                nn.ModuleDict(
                    {
                        "vertical": nn.Conv2d(inputs, 2 * hidden_size, (reach + 1, 2 * reach + 1)),
                        "down": nn.Conv2d(2 * hidden_size, 2 * hidden_size, 1),
                        "horizontal": nn.Conv2d(inputs, 2 * hidden_size, (1, reach + bool(layer))),
                        "out": nn.Conv2d(hidden_size, hidden_size, 1),
                    }
                )
            )
        self.layers = nn.ModuleList(layers)
        self.head = nn.Sequential(
            nn.ReLU(), nn.Conv2d(hidden_size, hidden_size, 1), nn.ReLU(), nn.Conv2d(hidden_size, 1, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        vertical = horizontal = x
        for index, layer in enumerate(self.layers):
            reach = 1 if index else 3
            above = layer["vertical"](F.pad(vertical, (reach, reach, reach + (not index), 0)))[:, :, : x.shape[2]]
            left = F.pad(horizontal, (reach, 0, 0, 0))[..., : x.shape[3] + reach - (not index)]
            a, b = (layer["horizontal"](left) + layer["down"](above)).chunk(2, dim=1)
            hidden = layer["out"](torch.tanh(a) * torch.sigmoid(b))
            horizontal = horizontal + hidden if index else hidden
            a, b = above.chunk(2, dim=1)
            vertical = torch.tanh(a) * torch.sigmoid(b)
        return self.head(horizontal)
