"""Rows with unknown cells, each with its own: complete them, or score the cells that are known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.abilities import FarSighted, Reorderable, components_of, members_of
from chainrule.choices import Choose
from chainrule.conditionals.support import values_of
from chainrule.model import AutoregressiveModel
from chainrule.tasks.complete import Route, check_possible, legal_where, routes
from chainrule.tasks.evaluate import log_prob
from chainrule.tasks.marginal import marginal
from chainrule.tasks.particles import draw_present, run_particles, spread
from chainrule.tasks.sample import drawer, drawing

WALKS = 2**14
"""Walks side by side."""

TRIED = 256
"""The unknown cells of a row are tried in all their values, if there are at most so many."""


@dataclass(frozen=True)
class Completions:
    """Weighted completions of some rows: p(gaps | known cells), as points.

    Attributes:
        x: Completions ``(B, M, n)``.
        weights: Their probabilities ``(B, M)``, float64, which sum to 1.
        method: The method, in words.
        effective_sample_size: The least along a walk of sequential Monte Carlo, ``(B,)``; None if they are exact.
    """

    x: Tensor
    weights: Tensor
    method: str
    effective_sample_size: Tensor | None = None

    def draw(self, count: int) -> Tensor:
        """``count`` draws of each row, ``(B, count, n)``; none is drawn more often than its weight asks for."""
        chosen = spread(self.weights, count)
        chosen = chosen.gather(1, torch.rand(chosen.shape, device=chosen.device).argsort(1))
        return self.x.gather(1, chosen[:, :, None].expand(-1, -1, self.x.shape[2]))


Complete = Callable[[Tensor, Tensor, Tensor | None], Completions]
"""Completes rows ``(B, n)``, given their unknown cells ``(B, n)`` and classes."""


def fill(
    model: AutoregressiveModel,
    x: Tensor,
    *,
    draws: int = 1,
    particles: int = 16,
    seed: int | None = None,
    context: Tensor | None = None,
    unknown: Tensor | None = None,
    **settings: Any,
) -> tuple[Tensor, dict[str, int]]:
    """Fill the gaps of rows by draws from p(gaps | known cells); also count the rows of each method.

    See `complete_rows` for when that is exact. A drawn value is never missing, even where the model knows missing
    values.

    Args:
        model: Any model of rows ``(n,)``.
        x: Rows ``(N, n)`` with NaN where a cell is unknown.
        draws: Completions D of each row.
        particles: See `complete_rows`.
        seed: The same seed gives the same completions.
        context: Classes ``(N,)``.
        unknown: See `complete_rows`.
        settings: Temperature and the like, as of `chainrule.complete`.

    Returns:
        ``(D, N, n)`` without gaps, and the number of rows by method.
    """
    filled, methods = x.repeat(max(draws, 1), 1, 1), Counter[str]()

    def keep(rows: Tensor, done: Completions) -> None:
        filled[:, rows] = done.draw(draws).transpose(0, 1).to(filled)
        methods[done.method] += len(rows)

    complete_rows(
        model, x, keep, walks=draws, particles=particles, seed=seed, context=context, unknown=unknown, **settings
    )
    return filled, dict(methods)


def complete_rows(
    model: AutoregressiveModel,
    x: Tensor,
    keep: Callable[[Tensor, Completions], None],
    *,
    walks: int = 100,
    particles: int = 16,
    seed: int | None = None,
    context: Tensor | None = None,
    unknown: Tensor | None = None,
    watch: Callable[[], None] | None = None,
    **settings: Any,
) -> None:
    """Hand weighted completions of all rows that have gaps to ``keep``, some rows at a time.

    They are exact where all values of the gaps can be tried, at most `TRIED`; where the known cells come first in the
    order of each component of the model; and where a component sees ahead, or can be taken in an order in which they
    do (see `chainrule.tasks.complete.completion`). Elsewhere sequential Monte Carlo approximates. Rows walk side by
    side, whatever their gaps.

    Args:
        model: Any model of rows ``(n,)``.
        x: Rows ``(N, n)`` with NaN where a cell is unknown.
        keep: Takes the indices ``(B,)`` of some rows, and their completions.
        walks: Walks of each row along each component.
        particles: The same, at least, where they are approximate.
        seed: The same seed gives the same completions.
        context: Classes ``(N,)``.
        unknown: The unknown cells, booleans ``(N, n)``; by default those that are NaN. In a column that may be missing,
            NaN is a value of a cell that is not unknown.
        watch: Called before each draw of a cell; what it raises ends the work.
        settings: Temperature and the like, as of `chainrule.complete`.

    Raises:
        ValueError: If a known value does not fit the model, or what is known is impossible (p = 0).
    """
    if walks < 1 or particles < 1:
        raise ValueError(f"draws and particles expect at least 1, got {walks} and {particles}")
    context = model.check_context(context, len(x))
    draw = drawer(model, **settings)
    unknown = x.isnan() if unknown is None else unknown
    with drawing(model, seed):
        for rows, width, complete in _groups(model, unknown, walks, max(walks, particles), draw, watch):
            for part in rows.split(max(1, WALKS // width)):
                own = None if context is None else context[part.to(context.device)]
                try:
                    given = legal_where(model, x[part], ~unknown[part])
                    done = complete(given, unknown[part].to(model.device), own)
                except ValueError as error:
                    first = f"rows {int(part[0]) + 1} to {int(part[-1]) + 1}"
                    raise ValueError(f"{first}: {error}") from None
                keep(part, done)


def _groups(
    model: AutoregressiveModel,
    unknown: Tensor,
    walks: int,
    particles: int,
    draw: Choose | None,
    watch: Callable[[], None] | None,
) -> Iterator[tuple[Tensor, int, Complete]]:
    """Rows that are completed in one way, with the walks of a row along a component, and the way."""
    left = unknown.any(1)
    if draw is None:
        few = left & (torch.where(unknown, _numbers_of_values(model), 1.0).prod(1) <= TRIED)
        left = left & ~few
        for rows in _alike(unknown, few):
            yield rows, TRIED, partial(_tried, model)
    parts = components_of(model)
    choose = draw or draw_present
    choose = choose if watch is None else _watched(choose, watch)
    if any(isinstance(part, Reorderable | FarSighted) for part in (*parts, *members_of(model))):
        for rows in _alike(unknown, left):
            yield rows, particles, partial(_walked_alike, model, walks, particles, choose)
        return
    # A known cell after an unknown one, in the order of a component, gives walks their weights.
    weighed = torch.zeros_like(left)
    for part in parts:
        along = part.order.flatten(unknown.to(part.device)).cpu()
        weighed |= (along.int().cummax(1).values.bool() & ~along).any(1)
    first = [Route(part, True, "exact: the known variables come first") for part in parts]
    later = [Route(part, False, "approximate: sequential Monte Carlo") for part in parts]
    for group, ways, count in ((left & ~weighed, first, walks), (left & weighed, later, particles)):
        if bool(group.any()):
            yield group.nonzero().squeeze(1), count, partial(_walked, ways, count, choose)


def _watched(choose: Choose, watch: Callable[[], None]) -> Choose:
    def watched(t: int, distribution: Distribution) -> Tensor:
        watch()
        return choose(t, distribution)

    return watched


def _alike(unknown: Tensor, group: Tensor) -> Iterator[Tensor]:
    """Those rows of ``group`` ``(N,)`` that have the same gaps, for each pattern of gaps."""
    rows = group.nonzero().squeeze(1)
    patterns, which = torch.unique(unknown[rows], dim=0, return_inverse=True)
    for number in range(len(patterns)):
        yield rows[which == number]


def _numbers_of_values(model: AutoregressiveModel) -> Tensor:
    """The number of values that each variable may have, ``(n,)``; inf if they can't be listed."""
    listed = [_values_of(model, index) for index in range(model.num_variables)]
    return torch.tensor([math.inf if values is None else len(values) for values in listed])


