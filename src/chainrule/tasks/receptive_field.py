"""Receptive field: which variables a conditional depends on, and how much."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from chainrule.abilities import components_of
from chainrule.model import AutoregressiveModel
from chainrule.tasks.batches import of_batches


def receptive_field(
    model: AutoregressiveModel,
    x: Tensor,
    t: int,
    *,
    context: Tensor | None = None,
    batch_size: int = 128,
    watch: Callable[[], None] = lambda: None,
) -> Tensor:
    """The change of p(x_t | x_<t) with each variable: a row of its Jacobian in differences, ``event_shape``.

    Entry s is the largest change of a log-probability of x_t, in nats, when the variable s takes other values (all of
    them up to four, else the lowest, the highest and two between), averaged over the examples. It is 0 for x_t itself
    and all later variables.

    Args:
        model: A model of one order, whose values can be listed.
        x: Examples ``(B, *event_shape)`` at which the change is measured.
        t: The variable, counted along the model's order.
        context: Classes ``(B,)``.
        batch_size: Examples per parallel pass.
        watch: Called before each pass; what it raises ends the work.

    Raises:
        ValueError: If an example does not fit the model, there is no variable t, or the model is a mixture over orders.

    >>> from chainrule.conditionals import Bernoulli
    >>> from chainrule.models import BayesNet
    >>> net = BayesNet(event_shape=(4,), conditional=Bernoulli(), structure="previous:1")
    >>> net.count([(torch.tensor([[0.0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]), None)])
    >>> (receptive_field(net, torch.zeros(1, 4), 3) > 0).tolist()
    [False, False, True, False]
    """
    if len(components_of(model)) > 1:
        raise ValueError("receptive_field expects a model of one order, got a mixture: give one of its components")
    values = model.conditional.values
    if values is None:
        raise ValueError(f"receptive_field expects values that can be listed, got {model.conditional}")
    if not 0 <= t < model.num_variables:
        raise ValueError(f"t expects a variable from 0 to {model.num_variables - 1}, got {t}")
    x = model.check(x)
    position = int(model.order.permutation[t])

    def conditional(x: Tensor, context: Tensor | None) -> Tensor:
        watch()
        return model.conditional.log_probs(model.conditional.at(model(x, context), position))

    others = values[torch.linspace(0, len(values) - 1, min(len(values), 4)).round().long()]
    total = torch.zeros(model.num_variables, dtype=torch.float64)
    for example, label in zip(x, [None] * len(x) if context is None else context, strict=True):
        classes = None if label is None else label.expand(1 + t * len(others))
        # The example itself, and then every earlier variable with each of the other values.
        changed = model.order.flatten(example[None]).repeat(1 + t * len(others), 1)
        rows = torch.arange(1, len(changed))
        changed[rows, torch.arange(t).repeat_interleave(len(others))] = others.to(changed).repeat(t)
        tables = of_batches(
            conditional, model, model.order.unflatten(changed), context=classes, batch_size=batch_size
        ).double()
        change = (tables[1:] - tables[:1]).abs().amax(1).nan_to_num(0.0, 0.0, 0.0)
        total[:t] += change.unflatten(0, (t, -1)).amax(1) if t else 0.0
    return model.order.unflatten((total / len(x))[None])[0]
