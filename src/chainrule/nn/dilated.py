"""Gated layers of causal, dilated convolutions, for a whole sequence or for one time.

A layer of dilation d and kernel size k reads x_t, x_(t-d), ..., x_(t-(k-1)d), its taps. They are laid side by side, so
that a convolution is one product of matrices, in a pass as in a step:

(a, b) = W taps + c,    h = tanh(a) * sigmoid(b),    (skip, change) = V h,    x' = x + change

References:
    WaveNet: a generative model for raw audio (van den Oord et al., 2016), https://arxiv.org/abs/1609.03499
    Fast WaveNet generation algorithm (Le Paine et al., 2016), https://arxiv.org/abs/1611.09482
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from chainrule.nn.native.program import Program
from chainrule.state import Shared


class DilatedLayer(nn.Module):
    """One layer; it reads zeros before the beginning of a sequence.

    Args:
        channels: Numbers of x_t.
        skip_channels: Numbers of skip.
        kernel_size: Taps k.
        dilation: Times d from one tap to the next.
        last: True if no layer follows. There is then no x'.
    """

    def __init__(self, channels: int, skip_channels: int, kernel_size: int, dilation: int, last: bool) -> None:
        super().__init__()
        self.skip_channels, self.kernel_size, self.dilation = skip_channels, kernel_size, dilation
        self.reach = (kernel_size - 1) * dilation
        self.gates = nn.Linear(kernel_size * channels, 2 * channels)
        self.mix = nn.Linear(channels, skip_channels if last else skip_channels + channels)

    def forward(self, x: Tensor, past: Tensor, condition: Tensor | float) -> tuple[Tensor, Tensor, Tensor]:
        """Compute x' and skip of times ``(B, k, channels)``, and return the last ``reach`` times with them.

        Args:
            x: The times.
            past: The times before, ``(B, reach, channels)``.
            condition: What is added to the gates, ``(B, k or 1, 2 * channels)`` or 0.
        """
        whole = torch.cat([past, x], dim=1)
        starts = range(0, self.reach + 1, self.dilation)
        taps = torch.cat([whole[:, start : start + x.shape[1]] for start in starts], dim=2)
        x, skip = self.read(x, taps, condition)
        return x, skip, whole[:, whole.shape[1] - self.reach :]

    def read(self, x: Tensor, taps: Tensor, condition: Tensor | float) -> tuple[Tensor, Tensor]:
        """Compute x' and skip of times ``(..., channels)``, from taps ``(..., kernel_size * channels)``."""
        a, b = (self.gates(taps) + condition).chunk(2, dim=-1)
        mixed: Tensor = self.mix(a.tanh() * b.sigmoid())
        skip, change = mixed.tensor_split([self.skip_channels], dim=-1)
        return (x + change if change.shape[-1] else x), skip


