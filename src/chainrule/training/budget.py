"""The number of steps of a training, and of those from one validation to the next."""

from __future__ import annotations

import math
from dataclasses import dataclass

from chainrule.training.settings import Training

EPOCHS, LEAST_STEPS, MOST_STEPS = 50, 3000, 100_000
"""Without a number of steps or epochs, a training has 50 epochs, but 3,000 steps at least and 100,000 at most."""

PATIENCE = 0.2
"""The share of those steps that may pass without a better validation NLL."""

VALIDATIONS = 20
"""A training is validated at least so often, even if an epoch is longer."""

LEAST_VALIDATIONS = 10
"""A training that its minutes will end is validated at least so often, about."""

LEAST_ROUND = 25
"""Steps from one validation to the next, at least: a small set has few steps an epoch."""


@dataclass(frozen=True)
class Budget:
    """The steps of a training, in rounds of equal length with a validation after each.

    Attributes:
        round_steps: Steps of a round.
        rounds: Rounds, at most.
        patience: Rounds without a better validation NLL after which training ends; None for never.
        given: True if the number of steps follows from the settings, False if it is the usual one.
    """

    round_steps: int
    rounds: int
    patience: int | None
    given: bool

    @property
    def steps(self) -> int:
        """Steps, at most."""
        return self.round_steps * self.rounds


def budget_of(training: Training, epoch_steps: int, fitting: float = math.inf) -> Budget:
    """The budget that the settings ask for, or, where they say nothing, the usual one.

    Args:
        training: The settings.
        epoch_steps: Steps of one pass over the training examples.
        fitting: The number of steps that fit into the minutes, about.

    >>> budget_of(Training(max_epochs=6), epoch_steps=10)
    Budget(round_steps=10, rounds=6, patience=None, given=True)
    >>> budget_of(Training(), epoch_steps=10)
    Budget(round_steps=30, rounds=100, patience=20, given=False)
    """
    given = [training.max_steps, None if training.max_epochs is None else training.max_epochs * epoch_steps]
    limits = [limit for limit in given if limit is not None]
    steps = min(limits) if limits else max(LEAST_STEPS, min(EPOCHS * epoch_steps, MOST_STEPS))
    every = training.validate_every
    if every is None:
        every = epoch_steps if training.max_epochs is not None else _usual_round(steps, epoch_steps)
    if fitting < steps:
        every = min(every, max(1, int(fitting) // LEAST_VALIDATIONS))
    rounds = max(1, round(steps / every))
    every = max(1, steps // rounds)
    patience = training.patience
    if patience is None and not limits:
        patience = int(PATIENCE * steps)
    rounds_of_patience = None if patience is None else max(1, math.ceil(patience / every))
    return Budget(every, steps // every, rounds_of_patience, given=bool(limits))


def _usual_round(steps: int, epoch_steps: int) -> int:
    """As many whole epochs as it takes to have `LEAST_ROUND` steps, but not more than a twentieth of the training."""
    return min(epoch_steps * math.ceil(LEAST_ROUND / epoch_steps), max(1, steps // VALIDATIONS))
