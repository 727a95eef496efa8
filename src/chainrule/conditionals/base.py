"""The contract of a family of conditionals, which is independent of any model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.distributions.constraints import Constraint

from chainrule.codes import Codes
from chainrule.conditionals.starting import smoothed_log_frequencies
from chainrule.conditionals.support import Listed, is_in, probes_of, words_for


class Conditional(ABC):
    """The family of p(x_t | x_<t): how numbers become a distribution, and values become features.

    A model gives ``num_parameters`` numbers for every variable; `distribution` turns them into p(x_t | x_<t). A model
    reads every earlier value as ``num_features`` numbers, made by `encode`.

    To add a family, write

    1. ``num_parameters`` and ``num_features``;
    2. `distribution`, `at` and `encode`. The Distribution needs ``log_prob``, in nats, and ``sample``; it accepts
       parameters of single and of double precision;
    3. the values of a variable: `values` if all can be listed, else `support` if it is not all real numbers, and
       `atoms` if single values have a probability of their own beside a density;
    4. `config`, if the constructor takes arguments.

    Every model and every task then works with it; everything else has a default. What a default can't know may be
    overridden: `parameters_of` (for `Table`, `BayesNet` and ensembles), `on_line`, `components_of` and `of_components`
    (for `BayesianAR`), `initial_parameters`, `check` and `log_probs` (where there is a quicker way), and `probes`
    (where the support is none of torch's intervals).

    Attributes:
        num_parameters: Numbers that a model must produce per variable.
        num_features: Numbers that a model reads per variable.

    Counts with more zeros than a Poisson distribution has:

    >>> class ZeroInflated(Distribution):
    ...     arg_constraints = {}
    ...     def __init__(self, logit, log_rate):
    ...         self.logit, self.log_rate = logit, log_rate
    ...         super().__init__(logit.shape, validate_args=False)
    ...     def log_prob(self, value):
    ...         counted = torch.nn.functional.logsigmoid(-self.logit) + torch.distributions.Poisson(
    ...             self.log_rate.exp(), validate_args=False
    ...         ).log_prob(value)
    ...         return torch.where(value == 0, torch.logaddexp(counted, self.logit.sigmoid().log()), counted)
    ...     def sample(self, sample_shape=()):
    ...         rate = self.log_rate.detach().exp().expand(*sample_shape, *self.batch_shape)
    ...         return torch.poisson(rate) * torch.bernoulli(torch.sigmoid(-self.logit.detach()).expand_as(rate))
    >>> class ZeroInflatedPoisson(Conditional):
    ...     num_parameters, num_features = 2, 1
    ...     support = constraints.nonnegative_integer
    ...     def distribution(self, parameters):
    ...         return ZeroInflated(*at_least_single(parameters).unbind(-1))
    ...     def at(self, distribution, index):
    ...         parts = distribution.logit, distribution.log_rate
    ...         return ZeroInflated(*(part.flatten(1)[:, index] for part in parts))
    ...     def encode(self, x):
    ...         return x.log1p().unsqueeze(-1)
    >>> ZeroInflatedPoisson().probes
    tensor([0., 1., 2., 3.])
    """

    num_parameters: int
    num_features: int

    @abstractmethod
    def distribution(self, parameters: Tensor) -> Distribution:
        """The distribution with ``parameters`` ``(..., num_parameters)``, of batch shape ``(...)``.

        It computes in single precision at least, whatever the precision of the network (`at_least_single`).
        """

    @abstractmethod
    def at(self, distribution: Distribution, index: int) -> Distribution:
        """One variable's part, of batch shape ``(B,)``, of a distribution of batch shape ``(B, *event_shape)``.

        ``index`` counts the variables of the flattened event.
        """

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Features ``(..., num_features)`` of the values ``x`` ``(...)``; the value 0 is all zeros."""

    @property
    def values(self) -> Tensor | None:
        """All values that a variable can take, in increasing order; None if they can't be listed."""
        return None

    @property
    def support(self) -> Constraint:
        """The values that a variable can take, as a constraint of one variable, without its `atoms`.

        By default the listed `values`, or all real numbers. Infinity is never a value.
        """
        return constraints.real if self.values is None else Listed(self.values)

    @property
    def atoms(self) -> Tensor | None:
        """Values ``(k,)`` that have a probability of their own beside a density or a listed support; None if none has.

        Such as NaN where a value may be missing, or 0 where a density of positive numbers is inflated at zero.
        ``log_prob`` is there the log of a probability, not of a density.
        """
        return None

    @property
    def spikes(self) -> Tensor | None:
        """Values ``(k,)`` whose probability says nothing about that of their neighbours; None if there are none.

        They are the `atoms`, and integers that have a probability of their own beside that of all integers.
        """
        return self.atoms

    @property
    def probes(self) -> Tensor:
        """A few values of a variable, ``(k,)``: all where they can be listed, else some of the support and the atoms.

        The first is in the support and is no atom.
        """
        some = probes_of(self.support)
        return some if self.atoms is None else torch.cat([some, self.atoms.to(some)])

    def check(self, x: Tensor) -> None:
        """Raise ``ValueError``, saying expected and got, unless all values of ``x`` are in the support or atoms."""
        numbers = x if torch.is_floating_point(x) else x.long()
        valid = self.support.check(numbers) & numbers.isfinite()
        expected = words_for(self.support)
        if self.atoms is not None:
            valid = valid | is_in(numbers, self.atoms)
            expected += f", or {', '.join(_number(atom) for atom in self.atoms.tolist())}"
        if not bool(valid.all()):
            raise ValueError(f"{type(self).__name__} expects {expected}, got {numbers[~valid][0].item():g}")

    def initial_parameters(self, x: Tensor) -> Tensor:
        """The starting parameters of a model that sees no other variable, from training values.

        Their distribution has the frequencies of the data, with one more example spread over all listed values, so that
        none is impossible. By default they are zeros if values can't be listed.

        Args:
            x: Values ``(N,)`` of one variable or ``(N, n)`` of n, in the family's support.

        Returns:
            ``(num_parameters,)`` or ``(n, num_parameters)``.
        """
        if self.values is None or type(self).parameters_of is Conditional.parameters_of:
            return torch.zeros(*x.shape[1:], self.num_parameters, device=x.device)
        return self.parameters_of(smoothed_log_frequencies(x, self.values))

    def parameters_of(self, log_probs: Tensor) -> Tensor:
        """The ``parameters`` ``(..., num_parameters)`` that give the listed values ``log_probs`` ``(..., K)``.

        The inverse of `distribution`, for counts and mixtures.

        Raises:
            ValueError: If the family can't have any probabilities.
        """
        raise ValueError(f"expected conditionals that can have any probabilities of listed values, got {self}")

    def on_line(self, x: Tensor) -> Tensor:
        """The places of the values ``x`` on the line on which `components_of` gives its means.

        Raises:
            ValueError: If the family has no locations and scales.
        """
        raise ValueError(f"expected a conditional of locations and scales, such as GaussianMixture, got {self}")

    def components_of(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, means and log standard deviations ``(..., components)`` of ``parameters`` ``(..., num_parameters)``.

        Raises:
            ValueError: If the family has no locations and scales.
        """
        raise ValueError(f"expected a conditional of locations and scales, such as GaussianMixture, got {self}")

    def of_components(self, logits: Tensor, means: Tensor, log_deviations: Tensor) -> Tensor:
        """The ``parameters`` of these components; the inverse of `components_of`.

        Raises:
            ValueError: If the family has no locations and scales.
        """
        raise ValueError(f"expected a conditional of locations and scales, such as GaussianMixture, got {self}")

    def mixture(self, log_weights: Tensor, distributions: Sequence[Distribution]) -> Distribution:
        """The distribution sum_k w_k p_k, again of this family.

        Args:
            log_weights: Log w_k, ``(len(distributions), *batch_shape)``.
            distributions: p_k, of this family and of one batch shape.

        Raises:
            ValueError: If the family is not closed under mixtures.
        """
        tables = torch.stack([self.log_probs(distribution) for distribution in distributions])
        return self.distribution(self.parameters_of((log_weights.unsqueeze(-1) + tables).logsumexp(0)))

    def log_probs(self, distribution: Distribution) -> Tensor:
        """Log-probabilities of all listed values, ``(*batch_shape, K)``.

        Raises:
            ValueError: If the values of the family can't be listed.
        """
        if self.values is None:
            raise ValueError(f"log_probs expects a conditional whose values can be listed, got {self}")
        return torch.stack([distribution.log_prob(value) for value in self.values], dim=-1)

    def of(self, index: int) -> Conditional:
        """The conditional of one variable, counted in the flattened event; this one, unless variables have their own.

        Steps, which meet one variable at a time, must ask for it.
        """
        return self

    @property
    def family(self) -> Conditional:
        """The family without the padding that `Columns` adds."""
        return self

    @property
    def uniform(self) -> bool:
        """True if all variables have the same conditional, so that a model need not know which variable it is at."""
        return True

    def require_uniform(self, owner: str) -> None:
        """Raise ``ValueError``, in the name of ``owner``, if variables have conditionals of their own."""
        if not self.uniform:
            raise ValueError(f"{owner} expects one conditional of all variables, got {self}")

    def check_event(self, event_shape: tuple[int, ...]) -> None:  # noqa: B027  # most families fit any event
        """Raise ``ValueError``, saying expected and got, where the family does not fit such events."""

    @property
    def codes(self) -> Codes | None:
        """The draws and the encoding of values, for a compiled walk; None where only Python can."""
        return None

    @property
    def group(self) -> str:
        """Families of the same group can be computed `together`; by default, those that are equal."""
        return repr(self)

    def together(self, families: Sequence[Conditional]) -> Conditional:
        """The conditional of n variables ``(..., n)`` that have ``families``, all of this one's group.

        It may have more parameters and features than some of them, the last of which mean nothing there.
        """
        return self

    @property
    def config(self) -> dict[str, Any]:
        """The arguments that build an equal conditional, of plain types."""
        return {}

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.config.items())
        return f"{type(self).__name__}({arguments})"

    def __str__(self) -> str:
        """As `repr`, with the length of a list that is long."""
        arguments = ", ".join(f"{name}={_in_short(value)}" for name, value in self.config.items())
        return f"{type(self).__name__}({arguments})"


def _in_short(value: Any) -> str:
    long = isinstance(value, list | tuple) and len(value) > 3
    return f"[{len(value)} values]" if long else str(value) if isinstance(value, Conditional) else repr(value)


def at_least_single(parameters: Tensor) -> Tensor:
    """``parameters``, in single precision if they are in half, which would round log-probabilities to two digits.

    >>> at_least_single(torch.zeros(1, dtype=torch.bfloat16)).dtype
    torch.float32
    """
    return parameters.float() if parameters.dtype in (torch.bfloat16, torch.float16) else parameters


def _number(value: float) -> str:
    return "NaN" if value != value else f"{value:g}"


def check_integers(x: Tensor, count: int, family: str) -> None:
    """Raise ``ValueError`` unless every value of ``x`` is one of 0, 1, ..., count - 1."""
    numbers = x if torch.is_floating_point(x) else x.long()  # a comparison with 256 would wrap in bytes
    valid = (numbers >= 0) & (numbers < count) & (numbers == numbers.round())
    if not bool(valid.all()):
        expected = "0 or 1" if count == 2 else f"integers from 0 to {count - 1}"
        raise ValueError(f"{family} expects values {expected}, got {_number(x[~valid][0].item())}")
