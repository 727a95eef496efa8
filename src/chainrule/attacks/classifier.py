"""A small classifier of images, trained where the user has none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from chainrule.conditionals import Conditional
from chainrule.data.dataset import Dataset
from chainrule.model import Model
from chainrule.training import fit

STEPS, EPOCHS = 400, 4
"""The least numbers of optimiser steps and of epochs that the small classifier is trained for."""

BATCH = 128


class SmallClassifier(Model):
    """A classifier with two convolutions, each followed by max pooling, and two linear layers.

    Training minimises the cross-entropy, in nats. The context of a batch holds its true classes.

    Args:
        event_shape: ``(channels, height, width)``; height and width are at least 4.
        conditional: A family with a finite list of values, those of the pixels.
        num_classes: The number of classes.
        hidden_size: Channels of the first convolution; the second has twice as many.

    Raises:
        ValueError: If the examples are not images of at least 4 x 4, or the conditional's values can't be listed.
    """

    def __init__(
        self, *, event_shape: Sequence[int], conditional: Conditional, num_classes: int, hidden_size: int = 32
    ) -> None:
        super().__init__(event_shape=event_shape, conditional=conditional, num_classes=num_classes)
        if len(self.event_shape) != 3 or min(self.event_shape[1:]) < 4:
            raise ValueError(f"a classifier expects images of at least 4 x 4, got examples {self.event_shape}")
        if conditional.values is None:
            raise ValueError(f"a classifier expects pixels whose values can be listed, got {conditional}")
        self.scale = len(conditional.values) - 1
        channels, height, width = self.event_shape
        self.network = nn.Sequential(
            nn.Conv2d(channels, hidden_size, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(hidden_size, 2 * hidden_size, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(2 * hidden_size * (height // 4) * (width // 4), 8 * hidden_size),
            nn.ReLU(),
            nn.Linear(8 * hidden_size, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The logits ``(B, num_classes)`` of the images ``x`` ``(B, *event_shape)``."""
        logits: Tensor = self.network(self.check(x) / self.scale)
        return logits

    def loss(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        classes = cast(Tensor, self.check_context(context, len(x)))  # check_context refuses None
        return nn.functional.cross_entropy(self(x), classes, reduction="none")


def trained_classifier(
    dataset: Dataset, conditional: Conditional, num_classes: int, *, seed: int, device: str, verbose: bool
) -> tuple[SmallClassifier, dict[str, Any]]:
    """A `SmallClassifier` trained on the images of a data set with classes, and its record as plain values."""
    torch.manual_seed(seed)
    small = SmallClassifier(event_shape=dataset.event_shape, conditional=conditional, num_classes=num_classes)
    batches = math.ceil(len(dataset.train) / BATCH)
    done = fit(
        small,
        dataset.train,
        dataset.valid,
        train_context=dataset.classes("train"),
        valid_context=dataset.classes("valid"),
        seed=seed,
        device=device,
        max_epochs=max(EPOCHS, math.ceil(STEPS / batches)),
        batch_size=BATCH,
        learning_rate=3e-3,
        verbose=verbose,
    )
    record = {"parameters": small.num_parameters, "valid_nats": done.best_nats, "minutes": done.minutes}
    return small, {"name": "SmallClassifier"} | record
