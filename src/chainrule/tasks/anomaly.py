"""Anomaly scores: the distance of an example from those that a model was fitted on. Higher is more anomalous.

They compare log p(x) of an example with log p(x_1), ..., log p(x_N) of training examples:

- nll: -log p(x);
- pvalue: 1 - (1 + #{i: log p(x_i) <= log p(x)}) / (N + 1), one less PixelDefend's p-value, which is uniform for
  examples from the distribution of the training examples;
- typicality: ``|-log p(x) - mean of -log p(x_i)|``, because examples that are too probable are strange too;
- ratio: log p_0(x) - log p(x), where p_0 is a background model, which knows what all data of the kind have in common;
- complexity: -log p(x) less the nats of a compressor, because simple examples are probable whatever they show.

References:
    PixelDefend (Song et al., 2018), https://arxiv.org/abs/1710.10766, section 3.2
    Detecting out-of-distribution inputs to deep generative models using typicality (Nalisnick et al., 2019),
    https://arxiv.org/abs/1906.02994
    Likelihood ratios for out-of-distribution detection (Ren et al., 2019), https://arxiv.org/abs/1906.02845
    Input complexity and out-of-distribution detection with likelihood-based generative models (Serra et al., 2020),
    https://arxiv.org/abs/1909.11480
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from chainrule.conditionals.base import check_integers

Given = TypeVar("Given")

SCORES = ("nll", "pvalue", "typicality", "ratio", "complexity")


@dataclass(frozen=True)
class Calibration:
    """The distribution of log p over training examples.

    Attributes:
        log_probs: Log p of some of them, or quantiles of it at even shares, ascending, ``(N,)`` float64.

    Raises:
        ValueError: If there are none, or they don't ascend; see `of`.
    """

    log_probs: Tensor

    def __post_init__(self) -> None:
        values = self.log_probs
        if values.dim() != 1 or len(values) == 0 or not bool((values[1:] >= values[:-1]).all() & ~values.isnan().any()):
            raise ValueError("a calibration expects ascending log-probabilities of at least one example, got others")

    @classmethod
    def of(cls, log_probs: Tensor, quantiles: int | None = None) -> Calibration:
        """Build it from log p of examples ``(N,)``, thinned out to at most ``quantiles`` numbers."""
        values = log_probs.double().flatten().sort().values.cpu()
        if quantiles is not None and len(values) > quantiles:
            values = values[torch.linspace(0, len(values) - 1, quantiles).round().long()]
        return cls(values)

    def pvalues(self, log_probs: Tensor) -> Tensor:
        """The rank-based p-value of each of ``log_probs`` ``(B,)``, in (0, 1]; small is anomalous.

        >>> Calibration.of(torch.tensor([-3.0, -2.0, -1.0])).pvalues(torch.tensor([-9.0, -2.0, 0.0]))
        tensor([0.2500, 0.7500, 1.0000], dtype=torch.float64)
        """
        if bool(log_probs.isnan().any()):
            raise ValueError("a p-value expects log-probabilities, got NaN")
        below = torch.searchsorted(self.log_probs, log_probs.double().cpu().contiguous(), right=True)
        return (1 + below.double()) / (len(self.log_probs) + 1)

    def typicality(self, log_probs: Tensor, group: int = 1) -> Tensor:
        """``|mean of -log p of a group - that of training|``, ``(B / group,)`` nats; the groups are neighbours.

        Raises:
            ValueError: If the examples do not make whole groups.
        """
        if group < 1 or len(log_probs) % group:
            raise ValueError(f"group expects a divisor of {len(log_probs)}, the number of examples, got {group}")
        means = log_probs.double().cpu().view(-1, group).mean(1)
        return (means - self.log_probs.mean()).abs()


def anomaly_scores(
    score: str,
    log_probs: Tensor,
    *,
    calibration: Calibration | None = None,
    background: Tensor | None = None,
    complexity: Tensor | None = None,
) -> Tensor:
    """One of the module's scores for each example, ``(B,)``; higher is more anomalous.

    Args:
        score: ``nll``, ``pvalue``, ``typicality``, ``ratio`` or ``complexity``.
        log_probs: Log p of the examples, ``(B,)``.
        calibration: For ``pvalue`` and ``typicality``.
        background: Log p_0 of the same examples, for ``ratio``.
        complexity: Nats of the same examples, for ``complexity``; see `compressed_nats`.

    Raises:
        ValueError: If the score is unknown, or what it needs is missing.
    """
    log_probs = log_probs.double().cpu()
    if score == "nll":
        return -log_probs
    if score == "pvalue":
        return 1 - _needed(calibration, score, "a calibration").pvalues(log_probs)
    if score == "typicality":
        return _needed(calibration, score, "a calibration").typicality(log_probs)
    if score == "ratio":
        other = _needed(background, score, "log p of a background model").double().cpu()
        _check_as_many(other, log_probs, score)
        # An example that the model finds impossible is strange, whatever the background says.
        return torch.where(log_probs == -math.inf, math.inf, other - log_probs)
    if score == "complexity":
        nats = _needed(complexity, score, "the nats of a compressor").double().cpu()
        _check_as_many(nats, log_probs, score)
        return -log_probs - nats
    raise ValueError(f"score expects one of {', '.join(SCORES)}, got {score!r}")


def _needed(given: Given | None, score: str, what: str) -> Given:
    if given is None:
        raise ValueError(f"the score {score} expects {what}, got none")
    return given


def _check_as_many(given: Tensor, log_probs: Tensor, score: str) -> None:
    if given.shape != log_probs.shape:
        raise ValueError(
            f"the score {score} expects as many as log p, {tuple(log_probs.shape)}, got {tuple(given.shape)}"
        )


def compressed_nats(x: Tensor, levels: int = 256) -> Tensor:
    """The size of each example of ``x`` ``(B, ...)`` when zlib compresses it, ``(B,)`` nats.

    Args:
        x: Integers from 0 to ``levels`` - 1.
        levels: The number of values: up to 256 are compressed as bytes, up to 65,536 as two bytes each.

    Raises:
        ValueError: If there are more, or a value is no such integer.
    """
    if levels > 2**16:
        raise ValueError(f"levels expects at most {2**16}, got {levels}")
    check_integers(x, levels, "compressed_nats")
    values = x.cpu().numpy().astype(np.uint8 if levels <= 256 else np.uint16)
    sizes = [len(zlib.compress(example.tobytes(), 9)) for example in values]
    return torch.tensor(sizes, dtype=torch.float64) * 8 * math.log(2)
