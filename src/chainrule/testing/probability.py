"""Laws of probability: the model sums to one, and samples and completions are drawn from it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.abilities import components_of
from chainrule.devices import seed_everything
from chainrule.model import AutoregressiveModel
from chainrule.tasks.complete import complete, route
from chainrule.tasks.sample import sample
from chainrule.testing.agreement import (
    Grid,
    grid_of,
    log_probs_on,
    require_agreement,
    require_conditional_agreement,
)
from chainrule.testing.causality import ROUNDING
from chainrule.testing.integration import TOLERANCE, Sums, careful_sums
from chainrule.testing.probes import EXAMPLES, all_events, enumerable, number_of, random_events
from chainrule.testing.subjects import law, not_walkable
from chainrule.testing.verdicts import PASSED, Verdict, cannot_tell, passed, require, require_close, together
from chainrule.walk import walk

DRAWS = 10_000
"""Samples of a chi-square test."""

NODES = 4096
"""Nodes at which a conditional is integrated."""

CELL_NODES = 512, 2048
"""Nodes from which the probabilities of cells are added up: their rounding is far below that of counts. More are taken
where densities have kinks."""

CELL_DRAWS = 300, 4000
"""Samples that are counted in cells: fewer, the more nodes there are."""

CELL_PROBABILITIES = 2**20
"""Samples are compared with about this many probabilities."""

SOFTENINGS = 8
"""All weights are halved at most this often to make densities wide enough for the nodes."""

NARROW = 0.5
"""Densities are too narrow for their nodes where a sample has more than this probability per node."""

HALVES = 1e-3
"""Densities are too narrow for their nodes where half of the nodes give an integral that differs by more than this."""

BEYOND = 1e-9
"""The most that the last node before an open end may hold."""


@law
@torch.no_grad()
def normalised(model: AutoregressiveModel) -> Verdict:
    """The sum or integral of p(x) over the conditional's support is one.

    Few listed events are added up. Otherwise each conditional is added up or integrated over its own support, after
    random earlier values, which for a causal model says the same of events of any size; and log p(x) must be the sum
    of its conditionals.

    Raises:
        AssertionError: If the sum or an integral is another number.
    """
    if enumerable(model):
        total = float(model.log_prob(all_events(model)).double().exp().sum())
        require(
            abs(total - 1) <= TOLERANCE,
            f"normalised: the sum of p(x) over all x expected 1 within 1e-5, got {total:.9g}",
        )
        return PASSED
    components = components_of(model)
    x = random_events(model, EXAMPLES)[:EXAMPLES]
    if len(components) > 1:
        joint = torch.stack([component.log_prob(x) for component in components]).logsumexp(0) - math.log(
            len(components)
        )
        require_close(model.log_prob(x), joint, 1e-4, "normalised: log p(x) as the mean of the components'")
    return together([_conditionals_are_normalised(component) for component in components])


def _conditionals_are_normalised(model: AutoregressiveModel) -> Verdict:
    model.double()
    grid = grid_of(model, NODES)
    if grid is None:
        return _unknown_support(model)
    x = random_events(model, EXAMPLES)[:EXAMPLES]
    parts = model.order.flatten(model(x).log_prob(x)).sum(1)
    require_close(model.log_prob(x), parts, ROUNDING, "normalised: log p(x) as the sum of its conditionals'")
    if not _soften(model, grid, x):
        return _too_narrow()
    distribution = model(x)
    masses = _masses(distribution, grid)
    columns = zip(grid.nodes, masses.flatten(2).unbind(2), strict=True)
    singles = torch.stack([nodes.singles(column) for nodes, column in columns], dim=-1).unflatten(1, model.event_shape)
    edges = grid.edges.unsqueeze(1).expand(-1, *distribution.batch_shape)
    sums = careful_sums(distribution, masses.sum(0), singles, edges)
    sums = Sums(model.order.flatten(sums.values).T, model.order.flatten(sums.errors).T)
    if (worst := sums.wrong) is not None:
        t = worst // len(x)
        message = f"normalised: the sum of p(x_t | x_<t) over all x_t, for variable {t} along the order,"
        got = float(sums.values.flatten()[worst])
        require(False, f"{message} expected 1 within 1e-5, got {got:.9g}")
    return sums.unless_exact(passed("conditional by conditional"))


def _masses(distribution: Distribution, grid: Grid) -> Tensor:
    """The probability that each node stands for, ``(K, *batch_shape)``."""
    return (log_probs_on(grid, distribution) + grid.log_lengths.unsqueeze(1)).exp()


def _soften(model: AutoregressiveModel, grid: Grid, x: Tensor) -> bool:
    """Halve all parameters until no density after ``x`` is narrower than the spacing of nodes; False if that fails."""
    for _ in range(SOFTENINGS):
        if _resolved(model(x), grid):
            return True
        for parameter in model.parameters():
            parameter.mul_(0.5)
    return False


def _resolved(distribution: Distribution, grid: Grid) -> bool:
    """True if half of the nodes give the same integral, the ends hold nothing, and nodes are dense at samples."""
    if not any(any(nodes.open_ends) for nodes in grid.nodes):
        return True
    masses = _masses(distribution, grid).flatten(2)
    draws = distribution.sample(torch.Size([4 * EXAMPLES]))
    density = distribution.log_prob(draws.to(grid.values)).flatten(2).exp()
    for i, nodes in enumerate(grid.nodes):
        if not any(nodes.open_ends):
            continue
        if nodes.mass_at_ends(masses[..., i]) > BEYOND:
            return False
        own = masses[: len(nodes.values) - nodes.num_atoms, :, i]
        if nodes.continuous:
            lengths = nodes.lengths_at(draws.flatten(2)[..., i].flatten())
            narrow = (density[..., i].flatten() * lengths).max() > NARROW
            if bool(narrow) or float((own.sum(0) - 2 * own[::2].sum(0)).abs().max()) > HALVES:
                return False
    return True


def _unknown_support(model: AutoregressiveModel) -> Verdict:
    return cannot_tell(
        f"the support of {model.conditional!r} is neither listed nor an interval of numbers or integers",
        "a support that is one of torch's intervals",
    )


def _too_narrow() -> Verdict:
    return cannot_tell(
        "a conditional is too narrow, too wide or too rough to be integrated, also at weights 100 times smaller",
        "another seed, fewer layers or a density with fewer jumps",
    )


@law
@torch.no_grad()
def sampling_agrees(model: AutoregressiveModel) -> Verdict:
    """Samples are distributed as p(x), and the same seed gives the same samples.

    Few listed events are counted, for a chi-square test. Otherwise each variable is compared with its conditionals, in
    cells of its support and by its log-probability; see `require_conditional_agreement`.

    Raises:
        AssertionError: If the test rejects the samples, or they differ at the same seed.
    """
    _require_same_samples(model)
    if enumerable(model):
        samples = sample(model, DRAWS, seed=1)
        expected = model.log_prob(all_events(model)).double().exp()
        require_agreement(number_of(model, samples), expected, "sampling_agrees: samples, as against p(x)")
        return PASSED
    components = components_of(model)
    message = "sampling_agrees: samples"
    return together(
        [_agrees(component, lambda part, n: sample(part, n, seed=1), 0, message) for component in components]
    )


def _require_same_samples(model: AutoregressiveModel) -> None:
    """Require samples that are valid, and the same from the same seed."""
    samples, again = (sample(model, EXAMPLES, seed=1) for _ in range(2))
    require(
        torch.equal(samples.nan_to_num(), again.nan_to_num()),
        "sampling_agrees: expected the same samples from the same seed, got others",
    )
    try:
        model.check(samples)
    except ValueError as error:
        raise AssertionError(f"sampling_agrees: expected samples that are valid examples, got: {error}") from error


def _agrees(
    model: AutoregressiveModel, draw: Callable[[AutoregressiveModel, int], Tensor], first: int, message: str
) -> Verdict:
    """Compare the values that ``draw`` gives with the conditionals of ``model``, from the ``first``-th on."""
    for num_nodes in CELL_NODES:
        subject = copy.deepcopy(model).double()
        grid = grid_of(subject, num_nodes)
        if grid is None:
            return _unknown_support(model)
        if _soften(subject, grid, random_events(subject, EXAMPLES)[:EXAMPLES]):
            fewest, most = CELL_DRAWS
            count = min(max(CELL_PROBABILITIES // grid.values.numel(), fewest), most)
            require_conditional_agreement(subject, grid, draw(subject, count).double(), first, message)
            return passed("conditional by conditional")
    return _too_narrow()


@law
@torch.no_grad()
def completion_agrees(model: AutoregressiveModel) -> Verdict:
    """Completion keeps what is known, and draws the rest from p(rest | known).

    Known values that are scattered over the event must be kept. Where known values come first, the rest must agree with
    the model; where they are scattered, it must agree wherever `complete` says that it is exact.

    Raises:
        AssertionError: If a known variable is changed, or a test rejects the rest.
    """
    if reason := not_walkable(model):
        return reason
    n = model.num_variables
    known = model.order.flatten(random_events(model, EXAMPLES)[:EXAMPLES])
    scattered = torch.arange(n) % 2 == 1
    got = model.order.flatten(_seeded_walk(model, len(known), _clamp(known, scattered)))
    _require_kept(got, known, scattered)
    likely = model.log_prob(model.order.unflatten(known)).argmax()  # an example whose probability is not zero
    beginning = known[likely : likely + 1]
    if enumerable(model):
        _enumerated(model, beginning, scattered)
        return PASSED
    length = (n + 1) // 2 if n > 1 else 0
    first = torch.arange(n) < length

    def draw(part: AutoregressiveModel, count: int) -> Tensor:
        return _seeded_walk(part, count, _clamp(beginning.expand(count, -1).to(part.dtype), first))

    return _agrees(model, draw, length, f"completion_agrees: the rest after {length} known variables")


def _enumerated(model: AutoregressiveModel, example: Tensor, scattered: Tensor) -> None:
    """Compare the rest of ``example`` ``(1, n)`` with p(rest | known), given its beginning and given the scattered."""
    n = model.num_variables
    length = (n + 1) // 2 if n > 1 else 0
    first = torch.arange(n) < length
    draws = _seeded_walk(model, DRAWS, _clamp(example.expand(DRAWS, -1), first))
    message = f"completion_agrees: the rest after {length} known variables, as against p(rest | known)"
    require_agreement(number_of(model, draws), _posterior(model, model, example, first), message)
    observed = model.order.unflatten(scattered[None])[0]
    x = model.order.unflatten(example)
    way = route(model, x, observed, None)
    if n == 1 or not way.exact:
        return
    completed = complete(model, x.expand(DRAWS, *model.event_shape), observed, seed=1)
    _require_kept(model.order.flatten(completed), example.expand(DRAWS, -1), scattered)
    message = f"completion_agrees: what `complete` gives ({way.method}), as against p(rest | known)"
    require_agreement(number_of(model, completed), _posterior(model, way.model, example, scattered), message)


def _posterior(model: AutoregressiveModel, judge: AutoregressiveModel, example: Tensor, known: Tensor) -> Tensor:
    """The probability of all events of ``model`` given the known values of ``example`` ``(1, n)``, under ``judge``."""
    events = all_events(model)
    possible = (model.order.flatten(events)[:, known] == example[:, known]).all(1)
    joint = judge.log_prob(events).double().exp() * possible
    return joint / joint.sum()


def _require_kept(got: Tensor, known: Tensor, where: Tensor) -> None:
    kept = torch.equal(got[:, where].nan_to_num(), known[:, where].nan_to_num())
    require(kept, "completion_agrees: expected the known values to be kept, got others")


def _clamp(sequence: Tensor, known: Tensor) -> Callable[[int, Distribution], Tensor]:
    """Choose the values of ``sequence`` ``(B, n)`` at the times ``known`` ``(n,)``, and samples elsewhere."""
    return lambda t, distribution: sequence[:, t] if known[t] else distribution.sample()


def _seeded_walk(model: AutoregressiveModel, draws: int, choose: Callable[[int, Distribution], Tensor]) -> Tensor:
    seed_everything(1)
    return walk(model, draws, choose)
