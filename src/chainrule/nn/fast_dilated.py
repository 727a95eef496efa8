"""Steps of dilated layers and of what follows them, compiled by numba: the extra ``fast``.

They hold the weights of a `DilatedLayers` and its output in single precision, each product's laid out for it, and
compute what `DilatedLayers.step` does, with the same state. For few sequences at once torch spends its time between
operations; here there is nothing between them, and, where values are drawn, nothing between the steps.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from chainrule.nn.dilated import DilatedLayers, State
from chainrule.state import Shared

Array = NDArray[np.float32]

AT_ONCE = 64
"""Steps whose random numbers are drawn before them."""

ZERO, HALF = np.float32(0), np.float32(0.5)


def usable(x: Tensor) -> bool:
    """True if numba is installed and ``x`` can be computed: single precision, on the CPU, without gradients."""
    single = x.dtype == torch.float32 and x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
    return single and not torch.is_grad_enabled() and find_spec("numba") is not None


class FastStep:
    """The weights of ``layers``, and of the two products of ``output`` after them, laid out for the compiled steps.

    It holds arrays and no compiled code, so that the state of a walk that holds it can be copied and pickled.

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
        starts = np.cumsum([0, *layers.reaches])[:-1]
        self.rings = np.stack([starts, layers.reaches, [layer.dilation for layer in own]], axis=1).astype(np.int64)
        self.biases = np.stack([layer.gates.bias.detach().numpy() for layer in own])
        self.num_parameters = last.out_features

    def __call__(self, x: Tensor, state: State, condition: Tensor | None) -> tuple[Tensor, State]:
        """The output ``(B, k)`` at one more time ``(B, channels)``, and the state after it, which is updated in place.

        Args:
            x: The time.
            state: As of `DilatedLayers`.
            condition: What is added to the gates of each layer, ``(B, len(layers), 2 * channels)``.
        """
        position, buffer = state
        t = position.value
        step, _, blas = _compiled()
        gates = self._gates(None if condition is None else condition.unsqueeze(1))
        result = torch.empty(len(x), self.num_parameters)
        with blas.limit(limits=1):
            step(x.numpy(), buffer.numpy(), t, self.rings, gates, 0, self.biases, *self.weights, result.numpy())
        return result, (Shared(t + 1), buffer)

    def draw(
        self, x: Tensor, state: State, condition: Tensor | None, hop: int, rows: Tensor, steps: int
    ) -> tuple[Tensor, State]:
        """Draw the values ``(B, steps)`` of as many steps, each by Gumbel's trick from its output, as logits.

        The random numbers are those that as many draws of a `Categorical` would take. The sequences are shared out
        among torch's number of threads.

        Args:
            x: The first time ``(B, channels)``.
            state: As of `DilatedLayers`.
            condition: What is added to the gates, ``(B, frames, len(layers), 2 * channels)``: always the only frame,
                or frame floor(t / hop) at time t.
            hop: Times of a frame.
            rows: The time ``(K, channels)`` that follows each value.
            steps: The number of steps.
        """
        position, buffer = state
        t = position.value
        _, steps_of, blas = _compiled()
        batch = len(x)
        gates, now, values = self._gates(condition), x.numpy().copy(), np.empty((batch, steps), dtype=np.int64)
        parts = np.array_split(np.arange(batch), min(batch, torch.get_num_threads()))
        shares = [slice(part[0], part[-1] + 1) for part in parts]
        with blas.limit(limits=1), ThreadPoolExecutor(len(shares)) as threads:
            together = threads.map if len(shares) > 1 else map
            for first in range(0, steps, AT_ONCE):
                noise = torch.empty(min(AT_ONCE, steps - first), batch, self.num_parameters)
                numbers = noise.exponential_().log_().numpy()

                def run(share: slice, first: int = first, numbers: Array = numbers) -> None:
                    steps_of(
                        now[share], buffer.numpy()[share], t + first, self.rings,
                        gates[share] if len(gates) > 1 else gates, hop, self.biases, *self.weights,
                        rows.numpy(), numbers[:, share], values[share, first:],
                    )  # fmt: skip

                list(together(run, shares))
        return torch.from_numpy(values), (Shared(t + steps), buffer)

    def _gates(self, condition: Tensor | None) -> Array:
        if condition is None:
            return np.zeros((1, 1, *self.biases.shape), dtype=np.float32)
        gates: Array = condition.numpy()
        return gates


def _transposed(layer: Any) -> Array:
    """The weight of a linear layer, ``(in_features, out_features)``."""
    transposed: Array = np.ascontiguousarray(layer.weight.detach().numpy().T)
    return transposed


@cache
def _compiled() -> Any:
    """The kernels of one step and of several, and the threads of their products.

    Numba compiles at the first call, and keeps what it compiled in its cache.
    """
    import numba
    import scipy.linalg  # noqa: F401 (numba's products are SciPy's)
    from threadpoolctl import ThreadpoolController

    # Python's own divisions, which raise at zero, would keep the loops from being vectorised.
    compiled = partial(numba.njit, fastmath=True, error_model="numpy")
    tanh = compiled(inline="always")(_tanh)

    @compiled(cache=True, nogil=True)
    def step(
        x: Array, buffer: Array, t: int, rings: Any, gates: Array, frame: int, biases: Array, taps_weight: Array,
        mix_weight: Array, mix_bias: Array, first_weight: Array, first_bias: Array, last_weight: Array,
        last_bias: Array, result: Array,
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

    @compiled(cache=True, nogil=True)
    def steps(
        x: Array, buffer: Array, t: int, rings: Any, gates: Array, hop: int, biases: Array, taps_weight: Array,
        mix_weight: Array, mix_bias: Array, first_weight: Array, first_bias: Array, last_weight: Array,
        last_bias: Array, rows: Array, noise: Array, values: Any,
    ) -> None:  # fmt: skip
        logits = np.empty((len(x), len(last_bias)), np.float32)
        for s in range(len(noise)):
            frame = (t + s) // hop if gates.shape[1] > 1 else 0
            step(
                x, buffer, t + s, rings, gates, frame, biases, taps_weight, mix_weight, mix_bias, first_weight,
                first_bias, last_weight, last_bias, logits,
            )  # fmt: skip
            for item in range(len(x)):
                best = np.argmax(logits[item] - noise[s, item])
                values[item, s] = best
                x[item] = rows[best]

    return step, steps, ThreadpoolController().select(user_api="blas")


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
