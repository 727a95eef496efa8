"""Conditionals in the user's own units."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.distributions.constraints import Constraint

from chainrule.conditionals.base import Conditional
from chainrule.conditionals.support import NO_CONSTRAINTS, Affine


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

    arg_constraints = NO_CONSTRAINTS

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


def present(distribution: Distribution) -> Distribution:
    """``distribution`` given that its variable is not missing, which is itself where none can be."""
    given: Distribution = getattr(distribution, "present", distribution)
    return given
