"""One step of dilated layers and of what follows them, compiled by numba: the extra ``fast``.

It holds the weights of a `DilatedLayers` and its output in single precision, each product's laid out for it, and
computes what `DilatedLayers.step` does, with the same state. For few sequences at once torch spends its time between
operations; here there is nothing between them.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from chainrule.nn.dilated import DilatedLayers

Array = NDArray[np.float32]

ZERO, HALF = np.float32(0), np.float32(0.5)


def usable(x: Tensor) -> bool:
    """Whether numba is there, and ``x`` of a kind that is computed: single precision, on the CPU, no gradients."""
    single = x.dtype == torch.float32 and x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
    return single and not torch.is_grad_enabled() and find_spec("numba") is not None


class FastStep:
    """The steps of ``layers``, and of the two products of ``output`` after them.

    Args:
        layers: The dilated layers.
        output: ReLU, a linear layer, ReLU and a linear layer.
    """

    def __init__(self, layers: DilatedLayers, output: nn.Sequential) -> None:
        own = list(layers.layers)
        first, last = (part for part in output if isinstance(part, nn.Linear))
        channels, skips = layers.channels, own[0].skip_channels
        mixed = np.zeros((len(own), channels, skips + channels), dtype=np.float32)
        offsets = np.zeros((len(own), skips + channels), dtype=np.float32)
        for i, layer in enumerate(own):  # the last one has no x', and here zeros
            size = layer.mix.out_features
            mixed[i, :, :size], offsets[i, :size] = _transposed(layer.mix), layer.mix.bias.numpy()
        self.weights = (
            np.stack([_transposed(layer.gates) for layer in own]),
            mixed,
            offsets,
            _transposed(first),
            first.bias.numpy().copy(),
            _transposed(last),
            last.bias.numpy().copy(),
        )
        self.bias = torch.stack([layer.gates.bias for layer in own])
        starts = np.cumsum([0, *layers.reaches])[:-1]
        self.rings = np.stack([starts, layers.reaches, [layer.dilation for layer in own]], axis=1).astype(np.int64)
        self.num_parameters = last.out_features
        self.kernel = _compiled()

    def __call__(self, x: Tensor, state: tuple[int, Tensor], condition: Tensor | None) -> tuple[Tensor, Any]:
        """The output ``(B, k)`` at one more time ``(B, channels)``, and the state after it, which is updated in place.

        Args:
            x: The time.
            state: As of `DilatedLayers`.
            condition: What is added to the gates of each layer, ``(B, len(layers), 2 * channels)``.
        """
        t, buffer = state
        gates = self.bias.unsqueeze(0) if condition is None else self.bias + condition
        result = torch.empty(len(x), self.num_parameters)
        self.kernel(x.numpy(), buffer.numpy(), t, self.rings, gates.numpy(), *self.weights, result.numpy())
        return result, (t + 1, buffer)


def _transposed(layer: Any) -> Array:
    """The weight of a linear layer, ``(in_features, out_features)``."""
    transposed: Array = np.ascontiguousarray(layer.weight.detach().numpy().T)
    return transposed


@cache
def _compiled() -> Any:
    """The kernel; numba compiles it at its first call, and keeps it in its cache."""
    import numba

    tanh = numba.njit(fastmath=True, inline="always")(_tanh)

    @numba.njit(fastmath=True, cache=True)
    def step(
        x: Array, buffer: Array, t: int, rings: Any, gates: Array, taps_weight: Array, mix_weight: Array,
        mix_bias: Array, first_weight: Array, first_bias: Array, last_weight: Array, last_bias: Array, result: Array,
    ) -> None:  # fmt: skip
        batch, channels = x.shape
        skips = len(first_weight)
        now, total = x.copy(), np.zeros((batch, skips), np.float32)
        taps = np.empty((batch, taps_weight.shape[1]), np.float32)
        summed, hidden = np.empty((batch, 2 * channels), np.float32), np.empty((batch, channels), np.float32)
        mixed = np.empty((batch, skips + channels), np.float32)
        for layer in range(len(rings)):
            start, reach, dilation = rings[layer]
            for item in range(batch):
                for tap in range(reach // dilation):
                    slot = start + (t + tap * dilation) % reach
                    taps[item, tap * channels : (tap + 1) * channels] = buffer[item, slot]
                buffer[item, start + t % reach] = now[item]
                taps[item, taps.shape[1] - channels :] = now[item]
            np.dot(taps, taps_weight[layer], summed)
            for item in range(batch):
                bias = gates[item if len(gates) > 1 else 0, layer]
                for c in range(channels):
                    gate = tanh(HALF * (summed[item, channels + c] + bias[channels + c]))
                    hidden[item, c] = tanh(summed[item, c] + bias[c]) * (HALF * gate + HALF)
            np.dot(hidden, mix_weight[layer], mixed)
            for item in range(batch):
                for s in range(skips):
                    total[item, s] += mixed[item, s] + mix_bias[layer, s]
                for c in range(channels):
                    now[item, c] += mixed[item, skips + c] + mix_bias[layer, skips + c]
        between = np.empty((batch, skips), np.float32)
        np.dot(np.maximum(total, ZERO), first_weight, between)
        np.dot(np.maximum(between + first_bias, ZERO), last_weight, result)
        result += last_bias

    return step


def _tanh(x: Any) -> Any:
    """Tanh in single precision by a rational function that a compiler can vectorise (that of the library Eigen)."""
    x = min(max(x, np.float32(-7.9)), np.float32(7.9))
    square = x * x
    above = np.float32(-2.76076847742355e-16)
    above = above * square + np.float32(2.00018790482477e-13)
    above = above * square + np.float32(-8.60467152213735e-11)
    above = above * square + np.float32(5.12229709037114e-08)
    above = above * square + np.float32(1.48572235717979e-05)
    above = above * square + np.float32(6.37261928875436e-04)
    above = above * square + np.float32(4.89352455891786e-03)
    below = np.float32(1.19825839466702e-06)
    below = below * square + np.float32(1.18534705686654e-04)
    below = below * square + np.float32(2.26843463243900e-03)
    below = below * square + np.float32(4.89352518554385e-03)
    return x * above / below
