"""MADE in the manner of karpathy's, and makemore's MLP on the pixels about a pixel, written for this benchmark."""

from __future__ import annotations

from typing import Any

import torch
from common import Clock, Data, fit, rounds
from torch import Tensor, nn
from torch.nn import functional as F

HIDDEN, BATCH = 500, 100
REACH, WIDTH, PIXELS = 4, 256, 1024
VALID = 100
"""Images by which the weights of the MLP are chosen, at most."""


class MaskedLinear(nn.Linear):
    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.float())

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.mask, self.bias)


class Made(nn.Module):
    """One hidden layer of masked units; each variable is read and given as one-hot values."""

    def __init__(self, variables: int, values: int) -> None:
        super().__init__()
        self.values = values
        degrees = torch.arange(variables).repeat_interleave(values)
        hidden = torch.arange(HIDDEN) % max(1, variables - 1)
        self.first = MaskedLinear(hidden[:, None] >= degrees)
        self.last = MaskedLinear(degrees[:, None] > hidden)

    def nats(self, x: Tensor) -> Tensor:
        hot = F.one_hot(x, self.values).float().flatten(1)
        logits = self.last(F.relu(self.first(hot))).unflatten(1, (-1, self.values))
        return F.cross_entropy(logits.transpose(1, 2), x, reduction="none").sum(1)


def made(data: Data, clock: Clock) -> dict[str, Any]:
    """500 hidden units, raster order, batches of 100, rate 1e-3."""
    train, valid, test = (data.symbols(split) for split in ("train", "valid", "test"))
    module = Made(train.shape[1], len(data.values))

    def loss() -> Tensor:
        return module.nats(train[torch.randint(len(train), (BATCH,))]).mean()

    found = fit(module, loss, lambda: rounds(module.nats, valid, 1000), clock, rate=1e-3)
    return found | {"nats": rounds(module.nats, test, 1000)}


class Neighbourhood(nn.Module):
    """p of a colour channel of a pixel given the pixels before it within a reach, and its place."""

    def __init__(self, shape: tuple[int, int, int], values: int) -> None:
        super().__init__()
        self.shape, self.values = shape, values
        channels = shape[0]
        rows, columns = torch.meshgrid(torch.arange(-REACH, 1), torch.arange(-REACH, REACH + 1), indexing="ij")
        before = (rows < 0) | (columns < 0)
        self.offsets = torch.stack([rows[before], columns[before]], dim=1)
        inputs = len(self.offsets) * (channels + 1) + 2 * channels + 2
        self.layers = nn.Sequential(
            nn.Linear(inputs, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, values)
        )

    def padded(self, x: Tensor) -> Tensor:
        """Images of symbols ``(N, C, H, W)`` as numbers about 0, with a channel that is 1 inside and 0 outside."""
        numbers = x / (self.values - 1) - 0.5
        inside = torch.ones_like(numbers[:, :1])
        return F.pad(torch.cat([numbers, inside], dim=1), (REACH, REACH, REACH, 0))

    def nats(self, x: Tensor, padded: Tensor, place: Tensor) -> Tensor:
        """-log p of the variables at ``place (k, 4)``: image, channel, row and column."""
        image, channel, row, column = place.T
        channels, height, width = self.shape
        rows, columns = (place[:, 2 + i, None] + self.offsets[:, i] + REACH for i in (0, 1))
        about = padded[image[:, None], :, rows, columns].flatten(1)
        own = padded[image, :channels, row + REACH, column + REACH]
        earlier = own * (torch.arange(channels) < channel[:, None])
        where = torch.stack([row / height, column / width], dim=1)
        which = F.one_hot(channel, channels).float()
        logits = self.layers(torch.cat([about, earlier, which, where], dim=1))
        return F.cross_entropy(logits, x[image, channel, row, column], reduction="none")

    def images(self, x: Tensor) -> Tensor:
        """-log p of whole images ``(N,)``."""
        ranges = [torch.arange(len(x)), *map(torch.arange, self.shape)]
        place = torch.stack(torch.meshgrid(*ranges, indexing="ij"), dim=-1).reshape(-1, 4)
        padded = self.padded(x)
        return torch.cat([self.nats(x, padded, part) for part in place.split(2**15)]).reshape(len(x), -1).sum(1)


def neighbourhood(data: Data, clock: Clock) -> dict[str, Any]:
    """Two layers of 256 read 40 pixels; batches of 1,024 variables, rate 2e-3."""
    shape = tuple(data.about["event_shape"])
    train, valid, test = (data.symbols(split).reshape(-1, *shape) for split in ("train", "valid", "test"))
    module = Neighbourhood(shape, len(data.values))
    padded = module.padded(train)

    def loss() -> Tensor:
        place = torch.stack([torch.randint(size, (PIXELS,)) for size in (len(train), *shape)], dim=1)
        return module.nats(train, padded, place).mean()

    found = fit(module, loss, lambda: rounds(module.images, valid[:VALID], 20), clock, rate=2e-3)
    return found | {"nats": rounds(module.images, test, 20)}
