"""Examples to try a model with, and its conditionals as tables."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.model import AutoregressiveModel

EXAMPLES = 16
"""Examples whose conditionals are compared."""

MAX_EVENTS = 2**12
"""Events of more possible values than this are not enumerated."""

MAX_PROBES = 16
"""Conditionals are compared at this many values of a variable, evenly spread, where there are more."""


def enumerable(model: AutoregressiveModel) -> bool:
    """True if all events can be listed, and are no more than `MAX_EVENTS`."""
    values = model.conditional.values
    return values is not None and len(values) ** model.num_variables <= MAX_EVENTS


def values_of(model: AutoregressiveModel, position: int = 0) -> Tensor:
    """The values of the variable at a position of the flattened event, or a few of them where they can't be listed."""
    return model.conditional.of(position).probes.to(dtype=model.dtype, device=model.device)


def values_along(model: AutoregressiveModel) -> Tensor:
    """The values of all variables, ``(n, K)``, as `values_of` gives them; repeated where a variable has fewer."""
    rows = [values_of(model, position) for position in range(model.num_variables)]
    most = max(len(row) for row in rows)
    return torch.stack([row[torch.arange(most) % len(row)] for row in rows])


def all_events(model: AutoregressiveModel) -> Tensor:
    """Every possible example, counted up with the last variable of the order changing fastest."""
    columns = [values_of(model)] * model.num_variables
    return model.order.unflatten(torch.cartesian_prod(*columns).reshape(-1, model.num_variables))


def number_of(model: AutoregressiveModel, x: Tensor) -> Tensor:
    """The index of each example of ``x`` in `all_events`."""
    values = values_of(model)
    digits = torch.searchsorted(values, model.order.flatten(x).contiguous())
    places = len(values) ** torch.arange(model.num_variables - 1, -1, -1, device=x.device)
    return (digits * places).sum(1)


def random_events(model: AutoregressiveModel, count: int) -> Tensor:
    """Examples whose variables are drawn uniformly; every event instead, where there are no more than ``count``."""
    if enumerable(model) and len(values_of(model)) ** model.num_variables <= count:
        return all_events(model)
    values = values_along(model)
    chosen = torch.randint(values.shape[1], (count, model.num_variables), device=model.device)
    flat = values.gather(1, chosen.T).T
    return flat.reshape(count, *model.event_shape)


def table(model: AutoregressiveModel, distribution: Distribution) -> Tensor:
    """Log-probabilities ``(B, n, K)`` of `probes_along` under every conditional of examples, along the order."""
    shape = distribution.batch_shape
    columns = [value.reshape(model.event_shape) for value in probes_along(model).T]
    log_probs = torch.stack([distribution.log_prob(value.expand(shape)) for value in columns], dim=-1)
    return model.order.flatten(log_probs)


def step_table(model: AutoregressiveModel, distribution: Distribution, t: int) -> Tensor:
    """Log-probabilities ``(*batch_shape, K)`` of `probes_along` under the distribution of variable t of the order."""
    values = probes_along(model)[int(model.order.permutation[t])]
    return torch.stack([distribution.log_prob(value.expand(distribution.batch_shape)) for value in values], dim=-1)


def probes_along(model: AutoregressiveModel) -> Tensor:
    """The values of `values_along`, at most `MAX_PROBES` of each variable."""
    values = values_along(model)
    if values.shape[1] <= MAX_PROBES:
        return values
    return values[:, torch.linspace(0, values.shape[1] - 1, MAX_PROBES).round().long()]


def change(after: Tensor, before: Tensor) -> Tensor:
    """The change of log-probabilities, relative to 1 and to their size; infinite where one is not a number."""
    difference = (after - before).abs() / before.abs().clamp(min=1)
    return torch.where(after == before, 0.0, difference.nan_to_num(torch.inf))


def other_values(model: AutoregressiveModel, x: Tensor, t: int) -> Tensor:
    """Another value than ``x`` of variable t, along the order, at every place."""
    values = values_of(model, int(model.order.permutation[t]))
    shift = torch.randint(1, len(values), x.shape, device=x.device)
    same = (x.unsqueeze(-1) == values) | (x.unsqueeze(-1).isnan() & values.isnan())
    return values[(same.int().argmax(-1) + shift) % len(values)]
