"""Models whose parallel passes, parameters or conditionals are wrong, and the right one that most of them break."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution, constraints

from chainrule.conditionals import Bernoulli, Conditional, Gaussian
from chainrule.model import AutoregressiveModel
from chainrule.models import FVSBN


class Logistic(AutoregressiveModel):
    """The example to break: one regression per variable, with the default steps."""

    def __init__(self, *, event_shape: tuple[int, ...] = (4,), scale: float = 1.0) -> None:
        super().__init__(event_shape=event_shape, conditional=Bernoulli(), order="reversed")
        self.scale = scale
        self.weight = nn.Parameter(torch.zeros(self.num_variables, self.num_variables))
        self.bias = nn.Parameter(torch.zeros(self.num_variables))

    def logits(self, sequence: Tensor) -> Tensor:
        return self.scale * (sequence @ self.weight.tril(-1).T + self.bias)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        logits = self.order.unflatten(self.logits(self.order.flatten(x)))
        return self.conditional.distribution(logits.unsqueeze(-1))


class OfClasses(AutoregressiveModel):
    """Independent bits whose logits should depend on the class of their own example."""

    def __init__(self, *, event_shape: tuple[int, ...] = (3,), num_classes: int = 2) -> None:
        super().__init__(event_shape=event_shape, conditional=Bernoulli(), num_classes=num_classes)
        self.bias = nn.Parameter(torch.zeros(num_classes, self.num_variables))

    def logits(self, context: Tensor) -> Tensor:
        return self.bias[context]

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        assert context is not None
        return self.conditional.distribution(self.logits(context).unsqueeze(-1))


class IgnoresItsClass(OfClasses):
    def logits(self, context: Tensor) -> Tensor:
        return self.bias.sum(0).expand(len(context), -1)


class TakesTheFirstClass(OfClasses):
    """For the whole batch, that of its first example."""

    def logits(self, context: Tensor) -> Tensor:
        return self.bias[context[:1]].expand(len(context), -1)


class Peeks(Logistic):
    def logits(self, sequence: Tensor) -> Tensor:
        return super().logits(sequence) + 1e-3 * sequence


class StartsInAnotherOrder(FVSBN):
    """Sets its biases as if the order were the raster's."""

    def __init__(self) -> None:
        super().__init__(event_shape=(4,), conditional=Bernoulli(), order=[2, 3, 1, 0])

    def start_at(self, x: Tensor) -> None:
        super().start_at(self.order.flatten(x))


class PeeksAhead(Logistic):
    """Only the very first conditional, at the very last variable."""

    def logits(self, sequence: Tensor) -> Tensor:
        late = torch.zeros_like(sequence)
        late[:, 0] = sequence[:, -1]
        return super().logits(sequence) + late


class Unnormalised(Logistic):
    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        distribution = super().forward(x)
        log_prob = distribution.log_prob
        distribution.log_prob = lambda value: log_prob(value) + 0.01
        return distribution


class Mixes(Logistic):
    def logits(self, sequence: Tensor) -> Tensor:
        return super().logits(sequence) + 0.1 * self.bias.detach() * len(sequence)


class Dead(Logistic):
    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(3))


class Forgets(Logistic):
    """Only one of its links to the past is missing."""

    def logits(self, sequence: Tensor) -> Tensor:
        kept = torch.ones_like(self.weight)
        kept[3, 1] = 0
        return sequence @ (self.weight * kept).tril(-1).T + self.bias


class LosesAnArgument(Logistic):
    @property
    def config(self) -> dict[str, object]:
        return {"event_shape": self.event_shape}


class LosesABuffer(Logistic):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.randn(4), persistent=False)

    def logits(self, sequence: Tensor) -> Tensor:
        return super().logits(sequence) + self.shift


class StuckInSinglePrecision(Logistic):
    def logits(self, sequence: Tensor) -> Tensor:
        return super().logits(sequence.float())


class Overflows(Logistic):
    def logits(self, sequence: Tensor) -> Tensor:
        return super().logits(sequence).exp()


class Lenient(Bernoulli):
    def check(self, x: Tensor) -> None:
        pass


class Curt(Bernoulli):
    def check(self, x: Tensor) -> None:
        if not ((x == 0) | (x == 1)).all():
            raise ValueError("bad value")


def with_conditional(conditional: Conditional) -> AutoregressiveModel:
    model = Logistic()
    model.conditional = conditional
    return model


