"""The law of conditionals: the promises of a family to the models and tasks that use it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from chainrule.conditionals import Conditional, Curved, Standardised, WithAtoms, WithMissing
from chainrule.conditionals.support import bound_of, is_in
from chainrule.model import AutoregressiveModel
from chainrule.testing.agreement import DEVIATIONS, LEAST_VARIANCE
from chainrule.testing.integration import careful_sums
from chainrule.testing.quadrature import Nodes, nodes_of
from chainrule.testing.subjects import law, own_random_state
from chainrule.testing.verdicts import PASSED, Verdict, cannot_tell, passed, require, require_close, together

SETTINGS = 8
"""Random parameters that a family is tried with."""

NODES = 4096
"""Nodes at which a distribution whose values can't be listed is added up."""

DRAWS = 4000
"""Samples that are counted."""

ROWS = 200
"""Values from which starting parameters are taken."""

WORSE = 0.5
"""Data may be less likely by this many nats with starting parameters than with zeros, which may fit by chance."""

ROUNDING = 1e-6
"""Features of the value that is read as zeros may differ from them by this much."""

NAME = "conditional_keeps_promises"


@law
@torch.no_grad()
def conditional_keeps_promises(model: AutoregressiveModel) -> Verdict:
    """`check_conditional`, of each of the model's conditionals.

    Raises:
        AssertionError: If one breaks a promise.
    """
    kinds = 1 if model.conditional.uniform else model.num_variables
    families = {repr(family): family for family in (model.conditional.of(i).family for i in range(kinds))}
    return together([check_conditional(family) for family in families.values()])


@torch.no_grad()
def check_conditional(conditional: Conditional) -> Verdict:
    """Hold a family of one variable against what `Conditional` promises.

    It has the sizes that it declares; `encode` gives finite numbers, and zeros for the value 0 (for the shift, if it is
    `Standardised`); values outside the support are refused with a ``ValueError`` that says expected and got, values
    inside are not; distributions sum or integrate to 1 over support and atoms, and sample from themselves; `at` picks
    the distribution of one variable; its configuration builds an equal one; and starting parameters give the data's
    frequencies, if they are not zeros.

    Raises:
        AssertionError: If it breaks a promise.
    """
    with own_random_state():
        _sizes(conditional)
        _encoding(conditional)
        _support(conditional)
        _configuration(conditional)
        verdict = _distribution(conditional)
        _start(conditional)
    return verdict


def _require(condition: bool, conditional: Conditional, message: str) -> None:
    require(condition, f"{NAME}: {conditional!r}: {message}")


def _parameters(conditional: Conditional, *shape: int) -> Tensor:
    return torch.randn(*shape, conditional.num_parameters, dtype=torch.float64)


def _sizes(conditional: Conditional) -> None:
    """Require distributions of the batch shape of their parameters, and that `at` picks a variable out of them."""
    parameters = _parameters(conditional, 5, 3)
    whole = conditional.distribution(parameters)
    got = tuple(whole.batch_shape)
    _require(got == (5, 3), conditional, f"distribution expected a batch shape (5, 3), got {got}")
    for value in conditional.probes.double():
        everywhere = whole.log_prob(value.expand(5, 3))
        for index in range(3):
            one = conditional.at(whole, index).log_prob(value.expand(5))
            message = f"{NAME}: {conditional!r}: log p({value:g}) of `at`, as against the whole distribution's"
            require_close(one, everywhere[:, index], 1e-9, message)


def _encoding(conditional: Conditional) -> None:
    probes = conditional.probes
    features = conditional.encode(probes)
    expected, got = (len(probes), conditional.num_features), tuple(features.shape)
    _require(got == expected, conditional, f"encode expected the shape {expected}, got {got}")
    _require(bool(features.isfinite().all()), conditional, f"encode expected finite numbers, got {features.tolist()}")
    zero = torch.tensor([_zero(conditional)], dtype=torch.float64)
    if bool(zero.isnan()) or not bool(_is_valid(conditional, zero)):
        return
    encoded = conditional.encode(zero)
    got_zero = encoded.flatten().tolist()
    small = bool((encoded.abs() < ROUNDING).all())
    _require(small, conditional, f"encode({float(zero):g}) expected all zeros, got {got_zero}")


def _zero(conditional: Conditional) -> float:
    """The value that is read as zeros; NaN if there is none."""
    if isinstance(conditional, Standardised):
        return conditional.shift + conditional.scale * _zero(conditional.conditional)
    if isinstance(conditional, Curved):
        return float(conditional.units.x(torch.zeros((), dtype=torch.float64)))
    if isinstance(conditional, WithAtoms):
        zero = _zero(conditional.conditional)
        return math.nan if zero in conditional.points else zero
    return _zero(conditional.conditional) if isinstance(conditional, WithMissing) else 0.0


def _is_valid(conditional: Conditional, x: Tensor) -> Tensor:
    valid = conditional.support.check(x) & x.isfinite()
    return valid if conditional.atoms is None else valid | is_in(x, conditional.atoms)


def outside(conditional: Conditional) -> list[float]:
    """Values that are not in the support of a conditional of one variable, and no atoms."""
    candidates = [float("nan"), float("inf"), -float("inf")]
    for bound in ("lower_bound", "upper_bound"):
        if (end := bound_of(conditional.support, bound)) is not None:
            candidates += [end - 1, end - 0.5, end, end + 0.5, end + 1]
    values = conditional.probes if conditional.values is None else conditional.values
    values = values[values.isfinite()]
    candidates += [float(values.min()) - 1, float(values.max()) + 1, float(values[:2].mean())]
    return [value for value in dict.fromkeys(candidates) if not bool(_is_valid(conditional, torch.tensor([value])))]


