"""The known variables of an example, from a user's words."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from chainrule.data import read_mask
from chainrule.model import AutoregressiveModel
from chainrule.words import suggestion

SIDES = {"top-half": (-2, True), "bottom-half": (-2, False), "left-half": (-1, True), "right-half": (-1, False)}
"""Halves of an image: the dimension that is cut, and whether its beginning is known."""

HALVES = (*SIDES, "first-half")


def observed_variables(words: str, model: AutoregressiveModel) -> Tensor:
    """The known variables, booleans ``event_shape``.

    Args:
        words: A half of an image, of `SIDES`; a box of one, ``x0,y0,x1,y1`` in pixels from its upper left corner, whose
            inside is known; ``first-half`` or a fraction, along the model's order; or a file of a mask.
        model: The model whose events they are.

    Raises:
        ValueError: If it is none of these.
    """
    if words in SIDES or words.count(",") == 3:
        if len(model.event_shape) < 2:
            raise ValueError(f"--observe {words} expects images, got examples of shape {model.event_shape}")
        return _half(words, model.event_shape) if words in SIDES else _box(words, model.event_shape)
    if words and Path(words).exists():
        return read_mask(words, model.event_shape)
    expected = f"{', '.join(HALVES)}, a fraction, a box x0,y0,x1,y1 or a file of a mask"
    share = observed_share(words, expected)
    known = torch.arange(model.num_variables) < round(share * model.num_variables)
    return model.order.unflatten(known.unsqueeze(0).to(model.device))[0].cpu()


def _half(words: str, shape: tuple[int, ...]) -> Tensor:
    dim, begins = SIDES[words]
    first = torch.arange(shape[dim]) < shape[dim] // 2
    known = first if begins else ~first
    return (known[:, None] if dim == -2 else known).expand(shape)


def _box(words: str, shape: tuple[int, ...]) -> Tensor:
    """The inside of a box, ``"x0,y0,x1,y1"``; x1 and y1 are the first pixels beyond it."""
    height, width = shape[-2:]
    sides = words.split(",")
    x0, y0, x1, y1 = (int(side) if side.strip().isdecimal() else -1 for side in sides)
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise ValueError(
            f"--observe expects a box x0,y0,x1,y1 with 0 <= x0 < x1 <= {width} and 0 <= y0 < y1 <= {height}, "
            f"got {words!r}"
        )
    known = torch.zeros(shape, dtype=torch.bool)
    known[..., y0:y1, x0:x1] = True
    return known


def observed_share(words: str, expected: str) -> float:
    """The known share of an example, from its beginning on.

    Args:
        words: ``first-half`` or a fraction.
        expected: The words that are allowed, for the error.

    Raises:
        ValueError: If it is no fraction from 0 to 1.
    """
    try:
        fraction = 0.5 if words == "first-half" else float(words)
    except ValueError:
        hint = suggestion(words, HALVES)
        raise ValueError(f"--observe expects {expected}, got {words!r}{hint}") from None
    if not 0 <= fraction <= 1:
        raise ValueError(f"--observe expects a fraction from 0 to 1, got {words}")
    return fraction
