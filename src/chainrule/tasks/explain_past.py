"""Explanations from the past: how unusual each variable is given those before it, and what was expected in its place.

All conditionals come from one parallel pass, so that images, text and series are explained at the cost of a likelihood
and of a tail for each variable. The tail probability of a variable is that of a value at least as unusual, under
p(x_t | x_<t):

- of a listed value the probability of all values that are at most as probable;
- of a number 2 min(P(X <= x_t), P(X >= x_t)), at most 1, by the conditional's ``cdf``, or by samples if it has none.

If the example is from the model, a tail is at most a with a probability of at most a, and of exactly a for numbers with
a density. `chainrule.tasks.explain` gives tails given all other variables, at about 60 times the cost.

A mixture of models in one order has the conditionals

p(x_t | x_<t) = sum_k w_k p_k(x_t | x_<t),    w_k proportional to p_k(x_<t).

Models in several orders have no past in common. There one of them is drawn for each example, with the probability
p_k(x) / sum_j p_j(x) that the example is its own, and explains it. So its tails keep the law above.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution

from chainrule.abilities import components_of
from chainrule.batch import Batch
from chainrule.conditionals import Conditional
from chainrule.conditionals.units import present
from chainrule.model import AutoregressiveModel, one_variable
from chainrule.sequence import SequenceModel
from chainrule.tasks.batches import rows_of_batch
from chainrule.tasks.sample import drawing
from chainrule.tasks.tails import (
    EXPECTED,
    LIKELIEST,
    Explanation,
    joined,
    likeliest_of,
    listed_values,
    step_of,
    tails_of_listed,
    tails_with_missing,
)
from chainrule.walk import CHUNK

LISTED = 1024
"""At most so many listed values are compared by their probabilities, if they have a ``cdf`` as numbers do."""

DRAWS = 1000
"""Samples that give the quantiles of a number, and its tail if there is no ``cdf``."""

LEAST = torch.finfo(torch.float32).eps
"""The tail of a number is no less: a ``cdf`` near 1 is known to so many digits."""

IMPOSSIBLE = -1e30
"""Log p of values that no member finds possible, so that the members' shares stay defined."""

BATCH = 64
"""Examples of a parallel pass, at most."""


def explain_past(model: AutoregressiveModel, x: Tensor, context: Tensor | None = None) -> Explanation:
    """Explain examples by the tail probability of each variable given those before it.

    Args:
        model: Any model; its order says what is before.
        x: Examples ``(B, *event_shape)``, or sequences ``(B, k)``.
        context: What each example is conditioned on: classes ``(B,)``.

    Returns:
        An explanation of the n variables of each flattened example, ``(B, n)``. The suspicion is -log tail. Listed
        values have quantiles too, for where they are ordered.

    Raises:
        ValueError: If the examples or the context don't fit the model, or there are none.

    >>> from chainrule.conditionals import Bernoulli
    >>> from chainrule.models import FVSBN
    >>> model = FVSBN(event_shape=(2,), conditional=Bernoulli())  # untrained: all events are equally probable
    >>> explain_past(model, torch.zeros(1, 2)).tails
    tensor([[1., 1.]], dtype=torch.float64)
    """
    x = model.check(x.to(model.device))
    context = model.check_context(context, len(x))
    if len(x) == 0:
        raise ValueError("explain expects at least one example, got none")
    with drawing(model, 0):
        batches = torch.arange(len(x), device=x.device).split(rows_of_batch(BATCH, model))
        parts = [_explained(model, x[rows], None if context is None else context[rows]) for rows in batches]
    return joined(parts, lambda own: torch.cat(own).cpu().clone())  # ordinary tensors, of no inference mode


def explain_stream(model: SequenceModel, batches: Iterable[Batch], chosen: Tensor) -> Explanation:
    """Explain some values of one long sequence, each given all values before it.

    Args:
        model: A model of sequences of any length.
        batches: The sequence in order, in chunks of one row each.
        chosen: The places of the values to explain among those that count, ascending, ``(k,)``.

    Returns:
        An explanation of parts ``(k,)``; see `explain_past`.

    Raises:
        ValueError: If a value is not of the model's conditional, or the sequence has fewer places.
    """
    parts, first = [], 0
    with drawing(model, 0):
        state, previous = model.start(1), None
        for batch in batches:
            counted = torch.ones_like(batch.x, dtype=torch.bool) if batch.counted is None else batch.counted
            for values, counts in zip(batch.x.split(CHUNK, dim=1), counted.split(CHUNK, dim=1), strict=True):
                x = model.check(values.to(model.device))
                distribution, state = model.advance(state, previous, x)
                places = counts[0].nonzero().squeeze(1)
                here = places[chosen[(chosen >= first) & (chosen < first + len(places))] - first]
                one = x.new_zeros(1, 1)
                parts += [
                    explained(model.conditional, [one_variable(model, distribution, i)], one, x[:, i])
                    for i in here.tolist()
                ]
                first, previous = first + len(places), x[:, -1]
    if len(parts) < len(chosen):
        raise ValueError(f"chosen expects places below {first}, got {int(chosen[-1])}")
    return joined(parts, lambda own: torch.cat(own).cpu().clone())


def _explained(model: AutoregressiveModel, x: Tensor, context: Tensor | None) -> Explanation:
    """All variables of some examples, ``(B, n)``."""
    components = components_of(model)
    distributions = [component(x, context) for component in components]
    weights = log_shares(components, distributions, x)
    flat = x.flatten(1)
    columns = []
    for index in range(flat.shape[1]):
        own = [one_variable(component, part, index) for component, part in zip(components, distributions, strict=True)]
        columns.append(explained(model.conditional.of(index).family, own, weights[..., index], flat[:, index]))
    return joined(columns, lambda parts: torch.stack(parts, dim=1))


