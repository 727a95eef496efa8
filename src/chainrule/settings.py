"""The settings of a fit and their types. Imports nothing slow."""

from __future__ import annotations

from chainrule import data, models
from chainrule.signatures import Argument, arguments_of
from chainrule.words import suggestion

FAMILIES = (
    "Bernoulli",
    "Categorical",
    "DiscretizedLogisticMixture",
    "Gaussian",
    "GaussianMixture",
    "LogisticMixture",
)
CONDITIONAL = {
    "conditional": f"Literal{list(FAMILIES)}",
    "conditional.components": "int",
    "conditional.min_scale": "float",
    "conditional.encoding": "Literal['one_hot', 'scalar']",
}
"""Settings of the conditionals, and their types."""
ENSEMBLE = {"members": "int", "orders": "Sequence[Any] | None", "variants": "int"}
"""Settings of a fit that make an ensemble, and their types."""


FROM_DATA = ("event_shape", "conditional", "end_symbol")
"""Constructor arguments that the data decides."""

VALIDATION = {"validation_size": "int"}
"""The number of examples by which the weights to keep are chosen, at most, and its type."""


def training_arguments() -> list[Argument]:
    """The settings of `chainrule.fit`."""
    return list(arguments_of("training/settings.py", "Training"))


def model_arguments(name: str) -> tuple[Argument, ...]:
    """The arguments of a model's constructor that a user chooses.

    Raises:
        ValueError: If there is no such model.
    """
    if ":" in name:  # the user's own class, whose arguments its constructor will check
        return ()
    if name not in models.MODULES:
        expected = ", ".join(models.MODULES)
        raise ValueError(f"expected a model ({expected}), got {name!r}{suggestion(name, models.MODULES)}")
    file = models.MODULES[name].removeprefix("chainrule.").replace(".", "/") + ".py"
    return tuple(argument for argument in arguments_of(file, name) if argument.name not in FROM_DATA)


def setting_types() -> dict[str, str]:
    """The types of all settings of a fit, except those of the model, ``model.<argument>``."""
    types = {argument.name: argument.annotation for argument in training_arguments()}
    return types | {
        "model": "str",
        "data": "str",
        "published": "Any",
        **data.READING,
        **CONDITIONAL,
        **ENSEMBLE,
        **VALIDATION,
    }