def _values_of(model: AutoregressiveModel, index: int) -> Tensor | None:
    """All values of a variable, without that of a missing one; None if they can't be listed."""
    conditional = model.conditional.of(index)
    return values_of(conditional.support) if conditional.values is None else conditional.values


def _tried(model: AutoregressiveModel, given: Tensor, unknown: Tensor, context: Tensor | None) -> Completions:
    """Rows with the same few gaps, in all values of these: p(values | known cells) = p(row) / sum of p(row)."""
    places = unknown[0].nonzero().squeeze(1)
    listed = [_values_of(model, place) for place in places.tolist()]
    values = torch.cartesian_prod(*[each.to(given) for each in listed if each is not None])
    x = given[:, None].repeat(1, len(values), 1)
    x[:, :, places] = values.reshape(len(values), -1)
    own = None if context is None else context.repeat_interleave(len(values))
    joint = model.log_prob(x.flatten(0, 1), own).double().unflatten(0, (len(given), -1))
    check_possible(joint.amax(1), None)
    return Completions(x, joint.softmax(1), "exact: all values of the unknown cells were tried")


def _walked_alike(
    model: AutoregressiveModel,
    walks: int,
    particles: int,
    draw: Choose,
    given: Tensor,
    unknown: Tensor,
    context: Tensor | None,
) -> Completions:
    """Rows with the same gaps, along the routes that are best for these."""
    ways = routes(model, given, ~unknown[0], context)
    return _walked(ways, walks if all(way.exact for way in ways) else particles, draw, given, unknown, context)


