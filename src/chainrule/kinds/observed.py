"""The known variables of an example, from a user's words."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from chainrule.data import read_mask
from chainrule.model import AutoregressiveModel
from chainrule.words import suggestion

HALVES = ("top-half", "bottom-half", "first-half")


def observed_variables(words: str, model: AutoregressiveModel) -> Tensor:
    """The known variables, booleans ``event_shape``.

    Args:
        words: ``top-half`` or ``bottom-half`` of an image; ``first-half`` or a fraction, along the model's order; or a
            file of a mask.
        model: The model whose events they are.

    Raises:
        ValueError: If it is none of these.
    """
    if words in ("top-half", "bottom-half"):
        if len(model.event_shape) < 2:
            raise ValueError(f"--observe {words} expects images, got examples of shape {model.event_shape}")
        in_top = torch.arange(model.event_shape[-2]) < model.event_shape[-2] // 2
        rows = in_top if words == "top-half" else ~in_top
        return rows[:, None].expand(model.event_shape)
    if words and Path(words).exists():
        return read_mask(words, model.event_shape)
    share = observed_share(words, "top-half, bottom-half, first-half, a fraction or a file of a mask")
    known = torch.arange(model.num_variables) < round(share * model.num_variables)
    return model.order.unflatten(known.unsqueeze(0).to(model.device))[0].cpu()


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
