"""Steps of dilated layers and of what follows them, compiled by numba: the extra ``fast``.

They hold the weights of a `DilatedLayers` and its output in single precision, each product's laid out for it, and
compute what `DilatedLayers.step` does, with the same state. For few sequences at once torch spends its time between
operations; here there is nothing between them, and, where values are drawn, nothing between the steps.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
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
"""Random numbers are drawn for this many steps at once."""


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
        starts = np.cumsum([0, *layers.reaches])[:-1]
        self.biases = np.stack([layer.gates.bias.detach().numpy() for layer in own])
        self.weights = (
            np.stack([starts, layers.reaches, [layer.dilation for layer in own]], axis=1).astype(np.int64),
            self.biases,
            np.stack([_transposed(layer.gates) for layer in own]),
            mixed,
            offsets,
            _transposed(first),
            first.bias.numpy().copy(),
            _transposed(last),
            last.bias.numpy().copy(),
        )
        self.num_parameters = last.out_features

    def __call__(self, x: Tensor, state: State, condition: Tensor | None) -> tuple[Tensor, State]:
        """The output ``(B, k)`` at one more time ``(B, channels)``, and the state after it, which is updated in place.

        Args:
            x: The time.
            state: The state of `DilatedLayers`.
            condition: What is added to the gates of each layer, ``(B, len(layers), 2 * channels)``.
        """
        position, buffer = state
        t = position.value
        step, _, blas = _compiled()
        gates = self._gates(None if condition is None else condition.unsqueeze(1))
        result = torch.empty(len(x), self.num_parameters)
        with blas.limit(limits=1):
            step(x.numpy(), buffer.numpy(), t, self.weights, gates, 0, result.numpy())
        return result, (Shared(t + 1), buffer)

    def draw(
        self, x: Tensor, state: State, condition: Tensor | None, hop: int, rows: Tensor, steps: int
    ) -> tuple[Tensor, State]:
        """Draw the values ``(B, steps)`` of as many steps, each by Gumbel's trick from its output, as logits.

        It takes the same random numbers as that many draws from a `Categorical`. Torch's number of threads share the
        sequences.

        Args:
            x: The first time ``(B, channels)``.
            state: The state of `DilatedLayers`.
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
                    drawn = np.empty((share.stop - share.start, len(numbers)), dtype=np.int64)
                    steps_of(
                        now[share], buffer.numpy()[share], t + first, self.weights,
                        gates[share] if len(gates) > 1 else gates, hop,
                        rows.numpy(), np.ascontiguousarray(numbers[:, share]), drawn,
                    )  # fmt: skip
                    values[share, first : first + len(numbers)] = drawn

                list(together(run, shares))
        return torch.from_numpy(values), (Shared(t + steps), buffer)

    def _gates(self, condition: Tensor | None) -> Array:
        if condition is None:
            return np.zeros((1, 1, *self.biases.shape), dtype=np.float32)
        return np.ascontiguousarray(condition.numpy())


def _transposed(layer: Any) -> Array:
    """The weight of a linear layer, ``(in_features, out_features)``."""
    transposed: Array = np.ascontiguousarray(layer.weight.detach().numpy().T)
    return transposed


@cache
def _compiled() -> Any:
    """The kernels of one step and of several, and the threads of their products."""
    from threadpoolctl import ThreadpoolController

    from chainrule.nn import dilated_kernels

    return dilated_kernels.step, dilated_kernels.steps, ThreadpoolController().select(user_api="blas")
