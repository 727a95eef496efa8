"""Supports: the values that a variable can take, as torch's constraints, and what follows from them.

torch has constraints of intervals, and of integers with a bound. Three are added: all integers, a list of any values,
and a shifted and scaled support.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

NO_CONSTRAINTS: dict[str, Any] = {}
"""``arg_constraints`` of a distribution that leaves its parameters unchecked."""


class Listed(Constraint):
    """A finite set of values.

    Args:
        values: All of them, ``(K,)``.
    """

    is_discrete = True

    def __init__(self, values: Tensor) -> None:
        self.values = values
        super().__init__()

    def check(self, value: Tensor) -> Tensor:
        return torch.isin(value, self.values.to(value))


class _Integers(Constraint):
    """All integers, negative ones too."""

    is_discrete = True

    def check(self, value: Tensor) -> Tensor:
        return value == value.round()


integers = _Integers()
"""All integers, which torch has no constraint for."""


class Affine(Constraint):
    """The support of shift + scale z, where z has the support ``base``.

    Args:
        base: The support of z.
        shift: The shift.
        scale: The scale, above 0.
    """

    def __init__(self, base: Constraint, shift: float, scale: float) -> None:
        self.base, self.shift, self.scale = base, shift, scale
        for name in ("lower_bound", "upper_bound"):
            if (bound := bound_of(base, name)) is not None:
                setattr(self, name, bound * scale + shift)
        super().__init__()

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]  # torch declares an attribute
        return bool(self.base.is_discrete)

    def check(self, value: Tensor) -> Tensor:
        inside: Tensor = self.base.check((value - self.shift) / self.scale)
        return inside


def bound_of(support: Constraint, name: str) -> float | None:
    """The ``"lower_bound"`` or ``"upper_bound"`` of a support; None if it has none."""
    bound = getattr(support, name, None)
    return None if bound is None else float(bound)


def bounds_of(support: Constraint) -> tuple[float | None, float | None]:
    """The least and the greatest value of a support, None where it has no bound.

    >>> bounds_of(constraints.boolean), bounds_of(constraints.positive)
    ((0.0, 1.0), (0.0, None))
    """
    if isinstance(support, Listed) or support is constraints.boolean:
        values = values_of(support)
        assert values is not None
        return float(values.min()), float(values.max())
    return bound_of(support, "lower_bound"), bound_of(support, "upper_bound")


def values_of(support: Constraint) -> Tensor | None:
    """All values of a finite support, in order; None if it is continuous or has no end.

    >>> values_of(constraints.integer_interval(2, 4))
    tensor([2., 3., 4.])
    >>> values_of(constraints.nonnegative_integer) is None
    True
    """
    if isinstance(support, Listed):
        return support.values
    if isinstance(support, Affine):
        inner = values_of(support.base)
        return None if inner is None else inner * support.scale + support.shift
    if support is constraints.boolean:
        return torch.tensor([0.0, 1.0])
    lower, upper = bound_of(support, "lower_bound"), bound_of(support, "upper_bound")
    if not support.is_discrete or lower is None or upper is None:
        return None
    return torch.arange(lower, upper + 1)


def probes_of(support: Constraint) -> Tensor:
    """A few values of a support, none of them at the end of an interval.

    Raises:
        ValueError: If none of the values that are tried is in the support.

    >>> probes_of(constraints.positive)
    tensor([0.2500, 0.5000, 1.0000, 2.0000])
    >>> probes_of(constraints.nonnegative_integer)
    tensor([0., 1., 2., 3.])
    """
    if isinstance(support, Affine):
        return probes_of(support.base) * support.scale + support.shift
    if (values := values_of(support)) is not None:
        return values
    lower, upper = bound_of(support, "lower_bound"), bound_of(support, "upper_bound")
    if support.is_discrete:
        candidates = torch.arange(4.0) + lower if lower is not None else (upper or 0.0) - torch.arange(4.0)
    elif lower is not None and upper is not None:
        candidates = lower + (upper - lower) * torch.tensor([0.125, 0.375, 0.5, 0.875])
    elif lower is not None:
        candidates = lower + torch.tensor([0.25, 0.5, 1.0, 2.0])
    elif upper is not None:
        candidates = upper - torch.tensor([0.25, 0.5, 1.0, 2.0])
    else:
        candidates = torch.tensor([-0.75, 0.0, 0.5, 1.0])
    inside = candidates[support.check(candidates)]
    if len(inside) == 0:
        raise ValueError(f"probes expects a few values of {support}, got none by itself: override `probes`")
    return inside


def is_in(x: Tensor, values: Tensor) -> Tensor:
    """True where ``x`` has one of ``values``, of which NaN may be one.

    >>> is_in(torch.tensor([0.0, torch.nan, 2.0]), torch.tensor([torch.nan, 2.0]))
    tensor([False,  True,  True])
    """
    found = torch.isin(x, values.to(x)) if torch.is_floating_point(x) else torch.isin(x.double(), values.double())
    return found | x.isnan() if bool(values.isnan().any()) else found


def words_for(support: Constraint) -> str:
    """Describe the values of a support, for a message.

    >>> words_for(constraints.interval(0.0, 2.0)), words_for(constraints.nonnegative_integer)
    ('numbers from 0 to 2', 'integers of at least 0')
    """
    if (values := values_of(support)) is not None and not _are_consecutive(values):
        return f"one of {', '.join(f'{value:g}' for value in values.tolist())}"
    lower, upper = bound_of(support, "lower_bound"), bound_of(support, "upper_bound")
    if values is not None:
        lower, upper = float(values[0]), float(values[-1])
    kind = "integers" if support.is_discrete else "numbers"
    if lower is not None and upper is not None:
        return f"{kind} from {lower:g} to {upper:g}"
    if lower is not None:
        open_end = not bool(support.check(torch.tensor([lower])).all())
        return f"{kind} {'above' if open_end else 'of at least'} {lower:g}"
    if upper is not None:
        return f"{kind} up to {upper:g}"
    if support.is_discrete:
        return "integers" if support.check(torch.arange(-3.0, 3.0)).all() else "numbers on a grid"
    return "finite numbers" if support is constraints.real else f"finite numbers in {support}"


def _are_consecutive(values: Tensor) -> bool:
    return len(values) > 1 and bool((values.diff() == 1).all()) and math.isclose(float(values[0]) % 1, 0.0)