def _support(conditional: Conditional) -> None:
    probes = conditional.probes
    first = bool(conditional.support.check(probes[:1]))
    _require(first, conditional, f"probes expected a first value in the support, got {float(probes[0]):g}")
    try:
        conditional.check(probes)
    except ValueError as error:
        _require(False, conditional, f"check expected to accept its own probes {probes.tolist()}, got: {error}")
    for value in outside(conditional):
        try:
            conditional.check(torch.tensor([value]))
        except ValueError as error:
            said = "expect" in str(error) and "got" in str(error)
            _require(said, conditional, f"check({value:g}) expected an error that says expected and got, got: {error}")
        else:
            _require(False, conditional, f"check({value:g}) expected a ValueError, got none: it is not in the support")


def _configuration(conditional: Conditional) -> None:
    try:
        again = type(conditional)(**conditional.config)
    except TypeError as error:
        raise AssertionError(f"{NAME}: {conditional!r}: expected to be built from its config, got: {error}") from error
    _require(repr(again) == repr(conditional), conditional, f"expected an equal one from its config, got {again!r}")
    parameters, value = _parameters(conditional, 4), conditional.probes[0].double()
    got, expected = (each.distribution(parameters).log_prob(value.expand(4)) for each in (again, conditional))
    require_close(got, expected, 0.0, f"{NAME}: {conditional!r}: log p({value:g}) of one built from its config")


def _distribution(conditional: Conditional) -> Verdict:
    """Require distributions that sum or integrate to one, and samples that are drawn from them."""
    nodes = nodes_of(conditional, NODES)
    if nodes is None:
        return cannot_tell(
            "its support is neither listed nor an interval", "a support that is one of torch's intervals"
        )
    parameters = _parameters(conditional, SETTINGS) * 0.5
    distribution = conditional.distribution(parameters)
    masses = (distribution.log_prob(nodes.values[:, None].expand(-1, SETTINGS)) + nodes.log_lengths[:, None]).exp()
    if nodes.mass_at_ends(masses) > 1e-9:
        return cannot_tell("its tails are too heavy to be added up", "lighter tails in a copy for tests")
    edges = nodes.edges[:, None].expand(-1, SETTINGS)
    sums = careful_sums(distribution, masses.sum(0), nodes.singles(masses), edges)
    if (worst := sums.wrong) is not None:
        message = f"the sum of p over support and atoms expected 1 within 1e-5, got {sums.values[worst]:.9g}"
        _require(False, conditional, message)
    _samples(conditional, parameters, nodes, masses)
    return sums.unless_exact(PASSED if conditional.values is not None else passed("by quadrature"))


def _samples(conditional: Conditional, parameters: Tensor, nodes: Nodes, masses: Tensor) -> None:
    draws = conditional.distribution(parameters.repeat(DRAWS // SETTINGS, 1)).sample().view(-1, SETTINGS)
    try:
        conditional.check(draws)
    except ValueError as error:
        raise AssertionError(f"{NAME}: {conditional!r}: expected samples in the support, got: {error}") from error
    num_cells = int(nodes.cells.max()) + 1
    expected = masses.new_zeros(num_cells, SETTINGS).index_add_(0, nodes.cells, masses)
    counted = torch.nn.functional.one_hot(nodes.cells_of(draws.flatten()), num_cells).sum(0)
    variance = (expected * (1 - expected)).sum(1) * len(draws)
    off = (counted - expected.sum(1) * len(draws)) / variance.clamp(min=LEAST_VARIANCE).sqrt()
    off = off.masked_fill(variance < LEAST_VARIANCE, 0.0).abs()
    message = f"samples in cell {int(off.argmax())} expected within {DEVIATIONS:g} standard deviations of p"
    _require(float(off.max()) <= DEVIATIONS, conditional, f"{message}, got {float(off.max()):.1f}")


def _start(conditional: Conditional) -> None:
    """Require starting parameters of the data's frequencies, or likelier than zeros, unless they are zeros."""
    x = conditional.distribution(_parameters(conditional)).sample(torch.Size([ROWS])).to(conditional.probes)
    parameters = conditional.initial_parameters(x)
    got = tuple(parameters.shape)
    expected = (conditional.num_parameters,)
    _require(got == expected, conditional, f"initial_parameters expected the shape {expected}, got {got}")
    _require(bool(parameters.isfinite().all()), conditional, "initial_parameters expected finite numbers, got others")
    if not parameters.any():
        return
    started, zeros = (conditional.distribution(each.expand(ROWS, -1)) for each in (parameters, parameters * 0))
    likelihoods = [float(each.log_prob(x).mean()) for each in (started, zeros)]
    message = f"log p of the data expected as with zeros or more, {likelihoods[1]:.3f} nats, got {likelihoods[0]:.3f}"
    _require(likelihoods[0] >= likelihoods[1] - WORSE, conditional, f"initial_parameters: {message}")
    listed = [] if conditional.values is None or not _takes_any(conditional) else conditional.values.tolist()
    atoms = [] if conditional.atoms is None else conditional.atoms.tolist()
    for value in [*listed, *atoms]:
        share = float(is_in(x, torch.tensor([value])).float().mean())
        probability = float(started.log_prob(torch.full((ROWS,), value))[0].exp())
        message = f"initial_parameters: p({value:g}) expected {share:.3f}, its share of the data, got {probability:.3f}"
        _require(abs(probability - share) <= 2 / ROWS, conditional, message)


def _takes_any(conditional: Conditional) -> bool:
    """True if the family can have any probabilities of its listed values."""
    return type(conditional).parameters_of is not Conditional.parameters_of
