"""The limit of a training in minutes."""

from __future__ import annotations

import time

from chainrule.training.history import History


class TimeLimit:
    """Says when a training has to end so that, with its last validation, it lasts no longer than ``minutes``.

    Args:
        minutes: The limit.
        history: Knows the minutes so far.
        step_seconds: The time of a step, estimated; measured from the first round on.
        valid_seconds: Likewise the time of a validation.
        afterwards: The time that is needed after the training, in validations.
    """

    def __init__(
        self, minutes: float, history: History, step_seconds: float, valid_seconds: float, afterwards: int = 0
    ) -> None:
        self.minutes, self.history, self.afterwards = minutes, history, afterwards
        self.step_seconds, self.valid_seconds = step_seconds, valid_seconds
        self._round_started, self._steps_before = 0.0, 0

    def begin_round(self, step: int, round_steps: int) -> int:
        """The number of steps that fit into the time that is left, with a validation after each ``round_steps``."""
        self._round_started, self._steps_before = time.monotonic(), step
        left = 60 * (self.minutes - self.history.minutes) - self._last_seconds()
        return max(1, int(left / (self.step_seconds + self.valid_seconds / round_steps)))

    def is_reached(self, step: int) -> bool:
        """True if after ``step``, which is measured, there is only the time for what comes after the steps."""
        self.step_seconds = (time.monotonic() - self._round_started) / (step - self._steps_before)
        return 60 * self.history.minutes + self.step_seconds + self._last_seconds() >= 60 * self.minutes

    def _last_seconds(self) -> float:
        """The time of the last validation, and of what comes after it."""
        return (1 + self.afterwards) * self.valid_seconds
