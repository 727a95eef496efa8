"""Representation: the hidden units of a model for given examples."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from chainrule.model import Model
from chainrule.tasks.batches import of_batches


def represent(model: Model, examples: Any, *, context: Tensor | None = None, batch_size: int = 256) -> Tensor:
    """Features ``(N, k)`` of examples; each model's docstring says which hidden units they are.

    Args:
        model: A model with hidden layers.
        examples: ``(N, *event_shape)``: a tensor, or a data set that gives a batch for a slice.
        context: What each example is conditioned on: classes ``(N,)``.
        batch_size: Examples per pass.

    Raises:
        ValueError: If the model has no hidden layer, there are no examples, or they don't fit.

    >>> import torch
    >>> from chainrule.conditionals import Bernoulli
    >>> from chainrule.models import NADE
    >>> represent(NADE(event_shape=(4,), conditional=Bernoulli(), hidden_size=7), torch.zeros(3, 4)).shape
    torch.Size([3, 7])
    """
    return of_batches(model.features, model, examples, context=context, batch_size=batch_size)
