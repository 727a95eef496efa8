"""The law of gradients: one reaches every parameter, and no example of a batch sees another."""

from __future__ import annotations

import torch
from torch import Tensor

from chainrule.abilities import members_of
from chainrule.model import AutoregressiveModel
from chainrule.nn.masked_linear import Masked
from chainrule.testing.causality import ROUNDING
from chainrule.testing.probes import EXAMPLES, random_events
from chainrule.testing.subjects import ROWS, larger, law, twins
from chainrule.testing.verdicts import PASSED, Verdict, cannot_tell, passed, require, require_close

MANY = 256
"""Gradients are added up over this many examples, so that a ReLU unit that rests on most of them still gets one."""


@law
def gradients_flow(model: AutoregressiveModel) -> Verdict:
    """A gradient reaches every parameter, no masked weight gets any, and no example sees another of its batch.

    A parameter without a gradient is tried under other weights (`twins`), because units may rest or saturate, and on a
    larger event, because a small one may have nothing for it to read: no row above, no earlier variable.

    Raises:
        AssertionError: If a trainable parameter is dead, a masked weight alive, or examples mix.
    """
    model.double()
    _no_mixing(model, random_events(model, EXAMPLES)[:EXAMPLES])
    _backward(model)
    _require_masks(model)
    unused = {name for name, parameter in _trainable(model).items() if parameter.grad is None}
    dead = _dead(model)
    if dead:
        dead = _dead_in_all(model, dead)
    if not dead:
        return PASSED
    if len(dead) == len(_trainable(model)):
        raise AssertionError("gradients_flow: expected a gradient for every parameter, got none for any of them")
    grown = larger(model, columns=ROWS)
    if grown is not None and grown is not model:
        left = _dead_in_all(grown, dead)
        if not left:
            return passed(
                f"but for parameters that an event as small as this has no use for: {', '.join(sorted(dead))}"
            )
        dead = left
    names = ", ".join(sorted(dead))
    if grown is None and not dead & unused:
        why = f"no gradient reached {names}, and the configuration gives no copy for a larger event"
        return cannot_tell(why, "a larger event or larger hidden sizes")
    require(False, f"gradients_flow: expected a gradient for every parameter, got none for {names}")
    return PASSED


def _trainable(model: AutoregressiveModel) -> dict[str, torch.nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def _backward(model: AutoregressiveModel) -> None:
    log_prob = model.log_prob(random_events(model, MANY))
    (log_prob * torch.randn_like(log_prob)).sum().backward()


def _dead(model: AutoregressiveModel) -> set[str]:
    """The trainable parameters that have no gradient, or zeros."""
    return {name for name, part in _trainable(model).items() if part.grad is None or not part.grad.any()}


def _dead_in_all(model: AutoregressiveModel, dead: set[str]) -> set[str]:
    """Those of ``dead`` that get no gradient under any weights."""
    for twin in twins(model):
        if dead:
            twin.double().zero_grad()
            _backward(twin)
            dead = dead & _dead(twin)
    return dead


def _require_masks(model: AutoregressiveModel) -> None:
    """Require that no masked weight has a gradient."""
    if any(isinstance(module, AutoregressiveModel) and members_of(module) for module in model.modules()):
        return  # the masks of an ensemble's members differ, and their weights are the same
    for name, module in model.named_modules():
        if isinstance(module, Masked) and module.weight.grad is not None:
            alive = int((module.weight.grad[module.mask == 0] != 0).sum())
            require(alive == 0, f"gradients_flow: {name} expected no gradient at masked weights, got {alive}")


@torch.no_grad()
def _no_mixing(model: AutoregressiveModel, x: Tensor) -> None:
    """Require the log-probabilities of each example to be the same alone as in batches, a small and a large one."""
    alone = torch.cat([model.log_prob(item) for item in x.split(1)])
    for name, items in (("a batch", torch.arange(len(x))), (f"a batch of {MANY}", torch.arange(MANY) % len(x))):
        message = f"gradients_flow: log p(x) in {name}, as against alone"
        require_close(model.log_prob(x[items]), alone[items], ROUNDING, message)
