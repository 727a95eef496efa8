"""The laws that every model keeps, as functions to call on your own model.

    from chainrule.testing import check_model
    check_model(MyModel(event_shape=(4,), conditional=Bernoulli()))

A broken law raises ``AssertionError``, which says which law, where, what was expected and what came. Any other law
returns its `Verdict`: *passed*, *passed up to rounding* (how much), *cannot tell* (why, and what to try) or *does not
apply* (why). A right model is never called broken: where a network is too small, too dead or too deep to show whether
it keeps a law, the verdict is *cannot tell*.

Laws judge the weights that a model has. `check_model` gives them randomised ones, because an untrained model
whose weights start at zero keeps (or breaks) many laws trivially; `randomised` does the same for a single law.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from chainrule.model import AutoregressiveModel
from chainrule.testing.causality import causal, causal_in_training
from chainrule.testing.compiled import compiled_equals_step
from chainrule.testing.dependence import uses_its_context, uses_its_past
from chainrule.testing.gradients import gradients_flow
from chainrule.testing.probability import completion_agrees, normalised, sampling_agrees
from chainrule.testing.promises import check_conditional, conditional_keeps_promises
from chainrule.testing.robustness import finite_and_strict, saves_and_loads
from chainrule.testing.starts import starts_at_frequencies
from chainrule.testing.steps import carries_its_state, selects_states, step_equals_forward
from chainrule.testing.subjects import randomised
from chainrule.testing.verdicts import Outcome, Verdict, Verdicts

__all__ = [
    "LAWS",
    "Outcome",
    "Verdict",
    "Verdicts",
    "carries_its_state",
    "causal",
    "causal_in_training",
    "check_conditional",
    "check_model",
    "compiled_equals_step",
    "completion_agrees",
    "conditional_keeps_promises",
    "finite_and_strict",
    "gradients_flow",
    "normalised",
    "randomised",
    "sampling_agrees",
    "saves_and_loads",
    "selects_states",
    "starts_at_frequencies",
    "step_equals_forward",
    "uses_its_context",
    "uses_its_past",
]

LAWS: dict[str, Callable[[AutoregressiveModel], Verdict]] = {
    "normalised": normalised,
    "causal": causal,
    "causal_in_training": causal_in_training,
    "uses_its_past": uses_its_past,
    "uses_its_context": uses_its_context,
    "step_equals_forward": step_equals_forward,
    "carries_its_state": carries_its_state,
    "selects_states": selects_states,
    "compiled_equals_step": compiled_equals_step,
    "sampling_agrees": sampling_agrees,
    "completion_agrees": completion_agrees,
    "gradients_flow": gradients_flow,
    "saves_and_loads": saves_and_loads,
    "finite_and_strict": finite_and_strict,
    "conditional_keeps_promises": conditional_keeps_promises,
    "starts_at_frequencies": starts_at_frequencies,
}
"""All laws, by name."""


def check_model(model: AutoregressiveModel, *, seed: int = 0, receptive_field: Tensor | None = None) -> Verdicts:
    """Hold ``model`` against all laws, with randomised weights.

    Everything happens on copies: the model, its mode and gradients, and the global random state stay
    as they were. Give the model a tiny event, such as ``(4,)`` or ``(1, 2, 2)``: some laws enumerate
    all examples. ``print(check_model(model))`` shows a law a line.

    Args:
        model: Your model.
        seed: Seed of the weights.
        receptive_field: The variables that each conditional claims to see; see `uses_its_past`.

    Returns:
        The verdict of every law, by its name.

    Raises:
        AssertionError: If the model breaks a law, or crashes under one; the message names all such laws.

    >>> from chainrule.conditionals import Bernoulli
    >>> from chainrule.models import FVSBN
    >>> check_model(FVSBN(event_shape=(3,), conditional=Bernoulli()))["normalised"]
    'passed'
    """
    subject = randomised(model, seed)
    verdicts = Verdicts()
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
