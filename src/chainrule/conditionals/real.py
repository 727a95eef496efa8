"""Real variables: one Gaussian, and mixtures of Gaussians or logistics.

p(x) = sum_i pi_i f((x - mu_i) / s_i) / s_i, where f is the density of the standard Gaussian or logistic.

A network gives log s. It is held within [log min_scale, log 1e6], so that no density grows without bound on values that
repeat, and none underflows. The means of a mixture start apart, spread evenly over [-1.5, 1.5]: values are expected on
a scale of about 1, as `Standardised` brings them.

References:
    Mixture density networks (Bishop, 1994), https://publications.aston.ac.uk/id/eprint/373/
    RNADE: the real-valued neural autoregressive density-estimator (Uria, Murray and Larochelle, 2013),
    https://arxiv.org/abs/1306.0186
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, MixtureSameFamily, Normal

from chainrule.codes import Codes
from chainrule.conditionals.base import Conditional, at_least_single
from chainrule.conditionals.categorical import Softmax
from chainrule.conditionals.drawing import uniform_like
from chainrule.conditionals.starting import LOGISTIC_DEVIATION, spread
from chainrule.conditionals.support import NO_CONSTRAINTS

MAX_SCALE = 1e6
SPREAD = 1.5

LOCAL = 0.8
"""The locality of components at the start, from 0 to 1. With 1 the first density is better, but a training on few rows
overfits sooner."""

NARROWEST = 0.05
"""The least deviation of a component at a value that repeats, at the start, in deviations of all values.

Others at the same value are wider, up to 1: alike they would move as one, and would lose the value together as soon as
a step of training moves their means further than they are wide."""


class Real(Conditional):
    """The base of the families of real variables: one or several components, each with a location and a scale.

    Args:
        components: The number of components.
        min_scale: The least scale of a component.
    """

    num_features = 1
    deviation = 1.0
    """The standard deviation of a component of scale 1."""

    def __init__(self, components: int, min_scale: float) -> None:
        if components < 1:
            raise ValueError(f"{type(self).__name__} expects at least 1 component, got {components}")
        if not 0 < min_scale < MAX_SCALE:
            raise ValueError(f"min_scale expects a number between 0 and {MAX_SCALE:g}, got {min_scale}")
        self.components, self.min_scale = components, min_scale
        self.num_parameters = 2 if components == 1 else 3 * components

    @abstractmethod
    def component(self, mean: Tensor, scale: Tensor) -> Distribution:
        """The components, of batch shape ``(..., components)``, or ``(...)`` if there is one."""

    def distribution(self, parameters: Tensor) -> Distribution:
        parameters = at_least_single(parameters)
        if self.components == 1:
            mean, log_scale = parameters.unbind(-1)
            return self.component(mean, self._scale(log_scale))
        logits, means, log_scales = parameters.chunk(3, dim=-1)
        return self._mixed(logits, means + self._offsets(means), self._scale(log_scales))

    def _scale(self, log_scale: Tensor) -> Tensor:
        return log_scale.clamp(math.log(self.min_scale), math.log(MAX_SCALE)).exp()

    def _mixed(self, logits: Tensor, means: Tensor, scales: Tensor) -> Distribution:
        return RealMixture(Softmax(logits), self.component(means, scales))

    def at(self, distribution: Distribution, index: int) -> Distribution:
        if not isinstance(distribution, MixtureSameFamily):
            mean, scale = (part.flatten(1)[:, index] for part in _parts(distribution))
            return self.component(mean, scale)
        parts = (distribution.mixture_distribution.logits, *_parts(distribution.component_distribution))
        logits, means, scales = (part.flatten(1, -2)[:, index] for part in parts)
        return self._mixed(logits, means, scales)

    def encode(self, x: Tensor) -> Tensor:
        return x.asinh().unsqueeze(-1)

    def initial_parameters(self, x: Tensor) -> Tensor:
        """Equally probable components at quantiles of the values, narrow where values are dense."""
        means, deviations = spread(x, self.components, LOCAL)
        total = x.double().std(0, correction=0).unsqueeze(-1)
        apart = torch.logspace(0, 1, self.components, NARROWEST, dtype=torch.float64, device=x.device)
        deviations = torch.where(deviations > 0, deviations, total * apart)
        log_scales = (deviations / self.deviation).clamp(self.min_scale, MAX_SCALE).log()
        if self.components == 1:
            return torch.cat([means, log_scales], dim=-1).float()
        return torch.cat([torch.zeros_like(means), means - self._offsets(means), log_scales], dim=-1).float()

    def on_line(self, x: Tensor) -> Tensor:
        return x

    def components_of(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if self.components == 1:
            means, log_scales = parameters.split(1, dim=-1)
            return torch.zeros_like(means), means, log_scales + math.log(self.deviation)
        logits, means, log_scales = parameters.chunk(3, dim=-1)
        return logits, means + self._offsets(means), log_scales + math.log(self.deviation)

    def of_components(self, logits: Tensor, means: Tensor, log_deviations: Tensor) -> Tensor:
        log_scales = log_deviations - math.log(self.deviation)
        if self.components == 1:
            return torch.cat([means, log_scales], dim=-1)
        return torch.cat([logits, means - self._offsets(means), log_scales], dim=-1)

    def _offsets(self, like: Tensor) -> Tensor:
        """The places ``(components,)`` around which the means of a mixture start."""
        return torch.linspace(-SPREAD, SPREAD, self.components, dtype=like.dtype, device=like.device)

    def _codes(self, draws: Literal["gaussians", "logistics"], family: type[Real]) -> Codes | None:
        """The codes of ``family``; None for a subclass of it, which may draw and read in another way."""
        if type(self) is not family:
            return None
        offsets = self._offsets(torch.empty(0)) if self.components > 1 else torch.zeros(1)
        return Codes(draws, "asinh", offsets=offsets, least=math.log(self.min_scale))

    @property
    def config(self) -> dict[str, Any]:
        return {"components": self.components, "min_scale": self.min_scale}


class Gaussian(Real):
    """One Gaussian for each variable.

    Args:
        min_scale: The least standard deviation.

    >>> import torch
    >>> round(Gaussian().distribution(torch.zeros(2)).log_prob(torch.tensor(0.0)).item(), 4)
    -0.9189
    """

    def __init__(self, min_scale: float = 1e-3) -> None:
        super().__init__(1, min_scale)

    def component(self, mean: Tensor, scale: Tensor) -> Distribution:
        return GaussianByQuantile(mean, scale, validate_args=False)

    @property
    def codes(self) -> Codes | None:
        return self._codes("gaussians", Gaussian)

    @property
    def config(self) -> dict[str, Any]:
        return {"min_scale": self.min_scale}


class GaussianMixture(Real):
    """A mixture of Gaussians for each variable.

    Args:
        components: Gaussians of the mixture.
        min_scale: The least standard deviation of one.
    """

    def __init__(self, components: int = 10, min_scale: float = 1e-3) -> None:
        super().__init__(components, min_scale)

    def component(self, mean: Tensor, scale: Tensor) -> Distribution:
        return GaussianByQuantile(mean, scale, validate_args=False)

    @property
    def codes(self) -> Codes | None:
        return self._codes("gaussians", GaussianMixture)


class LogisticMixture(Real):
    """A mixture of logistics for each variable, whose tails are heavier than a Gaussian's.

    Args:
        components: Logistics of the mixture.
        min_scale: The least scale of one.
    """

    deviation = LOGISTIC_DEVIATION

    def __init__(self, components: int = 10, min_scale: float = 1e-3) -> None:
        super().__init__(components, min_scale)

    def component(self, mean: Tensor, scale: Tensor) -> Distribution:
        return Logistic(mean, scale)

    @property
    def codes(self) -> Codes | None:
        return self._codes("logistics", LogisticMixture)


class RealMixture(MixtureSameFamily):
    """torch's mixture, whose values are drawn with two uniform numbers: one for the component, one for the value."""

    def __init__(self, weights: Softmax, components: Distribution) -> None:
        super().__init__(weights, components, validate_args=False)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> RealMixture:
        weights, components = self.mixture_distribution, self.component_distribution
        shape = torch.Size(batch_shape)
        return RealMixture(weights.expand(shape), components.expand(torch.Size([*shape, self._num_component])))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with torch.no_grad():
            chosen = self.mixture_distribution.sample(torch.Size(sample_shape)).unsqueeze(-1)
            loc, scale = (
                part.expand(*sample_shape, *part.shape).gather(-1, chosen).squeeze(-1)
                for part in _parts(self.component_distribution)
            )
            component = self.component_distribution
            assert isinstance(component, GaussianByQuantile | Logistic)
            return loc + scale * component.standard(loc)


