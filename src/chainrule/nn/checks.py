"""Checks of the arguments that several models have, and of the context of their examples."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def check_counts(**counts: int) -> None:
    """Raise ``ValueError`` where a number of layers or of features is below 1."""
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} expects at least 1, got {count}")


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


def check_classes(context: Tensor | None, batch_size: int, num_classes: int | None, name: str) -> Tensor | None:
    """The classes ``(B,)`` of a model, or ``ValueError`` saying expected and got.

    While a model is exported or compiled, only the shape is checked.

    Args:
        context: What was given.
        batch_size: The number B of examples.
        num_classes: The number of classes of the model; None for no classes.
        name: The model's name.
    """
    if num_classes is None:
        if context is not None:
            raise ValueError(f"context expects None, as this {name} was built without num_classes, got classes")
        return None
    expected = f"context expects the class of each of {batch_size} examples, from 0 to {num_classes - 1}"
    if context is None:
        raise ValueError(f"{expected}, as this {name} has {num_classes} classes, got None")
    if tuple(context.shape) != (batch_size,):
        raise ValueError(f"{expected}, got the shape {tuple(context.shape)}")
    if torch.compiler.is_compiling():
        return context
    if bool(((context < 0) | (context >= num_classes) | (context != context.long())).any()):
        raise ValueError(f"{expected}, got values from {context.min().item():g} to {context.max().item():g}")
    return context


def check_frames(context: Tensor | None, batch_size: int, frame_size: int, name: str) -> Tensor:
    """The frames ``(B, F, frame_size)`` of a model, or ``ValueError`` saying expected and got.

    While a model is exported or compiled, only the shape is checked.

    Args:
        context: What was given.
        batch_size: The number B of examples.
        frame_size: Numbers of a frame.
        name: The model's name.
    """
    expected = f"context expects frames ({batch_size}, F, {frame_size}) of this {name}"
    if context is None:
        raise ValueError(f"{expected}, got None")
    if context.dim() != 3 or (len(context), context.shape[2]) != (batch_size, frame_size) or context.shape[1] == 0:
        raise ValueError(f"{expected}, got the shape {tuple(context.shape)}")
    if not torch.compiler.is_compiling() and not bool(context.isfinite().all()):
        raise ValueError(f"{expected}, got numbers that are not finite")
    return context
