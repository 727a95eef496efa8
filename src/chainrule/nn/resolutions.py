"""Gated residual blocks of two streams over several resolutions, for a whole image or for one pixel.

The stream u has read the rows above a pixel, the stream v also what is to its left. u is computed a row at a time.

References:
    PixelCNN++: improving the PixelCNN with discretized logistic mixture likelihood and other modifications
    (Salimans, Karpathy, Chen and Kingma, 2017), https://arxiv.org/abs/1701.05517
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chainrule.nn.buffers import write_columns
from chainrule.nn.class_bias import ClassBias, plus
from chainrule.nn.masked_conv import MaskedConv2d, RowsAbove, Site
from chainrule.state import Shared, State

Advance = Callable[[Any, Any, Tensor], tuple[Tensor, Any]]
"""The step of a convolution: from ``(convolution, state, input)`` to its output and the next state."""


class Resolution(nn.Module):
    """The blocks at one resolution, with the blocks at half of it in between.

    Halving takes every second pixel of a convolution; doubling gives each pixel's 2 x 2 from the one that covers them.

    Args:
        size: Features of each stream.
        num_blocks: Blocks before, and after, the image is halved.
        num_resolutions: The number of resolutions from this one down.
        dropout: The dropout of the blocks.
        num_classes: Classes, each of which adds a bias in every block.
    """

    halve_u: RowsAbove
    halve_v: MaskedConv2d
    double_u: nn.Conv2d
    double_v: nn.Conv2d
    inner: Resolution

    def __init__(
        self, size: int, num_blocks: int, num_resolutions: int, dropout: float, num_classes: int | None
    ) -> None:
        super().__init__()
        self.size, self.halves = size, num_resolutions > 1
        self.before: Sequence[Block] = nn.ModuleList(  # type: ignore[assignment]
            Block(size, shortcuts=0, dropout=dropout, num_classes=num_classes) for _ in range(num_blocks)
        )
        self.after: Sequence[Block] = nn.ModuleList()  # type: ignore[assignment]
        if self.halves:
            self.halve_u, self.double_u = RowsAbove(size, size, 3, own_row=True), nn.Conv2d(size, 4 * size, 1)
            self.halve_v, self.double_v = MaskedConv2d(size, size, 3), nn.Conv2d(size, 4 * size, 1)
            self.inner = Resolution(size, num_blocks, num_resolutions - 1, dropout, num_classes)
            self.after = nn.ModuleList(  # type: ignore[assignment]
                Block(size, shortcuts=1, dropout=dropout, num_classes=num_classes) for _ in range(num_blocks)
            )

    def forward(self, u: Tensor, v: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """Both streams ``(B, size, height, width)``."""
        shortcuts = []
        for block in self.before:
            u, v = block(u, v, [], [], context)
            shortcuts.append((u, v))
        if self.halves:
            small = self.inner(self.halve_u(u, 2), self.halve_v(v, 2), context)
            pairs = zip(small, (self.double_u, self.double_v), strict=True)
            u, v = (F.pixel_shuffle(double(part), 2)[..., : u.shape[2], : u.shape[3]] for part, double in pairs)
            for block in self.after:
                u_before, v_before = shortcuts.pop()
                u, v = block(u, v, [u_before], [v_before], context)
        return u, v

    def start(self, batch_size: int, width: int, context: Tensor | None) -> State:
        """The state before the first pixel of images that are ``width`` wide."""
        blocks = tuple(block.start(batch_size, width, context) for block in (*self.before, *self.after))
        if not self.halves:
            return blocks, None
        narrow = (width + 1) // 2
        small = (
            self.halve_u.start(batch_size, width),
            self.halve_v.start(batch_size, width),
            self.inner.start(batch_size, narrow, context),
            None,  # the output of the half resolution for its row, in u
            self.double_v.weight.new_zeros(batch_size, narrow * self.size),  # and in v
            Shared([weight.contiguous() for weight in self.double_v.weight.flatten(1).unflatten(0, (-1, 4)).unbind(1)]),
            Shared([bias.contiguous() for bias in _bias(self.double_v).unflatten(0, (-1, 4)).unbind(1)]),
        )
        return blocks, small

    def step_row(self, state: State, u: Tensor, row: int) -> tuple[Tensor, State]:
        """The stream u ``(B, size, 1, width)`` of a row, and the state that the steps of its pixels go on from."""
        blocks, small = state
        updated, shortcuts, width = [], [], u.shape[3]
        for block, own in zip(self.before, blocks, strict=False):
            u, own = block.step_row(own, u, [])
            shortcuts.append(u)
            updated.append(own)
        if small is not None:
            window, halved, inner, small_u, *rest = small
            if row % 2 == 0:
                seen, window = self.halve_u.step(window, u, 2)
                small_u, inner = self.inner.step_row(inner, seen, row // 2)
            else:
                window = self.halve_u.take(window, u)
            u = F.pixel_shuffle(self.double_u(small_u), 2)[..., row % 2 : row % 2 + 1, :width]
            for block, own in zip(self.after, blocks[len(self.before) :], strict=True):
                u, own = block.step_row(own, u, [shortcuts.pop()])
                updated.append(own)
            small = (window, halved, inner, small_u, *rest)
        return u, (tuple(updated), small)

    def step(self, state: State, v: Tensor, site: Site) -> tuple[Tensor, State]:
        """The stream v ``(B, size)`` at ``site``, and the next state."""
        blocks, small = state
        updated, shortcuts = [], []
        for block, own in zip(self.before, blocks, strict=False):
            v, own = block.step(own, v, [], site)
            shortcuts.append(v)
            updated.append(own)
        if small is not None:
            window, halved, inner, small_u, small_v, weights, biases = small
            place = site.column // 2 * self.size
            if site.row % 2 or site.column % 2:
                halved = self.halve_v.take(halved, (v, site), site)
            else:
                seen, halved = self.halve_v.step(halved, (v, site), site)
                seen, inner = self.inner.step(inner, seen, Site(site.row // 2, site.column // 2, 0))
                small_v = write_columns(small_v, seen, place)
            corner = site.row % 2 * 2 + site.column % 2
            v = F.linear(small_v.narrow(1, place, self.size), weights.value[corner], biases.value[corner])
            for block, own in zip(self.after, blocks[len(self.before) :], strict=True):
                v, own = block.step(own, v, [shortcuts.pop()], site)
                updated.append(own)
            small = (window, halved, inner, small_u, small_v, weights, biases)
        return v, (tuple(updated), small)


class Block(nn.Module):
    """A gated residual block of both streams; that of v also reads what that of u gives.

    Args:
        size: Features of each stream.
        shortcuts: 1 if both read a shortcut, else 0.
        dropout: Probability with which a feature within is dropped in training.
        num_classes: Classes, each of which adds a bias to both gates.
    """

    def __init__(self, size: int, *, shortcuts: int, dropout: float, num_classes: int | None) -> None:
        super().__init__()
        self.u = GatedResidual(
            RowsAbove(2 * size, size, 3, own_row=True),
            nn.Conv2d(2 * size, size, 1) if shortcuts else None,
            RowsAbove(2 * size, 2 * size, 3, own_row=True),
            dropout,
            num_classes,
        )
        self.v = GatedResidual(
            MaskedConv2d(2 * size, size, 3),
            nn.Conv2d(2 * size * (1 + shortcuts), size, 1),
            MaskedConv2d(2 * size, 2 * size, 3),
            dropout,
            num_classes,
        )

    def forward(
        self, u: Tensor, v: Tensor, u_skips: list[Tensor], v_skips: list[Tensor], context: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        u = self.u(u, u_skips, context)
        return u, self.v(v, [u, *v_skips], context)

    def start(self, batch_size: int, width: int, context: Tensor | None) -> State:
        """The state before the first pixel of images that are ``width`` wide."""
        return self.u.start(batch_size, width, context), self.v.start(batch_size, width, context), None

    def step_row(self, state: State, u: Tensor, skips: list[Tensor]) -> tuple[Tensor, State]:
        """The stream u ``(B, size, 1, width)`` of a row, which v will read."""
        own, v, _ = state
        u, own = self.u.step(own, u, skips, lambda conv, rows, x: conv.step(rows, x))
        return u, (own, v, u.squeeze(2).transpose(1, 2).contiguous())

    def step(self, state: State, v: Tensor, skips: list[Tensor], site: Site) -> tuple[Tensor, State]:
        """The stream v ``(B, size)`` at ``site``."""
        u, own, row = state
        here = row[:, site.column]
        v, own = self.v.step(own, v, [here, *skips], lambda conv, window, x: conv.step(window, (x, site), site))
        return v, (u, own, row)


class GatedResidual(nn.Module):
    """x + a sigmoid(b), (a, b) = W_2 * e(W_1 * e(x) + W_s e(skips)) + class bias.

    Args:
        first: W_1.
        skip: W_s, a 1x1 layer, or None without skips.
        second: W_2.
        dropout: Probability with which a feature between them is dropped in training.
        num_classes: Classes.
    """

    def __init__(
        self,
        first: RowsAbove | MaskedConv2d,
        skip: nn.Conv2d | None,
        second: RowsAbove | MaskedConv2d,
        dropout: float,
        num_classes: int | None,
    ) -> None:
        super().__init__()
        self.first, self.skip, self.second = first, skip, second
        self.dropout = nn.Dropout(dropout)
        self.class_bias = ClassBias(num_classes, second.out_channels)

    def forward(self, x: Tensor, skips: list[Tensor], context: Tensor | None) -> Tensor:
        hidden = self.first(concat_elu(x))
        if self.skip is not None:
            hidden = hidden + self.skip(concat_elu(torch.cat(skips, dim=1)))
        gates = self.second(self.dropout(concat_elu(hidden)))
        return gated(x, plus(gates, self.class_bias(context)))

    def start(self, batch_size: int, width: int, context: Tensor | None) -> State:
        """The states of both convolutions, and the class bias."""
        first, second = self.first.start(batch_size, width), self.second.start(batch_size, width)
        return first, second, self.class_bias(context)

    def step(self, state: State, x: Tensor, skips: list[Tensor], advance: Advance) -> tuple[Tensor, State]:
        """The output for a row or a pixel, by ``advance`` of the convolutions."""
        first, second, bias = state
        hidden, first = advance(self.first, first, concat_elu(x))
        if self.skip is not None:
            skipped = concat_elu(torch.cat(skips, dim=1))
            hidden = hidden + (self.skip(skipped) if x.dim() == 4 else self._skip_of_pixel(skipped))
        gates, second = advance(self.second, second, concat_elu(hidden))
        return gated(x, plus(gates, bias)), (first, second, bias)

    def _skip_of_pixel(self, x: Tensor) -> Tensor:
        assert self.skip is not None
        return F.linear(x, self.skip.weight.flatten(1), self.skip.bias)


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias


def gated(x: Tensor, gates: Tensor) -> Tensor:
    """The sum x + a sigmoid(b), where ``gates`` are (a, b)."""
    a, b = gates.chunk(2, dim=1)
    return x + a * b.sigmoid()


def concat_elu(x: Tensor) -> Tensor:
    """elu([x, -x]): twice as many features."""
    return F.elu(torch.cat([x, -x], dim=1))
