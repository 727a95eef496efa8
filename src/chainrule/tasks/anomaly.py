"""Anomaly scores of examples. Higher is more anomalous.

Some compare log p(x) of an example with log p(x_1), ..., log p(x_N) of calibration examples:

- nll: -log p(x);
- pvalue: -log of the p-value, in nats: see `chainrule.tasks.calibration`;
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
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from chainrule.conditionals.base import check_integers
from chainrule.tasks.calibration import Calibration

Given = TypeVar("Given")

SCORES = ("nll", "pvalue", "typicality", "ratio", "complexity")


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
        return -_needed(calibration, score, "a calibration").log_pvalues(log_probs)
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