class PeeksInOneChannel(AutoregressiveModel):
    """A masked convolution of images whose second channel sees the pixel to the right."""

    def __init__(self, *, event_shape: tuple[int, int, int] = (2, 1, 3)) -> None:
        super().__init__(event_shape=event_shape, conditional=Bernoulli(), order=list(range(6)))
        self.weight = nn.Parameter(torch.zeros(2, 2))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        before = F.pad(x, (1, 0))[..., :-1]
        after = F.pad(x, (0, 1))[..., 1:]
        channels = [
            self.weight[0, 0] * before[:, 0],
            self.weight[1, 0] * before[:, 1] + self.weight[1, 1] * after[:, 1],
        ]
        return self.conditional.distribution(torch.stack(channels, dim=1).unsqueeze(-1))


class OffByAThousandth(Logistic):
    """Every conditional is 0.1 % too large."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        distribution = super().forward(x)
        log_prob = distribution.log_prob
        distribution.log_prob = lambda value: log_prob(value) + 0.001
        return distribution


class DensityOffByAThousandth(AutoregressiveModel):
    """A Gaussian regression, for each of three real variables, whose density is 0.1 % too large."""

    def __init__(self, *, event_shape: tuple[int, ...] = (3,)) -> None:
        super().__init__(event_shape=event_shape, conditional=Gaussian())
        self.weight = nn.Parameter(torch.zeros(self.num_variables, self.num_variables))
        self.scale = nn.Parameter(torch.zeros(self.num_variables))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        means = self.conditional.encode(x).squeeze(-1) @ self.weight.tril(-1).T
        parameters = torch.stack([means, self.scale.expand_as(means)], dim=-1)
        distribution = self.conditional.distribution(parameters)
        log_prob = distribution.log_prob
        distribution.log_prob = lambda value: log_prob(value) + 0.001
        return distribution


class NormalisedTransformer(AutoregressiveModel):
    """Causal attention followed by `BatchNorm1d`, whose statistics go across the variables while it is trained."""

    def __init__(self, *, event_shape: tuple[int, ...] = (4,), size: int = 8) -> None:
        super().__init__(event_shape=event_shape, conditional=Bernoulli())
        self.start_symbol = nn.Parameter(torch.randn(1, 1, size))
        self.places = nn.Parameter(torch.randn(self.num_variables, size))
        self.read = nn.Linear(1, size)
        self.attention = nn.MultiheadAttention(size, 2, batch_first=True)
        self.norm = nn.BatchNorm1d(size)
        self.output = nn.Linear(size, 1)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        read = self.read(self.conditional.encode(x))
        hidden = torch.cat([self.start_symbol.expand(len(x), -1, -1), read[:, :-1]], dim=1) + self.places
        ahead = torch.ones(self.num_variables, self.num_variables, dtype=torch.bool).triu(1)
        hidden = hidden + self.attention(hidden, hidden, hidden, attn_mask=ahead, need_weights=False)[0]
        hidden = self.norm(hidden.movedim(1, 2)).movedim(1, 2)
        return self.conditional.distribution(self.output(hidden))


class AlwaysDrops(Logistic):
    """Dropout that is active in evaluation too."""

    def logits(self, sequence: Tensor) -> Tensor:
        return super().logits(F.dropout(sequence, 0.5, training=True))


class CountsItsCalls(Logistic):
    """The logits grow a little with every call."""

    calls = 0

    def logits(self, sequence: Tensor) -> Tensor:
        self.calls += 1
        return super().logits(sequence) + 1e-4 * self.calls


class NotZero(Bernoulli):
    """Reads 0 as -1."""

    def encode(self, x: Tensor) -> Tensor:
        return (2 * x - 1).unsqueeze(-1)


class LenientAboutItsSupport(Gaussian):
    """Numbers of at least zero, of which negative ones are accepted."""

    @property
    def support(self) -> constraints.Constraint:
        return constraints.nonnegative

    def check(self, x: Tensor) -> None:
        if not x.isfinite().all():
            raise ValueError("expected finite numbers, got others")


class CutsItsGradient(Logistic):
    """The weights are detached."""

    def logits(self, sequence: Tensor) -> Tensor:
        return sequence @ self.weight.detach().tril(-1).T + self.bias


class MixesLargeBatches(Logistic):
    """Examples of a batch see how many they are, if there are more than 64."""

    def logits(self, sequence: Tensor) -> Tensor:
        return super().logits(sequence) + 0.01 * (len(sequence) > 64)


class NotANumber(Logistic):
    """Where the first value is one, the second conditional is NaN."""

    def logits(self, sequence: Tensor) -> Tensor:
        second = torch.arange(self.num_variables) == 1
        return super().logits(sequence).masked_fill(second & (sequence[:, :1] == 1), torch.nan)


class ExampleMean(Logistic):
    """The mean of the batch is taken from each example."""

    def logits(self, sequence: Tensor) -> Tensor:
        logits = super().logits(sequence)
        return logits + 0.1 * (logits - logits.mean(0))
