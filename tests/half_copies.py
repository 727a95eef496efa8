"""Examples that are quickly learnt, and a small model of them, for the tests of training."""

from typing import Any

import torch
from torch import Tensor

import chainrule
from chainrule.conditionals import Bernoulli
from chainrule.models import MADE

SHAPE = (8,)


def half_copies() -> Tensor:
    """Examples whose second half copies the first, with a little noise: 4 log 2 = 2.8 nats and a bit."""
    generator = torch.Generator().manual_seed(0)
    half = torch.bernoulli(torch.full((600, 4), 0.5), generator=generator)
    flips = torch.bernoulli(torch.full((600, 4), 0.05), generator=generator)
    return torch.cat([half, (half - flips).abs()], dim=1)


def made() -> MADE:
    torch.manual_seed(1)
    return MADE(event_shape=SHAPE, conditional=Bernoulli(), hidden_sizes=[32], dropout=0.1)


def train(model: Any, data: Tensor, **settings: Any) -> Any:
    settings = {"max_epochs": 4, "batch_size": 50, "learning_rate": 0.02, "verbose": False} | settings
    return chainrule.fit(model, data[:500], data[500:], **settings)
