"""Linear layers some of whose weights are held at zero, and the masks that make them causal."""

from __future__ import annotations

import copy
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Masked(nn.Module):
    """A layer some of whose weights are held at zero: it computes with ``weight * mask``, in every pass anew."""

    weight: Tensor
    mask: Tensor
    num_masked: int

    def hold_at_zero(self, mask: Tensor) -> None:
        """Set the mask: ones where a weight lives, of the shape of the weights."""
        self.register_buffer("mask", mask.to(self.weight.dtype), persistent=False)
        self.num_masked = mask.numel() - int(mask.count_nonzero())


class MaskedLinear(Masked, nn.Linear):
    """y = (W * mask) x + b. The mask multiplies the weight in every pass and is never written into it.

    Args:
        mask: Ones where a weight lives, ``(out_features, in_features)``.
        bias: True to add b.
    """

    def __init__(self, mask: Tensor, bias: bool = True) -> None:
        out_features, in_features = mask.shape
        super().__init__(in_features, out_features, bias=bias)
        self.hold_at_zero(mask)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.mask, self.bias)

    def with_mask(self, mask: Tensor) -> Self:
        """This layer's view under another mask: it shares the weight and the bias."""
        view = copy.copy(self)
        view._buffers = {**self._buffers, "mask": mask.to(self.mask)}
        view.num_masked = mask.numel() - int(mask.count_nonzero())
        return view


def degree_mask(out_degrees: Tensor, in_degrees: Tensor, strict: bool = False) -> Tensor:
    """The mask that lets a unit see those of lower degree, or of equal degree too unless ``strict``.

    (MADE, equations 12 and 13.)

    >>> degree_mask(torch.tensor([1, 2, 3]), torch.tensor([1, 2, 3]), strict=True)
    tensor([[0., 0., 0.],
            [1., 0., 0.],
            [1., 1., 0.]])
    """
    seen = out_degrees[:, None] > in_degrees if strict else out_degrees[:, None] >= in_degrees
    return seen.to(torch.get_default_dtype())
