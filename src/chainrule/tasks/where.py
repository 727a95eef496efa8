"""Conditional sampling: examples some of whose variables have given values or lie within bounds.

Rejection draws from p(x | bounds) exactly: whole examples are drawn, and those within the bounds are kept. Known values
need no rejection where they come first in an order of the model. Where too few examples would be kept, or a known value
has a density and comes later, sequential Monte Carlo approximates; see `chainrule.tasks.particles`.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from chainrule.abilities import components_of
from chainrule.conditionals import Conditional
from chainrule.conditionals.support import bounds_of, is_in, values_of
from chainrule.model import AutoregressiveModel
from chainrule.tasks.complete import Route, check_observed, pick, routes, walk_routes
from chainrule.tasks.particles import Bounds, run_particles
from chainrule.tasks.sample import drawing

WALKS = 2**14
"""Walks side by side."""

PILOT = 2**13
"""Walks after which it is decided whether rejection is worth while."""

TRIES_PER_EXAMPLE = 256
"""Walks per example, on average, beyond which rejection is given up."""

RETRIES = 5
"""Times that an example none of whose particles survived is tried again."""

SILENT_SECONDS = 10.0
"""Seconds between two lines of progress."""


@dataclass(frozen=True)
class Conditioned:
    """Examples within bounds, and the method that drew them.

    Attributes:
        x: Examples ``(n, *event_shape)``.
        exact: True if they are draws from p(x | bounds) itself.
        method: The method, in words.
        acceptance: The share of walks that met the bounds, if examples were rejected; else None.
        effective_sample_size: The least along a walk of sequential Monte Carlo, ``(n,)``; None without.
    """

    x: Tensor
    exact: bool
    method: str
    acceptance: float | None = None
    effective_sample_size: Tensor | None = None


def sample_where(
    model: AutoregressiveModel,
    n: int,
    bounds: Bounds,
    *,
    particles: int = 64,
    seed: int | None = None,
    context: Tensor | None = None,
    say: Callable[[str], None] | None = None,
) -> Conditioned:
    """Draw ``n`` examples from p(x | low <= x <= high).

    Args:
        model: Any model of the contract.
        n: The number of examples.
        bounds: The least and the greatest value of each variable; a variable with equal ones has that value.
        particles: Walks per example of sequential Monte Carlo, the method where rejection is hopeless.
        seed: The same seed gives the same examples; None draws from torch's own generator.
        context: What each example is conditioned on: classes ``(n,)``.
        say: Takes a line of progress, from time to time, where many walks are needed.

    Raises:
        ValueError: If the bounds do not fit the model, are impossible, or are so improbable that no walk met them.

    >>> from chainrule.conditionals import Bernoulli
    >>> from chainrule.models import FVSBN
    >>> model = FVSBN(event_shape=(3,), conditional=Bernoulli())
    >>> last = Bounds(low=torch.tensor([0.0, 0.0, 1.0]), high=torch.ones(3))
    >>> done = sample_where(model, 4, last, seed=0)
    >>> done.x[:, 2], done.exact
    (tensor([1., 1., 1., 1.]), True)
    """
    if n < 1:
        raise ValueError(f"n expects at least 1 example, got {n}")
    x, known = _check(model, bounds)
    context = model.check_context(context, n)
    bounds = Bounds(bounds.low.to(model.device), bounds.high.to(model.device))
    progress = _Progress(n, say)
    with drawing(model, seed):
        ways = routes(model, x, known, None if context is None else context[:1])
        done = None
        if all(way.exact for way in ways):
            done = _reject(ways, x, known, bounds, n, context, progress)
        elif all(_has_probability(model, bounds, index) for index in known.flatten().nonzero()[:, 0]):
            free = [Route(component, True, "exact") for component in components_of(model)]
            done = _reject(free, x, torch.zeros_like(known), bounds, n, context, progress)
        return done or _particles(ways, x, known, bounds, n, context, particles, progress)


class _Progress:
    """Says, from time to time, how many of ``n`` examples are drawn."""

    def __init__(self, n: int, say: Callable[[str], None] | None) -> None:
        self.n, self.say = n, say
        self._last = time.monotonic()

    def __call__(self, count: int, walks: int) -> None:
        if self.say is not None and time.monotonic() - self._last > SILENT_SECONDS:
            self._last = time.monotonic()
            self.say(f"{count:,} of {self.n:,} rows meet the conditions so far, in {walks:,} walks")


def _check(model: AutoregressiveModel, bounds: Bounds) -> tuple[Tensor, Tensor]:
    """The known values ``(1, *event_shape)``, and which they are, booleans ``event_shape``.

    Raises:
        ValueError: If the bounds have another shape, or no value of a variable lies within them.
    """
    for side in (bounds.low, bounds.high):
        if tuple(side.shape) != model.event_shape:
            raise ValueError(f"bounds expect the shape of one example, {model.event_shape}, got {tuple(side.shape)}")
    if (index := impossible_variable(model, bounds)) is not None:
        low, high = float(bounds.low.flatten()[index]), float(bounds.high.flatten()[index])
        raise ValueError(
            f"bounds expect a value that is possible under the model, got none from {low:g} to {high:g} for variable "
            f"{index + 1}"
        )
    known = bounds.known
    return check_observed(model, torch.where(known, bounds.low, 0.0).unsqueeze(0), known)


def impossible_variable(model: AutoregressiveModel, bounds: Bounds) -> int | None:
    """The first variable, in the flattened event, none of whose values lies within its bounds; None if all can."""
    sides = zip(bounds.low.flatten().tolist(), bounds.high.flatten().tolist(), strict=True)
    for index, (low, high) in enumerate(sides):
        conditional = model.conditional.of(index)
        values = values_of(conditional.support) if conditional.values is None else conditional.values
        least, most = bounds_of(conditional.support)
        possible = low <= high and (most is None or low <= most) and (least is None or high >= least)
        if values is not None:
            possible = possible and bool(bounds.allow(values.to(bounds.low), index).any())
        atoms = conditional.atoms
        if not possible and (atoms is None or not bool(bounds.allow(atoms.to(bounds.low), index).any())):
            return index
    return None


def _has_probability(model: AutoregressiveModel, bounds: Bounds, index: Tensor) -> bool:
    """True if the value of the known variable ``index`` has a probability, not a density."""
    conditional: Conditional = model.conditional.of(int(index))
    value = bounds.low.flatten()[index].reshape(1)
    return bool(conditional.support.is_discrete) or (
        conditional.atoms is not None and bool(is_in(value, conditional.atoms).all())
    )


def _reject(
    ways: Sequence[Route],
    x: Tensor,
    observed: Tensor,
    bounds: Bounds,
    n: int,
    context: Tensor | None,
    progress: _Progress,
) -> Conditioned | None:
    """Draw by exact ``ways``, and keep what lies within the bounds; None if too little does."""
    device = x.device
    evidence = torch.zeros(n, len(ways), dtype=torch.float64, device=device)
    if bool(observed.any()) and len(ways) > 1:
        walked = walk_routes(ways, x.expand(n, *x.shape[1:]), observed, 1, None, context)
        evidence = torch.stack([cloud.log_evidence for _, cloud in walked], dim=1)
    kept = x.repeat(n, *[1] * (x.dim() - 1))
    pending, tried, met = torch.arange(n, device=device), 0, 0
    checked = (bounds.ranged | (bounds.known & ~observed)).flatten().nonzero()[:, 0].tolist()
    while len(pending):
        expected = len(pending) if tried == 0 or met == 0 else len(pending) * tried / met
        repeats = max(1, min(WALKS // len(pending), math.ceil(2 * expected / len(pending)))) if checked else 1
        rows = pending.repeat_interleave(repeats)
        drawn = _draw(ways, x, observed, evidence[rows], None if context is None else context[rows])
        inside = torch.ones(len(rows), dtype=torch.bool, device=device)
        for index in checked:
            inside &= bounds.allow(drawn.flatten(1)[:, index], index)
        tried, met = tried + len(rows), met + int(inside.sum())
        table = inside.unflatten(0, (-1, repeats))
        ended, first = table.any(1), table.to(torch.uint8).argmax(1)
        kept[pending[ended]] = drawn.unflatten(0, (-1, repeats))[ended, first[ended]]
        pending = pending[~ended]
        progress(n - len(pending), tried)
        if tried >= PILOT and len(pending) and met * TRIES_PER_EXAMPLE < tried:
            return None
    methods = "; ".join(dict.fromkeys(way.method for way in ways)) if bool(observed.any()) else "exact"
    if not checked:
        return Conditioned(kept.clone(), True, methods)
    share = met / tried
    method = f"{methods}; of the rows that were drawn, the {share:.1%} that meet the conditions were kept"
    return Conditioned(kept.clone(), True, method, acceptance=share)


def _draw(ways: Sequence[Route], x: Tensor, observed: Tensor, evidence: Tensor, context: Tensor | None) -> Tensor:
    """An example for each row of ``evidence`` ``(B, C)``, along a way that is drawn by it."""
    owner = torch.multinomial(evidence.softmax(1), 1).squeeze(1)
    drawn = x.repeat(len(owner), *[1] * (x.dim() - 1))
    for number in owner.unique().tolist():
        mine, way = (owner == number).nonzero().squeeze(1), ways[number]
        ahead = None if way.lookahead is None else way.lookahead.expand(len(mine), -1, -1)
        own = None if context is None else context[mine]
        given = x.expand(len(mine), *x.shape[1:])
        drawn[mine] = run_particles(way.model, given, observed, 1, None, lookahead=ahead, context=own).x[:, 0]
    return drawn


def _particles(
    ways: Sequence[Route],
    x: Tensor,
    known: Tensor,
    bounds: Bounds,
    n: int,
    context: Tensor | None,
    particles: int,
    progress: _Progress,
) -> Conditioned:
    """Draw by sequential Monte Carlo, with ``particles`` for each example.

    Raises:
        ValueError: If none of the walks of an example met the bounds in `RETRIES` times, or none of the first `WALKS`.
    """
    if bool(bounds.ranged.any()):
        ways = [replace(way, exact=False) for way in ways]
    kept = x.repeat(n, *[1] * (x.dim() - 1))
    size = torch.zeros(n, dtype=torch.float64, device=x.device)
    waiting = deque((rows, RETRIES) for rows in torch.arange(n, device=x.device).split(max(1, WALKS // particles)))
    walks = met = 0
    while waiting:
        rows, tries = waiting.popleft()
        own = None if context is None else context[rows]
        walked = walk_routes(ways, x.expand(len(rows), *x.shape[1:]), known, particles, None, own, bounds)
        evidence = torch.stack([cloud.log_evidence for _, cloud in walked], dim=1)
        alive = evidence.amax(1) > -math.inf
        kept[rows[alive]] = pick(walked, evidence.masked_fill(~alive[:, None], 0.0))[alive]
        size[rows] = torch.stack([cloud.least_size for way, cloud in walked if not way.exact]).amin(0)
        walks, met = walks + len(rows) * particles, met + int(alive.sum())
        progress(met, walks)
        if alive.all():
            continue
        if tries == 1 or (met == 0 and walks >= WALKS):
            raise ValueError(
                f"expected conditions that a row may meet, but {met} of {n} rows met them in {walks:,} walks: "
                "use more particles, or weaker conditions"
            )
        waiting.append((rows[~alive], tries - 1))
    method = f"approximate: sequential Monte Carlo, {particles} particles"
    return Conditioned(kept.clone(), False, method, effective_sample_size=size.clone())
