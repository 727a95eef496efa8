"""Orders: the sequence in which the variables of an event are generated."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

OrderSpec = str | Sequence[int]


class Order(nn.Module):
    """A bijection between an event and the sequence of its n variables.

    ``permutation[t]`` is the position, in the flattened event, of the variable generated at time t.

    Args:
        spec: ``"raster"``, ``"reversed"``, ``"random"`` or ``"random:SEED"``, ``"column"``,
            ``"diagonal"`` (the last two for images), or the permutation itself. Raster goes row by
            row, and at every pixel channel by channel: an event ``(channels, height, width)`` is not
            read channel plane after channel plane.
        event_shape: ``(n,)``, ``(height, width)`` or ``(channels, height, width)``.

    Raises:
        ValueError: If the name is unknown, needs an image, or the sequence is no permutation.

    >>> Order("reversed", (4,)).permutation.tolist()
    [3, 2, 1, 0]
    >>> Order("column", (1, 2, 3)).permutation.tolist()
    [0, 3, 1, 4, 2, 5]
    >>> Order("random:7", (5,)).permutation.tolist()
    [0, 3, 2, 1, 4]
    """

    permutation: Tensor
    inverse: Tensor

    def __init__(self, spec: OrderSpec, event_shape: Sequence[int]) -> None:
        super().__init__()
        self.event_shape = tuple(event_shape)
        permutation = permutation_of(spec, self.event_shape)
        self.is_identity = permutation == list(range(len(permutation)))
        self.register_buffer("permutation", torch.tensor(permutation), persistent=False)
        self.register_buffer("inverse", torch.argsort(self.permutation), persistent=False)

    def flatten(self, x: Tensor) -> Tensor:
        """Events ``(B, *event_shape, ...)`` as sequences ``(B, n, ...)`` in this order."""
        return self.along(x.flatten(1, len(self.event_shape)), 1)

    def unflatten(self, sequence: Tensor) -> Tensor:
        """Sequences ``(B, n, ...)`` as events ``(B, *event_shape, ...)``; the inverse of `flatten`."""
        x = sequence if self.is_identity else sequence.index_select(1, self.inverse)
        return x.unflatten(1, self.event_shape)

    def along(self, weight: Tensor, dim: int = 0, group: int = 1) -> Tensor:
        """``weight`` with its dimension ``dim``, which counts the flattened event's variables, put in this order.

        Args:
            weight: Any tensor whose dimension ``dim`` has ``n * group`` entries.
            dim: Which dimension.
            group: The number of neighbouring entries of each variable.
        """
        if self.is_identity:
            return weight
        if group == 1:
            return weight.index_select(dim, self.permutation)
        return weight.unflatten(dim, (-1, group)).index_select(dim, self.permutation).flatten(dim, dim + 1)


def permutation_of(spec: OrderSpec, event_shape: tuple[int, ...]) -> list[int]:
    """The permutation that ``spec`` names for ``event_shape``; see `Order`."""
    n = math.prod(event_shape)
    if not isinstance(spec, str):
        permutation = [int(i) for i in spec]
        if sorted(permutation) != list(range(n)):
            raise ValueError(
                f"order expects a permutation of 0 to {n - 1}, got {len(permutation)} indices: {_short(permutation)}"
            )
        return permutation
    name, _, seed = spec.partition(":")
    if name == "random" and (not seed or seed.isdecimal()):
        # RandomState's stream is frozen by NumPy's policy: a saved model finds its order again.
        return np.random.RandomState(int(seed or 0)).permutation(n).tolist()
    if spec in ("raster", "reversed"):
        raster = _scan(event_shape, lambda row, column: (row, column)) if len(event_shape) > 1 else list(range(n))
        return raster if spec == "raster" else raster[::-1]
    if spec in ("column", "diagonal"):
        if len(event_shape) < 2:
            raise ValueError(
                f"order {spec!r} expects an image event (channels, height, width), got the event shape {event_shape}"
            )
        return _scan(event_shape, _SCANS[spec])
    raise ValueError(
        f"order expects raster, reversed, random, random:SEED, column, diagonal or a permutation, got {spec!r}"
    )


_SCANS: dict[str, Callable[[int, int], tuple[int, int]]] = {
    "column": lambda row, column: (column, row),
    "diagonal": lambda row, column: (row + column, row),
}


def _scan(event_shape: tuple[int, ...], key: Callable[[int, int], tuple[int, int]]) -> list[int]:
    """Pixels sorted by ``key(row, column)``, and the channels of each pixel together."""
    *channels, height, width = event_shape
    pixels = sorted(((row, column) for row in range(height) for column in range(width)), key=lambda pixel: key(*pixel))
    return [
        channel * height * width + row * width + column
        for row, column in pixels
        for channel in range(math.prod(channels))
    ]


def _short(values: list[int]) -> str:
    return str(values) if len(values) <= 8 else f"[{', '.join(map(str, values[:8]))}, ...]"
