"""The arithmetic of a training: single, double or mixed precision."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

HALVES = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
"""The type in which a mixed precision multiplies."""


def arithmetic(precision: str, device: str) -> contextlib.AbstractContextManager[Any]:
    """The context in which losses are computed; backward passes and steps come after it.

    The CPU multiplies in bfloat16 where ``precision`` is ``"16-mixed"``.
    """
    if precision == "64-true":
        return _double_by_default()
    if precision not in HALVES:
        return contextlib.nullcontext()
    dtype = torch.bfloat16 if device == "cpu" else HALVES[precision]
    return torch.autocast(device, dtype, cache_enabled=False)


def scaler_of(precision: str, device: str) -> torch.amp.GradScaler | None:
    """Scales losses where gradients could be too small for the type that they are computed in; None elsewhere."""
    return torch.amp.GradScaler(device) if precision == "16-mixed" and device != "cpu" else None


@contextlib.contextmanager
def _double_by_default() -> Iterator[None]:
    """Make new tensors double, as the weights are."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.double)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
