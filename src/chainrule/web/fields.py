"""The fields of a request, checked: a page may send anything."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Request = Mapping[str, Any]
"""A JSON object that a page sent."""

SPLITS = ("test", "valid", "train")
"""The parts of a run's data that examples are taken from."""


def integer(request: Request, name: str, low: int, high: int, default: int | None = None) -> int:
    """An integer field from ``low`` to ``high``; without a default it must be there.

    Raises:
        ValueError: If it is anything else.

    >>> integer({"seed": 3}, "seed", 0, 9)
    3
    """
    value = request.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _wrong(name, f"an integer from {low} to {high}", value)
    return value


def number(request: Request, name: str, low: float, high: float, default: float | None = None) -> float:
    """A number from ``low`` to ``high``; without a default it must be there.

    Raises:
        ValueError: If it is anything else.
    """
    value = request.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise _wrong(name, f"a number from {low:g} to {high:g}", value)
    return float(value)


def flag(request: Request, name: str) -> bool:
    """A field that is true or false; false if it is missing.

    Raises:
        ValueError: If it is anything else.
    """
    value = request.get(name, False)
    if not isinstance(value, bool):
        raise _wrong(name, "true or false", value)
    return value


def text(request: Request, name: str, longest: int, default: str | None = None) -> str:
    """A text of at most ``longest`` characters; without a default it must be there.

    Raises:
        ValueError: If it is anything else.
    """
    value = request.get(name, default)
    if not isinstance(value, str) or len(value) > longest:
        raise _wrong(name, f"text of at most {longest} characters", value)
    return value


def choice(request: Request, name: str, choices: Sequence[str], default: str | None = None) -> str:
    """One of the words ``choices``; without a default it must be there.

    Raises:
        ValueError: If it is anything else.
    """
    value = request.get(name, default)
    if not isinstance(value, str) or value not in choices:
        raise _wrong(name, " or ".join(choices), value)
    return value


def numbers(request: Request, name: str, count: int) -> list[float]:
    """A list of exactly ``count`` numbers; null becomes NaN, for what is not known.

    Raises:
        ValueError: If it is anything else.
    """
    values = request.get(name)
    if not isinstance(values, list) or len(values) != count:
        raise _wrong(name, f"a list of {count} numbers", values)
    for value in values:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e30):
            raise _wrong(name, "numbers or null", value)
    return [math.nan if value is None else float(value) for value in values]


def _wrong(name: str, expected: str, got: Any) -> ValueError:
    shown = f"{len(got)} entries" if isinstance(got, list | dict) else repr(got)
    return ValueError(f"{name} expects {expected}, got {shown if len(shown) <= 60 else shown[:57] + '...'}")
