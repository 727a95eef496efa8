"""Conditions on the rows of a table, in words: ``sex=Female, age>=60, 10<=income<20``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import numpy as np
import polars
from numpy.typing import NDArray

from chainrule.data.column import STATISTICS, Column
from chainrule.data.schema import TableSchema
from chainrule.words import suggestion

OPERATORS = ("<=", ">=", "==", "=", "<", ">")
MIRRORED = {"<=": ">=", ">=": "<=", "<": ">", ">": "<"}
LISTED = 8
"""Categories that an error names, at most."""

PARTS = re.compile(r"""((?:"[^"]*"|'[^']*'|[^,"'])+)(?:,|$)""")
"""The parts between commas, where quotes may hold commas."""

COMPARES = re.compile("[<=>]")

Sides = NDArray[np.float32]


def bounds_of_conditions(text: str, schema: TableSchema) -> tuple[Sides, Sides]:
    """The least and the greatest values ``(n,)`` of the rows that meet all conditions of ``text``.

    Conditions stand between commas. Each has a column, one of = < <= > >=, and a value as the file has it; or a value
    on both sides of the column. Names and values that hold < = or >, or commas that may be mistaken, stand in quotes.

    Raises:
        ValueError: If a column, a value or a category is unknown, or nothing meets all conditions.
    """
    columns = {column.name: index for index, column in enumerate(schema.used)}
    low = np.full(len(columns), -np.inf, dtype=np.float32)
    high = np.full(len(columns), np.inf, dtype=np.float32)
    for name, operator, value in _comparisons(text, list(columns)):
        index, column = columns[name], schema.used[columns[name]]
        least, most = _bounds(schema, column, operator, value)
        low[index], high[index] = max(low[index], least), min(high[index], most)
        if low[index] > high[index]:
            raise ValueError(f"--where {text!r} expects conditions that a row can meet, got none for {name!r}")
        if column.family in STATISTICS and not column.shape.has_between(float(low[index]), float(high[index])):
            raise ValueError(
                f"--where {text!r} expects conditions that a row can meet, but no sample has such a {name!r}"
                + _reach(column)
            )
    return low, high


def _reach(column: Column) -> str:
    """The bounds of a column of numbers in samples, in words."""
    ends = [
        f"{words} {column.codec.words(np.array([end]))[0]}"
        for words, end in (("at least", column.shape.lower), ("at most", column.shape.upper))
        if end is not None
    ]
    return f": it is {' and '.join(ends)} there" if ends else ""


def _comparisons(text: str, names: list[str]) -> Iterator[tuple[str, str, str]]:
    """The column, the operator and the value of each comparison of ``text``."""
    found = False
    for part in _conditions(text):
        found = True
        if (comparison := _after_name(part, names)) is not None:
            yield comparison
            continue
        between = re.fullmatch(r"(.*?)\s*(<=|>=|<|>)\s*(.*)", part)
        right = None if between is None else _after_name(between.group(3), names, alone=True)
        if between is None or right is None:
            near = suggestion(re.split(r"[<>=]", part)[0].strip(), names)
            raise ValueError(
                f"--where expects a column ({', '.join(names)}), one of = < <= > >= and a value, got {part!r}{near}"
            )
        yield right[0], MIRRORED[between.group(2)], _unquoted(between.group(1))
        if right[1]:
            yield right
    if not found:
        raise ValueError(f"--where expects conditions such as '{names[0]}=...', got {text!r}")


def _conditions(text: str) -> list[str]:
    """The conditions of ``text``; a part between commas that compares nothing belongs to its neighbour, as a number.

    >>> _conditions("eur > €50,000.00, age<30")
    ['eur > €50,000.00', 'age<30']
    """
    conditions: list[str] = []
    for part in (match.group(1) for match in PARTS.finditer(text)):
        if conditions and not (COMPARES.search(part) and COMPARES.search(conditions[-1])):
            conditions[-1] += "," + part
        else:
            conditions.append(part)
    return [condition.strip() for condition in conditions]


def _after_name(part: str, names: list[str], *, alone: bool = False) -> tuple[str, str, str] | None:
    """The column at the beginning of ``part``, the operator and the value; None if it begins with no column."""
    for name in sorted(names, key=len, reverse=True):  # a name may begin with another, and hold an operator
        for written in (name, f'"{name}"', f"'{name}'"):
            if not part.startswith(written):
                continue
            rest = part[len(written) :].strip()
            if alone and not rest:
                return name, "", ""
            for operator in OPERATORS:
                if rest.startswith(operator):
                    return name, operator.replace("==", "="), _unquoted(rest[len(operator) :])
    return None


def _unquoted(value: str) -> str:
    value = value.strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def _bounds(schema: TableSchema, column: Column, operator: str, value: str) -> tuple[float, float]:
    """The least and the greatest value that a comparison allows, as numbers of the column."""
    ordered = column.family not in ("category", "boolean")
    if not ordered and operator != "=":
        raise ValueError(f"--where expects = for {column.name!r}, a {column.kind}, got {operator}")
    number = _number(schema, column, value)
    if operator == "=":
        return number, number
    if column.family == "integer":
        if operator in ("<", "<="):
            return -math.inf, math.ceil(number) - 1 if operator == "<" else math.floor(number)
        return (math.floor(number) + 1 if operator == ">" else math.ceil(number)), math.inf
    beside = float(np.nextafter(np.float32(number), np.float32(-math.inf if operator == "<" else math.inf)))
    if operator in ("<", "<="):
        return -math.inf, beside if operator == "<" else number
    return beside if operator == ">" else number, math.inf


def _number(schema: TableSchema, column: Column, value: str) -> float:
    """A value that the file would have, as a number of the column."""
    if column.family != "category":
        number = column.codec.read(polars.Series(column.name, [value]))[0]
        if number is None or not math.isfinite(number):
            wanted = {"boolean": "true or false", "real": "a number", "integer": "a number"}.get(
                column.kind, column.kind
            )
            hint = "; conditions stand between commas, and values that hold some in quotes" if "," in value else ""
            raise ValueError(f"--where expects {wanted} for {column.name!r} ({column.words}), got {value!r}{hint}")
        return float(number)
    if column.kind == "category" and value not in column.categories:
        named = ", ".join(column.categories[:LISTED]) + (", ..." if len(column.categories) > LISTED else "")
        near = suggestion(value, column.categories)
        raise ValueError(f"--where expects a category of {column.name!r} ({named}), got {value!r}{near}")
    cell = polars.Series(column.name, [value])
    encoded = schema.encode(polars.DataFrame([cell]), "--where", gaps=True)
    return float(encoded[0, schema.used.index(column)])
