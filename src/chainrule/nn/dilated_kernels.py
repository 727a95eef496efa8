"""Kernels of `chainrule.nn.fast_dilated`, compiled by numba; importing this module needs the extra ``fast``.

Numba compiles a kernel at its first call, for several seconds, and keeps the machine code on disk. It finds it again
only for functions of a module: the key of a nested function includes the identity of the compiled functions that it
calls. It compiles anew for every type, and an array that is not contiguous has a type of its own: all of them are.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numba
import numpy as np
import scipy.linalg  # noqa: F401 (numba's products are SciPy's)
from numpy.typing import NDArray

Array = NDArray[np.float32]

Weights = tuple[Any, Array, Array, Array, Array, Array, Array, Array, Array]
"""The rings (start, reach and dilation of each layer), the biases and weights of the gates, the weights and biases of
the mixing layers, and those of the first and the last product after them."""

ZERO, HALF = np.float32(0), np.float32(0.5)

# Python's own divisions, which raise at zero, would keep the loops from being vectorised.
compiled = partial(numba.njit, fastmath=True, error_model="numpy")


def kept(function: Any) -> Any:
    """A kernel whose machine code is kept on disk, or only in memory where numba finds no folder that it can write."""
    try:
        return compiled(cache=True, nogil=True)(function)
    except RuntimeError:
        return compiled(nogil=True)(function)


@compiled(inline="always")
def tanh(x: Any) -> Any:
    """Tanh in single precision, by the rational function of the library Eigen, which a compiler can vectorise."""
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


@kept
def step(x: Array, buffer: Array, t: int, weights: Weights, gates: Array, frame: int, result: Array) -> None:
    """Compute one step of all layers and of the two products after them, into ``result``; update the ``buffer``."""
    rings, biases, taps_weight, mix_weight, mix_bias, first_weight, first_bias, last_weight, last_bias = weights
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
            given, bias = gates[item if len(gates) > 1 else 0, frame, layer], biases[layer]
            for c in range(2 * channels):
                summed[item, c] += given[c] + bias[c]
            for c in range(channels):
                gate = tanh(HALF * summed[item, channels + c])
                hidden[item, c] = tanh(summed[item, c]) * (HALF * gate + HALF)
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


@kept
def steps(
    x: Array, buffer: Array, t: int, weights: Weights, gates: Array, hop: int, rows: Array, noise: Array, values: Any
) -> None:
    """Draw one value a step by Gumbel's trick, into ``values``, and feed it to the next step."""
    logits = np.empty((len(x), noise.shape[2]), np.float32)
    for s in range(len(noise)):
        frame = (t + s) // hop if gates.shape[1] > 1 else 0
        step(x, buffer, t + s, weights, gates, frame, logits)
        for item in range(len(x)):
            best = np.argmax(logits[item] - noise[s, item])
            values[item, s] = best
            x[item] = rows[best]
