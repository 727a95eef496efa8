"""AdamW by torch's fused kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import increment_version
from torch.optim.adamw import adamw


class _Moments(NamedTuple):
    """The memory of AdamW for a weight: its number of steps, and the means of its gradients and of their squares."""

    step: Tensor
    exp_avg: Tensor
    exp_avg_sq: Tensor


class AdamW:
    """AdamW (Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101), for weights that have decays of their own.

    It does what `torch.optim.AdamW` does, whose classes import torch's compiler: 1.6 s of CPU time, which is more than
    many a training takes.

    Args:
        groups: Weights, and the share of them by which a step at the learning rate 1 makes them smaller.

    Attributes:
        param_groups: The same weights, as `torch.amp.GradScaler` looks for them.
    """

    def __init__(self, groups: Sequence[tuple[Sequence[Tensor], float]]) -> None:
        self.rate = 0.0
        self._groups = groups
        self.param_groups = [{"params": weights} for weights, _ in groups]
        self._moments = {
            weight: _Moments(weight.new_zeros((), dtype=torch.float32), *(torch.zeros_like(weight) for _ in range(2)))
            for weights, _ in groups
            for weight in weights
        }

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for weight in self._moments:
            weight.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Take a step at the learning rate ``rate``. Weights without a gradient stay as they are."""
        for weights, decay in self._groups:
            moved = [weight for weight in weights if weight.grad is not None]
            if not moved:
                continue
            moments = [self._moments[weight] for weight in moved]
            adamw(
                moved,
                [grad for weight in moved if (grad := weight.grad) is not None],
                [each.exp_avg for each in moments],
                [each.exp_avg_sq for each in moments],
                [],
                [each.step for each in moments],
                fused=True,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=self.rate,
                weight_decay=decay,
                eps=1e-8,
                maximize=False,
            )
            increment_version(moved)  # which the kernel leaves out; compiled walks are kept until a weight changes

    def state_dict(self) -> dict[int, dict[str, Tensor]]:
        """The moments of each weight, by its number."""
        return {index: moments._asdict() for index, moments in enumerate(self._moments.values())}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[int, Mapping[str, Any]]) -> None:
        """Take the moments of `state_dict`; a weight that has none there has taken no step yet."""
        for index, moments in enumerate(self._moments.values()):
            for name, value in state.get(index, {}).items():
                getattr(moments, name).copy_(value)