class DilatedLayers(nn.Module):
    """Layers whose dilations grow from 1 to kernel_size^(layers - 1), block after block; their skips are added.

    The state of steps is one buffer ``(B, reach, channels)`` in which every layer has a ring of its own ``reach``: at
    time t, tap i of a layer stands at ``(t + i * dilation) % reach`` of its ring.

    Args:
        channels: Numbers of a time within a layer.
        skip_channels: Numbers of a time that leave it.
        layers: Layers of a block.
        blocks: The number of blocks.
        kernel_size: Taps of a layer.
    """

    def __init__(self, channels: int, skip_channels: int, layers: int, blocks: int, kernel_size: int) -> None:
        super().__init__()
        dilations = [kernel_size**layer for layer in range(layers)] * blocks
        self.layers: Sequence[DilatedLayer] = nn.ModuleList(  # type: ignore[assignment]
            DilatedLayer(channels, skip_channels, kernel_size, dilation, last=i == len(dilations) - 1)
            for i, dilation in enumerate(dilations)
        )
        self.channels = channels
        self.reaches = [layer.reach for layer in self.layers]
        self.reach = sum(self.reaches)

    def forward(self, x: Tensor, state: State, condition: Tensor | None) -> tuple[Tensor, State]:
        """The sum of the skips of k times ``(B, k, channels)``, and the state after them.

        Args:
            x: The times.
            state: The time t of the first of them, and the buffer.
            condition: What is added to the gates of each layer, ``(B, k or 1, len(layers), 2 * channels)``.
        """
        position, buffer = state
        t = position.value
        total = x.new_zeros(())
        rings = []
        for i, (layer, ring) in enumerate(zip(self.layers, buffer.to(x.dtype).split(self.reaches, dim=1), strict=True)):
            change = 0.0 if condition is None else condition[:, :, i]
            x, skip, past = layer(x, ring.roll(-(t % layer.reach), dims=1), change)
            total = total + skip
            rings.append(past.roll((t + x.shape[1]) % layer.reach, dims=1))
        return total, (Shared(t + x.shape[1]), torch.cat(rings, dim=1).to(buffer.dtype))

    def step(self, x: Tensor, state: State, condition: Tensor | None) -> tuple[Tensor, State]:
        """The sum of the skips ``(B, skip_channels)`` of one more time ``(B, channels)``, and the state after it."""
        position, buffer = state
        t = position.value
        slots = torch.tensor(self.slots(t), device=x.device)
        taken = buffer.index_select(1, slots).unflatten(1, (len(self.layers), -1))
        total = x.new_zeros(())
        written = []
        for i, layer in enumerate(self.layers):
            written.append(x)
            taps = torch.cat([taken[:, i].flatten(1), x], dim=1)
            x, skip = layer.read(x, taps, 0.0 if condition is None else condition[:, i])
            total = total + skip
        now = slots.unflatten(0, (len(self.layers), -1))[:, 0]  # where each oldest tap stood, the newest will
        inputs = torch.stack(written, dim=1).to(buffer.dtype)
        if torch.is_grad_enabled():
            buffer = buffer.index_copy(1, now, inputs)
        else:
            buffer.index_copy_(1, now, inputs)
        return total, (Shared(t + 1), buffer)

    def instruct(
        self,
        program: Program,
        now: int,
        buffer_of: Callable[..., Tensor],
        condition_of: Callable[..., Tensor] | None,
    ) -> int:
        """Add the instructions of `step`, and return the units of the sum of the skips.

        Args:
            program: The program.
            now: The units of the time.
            buffer_of: Gives the buffer ``(B, reach * channels)``, in which the last one is written.
            condition_of: Gives what is added to the gates of each layer, ``(B, len(layers) * 2 * channels)``; None for
                nothing.
        """
        size = self.channels
        buffer = program.give(self.reach * size, buffer_of, keep=True)
        condition = 0 if condition_of is None else program.give(2 * size * len(self.layers), condition_of)
        gates, hidden = program.units(2 * size), program.units(size)
        skips = program.units(self.layers[0].skip_channels)
        for i, (layer, start) in enumerate(zip(self.layers, np.cumsum([0, *self.reaches]), strict=False)):
            time, ring = np.arange(layer.reach), buffer + start * size
            *past, present = layer.gates.weight.split(size, dim=1)
            program.linear(gates, present, now, layer.gates.bias)
            for tap, weight in enumerate(past):
                slot = (time + tap * layer.dilation) % layer.reach
                program.linear(gates, weight, ring + slot * size, add=True)
            if condition_of is not None:
                program.add(gates, condition + 2 * size * i, 2 * size)
            program.map(ring + time * size, now, size, "same")
            program.gated(hidden, gates, size)
            skip, change = layer.mix.weight.tensor_split([layer.skip_channels])
            skip_bias, change_bias = layer.mix.bias.tensor_split([layer.skip_channels])
            program.linear(skips, skip, hidden, skip_bias, add=i > 0)
            if len(change):
                program.linear(now, change, hidden, change_bias, add=True)
        return skips

    def slots(self, t: int) -> list[int]:
        """The places in the buffer of the earlier taps of time t, layer by layer, the oldest first."""
        result, start = [], 0
        for layer in self.layers:
            result += [start + (t + shift) % layer.reach for shift in range(0, layer.reach, layer.dilation)]
            start += layer.reach
        return result


State = tuple[Shared[int], Tensor]
"""The time t of the next step, and the buffer."""