def _walked(
    ways: list[Route], count: int, draw: Choose, given: Tensor, unknown: Tensor, context: Tensor | None
) -> Completions:
    """Rows with any gaps, along each of ``ways`` with ``count`` walks; a way has the weight of its evidence."""
    exact = all(way.exact for way in ways)
    clouds = [
        run_particles(way.model, given, ~unknown, count, draw, lookahead=way.lookahead, context=context) for way in ways
    ]
    evidence = torch.stack([cloud.log_evidence for cloud in clouds], dim=1)
    check_possible(evidence.amax(1), None if exact else count)
    shares = evidence.softmax(1)
    weights = torch.cat([shares[:, [i]] * cloud.log_weights.exp() for i, cloud in enumerate(clouds)], dim=1)
    method = "; ".join(dict.fromkeys(way.method for way in ways))
    method += "" if exact else f", {count} particles"
    method += f", of {len(ways)} components" if len(ways) > 1 else ""
    size = sum(shares[:, i] * cloud.least_size for i, cloud in enumerate(clouds))
    x = torch.cat([cloud.x for cloud in clouds], dim=1)
    return Completions(x, weights, method, None if exact else torch.as_tensor(size))


def known_log_prob(
    model: AutoregressiveModel,
    x: Tensor,
    unknown: Tensor,
    *,
    seed: int | None = None,
    context: Tensor | None = None,
    batch_size: int = 4096,
) -> tuple[Tensor, int]:
    """Log p of each row's known cells, whatever the others, ``(N,)`` float64 nats; and the number of estimates.

    Args:
        model: Any model of rows ``(n,)``.
        x: Rows ``(N, n)``.
        unknown: The unknown cells, booleans ``(N, n)``; the values of ``x`` there are ignored.
        seed: The seed of the estimates; see `chainrule.marginal`, which says when it is exact.
        context: Classes ``(N,)``.
        batch_size: Rows of a pass.
    """
    if not bool(unknown.any()):
        return log_prob(model, x, context=context, batch_size=batch_size).double(), 0
    result = torch.empty(len(x), dtype=torch.float64)
    estimates = 0
    for rows in _alike(unknown, torch.ones(len(x), dtype=torch.bool)):
        missing, own = unknown[rows[0]], None if context is None else context[rows]
        if bool(missing.any()):
            found = marginal(model, x[rows].masked_fill(missing, 0.0), ~missing, seed=seed, context=own)
            result[rows] = found.log_prob.double().cpu()
            estimates += 0 if found.exact else len(rows)
        else:
            result[rows] = log_prob(model, x[rows], context=own, batch_size=batch_size).double()
    return result, estimates
