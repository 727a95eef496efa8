"""Examples a batch at a time, without gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from chainrule.model import Model


def of_batches(
    function: Callable[[Tensor, Tensor | None], Tensor],
    model: Model,
    examples: Any,
    *,
    context: Tensor | None,
    batch_size: int,
) -> Tensor:
    """``function(x, context)`` of all examples, ``(N, ...)`` on the CPU, with ``model`` in evaluation mode.

    Examples with lengths of their own (recordings) go one by one, as each of a batch would be filled up to the longest.

    Raises:
        ValueError: If there are no examples, the batch size is below 1, or the context does not fit.
    """
    if len(examples) == 0:
        raise ValueError("expected at least one example, got none")
    if batch_size < 1:
        raise ValueError(f"batch_size expects at least 1, got {batch_size}")
    batch_size = 1 if getattr(examples, "ragged", False) else batch_size
    context = model.check_context(context, len(examples))
    training, device = model.training, model.device
    model.eval()
    results = []
    try:
        with torch.inference_mode():
            for start in range(0, len(examples), batch_size):
                part = slice(start, start + batch_size)
                x = torch.as_tensor(examples[part]).to(device)
                results.append(function(x, None if context is None else context[part]).cpu())
    finally:
        model.train(training)
    return torch.cat(results).clone()  # outside of inference mode: an ordinary tensor
