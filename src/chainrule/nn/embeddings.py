"""Linear maps of the features of variables, one for each variable."""

from __future__ import annotations

import torch
from torch import Tensor, nn

DEVIATION = 0.3
"""The standard deviation of the weights at the start."""


class Embeddings(nn.Module):
    """e_t = W_t f_t: what a network reads of each of n variables instead of its features.

    Args:
        num_variables: The number n of variables.
        num_features: The features of a variable.
        size: The numbers that they are made into; 0 leaves them as they are, without weights.

    Raises:
        ValueError: If ``size`` is negative.
    """

    def __init__(self, num_variables: int, num_features: int, size: int) -> None:
        super().__init__()
        if size < 0:
            raise ValueError(f"embedding_size expects 0 or more, got {size}")
        self.num_features = size or num_features
        weight = torch.randn(num_variables, num_features, size) * DEVIATION
        self.weight = nn.Parameter(weight) if size else None

    def forward(self, features: Tensor) -> Tensor:
        """All embeddings ``(B, n, size)`` of the features ``(B, n, f)``."""
        return features if self.weight is None else torch.einsum("bnf,nfe->bne", features, self.weight)

    def of(self, index: int, features: Tensor) -> Tensor:
        """The embedding ``(B, size)`` of variable ``index`` from its features ``(B, f)``."""
        return features if self.weight is None else features @ self.weight[index]
