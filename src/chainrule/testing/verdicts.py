"""Verdicts: the results of laws on models that do not break them."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor


class Outcome(enum.Enum):
    """The outcome of a law. A broken law raises ``AssertionError`` instead."""

    DOES_NOT_APPLY = "does not apply"
    PASSED = "passed"
    UP_TO_ROUNDING = "passed up to rounding"
    CANNOT_TELL = "cannot tell"


class Verdict(str):
    """The result of a law on a model: an outcome and, after a colon, the detail.

    It is a text, so that it prints and compares as one: ``"passed"``,
    ``"passed up to rounding: differences of at most 6e-08"``, ``"cannot tell: <why>; try <what>"``,
    ``"does not apply: <why>"``.

    >>> Verdict(Outcome.PASSED) == "passed"
    True
    >>> print(cannot_tell("every unit rests", "larger hidden sizes"))
    cannot tell: every unit rests; try larger hidden sizes
    """

    outcome: Outcome
    detail: str

    def __new__(cls, outcome: Outcome, detail: str = "") -> Self:
        verdict = super().__new__(cls, f"{outcome.value}: {detail}" if detail else outcome.value)
        verdict.outcome, verdict.detail = outcome, detail
        return verdict

    @property
    def passed(self) -> bool:
        """True if the law was put to the test and held."""
        return self.outcome in (Outcome.PASSED, Outcome.UP_TO_ROUNDING)


PASSED = Verdict(Outcome.PASSED)


def passed(detail: str) -> Verdict:
    """The law held, with a remark."""
    return Verdict(Outcome.PASSED, detail)


def up_to_rounding(difference: float) -> Verdict:
    """The law held but for rounding: bits differ, and numbers by at most ``difference``."""
    return Verdict(Outcome.UP_TO_ROUNDING, f"differences of at most {difference:.2g}")


def cannot_tell(why: str, advice: str) -> Verdict:
    """This model could not show whether it keeps the law."""
    return Verdict(Outcome.CANNOT_TELL, f"{why}; try {advice}")


def does_not_apply(why: str) -> Verdict:
    """The law says nothing of such a model."""
    return Verdict(Outcome.DOES_NOT_APPLY, why)


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict for several parts of a law: the outcome that promises least, with the details of all.

    A part that does not apply counts only where no part does.

    >>> together([PASSED, up_to_rounding(1e-7)])
    'passed up to rounding: differences of at most 1e-07'
    """
    applied = [verdict for verdict in verdicts if verdict.outcome is not Outcome.DOES_NOT_APPLY] or verdicts
    ranks = list(Outcome)
    outcome = max((verdict.outcome for verdict in applied), key=ranks.index)
    details = dict.fromkeys(verdict.detail for verdict in applied if verdict.detail)
    return Verdict(outcome, "; ".join(details))


class Verdicts(dict[str, Verdict]):
    """The verdict of every law, by its name; printed as one law a line."""

    def __str__(self) -> str:
        width = max(map(len, self), default=0)
        return "\n".join(f"{name:<{width}}  {verdict}" for name, verdict in self.items())


def require(condition: bool, message: str) -> None:
    """Raise ``AssertionError`` with ``message`` unless ``condition`` holds; ``python -O`` does not switch it off."""
    if not condition:
        raise AssertionError(message)


def require_close(got: Tensor, expected: Tensor, tolerance: float, message: str, *, size: float = 1.0) -> None:
    """Raise ``AssertionError`` where two tensors differ by more than ``tolerance``, or are not numbers.

    The message shows the first item that differs.

    Args:
        got: What came.
        expected: What was expected.
        tolerance: The largest difference allowed, relative to ``size`` and to each expected number.
        message: The law and the place.
        size: The size of numbers that count as large; smaller ones may differ by ``tolerance`` times this.
    """
    require(got.shape == expected.shape, f"{message}: expected shape {tuple(expected.shape)}, got {tuple(got.shape)}")
    excess = (got - expected).abs() - tolerance * expected.abs().clamp(min=size)
    bad = ~((excess <= 0) | (got == expected))
    if bool(bad.any()):
        where = tuple(torch.nonzero(bad)[0].tolist())
        raise AssertionError(f"{message}: at index {where} expected {_pair(expected[where].item(), got[where].item())}")


def _pair(expected: float, got: float) -> str:
    """Both numbers, with as many digits as it takes to see that they differ."""
    if math.isnan(expected) and math.isnan(got):
        return "a number, got NaN on both sides"
    short = f"{expected:.9g}", f"{got:.9g}"
    return ", got ".join(short if short[0] != short[1] else (repr(expected), repr(got)))
