"""Variables with ordered levels: a mixture of logistic distributions, cut into bins.

With levels x = 0, ..., K - 1 at v = 2x / (K - 1) - 1 and bins of half-width h = 1 / (K - 1),

P(x) = sum_i pi_i [sigmoid((v + h - mu_i) / s_i) - sigmoid((v - h - mu_i) / s_i)],

where the bin of the lowest level goes to -infinity and that of the highest to infinity.

References:
    PixelCNN++: improving the PixelCNN with discretized logistic mixture likelihood and other modifications
    (Salimans, Karpathy, Chen and Kingma, 2017), https://arxiv.org/abs/1701.05517
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.distributions.constraints import Constraint

from chainrule.codes import Codes
from chainrule.conditionals.base import Conditional, at_least_single, check_integers
from chainrule.conditionals.drawing import draw_index, uniform_like
from chainrule.conditionals.starting import LOGISTIC_DEVIATION, spread
from chainrule.conditionals.support import NO_CONSTRAINTS

LOG_SCALES = (-7.0, 7.0)
"""Bounds of log s: from a tenth of one of 256 bins to a thousand times the range of values. Scales beyond them change
nothing, and would overflow. With more levels, bins are thinner and the lower bound falls in proportion."""

LOCAL = 0.97
"""The locality of components at the start, from 0 to 1; with 1 there are dips between them."""

VALUES = 32
"""Values whose probabilities are computed at once, to bound memory."""


class DiscretizedLogisticMixture(Conditional):
    """A mixture of logistics over the levels 0, 1, ..., categories - 1 of each variable.

    A network gives for each component the logit of pi, the mean mu (values are in [-1, 1], a mean need not be) and log
    s. It reads a level as the one number x / (categories - 1).

    Args:
        categories: Number of levels K, at least 2.
        components: Logistics of the mixture.

    Raises:
        ValueError: If ``categories`` is less than 2 or ``components`` less than 1.

    >>> import torch
    >>> mixture = DiscretizedLogisticMixture(categories=4, components=2)
    >>> distribution = mixture.distribution(torch.zeros(6))
    >>> torch.stack([distribution.log_prob(value) for value in mixture.values]).exp().sum()
    tensor(1.0000)
    """

    num_features = 1

    def __init__(self, categories: int = 256, components: int = 10) -> None:
        if categories < 2:
            raise ValueError(f"DiscretizedLogisticMixture expects at least 2 categories, got {categories}")
        if components < 1:
            raise ValueError(f"DiscretizedLogisticMixture expects at least 1 component, got {components}")
        self.categories, self.components = categories, components
        self.num_parameters = 3 * components

    def distribution(self, parameters: Tensor) -> Distribution:
        return LogisticBins(at_least_single(parameters), self.categories)

    def at(self, distribution: Distribution, index: int) -> Distribution:
        assert isinstance(distribution, LogisticBins)
        return LogisticBins(distribution.parameters.flatten(1, -2)[:, index], self.categories)

    def encode(self, x: Tensor) -> Tensor:
        return (x / (self.categories - 1)).unsqueeze(-1)

    def check(self, x: Tensor) -> None:
        check_integers(x, self.categories, repr(self))

    def log_probs(self, distribution: Distribution) -> Tensor:
        assert isinstance(distribution, LogisticBins)
        whole = LogisticBins(distribution.parameters.unsqueeze(-2), self.categories)
        values = self.values.to(distribution.parameters.device)
        return torch.cat([whole.log_prob(some) for some in values.split(VALUES)], dim=-1)

    def mixture(self, log_weights: Tensor, distributions: Sequence[Distribution]) -> Distribution:
        """One mixture of the components of all ``distributions``."""
        parts = [part for part in distributions if isinstance(part, LogisticBins)]
        weights = [
            weight.unsqueeze(-1) + part.logits.log_softmax(-1) for weight, part in zip(log_weights, parts, strict=True)
        ]
        others = [getattr(part, name) for name in ("means", "log_scales") for part in parts]
        return LogisticBins(torch.cat([*weights, *others], dim=-1), self.categories)

    @property
    def values(self) -> Tensor:
        return torch.arange(self.categories, dtype=torch.get_default_dtype())

    @property
    def support(self) -> Constraint:
        return constraints.integer_interval(0, self.categories - 1)

    def initial_parameters(self, x: Tensor) -> Tensor:
        """Equally probable components at quantiles of the values, narrow where values are dense."""
        means, deviations = spread(self.on_line(x), self.components, LOCAL)
        return torch.cat([torch.zeros_like(means), means, self.log_scales(deviations)], dim=-1).float()

    def on_line(self, x: Tensor) -> Tensor:
        """The centres, in [-1, 1], of the bins of the levels ``x``."""
        return 2 * x / (self.categories - 1) - 1

    def components_of(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, means, log_scales = parameters.chunk(3, dim=-1)
        return logits, means, log_scales + math.log(LOGISTIC_DEVIATION)

    def of_components(self, logits: Tensor, means: Tensor, log_deviations: Tensor) -> Tensor:
        return torch.cat([logits, means, log_deviations - math.log(LOGISTIC_DEVIATION)], dim=-1)

    def log_scales(self, deviations: Tensor) -> Tensor:
        """Log s of components with these standard deviations, of a quarter of a bin at least."""
        return (deviations / LOGISTIC_DEVIATION).clamp(min=1 / (2 * (self.categories - 1))).log()

    @property
    def codes(self) -> Codes | None:
        if type(self) is not DiscretizedLogisticMixture:
            return None
        least = LOG_SCALES[0] - math.log(max(1.0, (self.categories - 1) / 255))
        offsets = torch.zeros(self.components)
        factor = 1 / (self.categories - 1)
        return Codes("bins", "number", factor, offsets=offsets, least=least, levels=self.categories)

    @property
    def config(self) -> dict[str, Any]:
        return {"categories": self.categories, "components": self.components}


class LogisticBins(Distribution):
    """Levels 0 to ``categories`` - 1 under a mixture of logistics.

    Args:
        parameters: ``(..., 3 * components)``: logits, means and log-scales of the components.
        categories: Number of levels.
    """

    arg_constraints = NO_CONSTRAINTS

    def __init__(self, parameters: Tensor, categories: int) -> None:
        self.parameters, self.categories = parameters, categories
        self.logits, self.means, log_scales = parameters.chunk(3, dim=-1)
        lowest, highest = LOG_SCALES
        self.log_scales = log_scales.clamp(lowest - math.log(max(1.0, (categories - 1) / 255)), highest)
        super().__init__(parameters.shape[:-1], validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log P(value), exact in the tails, at the edges and for bins far thinner than the logistics are wide.

        With a and b the standardised ends of the bin, sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - e^(b - a)):
        three factors whose logarithms are computed without cancellation.
        """
        return (self.logits.log_softmax(-1) + self.component_log_probs(value)).logsumexp(-1)

    def component_log_probs(self, value: Tensor) -> Tensor:
        """Log P(value) under each component, ``(..., components)``."""
        half = 1 / (self.categories - 1)
        value = value.unsqueeze(-1).to(self.means)
        inverse = (-self.log_scales).exp()
        centred = 2 * half * value - 1 - self.means
        below = F.logsigmoid((centred + half) * inverse)  # the mass below the upper end of the bin
        above = F.logsigmoid((half - centred) * inverse)  # the mass above its lower end
        inside = below + above + (-torch.expm1(-2 * half * inverse)).log()
        inner = torch.where(value == 0, below, inside)
        return torch.where(value == self.categories - 1, above, inner)

    def cdf(self, value: Tensor) -> Tensor:
        """P(X <= value)."""
        half = 1 / (self.categories - 1)
        value = value.unsqueeze(-1)
        upper_end = 2 * half * value - 1 + half
        below = torch.sigmoid((upper_end - self.means) * (-self.log_scales).exp())
        below = torch.where(value < 0, 0.0, torch.where(value >= self.categories - 1, 1.0, below))
        return (self.logits.softmax(-1) * below).sum(-1)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draw a component, then a logistic, and take the level of its bin."""
        with torch.no_grad():
            shape = (*sample_shape, *self.parameters.shape[:-1], self.logits.shape[-1])
            logits, means, log_scales = (part.expand(shape) for part in (self.logits, self.means, self.log_scales))
            chosen = draw_index(logits.softmax(-1)).unsqueeze(-1)
            mean, scale = means.gather(-1, chosen).squeeze(-1), log_scales.gather(-1, chosen).squeeze(-1).exp()
            drawn = mean + scale * torch.logit(uniform_like(mean)).to(mean.dtype)
            return ((drawn + 1) * (self.categories - 1) / 2).round().clamp(0, self.categories - 1)