def log_shares(components: Sequence[AutoregressiveModel], distributions: Sequence[Distribution], x: Tensor) -> Tensor:
    """The log of each component's share of the mixture at each variable, ``(K, B, n)``; see the module's text."""
    if len(components) == 1:
        return x.new_zeros(1, len(x), x[0].numel())
    orders = [component.order for component in components]
    nats = [order.flatten(own.log_prob(x)).double() for order, own in zip(orders, distributions, strict=True)]
    own = torch.stack(nats).clamp(min=IMPOSSIBLE)
    if all(torch.equal(order.permutation, orders[0].permutation) for order in orders):
        before = torch.cat([torch.zeros_like(own[..., :1]), own[..., :-1].cumsum(-1)], dim=-1).log_softmax(0)
        return torch.stack([orders[0].unflatten(share).flatten(1) for share in before])
    drawn = Categorical(logits=own.sum(-1).T).sample()
    rest = torch.arange(len(components), device=x.device)[:, None] != drawn
    return own.new_zeros(own.shape).masked_fill(rest.unsqueeze(-1), -torch.inf)


def explained(
    conditional: Conditional, distributions: Sequence[Distribution], log_weights: Tensor, own: Tensor
) -> Explanation:
    """One variable of B examples, whose distribution is a mixture.

    Args:
        conditional: Its family.
        distributions: The K distributions of batch shape ``(B,)``.
        log_weights: Log of their shares, ``(K, B)``.
        own: The values, ``(B,)``.
    """
    values = listed_values(conditional)
    if values is None or (len(values) > LISTED and _cdf(present(distributions[0]), own.double()) is not None):
        return _of_number(conditional, distributions, log_weights.double(), own)
    values = values.to(own.device)
    if conditional.values is not None and conditional.atoms is None:
        tables = [conditional.log_probs(part) for part in distributions]
    else:
        tables = [torch.stack([part.log_prob(value.expand_as(own)) for value in values.to(own)], dim=-1)
                  for part in distributions]  # fmt: skip
    shares = (torch.stack(tables).double() + log_weights.unsqueeze(-1)).logsumexp(0).softmax(1)
    tails = tails_of_listed(shares, own, values)
    there = shares[:, ~values.isnan()].cumsum(1)
    wanted = there[:, -1:] * torch.tensor(EXPECTED).to(there)
    quantiles = values[(there.unsqueeze(1) < wanted.unsqueeze(2)).sum(2).clamp(max=there.shape[1] - 1)]
    return Explanation(tails, -tails.log(), quantiles, torch.full_like(tails, torch.nan), *likeliest_of(shares, values))


def _of_number(
    conditional: Conditional, distributions: Sequence[Distribution], log_weights: Tensor, own: Tensor
) -> Explanation:
    """`explained` for numbers, which may be missing."""
    gap = own.isnan()
    may_be_missing = conditional.atoms is not None and bool(conditional.atoms.isnan().any())
    log_missing = torch.full_like(log_weights, -torch.inf)
    if may_be_missing:
        log_missing = torch.stack([part.log_prob(torch.full_like(own, torch.nan)) for part in distributions]).double()
    missing = (log_weights + log_missing).logsumexp(0).exp()
    weights = (log_weights + torch.log1p(-log_missing.exp().clamp(max=1 - LEAST))).softmax(0)
    there = [present(part) for part in distributions]
    draws = _draws(there, weights)
    quantiles = draws.quantile(torch.tensor(EXPECTED).to(draws), dim=0, interpolation="nearest").T
    seen = torch.where(gap, quantiles[:, 1], own.double())
    below, above = _both_tails(there, weights, seen, step_of(conditional), draws)
    tails = (2 * torch.minimum(below, above)).clamp(LEAST, 1.0)
    if may_be_missing:
        tails = tails_with_missing(tails, missing, gap)
    none = tails.new_full((len(own), LIKELIEST), torch.nan)
    return Explanation(tails, -tails.log(), quantiles, missing, none, torch.zeros_like(none))


def _draws(distributions: Sequence[Distribution], weights: Tensor) -> Tensor:
    """Samples ``(DRAWS, B)`` of the mixture with ``weights`` ``(K, B)``."""
    drawn = torch.stack([part.sample(torch.Size([DRAWS])).double() for part in distributions])
    if len(drawn) == 1:
        return drawn[0]
    chosen = Categorical(probs=weights.T).sample(torch.Size([DRAWS]))
    return drawn.gather(0, chosen[None])[0]


def _both_tails(
    distributions: Sequence[Distribution], weights: Tensor, x: Tensor, step: float, draws: Tensor
) -> tuple[Tensor, Tensor]:
    """P(X <= x) and P(X >= x) ``(B,)`` of the mixture; ``step`` is that of the values' grid, 0 if there is none."""
    at = [_cdf(part, x) for part in distributions]
    before = at if step == 0 else [_cdf(part, x - step) for part in distributions]
    if any(part is None for part in at):
        return ((draws <= x).sum(0) + 1) / (DRAWS + 1), ((draws >= x).sum(0) + 1) / (DRAWS + 1)
    below, short = ((torch.stack([own for own in parts if own is not None]) * weights).sum(0) for parts in (at, before))
    return below.double(), 1 - short.double()


def _cdf(distribution: Distribution, x: Tensor) -> Tensor | None:
    """P(X <= x), or None if the distribution does not know it."""
    try:
        return distribution.cdf(x)
    except NotImplementedError:
        return None
