"""Models whose steps, states or samples are wrong; their parallel passes are right."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution
from wrong_passes import Logistic

from chainrule.conditionals import Bernoulli, Gaussian
from chainrule.model import AutoregressiveModel
from chainrule.models import MADE, RNN
from chainrule.nn.native.program import Program
from chainrule.state import Shared, State


class BeginsAnew(RNN):
    """Forgets its state between the chunks of a sequence."""

    def __init__(self) -> None:
        super().__init__(event_shape=(4,), conditional=Bernoulli(), hidden_size=3)

    def advance(self, state: State, previous: Tensor | None, x: Tensor) -> tuple[Distribution, State]:
        return super().advance(self.start(len(x)), previous, x)


class OtherSteps(Logistic):
    """Steps that forget the bias, but only that of the last variable."""

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        distribution, state = super().step(state, previous)
        late = state[0].shape[1] == self.num_variables - 1
        parameters = distribution.logits - late * self.scale * self.bias[-1]
        return self.conditional.distribution(parameters.unsqueeze(-1)), state


class OtherProgram(MADE):
    """A compiled walk with other weights than the steps."""

    def __init__(self) -> None:
        super().__init__(event_shape=(4,), conditional=Bernoulli(), hidden_sizes=[12])

    def program(self) -> Program | None:
        halved = copy.copy(self)
        halved._modules = {**self._modules, "output_layer": copy.deepcopy(self.output_layer)}
        with torch.no_grad():
            halved.output_layer.weight.mul_(0.5)
        return MADE.program(halved)


class CutGradients(Logistic):
    """Steps with the right values, but no gradient from the second on."""

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        distribution, state = super().step(state, previous)
        if previous is None:
            return distribution, state
        return self.conditional.distribution(distribution.logits.detach().unsqueeze(-1)), state


class SamplesWrongly(Logistic):
    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        distribution = super().forward(x)
        distribution.sample = lambda shape=(): torch.bernoulli(0.8 * distribution.probs)
        return distribution

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        distribution, state = super().step(state, previous)
        distribution.sample = lambda shape=(): torch.bernoulli(0.8 * distribution.probs)
        return distribution, state


class OwnRandomness(Logistic):
    generator = torch.Generator().manual_seed(0)

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        distribution, state = super().step(state, previous)
        distribution.sample = lambda shape=(): torch.bernoulli(distribution.probs, generator=OwnRandomness.generator)
        return distribution, state


class StaleCache(Logistic):
    """Steps that no longer look at new values once a number of them is known."""

    def __init__(self, *, event_shape: tuple[int, ...] = (4,), fresh: int = 3) -> None:
        super().__init__(event_shape=event_shape)
        self.fresh = fresh

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        prefix, _ = state
        if prefix.shape[1] >= self.fresh and previous is not None:
            previous = torch.zeros_like(previous)
        return super().step(state, previous)


class StepsInAnotherOrder(Logistic):
    """Steps that take the values in raster order, though the order is reversed."""

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        prefix, context = state
        if previous is not None:
            prefix = torch.cat([prefix, previous.unsqueeze(1)], dim=1)
        t = prefix.shape[1]
        x = F.pad(prefix, (0, self.num_variables - t))
        return self.conditional.at(self(x, context), t), (prefix, context)


class StepsInHalf(Logistic):
    """Steps that round their parameters to half precision."""

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        distribution, state = super().step(state, previous)
        logits = distribution.logits
        return self.conditional.distribution(logits.half().to(logits).unsqueeze(-1)), state


class KeepsTheState(Logistic):
    """Steps that remember the prefix in the module, so that selecting items of the state has no effect."""

    prefix: Tensor

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        self.prefix = self.empty(batch_size, 0)
        return ()

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        distribution, (self.prefix, _) = super().step((self.prefix, None), previous)
        return distribution, ()


class SharesItsPrefix(Logistic):
    """A state that declares what belongs to single items to be shared by all."""

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        return Shared(super().start(batch_size, context))

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        distribution, state = super().step(state.value, previous)
        return distribution, Shared(state)


class ChangesWhatIsShared(Logistic):
    """Steps that count in a list which all states have in common."""

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        return Shared([0]), super().start(batch_size, context)

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        count, inner = state
        distribution, inner = super().step(inner, previous)
        late = float(count.value[0] != inner[0].shape[1])
        count.value[0] += 1
        return self.conditional.distribution((distribution.logits + late).unsqueeze(-1)), (count, inner)


class HiddenInAnObject(Logistic):
    """A state of a type that cannot be selected."""

    class Prefix:
        def __init__(self, values: Tensor) -> None:
            self.values = values

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        return self.Prefix(self.empty(batch_size, 0))

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        distribution, (prefix, _) = super().step((state.values, None), previous)
        return distribution, self.Prefix(prefix)


class SharpSamples(Logistic):
    """Samples at a temperature of 0.8."""

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        distribution, state = super().step(state, previous)
        distribution.sample = lambda shape=(): torch.bernoulli((distribution.logits / 0.8).sigmoid())
        return distribution, state


class SharpDensity(AutoregressiveModel):
    """A Gaussian regression of two variables whose samples are drawn with half of the variance."""

    def __init__(self, *, event_shape: tuple[int, ...] = (2,)) -> None:
        super().__init__(event_shape=event_shape, conditional=Gaussian())
        self.weight = nn.Parameter(torch.zeros(2, 2))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        means = self.conditional.encode(x).squeeze(-1) @ self.weight.tril(-1).T
        return self.conditional.distribution(torch.stack([means, torch.zeros_like(means)], dim=-1))

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        distribution, state = super().step(state, previous)
        distribution.sample = lambda shape=(): torch.normal(distribution.loc, distribution.scale * 0.7)
        return distribution, state


class ForgetsAKnownValue(Logistic):
    """Steps that read one of the values as zero: completion goes on as if it were not known."""

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        if previous is not None and state[0].shape[1] == 1:
            previous = torch.zeros_like(previous)
        return super().step(state, previous)
