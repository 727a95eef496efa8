"""Laws of what a conditional must not see: its own variable and those after it."""

from __future__ import annotations

import torch
from torch import Tensor

from chainrule.model import AutoregressiveModel
from chainrule.testing.probes import EXAMPLES, change, other_values, random_events, table
from chainrule.testing.subjects import law, not_walkable, own_random_state
from chainrule.testing.verdicts import PASSED, Verdict, passed, require, together, up_to_rounding

ROUNDING = 1e-11
"""Differences of log-probabilities in double precision that count as rounding, relative to 1 and to their size."""

SINGLE_ROUNDING = 1e-4
"""The same in single precision."""


@law
@torch.no_grad()
def causal(model: AutoregressiveModel) -> Verdict:
    """Changing x_t and all later variables leaves every conditional up to that of x_t as it was, bit for bit.

    A processor may round the same numbers differently where shapes or places in memory differ (NADE computes distinct
    hidden states once, so its products change shape with the data). Where bits differ, the same comparison in double
    precision decides, with no more slack than its rounding, and the verdict says by how much.

    Raises:
        AssertionError: If a conditional sees its own variable or a later one, or the same example has different
            conditionals from call to call.
    """
    if reason := not_walkable(model):
        return reason
    return _judge(model, "causal", EXAMPLES)


@law
@torch.no_grad()
def causal_in_training(model: AutoregressiveModel) -> Verdict:
    """`causal` in training mode, with the same noise before and after the change, in a batch and one example alone.

    Statistics of a batch that go across the variables (batch normalisation of a convolution or a transformer) let a
    conditional see later variables in training, so that what is fitted is not the model that is used.

    Raises:
        AssertionError: If a conditional sees its own variable or a later one in training mode.
    """
    if reason := not_walkable(model):
        return reason
    model.train()
    verdicts = [_judge(model, "causal_in_training", EXAMPLES)]
    try:
        verdicts.append(_judge(model, "causal_in_training", 1))
    except (RuntimeError, ValueError) as error:
        verdicts.append(passed(f"in batches; one example alone cannot be trained on ({error})"))
    return together(verdicts)


def _judge(model: AutoregressiveModel, name: str, count: int) -> Verdict:
    difference, where = _leak(model, count, SINGLE_ROUNDING)
    if difference == 0:
        return PASSED
    exact, place = _leak(model.double(), count, ROUNDING)
    require(
        exact <= ROUNDING and difference <= SINGLE_ROUNDING,
        f"{name}: {place or where}, expected the same log-probabilities after the change, got a difference of "
        f"{difference:.3g} ({exact:.3g} in double precision)",
    )
    return up_to_rounding(difference)


def _leak(model: AutoregressiveModel, count: int, rounding: float) -> tuple[float, str]:
    """The greatest change of a conditional that should have stayed, and where."""
    x = random_events(model, max(count, EXAMPLES))
    x = x[torch.randperm(len(x))[:count]]
    before, sequence = _conditionals(model, x), model.order.flatten(x)
    worst, where = float(change(_conditionals(model, x), before).max()), "the same examples twice, nothing changed"
    if worst > rounding:
        return worst, where
    for t in range(model.num_variables):
        changed = sequence.clone()
        changed[:, t] = other_values(model, sequence[:, t], t)
        shuffled = random_events(model, EXAMPLES)
        shuffled = shuffled[torch.randint(len(shuffled), (len(x),), device=x.device)]
        changed[:, t + 1 :] = model.order.flatten(shuffled)[:, t + 1 :]
        after = _conditionals(model, model.order.unflatten(changed))
        difference = change(after, before)[:, : t + 1].amax(dim=(0, 2))
        if float(difference.max()) > worst:
            worst = float(difference.max())
            where = f"conditional {int(difference.argmax())}, with variables {t} and later changed (along the order)"
    return worst, where


def _conditionals(model: AutoregressiveModel, x: Tensor) -> Tensor:
    """The table of ``x``; in training mode with the same noise in every call, in evaluation there must be none."""
    if not model.training:
        return table(model, model(x))
    with own_random_state():
        return table(model, model(x))
