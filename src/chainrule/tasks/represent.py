"""Representation: what a model's hidden layers say of an example."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from chainrule.model import Model


def represent(model: Model, examples: Any, *, context: Tensor | None = None, batch_size: int = 256) -> Tensor:
    """Features ``(N, k)`` of examples; which hidden units they are, each model's docstring says.

    Args:
        model: A model with hidden layers.
        examples: ``(N, *event_shape)``: a tensor, or a data set that gives a batch for a slice.
        context: What each example is conditioned on: classes ``(N,)``.
        batch_size: Examples per pass.

    Raises:
        ValueError: If the model has no hidden layer, there are no examples, or they don't fit.

    >>> from chainrule.conditionals import Bernoulli
    >>> from chainrule.models import NADE
    >>> represent(NADE(event_shape=(4,), conditional=Bernoulli(), hidden_size=7), torch.zeros(3, 4)).shape
    torch.Size([3, 7])
    """
    if len(examples) == 0:
        raise ValueError("represent expects at least one example, got none")
    context = model.check_context(context, len(examples))
    training = model.training
    model.eval()
    results = []
    try:
        with torch.inference_mode():
            for start in range(0, len(examples), batch_size):
                part = slice(start, start + batch_size)
                x = torch.as_tensor(examples[part]).to(model.device)
                results.append(model.features(x, None if context is None else context[part]).cpu())
    finally:
        model.train(training)
    return torch.cat(results).clone()  # outside of inference mode: an ordinary tensor
