"""The baseline that every model has to beat: all variables independent of each other."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def independent_nats(train: Any, test: Any, levels: int, *, batch_size: int = 1024) -> float:
    """Mean NLL, in nats, of ``test`` when every variable has its own frequencies in ``train``, and no context.

    p(x_t = v) = (count of v + 1) / (N + levels): Laplace's rule, so that no value is impossible.

    Args:
        train: Examples ``(N, *event_shape)``: a tensor, or a data set that gives a batch for a slice.
        test: Examples to evaluate.
        levels: The number of values of a variable.
        batch_size: Examples that are counted at once.

    Raises:
        ValueError: If there are no examples.

    >>> train = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    >>> round(independent_nats(train, train, 2), 4) == round(-2 * torch.tensor(3 / 4).log().item(), 4)
    True
    """
    counts = value_counts(train, levels, batch_size)
    log_probs = ((counts + 1) / (counts.sum(0) + levels)).log()
    return -(value_counts(test, levels, batch_size) * log_probs).sum().item() / len(test)


def value_counts(examples: Any, levels: int, batch_size: int) -> Tensor:
    """The count of each value of each variable: ``(levels, n)``, float64."""
    if len(examples) == 0:
        raise ValueError("independent_nats expects at least one example, got none")
    total = torch.zeros(())
    for start in range(0, len(examples), batch_size):
        batch = examples[start : start + batch_size].flatten(1).long()
        counts = torch.zeros(levels, batch.shape[1], dtype=torch.float64)
        total = total + counts.scatter_add_(0, batch, torch.ones(batch.shape, dtype=torch.float64))
    return total
