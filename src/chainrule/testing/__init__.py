"""The laws that every model keeps, as functions to call on your own model.

    from chainrule.testing import check_model
    check_model(MyModel(event_shape=(4,), conditional=Bernoulli()))

Every law raises ``AssertionError``, saying which law was broken, where, what was expected and what
came, and else returns its verdict: ``"passed"``, or why it, or a part of it, does not apply.

Laws judge the weights that a model has. `check_model` gives them randomised ones, because an untrained model
whose weights start at zero keeps (or breaks) many laws trivially; `randomised` does the same for a single law.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from chainrule.model import AutoregressiveModel
from chainrule.testing.dependence import (
    carries_its_state,
    causal,
    gradients_flow,
    step_equals_forward,
    uses_its_context,
    uses_its_past,
)
from chainrule.testing.probability import completion_agrees, normalised, sampling_agrees
from chainrule.testing.probes import randomised
from chainrule.testing.robustness import finite_and_strict, saves_and_loads

__all__ = [
    "LAWS",
    "carries_its_state",
    "causal",
    "check_model",
    "completion_agrees",
    "finite_and_strict",
    "gradients_flow",
    "normalised",
    "randomised",
    "sampling_agrees",
    "saves_and_loads",
    "step_equals_forward",
    "uses_its_context",
    "uses_its_past",
]

LAWS: dict[str, Callable[[AutoregressiveModel], str]] = {
    "normalised": normalised,
    "causal": causal,
    "uses_its_past": uses_its_past,
    "uses_its_context": uses_its_context,
    "step_equals_forward": step_equals_forward,
    "carries_its_state": carries_its_state,
    "sampling_agrees": sampling_agrees,
    "completion_agrees": completion_agrees,
    "gradients_flow": gradients_flow,
    "saves_and_loads": saves_and_loads,
    "finite_and_strict": finite_and_strict,
}
"""All laws, by name."""


def check_model(model: AutoregressiveModel, *, seed: int = 0, receptive_field: Tensor | None = None) -> dict[str, str]:
    """Hold ``model`` against all laws, with randomised weights.

    Everything happens on copies: the model, its mode and gradients, and the global random state stay
    as they were. Give the model a tiny event, such as ``(4,)`` or ``(1, 2, 2)``: some laws enumerate
    all examples.

    Args:
        model: Your model.
        seed: Of the weights.
        receptive_field: What each conditional claims to see, if not all earlier variables; see
            `uses_its_past`.

    Returns:
        For every law, by name, its verdict: ``"passed"``, or why it, or a part of it, does not apply.

    Raises:
        AssertionError: If the model breaks a law, or crashes under one; the message names all such laws.

    >>> from chainrule.conditionals import Bernoulli
    >>> from chainrule.models import FVSBN
    >>> check_model(FVSBN(event_shape=(3,), conditional=Bernoulli()))["normalised"]
    'passed'
    """
    subject = randomised(model, seed)
    verdicts: dict[str, str] = {}
    broken: dict[str, Exception] = {}
    for name, law in LAWS.items():
        try:
            if law is uses_its_past:
                verdicts[name] = uses_its_past(subject, receptive_field)
            else:
                verdicts[name] = law(subject)
        except AssertionError as error:
            broken[str(error)] = error
        except Exception as error:
            broken[f"{name}: expected a verdict, got {type(error).__name__}: {error}"] = error
    if broken:
        laws = "a law" if len(broken) == 1 else f"{len(broken)} laws"
        message = "\n".join([f"{type(model).__name__} breaks {laws}:", *broken])
        raise AssertionError(message) from next(iter(broken.values()))
    return verdicts
