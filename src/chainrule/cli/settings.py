"""The settings of a fit, from a recipe and from flags. Imports nothing slow.

They are those of `chainrule.training.Training` and the arguments of the chosen model's constructor, read from their
source, so that they are written down in one place only.
"""

from __future__ import annotations

from typing import Any

from chainrule import data
from chainrule.cli.parser import UsageError
from chainrule.settings import model_arguments, setting_types
from chainrule.signatures import convert
from chainrule.words import suggestion


def settings_from(options: dict[str, Any], recipe: dict[str, Any]) -> dict[str, Any]:
    """The settings of a fit: the recipe's, overridden by the flags that were given, each of its type.

    Raises:
        UsageError: If the recipe or a flag says something unknown, or there are no data.
        ValueError: If a value is of the wrong type.
    """
    given = recipe | {name: value for name, value in options.items() if value is not None}
    if "data" not in given:
        raise UsageError("fit expects FILE (a file, a folder or a named data set; see `chainrule datasets`), got none")
    if recipe and "model" not in given:
        raise UsageError("a recipe expects `model`, got none; fit FILE without a recipe plans one")
    if given.get("model") == "Ensemble":
        raise UsageError(
            "fit expects the model of the members, got Ensemble; --members, --orders or --variants make one"
        )
    types = setting_types()
    if "model" in given:
        types |= {f"model.{argument.name}": argument.annotation for argument in model_arguments(str(given["model"]))}
    given = {name: value for name, value in given.items() if value is not None or name not in data.READING}
    for name in given:
        unchecked = "model" not in given or ":" in str(given["model"])  # the plan or the constructor checks them
        if name not in types and not (unchecked and name.startswith("model.")):
            raise UsageError(f"unknown setting {name}{suggestion(name, types)}")
    return {name: convert(value, types.get(name, "Any"), name) for name, value in given.items()}
