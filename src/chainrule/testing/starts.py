"""The law of the start: a model that was set to the frequencies of examples has them."""

from __future__ import annotations

import torch
from torch import Tensor

from chainrule.abilities import counting
from chainrule.model import AutoregressiveModel
from chainrule.testing.subjects import law
from chainrule.testing.verdicts import PASSED, Verdict, cannot_tell, does_not_apply, require

EXAMPLES = 200
TOLERANCE = 1e-3
"""Nats per variable."""

SKEWS = 4
"""Variables have this many different frequencies, in turn."""


@law
@torch.no_grad()
def starts_at_frequencies(model: AutoregressiveModel) -> Verdict:
    """After `start_at`, examples are as likely as under the starting distributions of their values, or likelier.

    Those of each variable's own values, of each channel's, or of all values: whichever is worst, for variables may
    share their output.

    Raises:
        AssertionError: If they are less likely.
    """
    if counting(model) is not None:
        return does_not_apply("a part of it has counted other examples")
    model.double()
    x = _examples(model)
    x = x[model.log_prob(x).isfinite()]  # some are impossible, such as values after an end
    if len(x) == 0:
        return cannot_tell("none of a few examples is possible", "another conditional")
    before = [parameter.clone() for parameter in model.parameters()]
    model.start_at(x)
    if all(map(torch.equal, before, model.parameters())):
        return does_not_apply("its start_at sets nothing")
    expected, got = max(_starting_nats(model, x)), float(-model.log_prob(x).mean())
    require(
        got <= expected + TOLERANCE * model.num_variables,
        f"starts_at_frequencies: expected at most {expected:.4f} nats at the start, got {got:.4f}",
    )
    return PASSED


def _examples(model: AutoregressiveModel) -> Tensor:
    """Examples of the values of `Conditional.probes`, with other frequencies of neighbouring variables.

    All variables of an example rise together, so that a model whose channels depend on each other from the start has
    nothing to lose.
    """
    ranks = (torch.arange(EXAMPLES, dtype=torch.float64) + 0.5) / EXAMPLES
    columns = []
    for index in range(model.num_variables):
        probes = model.conditional.of(index).probes.double()
        columns.append(probes[(len(probes) * ranks ** (1 + index % SKEWS)).long()])
    return torch.stack(columns, dim=1).unflatten(1, model.event_shape)


def _starting_nats(model: AutoregressiveModel, x: Tensor) -> list[float]:
    """The mean NLL of ``x`` if all variables start at the frequencies of their own values, or of several variables."""
    family = model.conditional
    flat = x.flatten(1)
    pooled = [flat]
    if family.uniform:
        pooled += [flat.reshape(-1, 1), flat.unflatten(1, (model.event_shape[0], -1)).transpose(1, 2).flatten(0, 1)]
    nats = []
    for values in pooled:
        own = family.initial_parameters(values)
        parameters = own.repeat_interleave(flat.shape[1] // len(own), 0).double()
        log_probs = family.distribution(parameters.expand(len(flat), *parameters.shape)).log_prob(flat)
        nats.append(float(-log_probs.sum(1).mean()))
    return nats
