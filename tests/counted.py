"""Examples, families and laws for the tests of probability tables and Bayesian networks."""

import math

import pytest
import torch
from torch import Tensor

from chainrule.conditionals import Bernoulli, Categorical, Conditional
from chainrule.model import CountedModel
from chainrule.models import BayesNet
from chainrule.testing import check_model

Batch = tuple[Tensor, Tensor | None]

BINARY, TERNARY = Bernoulli(), Categorical(3)

FAMILIES = [BINARY, TERNARY, Categorical(3, "scalar")]

each_family = pytest.mark.parametrize("family", FAMILIES, ids=repr)

EDGES = {
    "tree": [[3, 0], [3, 2], [2, 1]],
    "forest": [[2, 0], [1, 3]],
    "two parents": [[3, 0], [1, 0], [0, 2], [3, 2]],
}


def receptive_field(model: CountedModel) -> Tensor | None:
    """The variables that each conditional sees through a net's edges, along the order; None for a table (all)."""
    if not isinstance(model, BayesNet):
        return None
    seen = torch.zeros(model.num_variables, model.num_variables, dtype=torch.bool)
    for child, parents in enumerate(model.parents):
        seen[child, parents] = True
    return model.order.along(model.order.along(seen, 0), 1)


def require_lawful(model: CountedModel) -> None:
    verdicts = check_model(model, receptive_field=receptive_field(model))
    assert all(verdict.startswith(("passed", "does not apply")) for verdict in verdicts.values()), verdicts
    put_to_the_test = ("normalised", "causal", "step_equals_forward", "sampling_agrees", "completion_agrees")
    assert all(verdicts[name].startswith("passed") for name in put_to_the_test), verdicts


def data(family: Conditional, shape: tuple[int, ...], count: int, classes: int | None = None, seed: int = 0) -> Batch:
    """Correlated examples: noisy copies of earlier variables, in another way for every class."""
    generator = torch.Generator().manual_seed(seed)
    values = family.values
    assert values is not None
    n = math.prod(shape)
    labels = torch.randint(classes or 1, (count,), generator=generator)
    x = torch.randint(len(values), (count, n), generator=generator)
    for i in range(1, n):
        kept = torch.rand(count, generator=generator) < 0.25 + 0.5 * ((i + labels) % 3 == 0)
        x[:, i] = torch.where(kept, x[:, (i * i + 1) % i], x[:, i])
    return values[x].view(count, *shape), None if classes is None else labels


def split(batch: Batch, size: int = 37) -> list[Batch]:
    x, labels = batch
    return [(x[i : i + size], None if labels is None else labels[i : i + size]) for i in range(0, len(x), size)]
