"""Density estimation: the likelihood of given examples under a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from chainrule.abilities import members_of
from chainrule.batch import BatchSource, as_source
from chainrule.model import AutoregressiveModel
from chainrule.sequence import history_of, sequence_model
from chainrule.tasks.batches import evaluation_mode, rows_of_batch
from chainrule.tasks.score import CarriedSurprisals

FEW = 10
"""Among fewer examples, one may well have more than half of the total."""


@dataclass(frozen=True)
class Outlier:
    """An example that decides the mean: its -log p(x) is larger than the sum of all others'.

    Attributes:
        index: The place of the example, from 0.
        nats: Its -log p(x).
        others_nats: The mean of -log p(x) of the others.
    """

    index: int
    nats: float
    others_nats: float


@dataclass(frozen=True)
class Evaluation:
    """The negative log-likelihood of a set of examples.

    Attributes:
        nats: Mean of -log p(x), in nats per example.
        nats_stderr: Standard error of that mean over the examples; NaN for one example.
        bits_per_dim: Bits per variable: ``nats / (n log 2)``, n being the mean number of variables of an example.
        examples: The number of examples.
        variables: The number of variables of all of them together.
        member_nats: The ``nats`` of each member of an ensemble by itself.
        outlier: The example that decides the mean, if there is one.
    """

    nats: float
    nats_stderr: float
    bits_per_dim: float
    examples: int
    variables: int
    member_nats: tuple[float, ...] = ()
    outlier: Outlier | None = None

    def __str__(self) -> str:
        return mean_in_words(self.nats, self.nats_stderr)

    def as_dict(self) -> dict[str, Any]:
        """The attributes as plain values; ``member_nats`` only of an ensemble, and ``outlier`` only if there is one."""
        return {name: value for name, value in asdict(self).items() if value not in ((), None)}


def mean_in_words(mean: float, stderr: float | None, digits: int = 4) -> str:
    """A mean in nats with its standard error, which is left out if it is None or NaN, as that of one example.

    >>> mean_in_words(1.5, 0.25, digits=2), mean_in_words(1.5, math.nan, digits=2)
    ('1.50 +- 0.25 nats', '1.50 nats')
    """
    known = stderr is not None and not math.isnan(stderr)
    return f"{mean:.{digits}f} +- {stderr:.{digits}f} nats" if known else f"{mean:.{digits}f} nats"


def evaluate(
    model: AutoregressiveModel, examples: Any, *, context: Tensor | None = None, batch_size: int = 256
) -> Evaluation:
    """The mean NLL of ``examples`` under ``model``; each example and each variable counts once.

    A stream is one example for a model of sequences, which reads all of it with one state; any other model takes its
    windows as independent examples. Recordings are examples of their own lengths. The padding of a document does not
    count.

    Args:
        model: Any model of the contract.
        examples: A tensor or an array ``(N, *event_shape)``, or a split of a data set, which may be larger than memory.
        context: What each example is conditioned on: classes ``(N,)``.
        batch_size: Examples per parallel pass; fewer where they are large.

    Raises:
        ValueError: If there are no examples, or they don't fit the model.
    """
    members = members_of(model)
    joints, variables = _log_probs(members or (model,), as_source(examples), context, batch_size)
    joints = joints.double()
    log_probs = joints.logsumexp(0) - math.log(len(joints)) if members else joints[0]
    count, nats = len(log_probs), -log_probs.mean().item()
    return Evaluation(
        nats=nats,
        nats_stderr=log_probs.std().item() / math.sqrt(count) if count > 1 else math.nan,
        bits_per_dim=nats * count / (variables * math.log(2)),
        examples=count,
        variables=variables,
        member_nats=tuple((-joints.mean(1)).tolist()) if members else (),
        outlier=_outlier(-log_probs),
    )


def _outlier(nats: Tensor) -> Outlier | None:
    """The example that decides the mean of ``nats`` ``(N,)``, if there is one."""
    index = int(nats.argmax())
    others = torch.cat([nats[:index], nats[index + 1 :]])
    if len(nats) < FEW or not nats[index] > others.abs().sum():
        return None
    return Outlier(index, float(nats[index]), float(others.mean()))


def log_prob(
    model: AutoregressiveModel, examples: Any, *, context: Tensor | None = None, batch_size: int = 256
) -> Tensor:
    """Log p(x) in nats, ``(N,)`` on the CPU, of examples of any form and number, without gradients.

    Args:
        model: Any model of the contract.
        examples: See `evaluate`.
        context: What each example is conditioned on: classes ``(N,)``.
        batch_size: Examples per parallel pass; fewer where they are large.

    Raises:
        ValueError: If there are no examples, or they or the context don't fit the model.
    """
    return _log_probs((model,), as_source(examples), context, batch_size)[0][0]


def _log_probs(
    models: Sequence[AutoregressiveModel], source: BatchSource, context: Tensor | None, batch_size: int
) -> tuple[Tensor, int]:
    """Log p(x) of every example under each of M ``models`` ``(M, N)``, and the number of their variables."""
    model, columns, variables = models[0], [], 0
    carried = None
    history = history_of(model, ragged=source.ragged)
    size = rows_of_batch(batch_size, model) if history is None else batch_size
    for batch in source.in_order(size, history=history, context=context):
        variables += batch.x.numel() if batch.counted is None else int(batch.counted.sum())
        if batch.continues is None:
            x = batch.x.to(model.device)
            with evaluation_mode(*models), torch.inference_mode():
                found = [each.log_prob(x, batch.context) for each in models]
            columns.append(torch.stack(found).cpu())
            continue
        carried = carried or CarriedSurprisals(sequence_model(model))
        nats = carried(batch)
        nats = (nats if batch.counted is None else nats.masked_fill(~batch.counted, 0.0)).sum(1)
        if batch.continues:
            columns[-1] -= nats
        else:
            columns.append(-nats[None])
    if not columns:
        raise ValueError("expected at least one example, got none")
    return torch.cat(columns, dim=1).clone(), variables  # an ordinary tensor, made outside of inference mode
