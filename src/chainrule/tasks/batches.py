"""Examples a batch at a time, without gradients."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from chainrule.batch import as_source
from chainrule.model import Model

VALUES = 2**18
"""A batch of whole examples has at most this many values, or one example: large images would not fit into memory."""


def rows_of_batch(batch_size: int, model: Model) -> int:
    """``batch_size``, or fewer examples where so many of ``model`` would have more than `VALUES` values."""
    return min(batch_size, max(1, VALUES // model.num_variables))


@contextlib.contextmanager
def evaluation_mode(*models: Model) -> Iterator[None]:
    """Put ``models`` in evaluation mode, and back afterwards in the mode that each had."""
    modes = [model.training for model in models]
    try:
        for model in models:
            model.eval()
        yield
    finally:
        for model, training in zip(models, modes, strict=True):
            model.train(training)


def of_batches(
    function: Callable[[Tensor, Tensor | None], Tensor],
    model: Model,
    examples: Any,
    *,
    context: Tensor | None,
    batch_size: int,
) -> Tensor:
    """``function(x, context)`` of all examples, ``(N, ...)`` on the CPU, with ``model`` in evaluation mode.

    Examples with lengths of their own (recordings) go one by one, because a batch would pad each to the longest.

    Raises:
        ValueError: If there are no examples, the batch size is below 1, or the context does not fit.
    """
    source = as_source(examples)
    if len(source) == 0:
        raise ValueError("expected at least one example, got none")
    context = model.check_context(context, len(source))
    with evaluation_mode(model), torch.inference_mode():
        batches = source.in_order(rows_of_batch(batch_size, model), context=context)
        results = [function(batch.x.to(model.device), batch.context).cpu() for batch in batches]
    return torch.cat(results).clone()  # outside of inference mode: an ordinary tensor