class GaussianByQuantile(Normal):
    """torch's Normal, drawn as the quantile of a uniform number."""

    @staticmethod
    def standard(like: Tensor) -> Tensor:
        """Standard values of the shape of ``like``."""
        return torch.special.ndtri(uniform_like(like)).to(like.dtype)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with torch.no_grad():
            loc = self.loc.expand(*sample_shape, *self.batch_shape)
            return loc + self.scale * self.standard(loc)


class Logistic(Distribution):
    """f(x) = e^-z / (s (1 + e^-z)^2) with z = (x - loc) / s, which torch does not have.

    >>> Logistic(torch.tensor(0.0), torch.tensor(1.0)).log_prob(torch.tensor(0.0)).exp()
    tensor(0.2500)
    """

    arg_constraints = NO_CONSTRAINTS

    def __init__(self, loc: Tensor, scale: Tensor) -> None:
        self.loc, self.scale = loc, scale
        super().__init__(loc.shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        z = ((value - self.loc) / self.scale).abs()  # the density is even
        return -z - 2 * F.softplus(-z) - self.scale.log()

    def cdf(self, value: Tensor) -> Tensor:
        return torch.sigmoid((value - self.loc) / self.scale)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with torch.no_grad():
            loc = self.loc.expand(*sample_shape, *self.batch_shape)
            return loc + self.scale * self.standard(loc)

    @staticmethod
    def standard(like: Tensor) -> Tensor:
        """Standard values of the shape of ``like``."""
        return torch.logit(uniform_like(like)).to(like.dtype)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return (self.scale * math.pi).square() / 3


def _parts(distribution: Distribution) -> tuple[Tensor, Tensor]:
    """Location and scale."""
    assert isinstance(distribution, Normal | Logistic)
    return distribution.loc, distribution.scale
