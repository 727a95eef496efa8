"""Density estimation: how probable a model finds given examples."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from chainrule.model import AutoregressiveModel


@dataclass(frozen=True)
class Evaluation:
    """The negative log-likelihood of a set of examples.

    Attributes:
        nats: Mean of -log p(x), in nats per example.
        nats_stderr: Standard error of that mean over the examples.
        bits_per_dim: ``nats / (n log 2)``, bits per variable.
        examples: How many examples were evaluated.
    """

    nats: float
    nats_stderr: float
    bits_per_dim: float
    examples: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def evaluate(model: AutoregressiveModel, examples: Any, *, batch_size: int = 256) -> Evaluation:
    """The mean NLL of ``examples`` under ``model``, each example counted once.

    Args:
        model: Any model of the contract.
        examples: ``(N, *event_shape)``: a tensor, an array, or a data set that gives a batch for a slice.
        batch_size: Examples per parallel pass.

    Raises:
        ValueError: If there are no examples, or they don't fit the model.
    """
    log_probs = log_prob(model, examples, batch_size=batch_size).double()
    count = len(log_probs)
    nats = -log_probs.mean().item()
    stderr = log_probs.std().item() / math.sqrt(count) if count > 1 else math.nan
    return Evaluation(nats, stderr, nats / (model.num_variables * math.log(2)), count)


def log_prob(model: AutoregressiveModel, examples: Any, *, batch_size: int = 256) -> Tensor:
    """Log p(x) in nats, ``(N,)``, of any number of examples, a batch at a time and without gradients.

    Raises:
        ValueError: If there are no examples, or they don't fit the model.
    """
    if len(examples) == 0:
        raise ValueError("evaluate expects at least one example, got none")
    if batch_size < 1:
        raise ValueError(f"batch_size expects at least 1, got {batch_size}")
    device = model.device
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            batches = (examples[start : start + batch_size] for start in range(0, len(examples), batch_size))
            log_probs = torch.cat([model.log_prob(torch.as_tensor(batch).to(device)).cpu() for batch in batches])
    finally:
        model.train(training)
    return log_probs.clone()  # outside of inference mode: an ordinary tensor
