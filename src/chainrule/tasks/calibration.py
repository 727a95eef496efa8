"""P-values of examples, by those that a model was not fitted on.

The p-value of x compares log p(x) with log p of N calibration examples:

    p(x) = (1 + #{i: log p(x_i) <= log p(x)}) / (N + 1)

It is conformal: if x comes from where the calibration examples come from, then p(x) <= a has a probability of at most
a, however good or bad the model is. An example less probable than all of them would have 1 / (N + 1), whether it is
slightly so or far off. There, p(x) follows the tail of a generalised Pareto distribution, fitted to the least probable
of the calibration examples.

The least of N says little of how probable it is that an example is below it: 1 / (N + 1) may be a quarter of that. So
no example that is as probable as the least has a p-value below what the tail gives the least, and beyond it p(x) goes
on from there without a step.

References:
    Algorithmic learning in a random world (Vovk, Gammerman and Shafer, 2005): conformal p-values
    Statistical inference using extreme order statistics (Pickands, 1975): the tail
    Controlling the false discovery rate (Benjamini and Hochberg, 1995)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import scipy  # whose parts are imported when they are first used
import torch
from torch import Tensor

LEAST = 20
"""Examples that p-values compare with, at least."""

TAIL_EXAMPLES = 5
"""Examples that a tail is fitted to, at least."""


PRIOR = 30
"""The shape of a tail is found as if so many further examples had had the shape 1/2."""


@dataclass(frozen=True)
class Tail:
    """A generalised Pareto tail below the least of N log-probabilities.

    The probability of e nats or more below ``start`` falls as (1 + shape e / scale) ^ (-1 / shape), or, if the shape
    is 0, as exp(-e / scale). A negative shape, which ends somewhere, is taken for 0: no example is impossible. Few
    examples say little of the shape, and to take a tail for too light means false alarms: so `PRIOR` is on the heavy
    side.

    Attributes:
        start: The log-probability, in nats, where the tail begins.
        least: The least log-probability of the calibration examples: the tail is used below it.
        shape: The shape, 0 or more.
        scale: The scale in nats.
        examples: The number of examples that it was fitted to.
        share: The log of the share of all examples that it was fitted to.
    """

    start: float
    least: float
    shape: float
    scale: float
    examples: int
    share: float

    @classmethod
    def of(cls, log_probs: Tensor) -> Tail | None:
        """Fit it to the least of ascending ``log_probs`` ``(N,)``; None if they are too few, or all the same.

        It is fitted to 3 sqrt(N) of them, but at most a fifth, as for Pareto-smoothed weights (Vehtari et al., 2024).
        """
        values = log_probs[log_probs.isfinite()].numpy()
        count = min(len(values) // 5, round(3 * math.sqrt(len(values))))
        if count < TAIL_EXAMPLES:
            return None
        excess = values[count] - values[:count]
        if not excess[0] > 0:
            return None
        shape, _, _ = scipy.stats.genpareto.fit(excess, floc=0)
        shape = max(0.0, (count * shape + PRIOR * 0.5) / (count + PRIOR))
        _, _, scale = scipy.stats.genpareto.fit(excess, f0=shape, floc=0)
        share = math.log((count + 1) / (len(log_probs) + 1))
        return cls(float(values[count]), float(values[0]), float(shape), float(scale), count, share)

    @property
    def log_share_below(self) -> float:
        """The log of the share of all examples that are below the least of these."""
        return self.share + float(self._log_sf(self.start - self.least))

    def log_share(self, log_probs: Tensor) -> Tensor:
        """The log of the share of examples below the least that are as improbable as each of ``log_probs`` ``(B,)``."""
        excess, own = self.start - log_probs.numpy(), self.start - self.least
        with np.errstate(divide="ignore"):
            return torch.from_numpy(self._log_sf(excess) - self._log_sf(own))

    def quantile(self, share: float) -> float:
        """The log-probability below which a ``share``, in (0, 1], of the examples below the least are."""
        log_sf = math.log(share) + float(self._log_sf(self.start - self.least))
        units = -log_sf if self.shape == 0 else math.expm1(-self.shape * log_sf) / self.shape
        return self.start - self.scale * units

    def _log_sf(self, excess: np.ndarray | float) -> np.ndarray:
        return np.asarray(scipy.stats.genpareto.logsf(excess, self.shape, scale=self.scale))

    def __str__(self) -> str:
        return f"a generalised Pareto tail (shape {self.shape:.2f}) of the least probable {self.examples}"


@dataclass(frozen=True)
class Calibration:
    """The distribution of log p over examples that others are compared with.

    Attributes:
        log_probs: Log p of these examples, ascending, ``(N,)`` float64.
        ways: The K ways in which each of them may be strange, in any order, ``(N, K)``, less for stranger ones; None
            for examples of which only log p is known. See `Combined`.

    Raises:
        ValueError: If there are none, or they don't ascend; see `of`.
    """

    log_probs: Tensor
    ways: Tensor | None = None

    def __post_init__(self) -> None:
        values = self.log_probs
        if values.dim() != 1 or len(values) == 0 or not bool((values[1:] >= values[:-1]).all() & ~values.isnan().any()):
            raise ValueError("a calibration expects ascending log-probabilities of at least one example, got others")

    @classmethod
    def of(cls, log_probs: Tensor, ways: Tensor | None = None) -> Self:
        """Build it from log p of examples ``(N,)`` in any order, and their ways ``(N, K)``."""
        return cls(log_probs.double().flatten().sort().values.cpu(), ways)

    def joined(self, log_probs: Tensor) -> Calibration:
        """This one with log p of further examples ``(M,)``."""
        if len(log_probs) == 0:
            return self
        return self.of(torch.cat([self.log_probs, log_probs.double().flatten().cpu()]))

    @cached_property
    def tail(self) -> Tail | None:
        """The tail of p-values beyond the least probable example; None if there are too few examples for one."""
        return Tail.of(self.log_probs)

    def pvalues(self, log_probs: Tensor) -> Tensor:
        """The p-value of each of ``log_probs`` ``(B,)``, in [0, 1]; small is anomalous.

        >>> Calibration.of(torch.tensor([-3.0, -2.0, -1.0])).pvalues(torch.tensor([-9.0, -2.0, 0.0]))
        tensor([0.2500, 0.7500, 1.0000], dtype=torch.float64)
        """
        return self.log_pvalues(log_probs).exp()

    def log_pvalues(self, log_probs: Tensor) -> Tensor:
        """The log of `pvalues`, which tells very small ones apart; -inf only if log p is.

        Raises:
            ValueError: If a log-probability is NaN.
        """
        if bool(log_probs.isnan().any()):
            raise ValueError("a p-value expects log-probabilities, got NaN")
        log_probs = log_probs.double().cpu().contiguous()
        below = torch.searchsorted(self.log_probs, log_probs, right=True)
        ranks = (1 + below.double()).log() - math.log(len(self.log_probs) + 1)
        if self.tail is None:
            return ranks
        ranks = ranks.clamp(min=self._log_least)
        beyond = log_probs < self.tail.least
        return torch.where(beyond, ranks + self.tail.log_share(log_probs.clamp(max=self.tail.least)), ranks)

    @property
    def _log_least(self) -> float:
        """The log of the p-value of the least probable calibration example."""
        least = -math.log(len(self.log_probs) + 1)
        return least if self.tail is None else min(0.0, max(least, self.tail.log_share_below))

    def beyond(self, log_probs: Tensor) -> Tensor:
        """True for those of ``log_probs`` ``(B,)`` whose p-value is of the tail."""
        if self.tail is None:
            return torch.zeros(len(log_probs), dtype=torch.bool)
        return log_probs.double().cpu() < self.tail.least

    def threshold(self, rate: float) -> float:
        """Log p below which an example has a p-value of at most ``rate``: that share of ordinary ones, at most.

        It is -inf where there are too few examples for such a rate.

        Raises:
            ValueError: If ``rate`` is not in (0, 1).

        >>> Calibration.of(torch.tensor([-3.0, -2.0, -1.0])).threshold(0.5)
        -2.0
        """
        check_rate("rate", rate)
        rank = math.floor(rate * (len(self.log_probs) + 1) + 1e-9) - 1
        share = rate / math.exp(self._log_least)
        if share >= 1 - 1e-9:
            return float(self.log_probs[rank])
        return -math.inf if self.tail is None else self.tail.quantile(share)

    def typicality(self, log_probs: Tensor, group: int = 1) -> Tensor:
        """``|mean of -log p of a group - that of these examples|``, ``(B / group,)`` nats; groups are neighbours.

        Raises:
            ValueError: If the examples do not make whole groups.
        """
        if group < 1 or len(log_probs) % group:
            raise ValueError(f"group expects a divisor of {len(log_probs)}, the number of examples, got {group}")
        means = log_probs.double().cpu().view(-1, group).mean(1)
        return (means - self.log_probs.mean()).abs()


def alarm_range(rate: float, examples: int) -> tuple[float, float]:
    """The share of ordinary examples with a p-value of at most ``rate``, in 9 of 10 sets of calibration ``examples``.

    On average it is at most ``rate``. Given one set of N, it has a Beta(k, N + 1 - k) distribution, k being the whole
    part of rate (N + 1), where no two examples are equally probable.

    Reference:
        Conditional validity of inductive conformal predictors (Vovk, 2012)

    Raises:
        ValueError: If N is too small for the rate, so that k is 0.

    >>> low, high = alarm_range(0.05, 399)
    >>> round(low, 3), round(high, 3)
    (0.033, 0.069)
    """
    count = math.floor(rate * (examples + 1) + 1e-9)
    if count < 1:
        raise ValueError(f"a rate of {rate} expects at least {math.ceil(1 / rate) - 1} examples, got {examples}")
    low, high = scipy.stats.beta.ppf([0.05, 0.95], count, examples + 1 - count)
    return float(low), float(high)


def discoveries(pvalues: Tensor, rate: float) -> Tensor:
    """The anomalies among examples with these p-values ``(B,)``, by Benjamini and Hochberg: booleans.

    Of the examples that it names, a share of at most ``rate`` is ordinary, on average.

    Raises:
        ValueError: If ``rate`` is not in (0, 1).

    >>> discoveries(torch.tensor([0.001, 0.04, 0.5, 0.9]), 0.05)
    tensor([ True, False, False, False])
    """
    check_rate("fdr", rate)
    if len(pvalues) == 0:
        return torch.zeros(0, dtype=torch.bool)
    return torch.from_numpy(scipy.stats.false_discovery_control(pvalues.double().numpy()) <= rate)


def check_rate(name: str, rate: float) -> None:
    """Raise ``ValueError`` unless ``rate`` is in (0, 1)."""
    if not 0 < rate < 1:
        raise ValueError(f"{name} expects a share between 0 and 1, got {rate}")
