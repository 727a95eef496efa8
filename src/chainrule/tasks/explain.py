"""Explanations: how unusual each variable of an example is given all others, and what was expected in its place.

P(x_t | all others), before and after it, is proportional to p(x) as x_t varies and all else stays. The tail probability
of a variable is that of a value at least as unusual as the one it has:

- of a number 2 min(P(X <= x), P(X >= x)), at most 1;
- of a listed value, such as a category, the probability of all values that are at most as probable.

If the example is from the model, a tail is at most a with a probability of at most a, and of exactly a for numbers with
a density. So tails can be compared between variables, which -log p(x_t | ...) can't.

One wrong value makes all values unusual that depend on it. The suspicion tells them apart,

log m_t(x_t) + log p(all others) - log tail,

where m_t is the distribution of the variable by itself: the others are plausible once the wrong value is left out. That
is the log-odds that x_t was swapped for a value of another example, less the log of its tail.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from chainrule.conditionals import Conditional
from chainrule.conditionals.support import bounds_of, is_in
from chainrule.model import AutoregressiveModel
from chainrule.tasks.batches import evaluation_mode
from chainrule.tasks.curves import Curves
from chainrule.tasks.sample import sample
from chainrule.tasks.tails import (
    EXPECTED,
    LIKELIEST,
    Explanation,
    joined,
    likeliest_of,
    listed_values,
    same,
    step_of,
    tails_of_listed,
    tails_with_missing,
)

SAMPLED, NEAREST = 1000, 50
"""Sampled examples that show where the values of each variable are. The distance of as many as `NEAREST` gives the
density of a number by itself."""

FIRST, FARTHER = 14, 5
"""Places of a number that are tried first: quantiles of the sampled values, and some beyond them on either side, each
twice as far as the one before."""

MORE, ROUNDS, DEVIATIONS = 12, 3, 2.2
"""Places that are added in each round where the probability is, up to so many standard deviations of a bell."""

EACH = 256
"""All integers of a range of at most so many are tried."""

TRIED = 2**13
"""Examples that are tried at once."""

LogProb = Callable[[Tensor], Tensor]
"""Log p ``(B, G)`` of examples whose variable has the values ``(B, G)``."""


def explain(
    model: AutoregressiveModel,
    x: Tensor,
    context: Tensor | None = None,
    *,
    watch: Callable[[int], None] | None = None,
) -> Explanation:
    """Explain examples by the tail probability of each variable given all others.

    Listed values are all tried. Numbers are tried at places that are refined where the probability is; see
    `chainrule.tasks.curves`. So a variable costs about 60 times log p(x), or as many as it has values. It works for
    mixtures over orders too.

    Args:
        model: Any model of events ``(n,)``.
        x: Examples ``(B, n)``.
        context: What each example is conditioned on: classes ``(B,)``.
        watch: Called with each variable before it is explained, from 0 on; what it raises ends the work.

    Raises:
        ValueError: If the examples or the context don't fit the model, or its events have another shape.

    >>> from chainrule.conditionals import Bernoulli
    >>> from chainrule.models import FVSBN
    >>> model = FVSBN(event_shape=(2,), conditional=Bernoulli())  # untrained: all events are equally probable
    >>> explain(model, torch.zeros(1, 2)).tails
    tensor([[1., 1.]], dtype=torch.float64)
    """
    if len(model.event_shape) != 1:
        raise ValueError(f"explain expects a model of events of the shape (n,), got {model.event_shape}")
    x = model.check(x.to(model.device))
    context = model.check_context(context, len(x))
    if len(x) == 0:
        raise ValueError("explain expects at least one example, got none")
    with evaluation_mode(model), torch.inference_mode():
        classes = None if context is None else context[torch.arange(SAMPLED, device=context.device) % len(context)]
        sampled = sample(model, SAMPLED, seed=0, context=classes)
        columns = []
        for index in range(x.shape[1]):
            if watch is not None:
                watch(index)
            columns.append(_explained(model, index, sampled[:, index], x, context))
    return joined(columns, lambda parts: torch.stack(parts, dim=1).cpu())  # ordinary tensors, of no inference mode


def _explained(
    model: AutoregressiveModel, index: int, sampled: Tensor, x: Tensor, context: Tensor | None
) -> Explanation:
    """One variable of all examples: parts of batch shape ``(B,)``."""
    variable = variable_of(model.conditional.of(index), sampled)
    parts = []
    for rows in torch.arange(len(x), device=x.device).split(max(1, TRIED // (len(variable.places) + 1))):

        def log_p(values: Tensor, rows: Tensor = rows) -> Tensor:
            tried = x[rows].repeat_interleave(values.shape[1], 0)
            tried[:, index] = values.flatten().to(tried)
            own = None if context is None else context[rows].repeat_interleave(values.shape[1])
            return model.log_prob(tried, own).double().view(values.shape)

        parts.append(variable.explained(x[rows, index].double(), log_p))
    return joined(parts, torch.cat)


def variable_of(conditional: Conditional, sampled: Tensor) -> ListedVariable | NumberVariable:
    """How the values of a variable are tried, given its family and some sampled values ``(N,)``."""
    sampled = sampled.double()
    if (values := listed_values(conditional)) is not None:
        return ListedVariable(values.to(sampled), sampled)
    spikes = sampled[:0] if conditional.spikes is None else conditional.spikes.to(sampled)
    there = torch.cat([sampled, spikes, conditional.probes.to(sampled)[:1]])
    there, step = there[~there.isnan()], step_of(conditional)
    places, each = _first_places(conditional, there, step)
    return NumberVariable(places, sampled, spikes[~spikes.isnan()], bool(spikes.isnan().any()), step, each)


def _first_places(conditional: Conditional, there: Tensor, step: float) -> tuple[Tensor, bool]:
    """The places that are tried first, ascending; True if they are all that there are in the range of ``there``."""
    low, high = there.min(), there.max()
    if step > 0 and (high - low) / step < EACH:
        return low + step * torch.arange(int(((high - low) / step).round()) + 1).to(low), True
    farther = (high - low if high > low else torch.ones_like(high)) * 2.0 ** torch.arange(-2, FARTHER - 2).to(low)
    inner = there.quantile(torch.linspace(0, 1, FIRST).to(low))
    places = torch.cat([low - farther, inner, high + farther])
    if step > 0:
        places = low + ((places - low) / step).round() * step
    least, most = bounds_of(conditional.support)
    inside = (places > (-math.inf if least is None else least - step)) & (
        places < (math.inf if most is None else most + step)
    )
    return places[inside].unique(), False


@dataclass(frozen=True)
class ListedVariable:
    """A variable whose values can be listed; NaN may be one.

    Attributes:
        places: All of them, ``(K,)`` float64.
        sampled: Sampled values.
    """

    places: Tensor
    sampled: Tensor

    def explained(self, own: Tensor, log_p: LogProb) -> Explanation:
        """The variable of examples in which it has the values ``own`` ``(B,)``."""
        joint = log_p(self.places.expand(len(own), -1))
        shares = joint.softmax(1)
        tails = tails_of_listed(shares, own, self.places)
        usual = frequency(own, self.sampled, len(self.places)).log()
        suspicion = usual + joint.logsumexp(1) - tails.log()
        none = torch.full_like(own, math.nan)
        quantiles = none[:, None].repeat(1, len(EXPECTED))
        return Explanation(tails, suspicion, quantiles, none, *likeliest_of(shares, self.places))


@dataclass(frozen=True)
class NumberVariable:
    """A variable that is a number, or missing.

    Attributes:
        places: The places that are tried first, ``(G,)`` float64, ascending.
        sampled: Sampled values.
        spikes: Values that have a probability of their own, ``(k,)``.
        maybe_missing: True if NaN is a value.
        step: The distance of the values on a grid; 0 if they are on none.
        each: True if all values in the range of the places are among them.
    """

    places: Tensor
    sampled: Tensor
    spikes: Tensor
    maybe_missing: bool
    step: float
    each: bool

    def explained(self, own: Tensor, log_p: LogProb) -> Explanation:
        """The variable of examples in which it has the values ``own`` ``(B,)``."""
        gap = own.isnan()
        seen = torch.where(gap, self.places[0], own)
        curves, most = self._curves(seen, log_p)
        below, above = curves.tails(seen)
        tails = (2 * torch.minimum(below, above)).clamp(max=1.0)
        log_total, missing = curves.log_total() + most, torch.zeros_like(own)
        if self.maybe_missing:
            log_missing = log_p(torch.full_like(own, math.nan)[:, None]).squeeze(1)
            missing = torch.sigmoid(log_missing - log_total)
            log_total = torch.logaddexp(log_total, log_missing)
            tails = tails_with_missing(tails, missing, gap)
        suspicion = self._usual(own).log() + log_total - tails.clamp(min=torch.finfo(tails.dtype).tiny).log()
        quantiles = curves.quantiles(torch.tensor(EXPECTED).to(own).expand(len(own), -1))
        none = own.new_full((len(own), LIKELIEST), math.nan)
        return Explanation(tails, suspicion, quantiles, missing, none, torch.zeros_like(none))

    def _curves(self, own: Tensor, log_p: LogProb) -> tuple[Curves, Tensor]:
        """The curves through all places that are tried, among them ``own``; and the greatest log p of each."""
        shared = torch.cat([self.places, self.spikes]).unique()
        places = torch.cat([shared.expand(len(own), -1), own[:, None]], dim=1)
        logs = log_p(places)
        for _ in range(0 if self.each else ROUNDS):
            more = self._more(Curves.of(places, logs, is_in(places, self.spikes), self.step), own)
            places, logs = torch.cat([places, more], dim=1), torch.cat([logs, log_p(more)], dim=1)
        return Curves.of(places, logs, is_in(places, self.spikes), self.step), logs.amax(1)

    def _more(self, curves: Curves, own: Tensor) -> Tensor:
        """Places ``(B, MORE)`` where the probability is; two are beside ``own``, for the slope of its tail."""
        shares = torch.special.ndtr(torch.linspace(-DEVIATIONS, DEVIATIONS, MORE - 2).to(own))
        found = curves.quantiles(shares.expand(len(own), -1))
        apart = ((found[:, -1] - found[:, 0]) / 16).clamp(min=self.step)
        beside = torch.stack([own - apart, own + apart], dim=1).clamp(self.places[0], self.places[-1])
        if self.step > 0:
            beside = self.places[0] + ((beside - self.places[0]) / self.step).round() * self.step
        return torch.cat([found, beside], dim=1).to(torch.get_default_dtype()).double()

    def _usual(self, own: Tensor) -> Tensor:
        """The density of values ``(B,)`` of the variable by itself, or the probability of spikes and missing ones."""
        smooth = self.sampled[~self.sampled.isnan() & ~is_in(self.sampled, self.spikes)]
        single = frequency(own, self.sampled, len(self.spikes) + 1)
        if not len(smooth):
            return single
        count = min(NEAREST, len(smooth))
        reach = (own.nan_to_num()[:, None] - smooth).abs().kthvalue(count, dim=1).values
        least = max(self.step / 2, 1e-9 * float(self.places[-1] - self.places[0]))
        density = count / (2 * len(self.sampled) * reach.clamp(min=least))
        return torch.where(own.isnan() | is_in(own, self.spikes), single, density)


def frequency(own: Tensor, sampled: Tensor, values: int) -> Tensor:
    """The frequency of values ``(B,)`` among ``sampled`` ``(N,)``, by Laplace's rule for so many values."""
    return (same(own, sampled).sum(1) + 1) / (len(sampled) + values)
