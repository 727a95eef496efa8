"""Variables of different kinds in one joint density: a conditional for each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.distributions.constraints import Constraint

from chainrule.conditionals.base import Conditional
from chainrule.conditionals.support import NO_CONSTRAINTS
from chainrule.conditionals.units import Standardised, present


class Columns(Conditional):
    """The conditional of each variable of an event ``(n,)``, such as a row of a table.

    A model gives every variable as many numbers as the family that needs most; the others leave the rest unused.
    Families of one `group`, such as those that are the same but for their units, are computed together.

    Args:
        columns: One conditional for each variable, in the sequence of the event.

    Raises:
        ValueError: If there are none.

    >>> import torch
    >>> from chainrule.conditionals import Bernoulli, Gaussian
    >>> Columns([Bernoulli(), Gaussian()]).encode(torch.tensor([[1.0, 0.3]]))
    tensor([[[1.0000],
             [0.2957]]])
    """

    def __init__(self, columns: Sequence[Conditional]) -> None:
        if not columns:
            raise ValueError("Columns expects at least one conditional, got none")
        self.columns = list(columns)
        self.num_parameters = max(column.num_parameters for column in columns)
        self.num_features = max(column.num_features for column in columns)
        places = defaultdict(list)
        for index, column in enumerate(columns):
            places[column.group].append(index)
        self.groups = [
            (columns[own[0]].together([columns[index] for index in own]), torch.tensor(own)) for own in places.values()
        ]
        self.places = torch.cat([index for _, index in self.groups])
        self._padded = [_Padded(column, self.num_parameters, self.num_features) for column in columns]

    @property
    def uniform(self) -> bool:
        return False

    def of(self, index: int) -> Conditional:
        return self._padded[index]

    def check_event(self, event_shape: tuple[int, ...]) -> None:
        if event_shape != (len(self.columns),):
            raise ValueError(
                f"Columns of {len(self.columns)} conditionals expects as many variables, got {event_shape}"
            )

    def distribution(self, parameters: Tensor) -> Distribution:
        parts = []
        for family, index in self._groups_on(parameters.device):
            own = parameters.index_select(-2, index)[..., : family.num_parameters]
            parts.append((index, family.distribution(own)))
        return ByColumn(parts, parameters.shape[:-1])

    def at(self, distribution: Distribution, index: int) -> Distribution:
        assert isinstance(distribution, ByColumn)
        for (family, places), (_, part) in zip(self.groups, distribution.parts, strict=True):
            if index in (own := places.tolist()):
                return family.at(part, own.index(index))
        raise IndexError(f"index expects less than {len(self.columns)}, got {index}")

    def encode(self, x: Tensor) -> Tensor:
        parts = []
        for family, index in self._groups_on(x.device):
            own = family.encode(x.index_select(-1, index))
            parts.append(F.pad(own, (0, self.num_features - own.shape[-1])))
        return torch.cat(parts, dim=-2).index_select(-2, self.places.to(x.device).argsort())

    def check(self, x: Tensor) -> None:
        for index, column in enumerate(self.columns):
            try:
                column.check(x[..., index])
            except ValueError as error:
                raise ValueError(f"column {index + 1}: {error}") from None

    @property
    def support(self) -> Constraint:
        """The supports of all variables, along the last dimension of an example."""
        return constraints.stack([column.support for column in self.columns], dim=-1)

    @property
    def probes(self) -> Tensor:
        """Raise ``ValueError``: each variable has its own, ``of(index).probes``."""
        raise ValueError("probes expects one variable, got Columns: ask of(index).probes")

    def initial_parameters(self, x: Tensor) -> Tensor:
        """The starting parameters ``(n, num_parameters)`` of all columns, from rows ``(N, n)``; padded with zeros."""
        own = [column.initial_parameters(x[:, index]) for index, column in enumerate(self.columns)]
        return torch.stack([F.pad(part, (0, self.num_parameters - len(part))) for part in own])

    def _groups_on(self, device: torch.device) -> list[tuple[Conditional, Tensor]]:
        return [(family, index.to(device)) for family, index in self.groups]

    def __str__(self) -> str:
        counts = Counter(_name(column) for column in self.columns)
        return f"Columns of {', '.join(f'{count} {name}' for name, count in counts.items())}"

    @property
    def config(self) -> dict[str, Any]:
        return {"columns": self.columns}


def _name(conditional: Conditional) -> str:
    """The name of a family, without its units."""
    return type(conditional.conditional if isinstance(conditional, Standardised) else conditional).__name__


class _Padded(Conditional):
    """One column's family, padded to the numbers of parameters and features that all columns get."""

    def __init__(self, column: Conditional, num_parameters: int, num_features: int) -> None:
        self.column, self.num_parameters, self.num_features = column, num_parameters, num_features

    def distribution(self, parameters: Tensor) -> Distribution:
        return self.column.distribution(parameters[..., : self.column.num_parameters])

    def at(self, distribution: Distribution, index: int) -> Distribution:
        return self.column.at(distribution, index)

    def encode(self, x: Tensor) -> Tensor:
        own = self.column.encode(x)
        return F.pad(own, (0, self.num_features - own.shape[-1]))

    def check(self, x: Tensor) -> None:
        self.column.check(x)

    @property
    def family(self) -> Conditional:
        return self.column

    @property
    def values(self) -> Tensor | None:
        return self.column.values

    @property
    def support(self) -> Constraint:
        return self.column.support

    @property
    def atoms(self) -> Tensor | None:
        return self.column.atoms

    @property
    def spikes(self) -> Tensor | None:
        return self.column.spikes

    @property
    def probes(self) -> Tensor:
        return self.column.probes

    def initial_parameters(self, x: Tensor) -> Tensor:
        own = self.column.initial_parameters(x)
        return F.pad(own, (0, self.num_parameters - own.shape[-1]))


class ByColumn(Distribution):
    """Variables ``(..., n)`` in groups, each with a distribution of its own.

    Args:
        parts: The variables of each group, and their distribution ``(..., k)``.
        batch_shape: ``(..., n)``.
    """

    arg_constraints = NO_CONSTRAINTS

    def __init__(self, parts: list[tuple[Tensor, Distribution]], batch_shape: torch.Size) -> None:
        self.parts = parts
        super().__init__(batch_shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        return self._together([part.log_prob(value.index_select(-1, index)) for index, part in self.parts])

    def sample(self, sample_shape: Any = ()) -> Tensor:
        drawn = [part.sample(torch.Size(sample_shape)) for _, part in self.parts]
        kind = next((part.dtype for part in drawn if part.is_floating_point()), torch.get_default_dtype())
        return self._together([part.to(kind) for part in drawn])

    @property
    def mean(self) -> Tensor:
        """The mean of each variable, given that it is not missing; without meaning for categories."""
        return self._together([present(part).mean for _, part in self.parts]).float()

    def _together(self, own: list[Tensor]) -> Tensor:
        """Join the results of all parts, ``(..., n)``, each variable in its place."""
        places = torch.cat([index for index, _ in self.parts])
        joined = torch.cat(own, dim=-1)
        return joined.index_select(-1, places.argsort())
