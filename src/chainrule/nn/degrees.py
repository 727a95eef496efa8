"""The degrees of the hidden units of a masked autoencoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor


def sorted_by(degrees: Tensor) -> Callable[..., Tensor]:
    """A function that sorts a dimension of a weight by the degrees of its units; free if they are sorted."""
    if bool((degrees.diff() >= 0).all()):
        return lambda weight, dim: weight
    indices = degrees.argsort(stable=True)
    return lambda weight, dim: weight.index_select(dim, indices)


def hidden_degrees(num_variables: int, hidden_sizes: Sequence[int], seed: int) -> list[Tensor]:
    """Degrees of the units of each hidden layer (MADE, algorithm 1).

    Uniform in [1, n - 1], and from the second layer on at least the least degree of the layer before,
    so that every unit sees something.

    >>> hidden_degrees(4, [5, 3], seed=0)
    [tensor([1, 2, 1, 2, 2]), tensor([3, 1, 3])]
    """
    # RandomState's stream is frozen by NumPy's policy: a saved model finds its masks again.
    generator = np.random.RandomState(seed)
    highest, least = max(num_variables - 1, 1), 1
    layers = []
    for size in hidden_sizes:
        degrees = generator.randint(least, highest + 1, size=size)
        least = int(degrees.min())
        layers.append(torch.from_numpy(degrees))
    return layers
