"""Constructors' arguments, read from source, so that the command line knows them without importing torch."""

from __future__ import annotations

import ast
import re
import reprlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from chainrule.yaml_file import parse_yaml

ROOT = Path(__file__).parent


@dataclass(frozen=True)
class Argument:
    """A keyword argument of a constructor or function.

    Attributes:
        name: Its name.
        annotation: Its type as it is written in the source.
        default: Its default; `REQUIRED` if it has none.
        help: Its text in the docstring.
    """

    name: str
    annotation: str
    default: Any
    help: str


REQUIRED = object()
"""The default of an argument that has none."""


@cache
def arguments_of(file: str, name: str) -> tuple[Argument, ...]:
    """The keyword-only arguments of ``name`` in ``file``: a function, a class with a constructor, or a dataclass.

    >>> [argument.name for argument in arguments_of("models/fvsbn.py", "FVSBN")]
    ['event_shape', 'conditional', 'dropout', 'order', 'num_classes']
    >>> arguments_of("training/settings.py", "Training")[0]
    Argument(name='seed', annotation='int', default=0, help='Seed of the shuffling and of all noise in training.')
    """
    node = _find(file, name)
    texts = _argument_texts(ast.get_docstring(node) or "")
    return tuple(
        Argument(
            argument,
            ast.unparse(annotation) if annotation else "Any",
            REQUIRED if default is None else ast.literal_eval(default),
            texts.get(argument, ""),
        )
        for argument, annotation, default in _parameters(node)
    )


def _parameters(node: ast.ClassDef | ast.FunctionDef) -> list[tuple[str, ast.expr | None, ast.expr | None]]:
    """The name, the annotation and the default of each keyword-only parameter, or of each field of a dataclass."""
    if isinstance(node, ast.ClassDef):
        constructors = [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"]
        if not constructors:
            return [
                (item.target.id, item.annotation, item.value)
                for item in node.body
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
            ]
        node = constructors[0]
    pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    return [(argument.arg, argument.annotation, default) for argument, default in pairs]


def summary_of(file: str, name: str) -> str:
    """The first sentence of the docstring of ``name`` in ``file``."""
    return (ast.get_docstring(_find(file, name)) or "").partition("\n\n")[0].replace("\n", " ")


def convert(text: Any, annotation: str, name: str) -> Any:
    """Convert a value from the command line or a recipe to the type ``annotation``.

    Raises:
        ValueError: If it is no such value, saying expected and got.

    >>> convert("[500, 500]", "Sequence[int]", "hidden_sizes")
    [500, 500]
    """
    try:
        value = parse_yaml(text) if isinstance(text, str) and annotation != "str" else text
    except (yaml.YAMLError, ValueError, RecursionError):
        value = text
    if isinstance(value, str) and "float" in annotation:
        try:
            value = float(value)  # YAML takes 1e-3 for a string
        except ValueError:
            value = text
    if not fits(value, annotation):
        raise ValueError(f"{name} expects {_spoken(annotation)}, got {text!r}")
    return value


def check(value: Any, annotation: str, name: str, classes: Mapping[str, type] | None = None) -> None:
    """Raise ``ValueError``, saying expected and got, unless ``value`` has the type ``annotation``, as `fits` says."""
    if not fits(value, annotation, classes):
        raise ValueError(f"{name} expects {_spoken(annotation)}, got {reprlib.repr(value)}")


def fits(value: Any, annotation: str, classes: Mapping[str, type] | None = None) -> bool:
    """True if ``value`` has the type ``annotation``, written as in the source; types that are unknown fit all values.

    Args:
        value: A plain value, or an object of one of ``classes``.
        annotation: The type.
        classes: Classes that an annotation may name, beside the plain types.

    >>> fits([3, 2], "Sequence[int] | None"), fits("x", "Sequence[int] | None")
    (True, False)
    """
    return any(_fits(value, part.strip(), classes or {}) for part in _alternatives(annotation))


def _alternatives(annotation: str) -> list[str]:
    return annotation.replace("OrderSpec", "str | Sequence[int]").split(" | ")


def _fits(value: Any, annotation: str, classes: Mapping[str, type]) -> bool:
    if annotation.startswith("Literal["):
        return value in ast.literal_eval(f"({annotation.removeprefix('Literal[').removesuffix(']')},)")
    if annotation.startswith("Sequence["):
        inner = annotation.removeprefix("Sequence[").removesuffix("]")
        return isinstance(value, list | tuple) and all(_fits(item, inner, classes) for item in value)
    if annotation == "float":
        whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
        return isinstance(value, float) or whole
    if annotation == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    types: dict[str, type] = {"bool": bool, "str": str, "None": type(None), "Path": str, **classes}
    return isinstance(value, types[annotation]) if annotation in types else True


def _spoken(annotation: str) -> str:
    words = {
        "int": "an integer",
        "float": "a number",
        "bool": "true or false",
        "str": "a word",
        "None": "null",
        "Sequence[int]": "a list of integers such as [500, 500]",
        "Sequence[float]": "a list of numbers such as [0.1, 0.3]",
        "Sequence[str]": "a list of words such as [raster, column]",
        "Sequence[Sequence[int]]": "a list of pairs such as [[0, 1], [1, 2]]",
    }
    parts = [part.strip() for part in _alternatives(annotation)]
    return " or ".join(words.get(part, part.removeprefix("Literal").strip("[]").replace("'", "")) for part in parts)


@cache
def _tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text())


def _find(file: str, name: str) -> ast.ClassDef | ast.FunctionDef:
    definitions = (node for node in _tree(file).body if isinstance(node, ast.ClassDef | ast.FunctionDef))
    return next(node for node in definitions if node.name == name)


def _argument_texts(docstring: str) -> dict[str, str]:
    """The texts of the docstring's ``Args`` section, by argument."""
    section = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", docstring, re.DOTALL | re.MULTILINE)
    if section is None:
        return {}
    items = re.findall(r"^    (\w+): (.*?)(?=^    \w|\Z)", section[1], re.DOTALL | re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in items}
