"""Checks of the arguments that several models have."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def check_dropout(dropout: float, name: str = "dropout") -> float:
    """``dropout``, or ``ValueError`` if it is no probability below 1."""
    if not 0 <= dropout < 1:
        raise ValueError(f"{name} expects a probability in [0, 1), got {dropout}")
    return dropout


def activation_called(name: str) -> Callable[[Tensor], Tensor]:
    """The activation function ``name``, or ``ValueError`` if there is none."""
    if name not in ("relu", "sigmoid"):
        raise ValueError(f"activation expects 'relu' or 'sigmoid', got {name!r}")
    return torch.relu if name == "relu" else torch.sigmoid
