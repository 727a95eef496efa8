"""Laws of steps: they give what the parallel pass gives, wherever they start and whichever items go on."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from chainrule.model import AutoregressiveModel
from chainrule.sequence import SequenceModel
from chainrule.state import State, select
from chainrule.testing.causality import ROUNDING
from chainrule.testing.probes import EXAMPLES, random_events, step_table, table
from chainrule.testing.subjects import LONG, larger, law, not_walkable, own_random_state, random_context
from chainrule.testing.verdicts import (
    PASSED,
    Verdict,
    does_not_apply,
    passed,
    require_close,
)

GROUPS = 16
"""Gradients are compared for every variable; longer events are cut into this many groups of variables."""


def step_equals_forward(model: AutoregressiveModel) -> Verdict:
    """`step`, the model's own and the default, gives the conditionals of `forward`, and their gradients.

    Compared in double precision, with and without gradients being recorded (steps may then update
    their state in place). The model's own steps are also compared on an event of 12 variables or more, where caches
    that go stale late show: that of the model, or that of a copy which its configuration gives.

    Raises:
        AssertionError: If values or gradients differ.
    """
    verdict = _steps(model)
    if not verdict.passed or model.num_variables >= LONG:
        return verdict
    grown = larger(model)
    if grown is None or not_walkable(grown):
        return passed(f"on {model.num_variables} variables; its configuration gives no copy with {LONG} or more")
    _long_steps(grown)
    return verdict


@law
def _steps(model: AutoregressiveModel) -> Verdict:
    if reason := not_walkable(model):
        return reason
    model.double()
    x = random_events(model, EXAMPLES)
    expected = table(model, model(x))
    weights = torch.randn_like(expected)
    expected_gradients = _gradients(model, expected * weights)
    for own, name in ((True, "its own step"), (False, "the default step")):
        with torch.no_grad():
            quick = _stepped(model, x, own)
        got = _stepped(model, x, own)
        for t in range(model.num_variables):
            message = f"step_equals_forward: {name}, variable {t} along the order"
            require_close(quick[:, t], expected[:, t], ROUNDING, f"{message}, log-probability without gradients")
            require_close(got[:, t], expected[:, t], ROUNDING, f"{message}, log-probability")
        for group, gradients in _gradients(model, got * weights).items():
            for parameter, gradient in gradients.items():
                message = f"step_equals_forward: {name}, variables {group}, gradient of {parameter}"
                reference = expected_gradients[group][parameter]
                size = max(1.0, float(reference.abs().max()))  # of sums of many terms, small ones keep fewer digits
                require_close(gradient, reference, ROUNDING, message, size=size)
    return PASSED


@law
@torch.no_grad()
def _long_steps(model: AutoregressiveModel) -> Verdict:
    """Require the values of the model's own steps, of a model of `LONG` variables or more."""
    model.double()
    x = random_events(model, EXAMPLES)[:EXAMPLES]
    expected, got = table(model, model(x)), _stepped(model, x, True)
    for t in range(model.num_variables):
        message = f"step_equals_forward: its own step, variable {t} along the order of {model.num_variables}"
        require_close(got[:, t], expected[:, t], ROUNDING, f"{message}, log-probability")
    return PASSED


def _stepped(model: AutoregressiveModel, x: Tensor, own: bool) -> Tensor:
    """The table of `step` with ``x`` as the values chosen, by the model's own steps or the default ones."""
    kind = type(model) if own else AutoregressiveModel
    rows: list[Tensor] = []
    state, previous = kind.start(model, len(x)), None
    for value in model.order.flatten(x).unbind(1):
        distribution, state = kind.step(model, state, previous)
        rows.append(step_table(model, distribution, len(rows)))
        previous = value
    return torch.stack(rows, dim=1)


