"""Conditionals made of others: in the user's own units, and with missing values."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.distributions.constraints import Constraint

from chainrule.conditionals.base import Conditional
from chainrule.conditionals.support import Affine

PLAIN: dict[str, Any] = {}


class Standardised(Conditional):
    """The family of x = shift + scale z, given that of z: p(x) = p(z) / scale, so that densities are in units of x.

    Args:
        conditional: The family of z. At its `atoms` p(x) = p(z): a probability has no unit.
        shift: For example the mean of the training examples.
        scale: For example their standard deviation. If z is an integer, x is on a grid, and what stands for p(x) is the
            probability of a cell over its length: of integers, of the scale 1, the probability.

    Raises:
        ValueError: If the scale is no positive number.

    >>> import torch
    >>> from chainrule.conditionals import Gaussian
    >>> inner, parameters = Gaussian(), torch.zeros(2)
    >>> outer = Standardised(inner, shift=5.0, scale=10.0)
    >>> before = inner.distribution(parameters).log_prob(torch.tensor(0.3))
    >>> torch.allclose(outer.distribution(parameters).log_prob(torch.tensor(8.0)), before - math.log(10))
    True
    """

    def __init__(self, conditional: Conditional, shift: float = 0.0, scale: float = 1.0) -> None:
        if not (0 < scale < math.inf and math.isfinite(shift)):
            raise ValueError(f"Standardised expects a finite shift and a positive scale, got {shift} and {scale}")
        self.conditional, self.shift, self.scale = conditional, shift, scale
        self.units = Units(shift, scale, atoms_of(conditional), whole=bool(conditional.support.is_discrete))
        self.num_parameters, self.num_features = conditional.num_parameters, conditional.num_features

    def distribution(self, parameters: Tensor) -> Distribution:
        return InUnits(self.conditional.distribution(parameters), self.units)

    def at(self, distribution: Distribution, index: int) -> Distribution:
        assert isinstance(distribution, InUnits)
        return InUnits(self.conditional.at(distribution.base, index), self.units.of(index))

    def encode(self, x: Tensor) -> Tensor:
        return self.conditional.encode(self.units.z(x))

    def check(self, x: Tensor) -> None:
        try:
            self.conditional.check(self.units.z(x))
        except ValueError as error:
            units = "" if self.shift == 0 and self.scale == 1 else f", of (x - {self.shift:g}) / {self.scale:g}"
            raise ValueError(f"{error}{units}") from None

    @property
    def support(self) -> Constraint:
        inner = self.conditional.support
        return inner if inner is constraints.real else Affine(inner, self.shift, self.scale)

    @property
    def atoms(self) -> Tensor | None:
        inner = self.conditional.atoms
        return None if inner is None else self.units.x(inner)

    @property
    def spikes(self) -> Tensor | None:
        inner = self.conditional.spikes
        return None if inner is None else self.units.x(inner)

    @property
    def probes(self) -> Tensor:
        return self.units.x(self.conditional.probes)

    def initial_parameters(self, x: Tensor) -> Tensor:
        return self.conditional.initial_parameters(self.units.z(x))

    def on_line(self, x: Tensor) -> Tensor:
        return self.conditional.on_line(self.units.z(x))

    def components_of(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.conditional.components_of(parameters)

    def of_components(self, logits: Tensor, means: Tensor, log_deviations: Tensor) -> Tensor:
        return self.conditional.of_components(logits, means, log_deviations)

    @property
    def group(self) -> str:
        return f"Standardised({self.conditional.group})"

    def together(self, families: Sequence[Conditional]) -> Self:
        own = [family for family in families if isinstance(family, Standardised)]
        joint = copy.copy(self)
        joint.conditional = self.conditional.together([family.conditional for family in own])
        joint.num_parameters, joint.num_features = joint.conditional.num_parameters, joint.conditional.num_features
        shift, scale = torch.tensor([[family.shift, family.scale] for family in own], dtype=torch.float64).T
        joint.units = Units(shift, scale, self.units.atoms, self.units.whole)
        return joint

    @property
    def config(self) -> dict[str, Any]:
        return {"conditional": self.conditional, "shift": self.shift, "scale": self.scale}


def atoms_of(conditional: Conditional) -> tuple[float, ...]:
    """The atoms of a family that are numbers: NaN has no unit in any case."""
    atoms = [] if conditional.atoms is None else conditional.atoms.tolist()
    return tuple(atom for atom in atoms if not math.isnan(atom))


@dataclass(frozen=True)
class Units:
    """The units of x = shift + scale z.

    Args:
        shift: A number, or one for each variable, ``(n,)``.
        scale: Likewise, positive.
        atoms: Values of z that have a probability of their own, which has no unit.
        whole: True if z is an integer, so that x is on a grid.
    """

    shift: float | Tensor
    scale: float | Tensor
    atoms: tuple[float, ...] = ()
    whole: bool = False

    def x(self, z: Tensor) -> Tensor:
        shift, scale = self._on(z.device)
        return (z.double() * scale + shift).to(z)

    def z(self, x: Tensor) -> Tensor:
        """(x - shift) / scale, and an atom or a place on the grid itself where rounding would miss it."""
        shift, scale = self._on(x.device)
        exact = (x.double() - shift) / scale
        if self.whole:  # in single precision 0.3 is no multiple of 0.1
            exact = torch.where(scale == 1, exact, exact.round())
        z = exact.to(x.dtype if x.is_floating_point() else torch.get_default_dtype())
        for atom in self.atoms:
            z = torch.where(x == self.x(torch.full_like(z, atom)), atom, z)
        return z

    def log_scale(self, z: Tensor, x: Tensor) -> Tensor:
        """The difference log p(z) - log p(x): log(scale), and 0 at an atom or a missing value."""
        density = ~z.isnan()
        for atom in self.atoms:
            density &= z != atom
        return torch.as_tensor(self.scale, dtype=torch.float64, device=z.device).log() * density

    def _on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """The shift and the scale, in double precision."""
        shift, scale = (torch.as_tensor(unit, dtype=torch.float64, device=device) for unit in (self.shift, self.scale))
        return shift, scale

    def of(self, index: int) -> Units:
        """The units of one of n variables; these, if they are of one."""
        if not isinstance(self.shift, Tensor) or not isinstance(self.scale, Tensor):
            return self
        return Units(float(self.shift[index]), float(self.scale[index]), self.atoms, self.whole)


class MonotoneUnits(Protocol):
    """Units of any increasing function x of z; `Units` are those of a line."""

    def x(self, z: Tensor) -> Tensor: ...

    def z(self, x: Tensor) -> Tensor: ...

    def log_scale(self, z: Tensor, x: Tensor) -> Tensor:
        """Log dx/dz at x, whose z is given: the difference log p(z) - log p(x)."""


class InUnits(Distribution):
    """The distribution of x, such as x = shift + scale z, given that of z and the units.

    Its `mean` is the x of the mean of z, which is the mean of x where x is a line.
    """

    arg_constraints = PLAIN

    def __init__(self, base: Distribution, units: MonotoneUnits) -> None:
        self.base, self.units = base, units
        super().__init__(base.batch_shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        z = self.units.z(value)
        own = self.base.log_prob(z)
        return own - self.units.log_scale(z, value).to(own)

    def cdf(self, value: Tensor) -> Tensor:
        return self.base.cdf(self.units.z(value))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.units.x(self.base.sample(torch.Size(sample_shape)))

    @property
    def mean(self) -> Tensor:
        return self.units.x(self.base.mean)

    @property
    def present(self) -> Distribution:
        """The distribution of a value that is not missing."""
        return InUnits(present(self.base), self.units)


class WithMissing(Conditional):
    """A family whose variable may be missing. Missing is then a value of its own: NaN.

    P(missing) = sigmoid(m), and p(x) = (1 - P(missing)) times that of the family; m is the last parameter. A network
    reads a missing value as zeros and a one that says that it is missing.

    Args:
        conditional: The family of a value that is there.

    >>> import torch
    >>> from chainrule.conditionals import Bernoulli
    >>> maybe = WithMissing(Bernoulli()).distribution(torch.zeros(3, 2))
    >>> maybe.log_prob(torch.tensor([0.0, 1.0, torch.nan])).exp()
    tensor([0.2500, 0.2500, 0.5000])
    """

    def __init__(self, conditional: Conditional) -> None:
        self.conditional = conditional
        self.num_parameters, self.num_features = conditional.num_parameters + 1, conditional.num_features + 1
        self.fill = conditional.probes[0]
        self.last_parameter = torch.tensor(conditional.num_parameters)
        self.last_feature = torch.tensor(conditional.num_features)

    def distribution(self, parameters: Tensor) -> Distribution:
        inner = self.conditional.distribution(parameters[..., : self.conditional.num_parameters])
        place = self.last_parameter.to(parameters.device).expand(parameters.shape[:-1]).unsqueeze(-1)
        return MaybeMissing(inner, parameters.gather(-1, place).squeeze(-1), self.fill)

    def at(self, distribution: Distribution, index: int) -> Distribution:
        assert isinstance(distribution, MaybeMissing)
        inner = self.conditional.at(distribution.present, index)
        return MaybeMissing(inner, distribution.logit.flatten(1)[:, index], self._fill_of(index))

    def encode(self, x: Tensor) -> Tensor:
        missing = x.isnan()
        features = self.conditional.encode(torch.where(missing, self.fill.to(x), x))
        features = features.masked_fill(missing.unsqueeze(-1), 0.0)
        features = F.pad(features, (0, 1))
        place = self.last_feature.to(x.device).expand(x.shape).unsqueeze(-1)
        return features.scatter_add(-1, place, missing.unsqueeze(-1).to(features))

    def _fill_of(self, index: int) -> Tensor:
        return self.fill if self.fill.dim() == 0 else self.fill[index]

    def check(self, x: Tensor) -> None:
        self.conditional.check(x[~x.isnan()])

    @property
    def support(self) -> Constraint:
        return self.conditional.support

    @property
    def atoms(self) -> Tensor:
        return _with_nan(self.conditional.atoms)

    @property
    def spikes(self) -> Tensor:
        return _with_nan(self.conditional.spikes)

    @property
    def probes(self) -> Tensor:
        return torch.cat([self.conditional.probes, torch.tensor([math.nan])])

    def initial_parameters(self, x: Tensor) -> Tensor:
        """The starting parameters of the values that are there, and the log-odds of a missing value."""
        if x.dim() == 2:
            return torch.stack([self.initial_parameters(column) for column in x.unbind(1)])
        missing = x.isnan()
        share = (missing.sum() + 0.5) / (len(x) + 1)
        given = x[~missing]
        inner = torch.zeros(self.conditional.num_parameters, device=x.device)
        if len(given):
            inner = self.conditional.initial_parameters(given)
        return torch.cat([inner, share.logit().to(inner).unsqueeze(0)])

    def on_line(self, x: Tensor) -> Tensor:
        """The places of the values that are there; NaN for a missing one."""
        missing = x.isnan()
        return self.conditional.on_line(torch.where(missing, self.fill.to(x), x)).masked_fill(missing, math.nan)

    def components_of(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.conditional.components_of(parameters[..., :-1])

    def of_components(self, logits: Tensor, means: Tensor, log_deviations: Tensor) -> Tensor:
        """The parameters of these components, with a logit of 0 of a missing value."""
        return F.pad(self.conditional.of_components(logits, means, log_deviations), (0, 1))

    @property
    def group(self) -> str:
        return f"WithMissing({self.conditional.group})"

    def together(self, families: Sequence[Conditional]) -> Self:
        own = [family for family in families if isinstance(family, WithMissing)]
        joint = copy.copy(self)
        joint.conditional = self.conditional.together([family.conditional for family in own])
        joint.num_parameters = joint.conditional.num_parameters + 1
        joint.num_features = joint.conditional.num_features + 1
        joint.fill = torch.stack([family.fill for family in own])
        joint.last_parameter = torch.stack([family.last_parameter for family in own])
        joint.last_feature = torch.stack([family.last_feature for family in own])
        return joint

    @property
    def config(self) -> dict[str, Any]:
        return {"conditional": self.conditional}


def _with_nan(values: Tensor | None) -> Tensor:
    missing = torch.tensor([math.nan])
    return missing if values is None else torch.cat([values, missing])


class MaybeMissing(Distribution):
    """A value of ``present``, or NaN with probability sigmoid(logit).

    Args:
        present: The distribution of a value that is there.
        logit: The log-odds of NaN.
        fill: A value of ``present``, which stands in for NaN where its ``log_prob`` is computed and then not used.
    """

    arg_constraints = PLAIN

    def __init__(self, present: Distribution, logit: Tensor, fill: Tensor) -> None:
        self.present, self.logit, self.fill = present, logit, fill
        super().__init__(logit.shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        missing = value.isnan()
        there = self.present.log_prob(torch.where(missing, self.fill.to(value), value)) + F.logsigmoid(-self.logit)
        return torch.where(missing, F.logsigmoid(self.logit), there)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn = self.present.sample(torch.Size(sample_shape)).to(self.logit)
        missing = torch.bernoulli(torch.sigmoid(self.logit.detach()).expand(drawn.shape)).bool()
        return drawn.masked_fill(missing, math.nan)


def present(distribution: Distribution) -> Distribution:
    """``distribution`` given that its variable is not missing."""
    return distribution.present if isinstance(distribution, MaybeMissing | InUnits) else distribution
