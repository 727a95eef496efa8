"""Linear layers some of whose weights are held at zero, and the masks that make them causal."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


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
        self.steps = steps_of(mask)

    def forward(self, x: Tensor) -> Tensor:
        if self.steps is None or torch.compiler.is_compiling() or torch.is_autocast_enabled(x.device.type):
            return F.linear(x, self.weight * self.mask, self.bias)
        product: Tensor = StepsProduct.apply(x, self.weight, self.bias, self.mask, self.steps)  # type: ignore[no-untyped-call]
        return product

    def with_mask(self, mask: Tensor) -> Self:
        """This layer's view under another mask: it shares the weight and the bias."""
        view = copy.copy(self)
        view._buffers = {**self._buffers, "mask": mask.to(self.mask)}
        view.num_masked = mask.numel() - int(mask.count_nonzero())
        view.steps = steps_of(mask)
        return view


Step = tuple[slice, slice]
"""Rows of a weight, and the columns outside of which all of them are masked."""

STEPS = 4
"""Steps that a mask is cut into: more save more of the products, and each costs a call."""

WORTH = 0.85
"""Steps that leave more of a weight than this share save less than they cost."""


def steps_of(mask: Tensor) -> list[Step] | None:
    """A mask of triangular shape as steps; None where they would leave out little, or the weight is small.

    >>> steps_of(torch.ones(1000, 1000).tril())[0]
    (slice(0, 250, None), slice(0, 250, None))
    """
    if mask.numel() < 2**16:
        return None
    steps, kept = [], 0
    ends = [len(mask) * i // STEPS for i in range(STEPS + 1)]
    for first, last in pairwise(ends):
        live = mask[first:last].any(0).nonzero()
        columns = slice(int(live.min()), int(live.max()) + 1) if len(live) else slice(0, 0)
        steps.append((slice(first, last), columns))
        kept += (last - first) * (columns.stop - columns.start)
    return steps if kept < WORTH * mask.numel() else None


class StepsProduct(torch.autograd.Function):
    """y = (W * mask) x + b, step by step: what the mask holds at zero is hardly computed, and its gradient neither."""

    @staticmethod
    def forward(
        context: Any, x: Tensor, weight: Tensor, bias: Tensor | None, mask: Tensor, steps: list[Step]
    ) -> Tensor:
        y = x.new_empty(*x.shape[:-1], len(weight))
        parts = []
        for rows, columns in steps:
            part = weight[rows, columns] * mask[rows, columns]
            y[..., rows] = F.linear(x[..., columns], part, None if bias is None else bias[rows])
            parts.append(part)
        context.save_for_backward(x, mask, *parts)
        context.steps, context.has_bias = steps, bias is not None
        return y

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, mask, *parts = context.saved_tensors
        for_x, for_weight, for_bias, *_ = context.needs_input_grad
        of_x = torch.zeros_like(x) if for_x else None
        of_weight = torch.zeros_like(mask) if for_weight else None
        for (rows, columns), part in zip(context.steps, parts, strict=True):
            own = gradient[..., rows]
            if of_weight is not None:
                product = own.flatten(0, -2).T @ x[..., columns].flatten(0, -2)
                torch.mul(product, mask[rows, columns], out=of_weight[rows, columns])
            if of_x is not None:
                of_x[..., columns] += own @ part
        of_bias = gradient.flatten(0, -2).sum(0) if context.has_bias and for_bias else None
        return of_x, of_weight, of_bias, None, None


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
