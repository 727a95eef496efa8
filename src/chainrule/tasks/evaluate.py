"""Density estimation: the likelihood of given examples under a model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from chainrule.abilities import members_of
from chainrule.batch import BatchSource, as_source
from chainrule.card import Card
from chainrule.model import AutoregressiveModel
from chainrule.sequence import history_of, sequence_model
from chainrule.tasks.batches import evaluation_mode, rows_of_batch
from chainrule.tasks.score import CarriedSurprisals

TOGETHER = 2**20
"""Examples whose log p is held in memory at once."""

NONE = "expected at least one example, got none"

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

    def _repr_html_(self) -> str:
        facts = {"-log p(x), mean": str(self), "bits per dimension": self.bits_per_dim, "examples": self.examples}
        return Card(
            "Evaluation", facts | {"of each member": [f"{nats:.3f}" for nats in self.member_nats] or None}
        ).html()

    def as_dict(self) -> dict[str, Any]:
        """The attributes as plain values; ``member_nats`` only of an ensemble, and ``outlier`` only if there is one."""
        return {name: value for name, value in asdict(self).items() if value not in ((), None)}


@dataclass(frozen=True)
class Tally:
    """Sums of -log p(x), in nats, over some examples.

    Two tallies are added by the formula of Chan, Golub and LeVeque for means and squared deviations, so that neither
    many examples nor large values cost digits.

    Attributes:
        examples: The number of examples.
        variables: The number of variables of all of them together.
        mean: The mean of -log p(x).
        squares: The sum of its squared deviations from that mean.
        worst: The largest of them.
        worst_index: The place of that example.
        others_sum: The sum of all others.
        others_size: The sum of the absolute values of all others.
        member_means: The mean of each member of an ensemble by itself.

    References:
        Algorithms for computing the sample variance (Chan, Golub and LeVeque, 1983)
    """

    examples: int
    variables: int
    mean: float
    squares: float
    worst: float
    worst_index: int
    others_sum: float
    others_size: float
    member_means: tuple[float, ...] = ()

    @classmethod
    def of(cls, joints: Tensor, variables: int, *, first: int = 0, ensemble: bool = False) -> Tally:
        """The tally of log p(x) under each of M members ``(M, N)``, or under one model ``(1, N)``.

        Args:
            joints: Log p(x) in nats.
            variables: The number of variables of all examples together.
            first: The place of the first example.
            ensemble: True for an ensemble, which may have one member.
        """
        joints = joints.double()
        nats = -(joints.logsumexp(0) - math.log(len(joints)) if len(joints) > 1 else joints[0])
        index = int(nats.argmax())
        others = torch.cat([nats[:index], nats[index + 1 :]])
        return cls(
            examples=len(nats),
            variables=variables,
            mean=nats.mean().item(),
            squares=(nats - nats.mean()).square().sum().item(),
            worst=nats[index].item(),
            worst_index=first + index,
            others_sum=others.sum().item(),
            others_size=others.abs().sum().item(),
            member_means=tuple((-joints.mean(1)).tolist()) if ensemble or len(joints) > 1 else (),
        )

    @classmethod
    def total(cls, tallies: Sequence[Tally]) -> Tally:
        """The tally of the examples of all of ``tallies``, of which there is at least one."""
        return reduce(cls.plus, tallies)

    def plus(self, other: Tally) -> Tally:
        """The tally of the examples of both.

        >>> one, two = Tally.of(-torch.tensor([[1.0, 3.0]]), 2), Tally.of(-torch.tensor([[5.0, 7.0]]), 2, first=2)
        >>> one.plus(two) == Tally.of(-torch.tensor([[1.0, 3.0, 5.0, 7.0]]), 4)
        True
        """
        count = self.examples + other.examples
        share = other.examples / count
        least, most = (self, other) if other.worst > self.worst else (other, self)
        between = (other.mean - self.mean) ** 2 * self.examples * share
        return Tally(
            examples=count,
            variables=self.variables + other.variables,
            mean=self.mean * (1 - share) + other.mean * share,
            squares=self.squares + other.squares + between,
            worst=most.worst,
            worst_index=most.worst_index,
            others_sum=self.others_sum + other.others_sum + least.worst,
            others_size=self.others_size + other.others_size + abs(least.worst),
            member_means=tuple(
                own * (1 - share) + theirs * share
                for own, theirs in zip(self.member_means, other.member_means, strict=True)
            ),
        )

    def evaluation(self) -> Evaluation:
        """The figures that follow."""
        count = self.examples
        return Evaluation(
            nats=self.mean,
            nats_stderr=math.sqrt(self.squares / (count - 1) / count) if count > 1 else math.nan,
            bits_per_dim=self.mean * count / (self.variables * math.log(2)),
            examples=count,
            variables=self.variables,
            member_nats=self.member_means,
            outlier=self._outlier(),
        )

    def _outlier(self) -> Outlier | None:
        """The example that decides the mean, if there is one."""
        if self.examples < FEW or not self.worst > self.others_size:
            return None
        return Outlier(self.worst_index, self.worst, self.others_sum / (self.examples - 1))


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
    return tally(model, examples, context=context, batch_size=batch_size).evaluation()


def tally(
    model: AutoregressiveModel, examples: Any, *, context: Tensor | None = None, batch_size: int = 256, first: int = 0
) -> Tally:
    """The sums of an evaluation of ``examples``, which may be a part of all; see `evaluate`.

    Args:
        model: Any model of the contract.
        examples: As in `evaluate`.
        context: As in `evaluate`.
        batch_size: As in `evaluate`.
        first: The place of the first of them among all examples.
    """
    members = members_of(model)
    found = _log_probs(members or (model,), as_source(examples), context, batch_size)
    tallies = []
    for joints, variables in _gathered(found):
        tallies.append(Tally.of(joints, variables, first=first, ensemble=bool(members)))
        first += tallies[-1].examples
    if not tallies:
        raise ValueError(NONE)
    return Tally.total(tallies)


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
    parts = [joints[0] for joints, _ in _log_probs((model,), as_source(examples), context, batch_size)]
    if not parts:
        raise ValueError(NONE)
    return torch.cat(parts).clone()  # an ordinary tensor, made outside of inference mode


def _gathered(found: Iterator[tuple[Tensor, int]]) -> Iterator[tuple[Tensor, int]]:
    """The same, about `TOGETHER` examples at once."""
    parts, examples, variables = list[Tensor](), 0, 0
    for joints, count in found:
        parts.append(joints)
        examples, variables = examples + joints.shape[1], variables + count
        if examples >= TOGETHER:
            yield torch.cat(parts, dim=1), variables
            parts, examples, variables = [], 0, 0
    if parts:
        yield torch.cat(parts, dim=1), variables


def _log_probs(
    models: Sequence[AutoregressiveModel], source: BatchSource, context: Tensor | None, batch_size: int
) -> Iterator[tuple[Tensor, int]]:
    """Log p(x) of some examples after others under each of M ``models`` ``(M, k)``, and their number of variables."""
    model, joints, variables = models[0], None, 0
    carried = None
    history = history_of(model, ragged=source.ragged)
    size = rows_of_batch(batch_size, model) if history is None else batch_size
    for batch in source.in_order(size, history=history, context=context):
        count = batch.x.numel() if batch.counted is None else int(batch.counted.sum())
        if batch.continues is None:
            x = batch.x.to(model.device)
            with evaluation_mode(*models), torch.inference_mode():
                found = [each.log_prob(x, batch.context) for each in models]
            yield torch.stack(found).cpu(), count
            continue
        carried = carried or CarriedSurprisals(sequence_model(model))
        nats = carried(batch)
        nats = (nats if batch.counted is None else nats.masked_fill(~batch.counted, 0.0)).sum(1)
        if batch.continues:
            assert joints is not None
            joints, variables = joints - nats, variables + count
            continue
        if joints is not None:
            yield joints, variables
        joints, variables = -nats[None], count
    if joints is not None:
        yield joints, variables