def _gradients(model: AutoregressiveModel, weighted: Tensor) -> dict[str, dict[str, Tensor]]:
    """Gradients of all parameters, from every group of neighbouring variables of ``weighted`` ``(B, n, K)``."""
    named = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    groups = torch.arange(weighted.shape[1]).tensor_split(min(weighted.shape[1], GROUPS))
    result = {}
    for group in groups:
        loss = weighted[:, group].nan_to_num(0.0, 0.0, 0.0).sum()
        gradients = torch.autograd.grad(
            loss, list(named.values()), retain_graph=True, allow_unused=True, materialize_grads=True
        )
        result[f"{int(group[0])} to {int(group[-1])}"] = dict(zip(named, gradients, strict=True))
    return result


@torch.no_grad()
def carries_its_state(model: AutoregressiveModel) -> Verdict:
    """`SequenceModel.advance` in chunks gives the conditionals of `forward`, wherever the sequence is cut.

    Raises:
        AssertionError: If what comes after a cut is not given all that comes before it.
    """
    if not isinstance(model, SequenceModel):
        return does_not_apply("no model of sequences")
    subject = copy.deepcopy(model).eval().double()
    with own_random_state():
        x = random_events(subject, EXAMPLES)
        context = subject.check_context(random_context(subject, len(x)), len(x))
    sequence, expected = subject.order.flatten(x), table(subject, subject(x, context))
    n = subject.num_variables
    for cuts in ([t, n - t] for t in range(n)):
        state, previous, tables = subject.start(len(x), context), None, []
        for part in sequence.split([size for size in cuts if size], dim=1):
            distribution, state = subject.advance(state, previous, part)
            previous = part[:, -1]
            tables.append(step_table(subject, distribution, 0))
        message = f"carries_its_state: log-probabilities, cut after {cuts[0]} variables"
        require_close(torch.cat(tables, dim=1), expected, ROUNDING, message)
    return PASSED


@torch.no_grad()
def selects_states(model: AutoregressiveModel) -> Verdict:
    """A state that is selected, repeated or put in another sequence is the state of the selected items.

    Tasks do so between steps: completion repeats the promising items, and drops the others. Here items are selected
    after each of the first variables, each with its own context, and the conditionals that follow are compared with
    those of `forward`. The original state goes one step on first: a step may change the state that it is given, but not
    what is `Shared`, which the selected items have in common with it.

    Raises:
        AssertionError: If a conditional is that of another item, or the state can't be selected.
    """
    if reason := not_walkable(model):
        return reason
    if model.num_variables == 1:
        return does_not_apply("after one variable no step is left")
    subject = copy.deepcopy(model).eval().double()
    with own_random_state():
        x = random_events(subject, EXAMPLES)
        context = subject.check_context(random_context(subject, len(x)), len(x))
        for name, indices in _selections(len(x)).items():
            _require_selected(subject, x, context, name, indices)
    return PASSED


def _selections(count: int) -> dict[str, Tensor]:
    return {
        "in another sequence": torch.arange(count).flip(0),
        "some of them repeated": torch.randint(count, (count + 3,)),
        "one of them left": torch.tensor([count - 1]),
    }


def _require_selected(
    model: AutoregressiveModel, x: Tensor, context: Tensor | None, name: str, indices: Tensor
) -> None:
    """Select items halfway and once more near the end, and compare every conditional with `forward`."""
    sequence = model.order.flatten(x)
    expected = table(model, model(x, context))
    n = model.num_variables
    state, previous = model.start(len(x), context), None
    for t in range(n):
        distribution, state = model.step(state, previous)
        message = f"selects_states: items {name}, variable {t} along the order"
        require_close(step_table(model, distribution, t), expected[:, t], ROUNDING, message)
        previous = sequence[:, t]
        if t in ((n - 1) // 2, n - 2):
            chosen = indices if len(sequence) == len(x) else torch.arange(len(sequence)).flip(0)
            original, state = state, _selected(state, chosen)
            model.step(original, previous)  # it may change the original, but not what was selected before
            previous = previous[chosen]
            sequence, expected = sequence[chosen], expected[chosen]


def _selected(state: State, indices: Tensor) -> State:
    try:
        return select(state, indices)
    except (TypeError, IndexError, RuntimeError) as error:
        raise AssertionError(f"selects_states: expected a state whose items can be selected, got: {error}") from error
