"""The state of a walk is a value: selected, repeated, detached, copied and pickled in any nesting, or refused."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from test_laws import subject
from torch import Tensor, nn
from torch.distributions import Distribution
from zoo import ZOO

import chainrule
from chainrule.abilities import components_of
from chainrule.conditionals import Bernoulli
from chainrule.model import AutoregressiveModel
from chainrule.state import Shared, State, detach, repeat, select
from chainrule.testing.subjects import random_context


class Named(NamedTuple):
    hidden: Tensor
    cell: Tensor | None


@dataclass
class Fields:
    hidden: Tensor
    time: Shared[int]


@pytest.mark.parametrize(
    "nest",
    [
        lambda x: x,
        lambda x: (x, None, Shared(3)),
        lambda x: [x, (x, Shared([torch.zeros(7)]))],
        lambda x: {"hidden": x, "more": {"cell": [x]}},
        lambda x: Named(x, None),
        lambda x: Fields(x, Shared(2)),
        lambda x: [{"a": (Named(x, x), Fields(x, Shared(0)))}],
    ],
)
def test_any_nesting_is_selected_and_repeated(nest: Callable[[Tensor], State]) -> None:
    x = torch.arange(12.0).view(3, 4)
    chosen = torch.tensor([2, 0, 2])
    assert str(select(nest(x), chosen)) == str(nest(x[chosen]))
    assert str(repeat(nest(x), 2)) == str(nest(x[[0, 0, 1, 1, 2, 2]]))
    state = detach(nest(x.clone().requires_grad_()))
    assert str(state) == str(nest(x))
    assert type(select(nest(x), chosen)) is type(nest(x))


@pytest.mark.parametrize(
    "part", [3, 0.5, True, "late", {1, 2}, nn.Linear(1, 1), object(), Fields], ids=lambda part: type(part).__name__
)
def test_anything_else_is_refused(part: Any) -> None:
    with pytest.raises(TypeError, match="wrap it in Shared"):
        select((torch.zeros(2, 3), [part]), torch.tensor([0]))


def test_the_first_dimension_is_the_batch() -> None:
    with pytest.raises(ValueError, match=r"state of 3 items expects .* batch, got the shape \(4, 3\)"):
        select((torch.zeros(3, 4), torch.zeros(4, 3)), torch.tensor([0]))
    with pytest.raises(ValueError, match=r"state of 2 items expects .* batch, got the shape \(3,\)"):
        select(torch.zeros(3), torch.tensor([0]), batch_size=2)
    with pytest.raises(ValueError, match=r"got the shape \(\)"):
        select(torch.zeros(()), torch.tensor([0]))


class DictOfState(AutoregressiveModel):
    """p(x_t = 1) depends on the number of ones before it; its state is a dict of a list."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.weight = nn.Parameter(torch.tensor(4.0))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        count = x.cumsum(1) - x
        return self.conditional.distribution((self.weight * count - 0.5).unsqueeze(-1))

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        return {"count": [self.empty(batch_size)]}

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        (count,) = state["count"]
        count = count if previous is None else count + previous
        return self.conditional.distribution((self.weight * count - 0.5).unsqueeze(-1)), {"count": [count]}


class CountsInAnInteger(DictOfState):
    """Its parent, with a time that is not shared."""

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        return {**super().start(batch_size, context), "time": 0}

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        distribution, after = super().step(state, previous)
        return distribution, {**after, "time": state["time"] + 1}


def test_completion_selects_states_of_any_kind() -> None:
    """By sequential Monte Carlo, whose particles are drawn anew: the frequencies are those of the enumeration."""
    model = DictOfState(event_shape=(4,), conditional=Bernoulli())
    observed = torch.tensor([False, False, True, False])
    events = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4)
    known = events[events[:, 2] == 0]
    with torch.no_grad():
        expected = model.log_prob(known).softmax(0)
    done = chainrule.complete(model, torch.zeros(4000, 4), observed, particles=32, seed=0)
    counts = torch.bincount((done @ torch.tensor([4.0, 2.0, 0.0, 1.0])).long(), minlength=8) / len(done)
    assert (counts - expected).abs().max() < 0.03
    refused = CountsInAnInteger(event_shape=(4,), conditional=Bernoulli())
    with pytest.raises(TypeError, match="got int: .* wrap it in Shared"):
        chainrule.complete(refused, torch.zeros(40, 4), observed, particles=32, seed=0)


MODELS = {name.split(", (")[0].rsplit(", ", 1)[0]: name for name in ZOO}
"""One of the zoo for each model, whatever the conditional."""


@pytest.mark.parametrize("name", MODELS.values())
def test_states_of_all_models_are_values(name: str) -> None:
    """Selected, copied and pickled after every step, a state goes on as the state of those items."""
    model = subject(name).eval()
    if len(components_of(model)) > 1:
        return  # a mixture over orders has no steps
    torch.manual_seed(0)
    with torch.no_grad():
        x = torch.stack([model.conditional.of(i).probes[torch.randint(2, (3,))] for i in range(model.num_variables)], 1)
        x = x.to(model.dtype)
        context = model.check_context(random_context(model, 3), 3)
        kept = torch.tensor([2, 0])
        for t in range(model.num_variables):
            state, previous = model.start(3, context), None
            for s in range(t):
                _, state = model.step(state, previous)
                previous = x[:, s].clone()
            chosen = pickle.loads(pickle.dumps(copy.deepcopy(select(state, kept, 3))))
            before = None if previous is None else previous[kept]
            got, _ = model.step(chosen, before)
            expected, _ = model.step(state, previous)
            probe = model.conditional.of(int(model.order.permutation[t])).probes[0].to(model.dtype)
            torch.testing.assert_close(got.log_prob(probe), expected.log_prob(probe)[kept], rtol=1e-4, atol=1e-5)
