"""The family of conditionals that a user names for a kind of data."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from chainrule import conditionals
from chainrule.conditionals import Conditional, real
from chainrule.conditionals.support import bounds_of, words_for
from chainrule.model import Model


def family_of_levels(family: str, arguments: Mapping[str, Any], levels: int) -> Conditional:
    """The conditional ``family`` of values 0 to ``levels`` - 1.

    Raises:
        ValueError: If it is no family of ``levels`` values, or does not take an argument.
    """
    chosen = _class_of(family)
    takes = inspect.signature(chosen).parameters
    if issubclass(chosen, real.Real):
        raise ValueError(f"conditional {family} expects real numbers, got {levels} levels")
    if "categories" not in takes and levels != 2:
        raise ValueError(f"conditional {family} expects binary data, got {levels} levels")
    return _build(chosen, dict(arguments) | ({"categories": levels} if "categories" in takes else {}))


def family_of_reals(family: str, arguments: Mapping[str, Any]) -> Conditional:
    """The conditional ``family`` of real numbers.

    Raises:
        ValueError: If it is no family of real numbers, or does not take an argument.
    """
    chosen = _class_of(family)
    if not issubclass(chosen, real.Real):
        raise ValueError(f"conditional expects a family of real numbers for a table, got {family}")
    return _build(chosen, dict(arguments))


def refuse_arguments(arguments: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` where arguments of a family are given and no family is named."""
    if arguments:
        raise ValueError(f"conditional.{next(iter(arguments))} expects a conditional to be named, got none")


def _class_of(family: str) -> type[Conditional]:
    if family not in conditionals.__all__:
        raise ValueError(f"conditional expects one of {', '.join(conditionals.__all__)}, got {family!r}")
    chosen: type[Conditional] = getattr(conditionals, family)
    return chosen


def _build(chosen: type[Conditional], arguments: dict[str, Any]) -> Conditional:
    if wrong := [name for name in arguments if name not in inspect.signature(chosen).parameters]:
        raise ValueError(f"conditional {chosen.__name__} expects no conditional.{wrong[0]}, got one")
    return chosen(**arguments)


def check_values(usual: Conditional, model: Model, kind: str) -> None:
    """Raise ``ValueError`` unless the variables of ``model`` take the same values as those of ``usual``.

    Args:
        usual: The conditional of data in the format at hand.
        model: The model.
        kind: The name of the kind of data, for the message.
    """
    for index in range(1 if usual.uniform and model.conditional.uniform else model.num_variables):
        expected, got = usual.of(index), model.conditional.of(index)
        if not _fits(_domain_of(expected), _domain_of(got)):
            raise ValueError(
                f"data of the kind {kind} expect a model of {_words_of(expected)} in variable {index + 1}, "
                f"got one of {_words_of(got)}"
            )


def _domain_of(conditional: Conditional) -> tuple[Any, ...]:
    """The values of a variable as plain data that can be compared: discrete or not, the bounds, and the atoms."""
    atoms = [] if conditional.atoms is None else conditional.atoms.tolist()
    support = conditional.support
    return bool(support.is_discrete), *bounds_of(support), sorted(map(str, atoms))


def _fits(expected: tuple[Any, ...], got: tuple[Any, ...]) -> bool:
    """True if a model takes the values of data.

    Instead of all numbers on a grid one may take all numbers, or integers in bounds, as models of version 0.1 do.
    """
    on_grid, reals = (True, None, None), (False, None, None)
    return got == expected or (expected[:3] == on_grid and (got[0] or got[:3] == reals) and got[3] == expected[3])


def _words_of(conditional: Conditional) -> str:
    """The values of a variable, in words."""
    atoms = [] if conditional.atoms is None else conditional.atoms.tolist()
    return " or ".join([words_for(conditional.support), *(f"{atom:g}" for atom in atoms)])
