"""Density estimation: how probable a model finds given examples."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from chainrule.abilities import members_of
from chainrule.model import AutoregressiveModel
from chainrule.sequence import SequenceModel
from chainrule.tasks.batches import of_batches
from chainrule.tasks.score import stream_surprisals


@dataclass(frozen=True)
class Evaluation:
    """The negative log-likelihood of a set of examples.

    Attributes:
        nats: Mean of -log p(x), in nats per example.
        nats_stderr: Standard error of that mean over the examples.
        bits_per_dim: Bits per variable: ``nats / (n log 2)``, n being the mean number of variables of an example.
        examples: How many examples were evaluated.
        variables: How many variables they have together.
        member_nats: Of an ensemble, what each member gives by itself.
    """

    nats: float
    nats_stderr: float
    bits_per_dim: float
    examples: int
    variables: int
    member_nats: tuple[float, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values; the members only where there are any."""
        values = asdict(self)
        if not self.member_nats:
            del values["member_nats"]
        return values


def evaluate(
    model: AutoregressiveModel,
    examples: Any,
    *,
    context: Tensor | None = None,
    batch_size: int = 256,
    variables: int | None = None,
) -> Evaluation:
    """The mean NLL of ``examples`` under ``model``, each example counted once.

    Args:
        model: Any model of the contract.
        examples: ``(N, *event_shape)``: a tensor, an array, or a data set that gives a batch for a slice.
        context: What each example is conditioned on: classes ``(N,)``.
        batch_size: Examples per parallel pass.
        variables: How many variables all examples have, where it is not as many as they have values (documents that
            are filled up with their end). `chainrule.evaluate_split` knows, and reads a stream as one sequence.

    Raises:
        ValueError: If there are no examples, or they don't fit the model.
    """
    members = [log_prob(member, examples, context=context, batch_size=batch_size) for member in members_of(model)]
    if members:
        log_probs = torch.stack(members).double().logsumexp(0) - math.log(len(members))
    else:
        log_probs = log_prob(model, examples, context=context, batch_size=batch_size).double()
    if variables is None:
        ragged = getattr(examples, "ragged", False)
        variables = examples.num_variables if ragged else torch.as_tensor(examples[:1]).numel() * len(log_probs)
    return _evaluation(log_probs, variables, tuple(-member.double().mean().item() for member in members))


def _evaluation(log_probs: Tensor, variables: int, member_nats: tuple[float, ...] = ()) -> Evaluation:
    """What log-probabilities ``(N,)`` of examples with so many variables together say."""
    count, nats = len(log_probs), -log_probs.mean().item()
    return Evaluation(
        nats=nats,
        nats_stderr=log_probs.std().item() / math.sqrt(count) if count > 1 else math.nan,
        bits_per_dim=nats * count / (variables * math.log(2)),
        examples=count,
        variables=variables,
        member_nats=member_nats,
    )


def evaluate_stream(model: SequenceModel, symbols: Any) -> Evaluation:
    """The NLL of one long sequence as one example: the state is carried through all of it, no variable is left out.

    Args:
        model: A model of sequences of any length.
        symbols: ``(N,)``, an array, which may be memory-mapped, or a tensor.

    Raises:
        ValueError: If there are no symbols, or they don't fit the model.
    """
    if len(symbols) == 0:
        raise ValueError("expected at least one variable, got none")
    pieces = (symbols[start : start + 2**16] for start in range(0, len(symbols), 2**16))
    nats = sum(part.sum().item() for part in stream_surprisals(model, pieces))
    return Evaluation(nats, math.nan, nats / (len(symbols) * math.log(2)), examples=1, variables=len(symbols))


def evaluate_sequences(model: SequenceModel, sequences: Iterable[Any], context: Tensor | None = None) -> Evaluation:
    """The mean NLL of sequences of any lengths, each an example by itself, given its length.

    Args:
        model: A model of sequences of any length.
        sequences: Tensors or arrays ``(m,)``.
        context: The class of each, ``(N,)``.

    Raises:
        ValueError: If there are no sequences, or they don't fit the model.
    """
    return _evaluation(*sequence_log_probs(model, sequences, context))


def sequence_log_probs(
    model: SequenceModel, sequences: Iterable[Any], context: Tensor | None = None
) -> tuple[Tensor, int]:
    """Log p of each of ``sequences`` in nats, float64 ``(N,)``, and how many variables they have together."""
    log_probs, variables = [], 0
    for i, sequence in enumerate(sequences):
        own = None if context is None else context[i : i + 1]
        log_probs.append(-torch.cat(list(stream_surprisals(model, [sequence], own))).sum())
        variables += len(sequence)
    if not log_probs:
        raise ValueError("expected at least one sequence, got none")
    return torch.stack(log_probs), variables


def log_prob(
    model: AutoregressiveModel, examples: Any, *, context: Tensor | None = None, batch_size: int = 256
) -> Tensor:
    """Log p(x) in nats, ``(N,)``, of any number of examples, a batch at a time and without gradients.

    Raises:
        ValueError: If there are no examples, or they or the context don't fit the model.
    """
    return of_batches(model.log_prob, model, examples, context=context, batch_size=batch_size)
