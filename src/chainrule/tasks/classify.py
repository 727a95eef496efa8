"""Classification by Bayes' rule, from a model that is conditioned on classes.

p(c | x) = p(c) p(x | c) / sum_k p(k) p(x | k)

An example that is impossible in every class says nothing of its class: p(c | x) is then the prior.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from chainrule.model import AutoregressiveModel
from chainrule.tasks.evaluate import log_prob


def classify(
    model: AutoregressiveModel, examples: Any, *, prior: Tensor | None = None, batch_size: int = 256
) -> Tensor:
    """Log p(c | x) of every class, ``(N, classes)`` in nats.

    Args:
        model: A model with ``num_classes``.
        examples: ``(N, *event_shape)``: a tensor, or a data set that gives a batch for a slice.
        prior: p(c), ``(classes,)``, such as `class_prior` of the training examples; None if all are equally probable.
        batch_size: Examples per parallel pass.

    Raises:
        ValueError: If the model has no classes, the prior is no distribution over them, or an example does not fit.
    """
    log_prior = check_prior(model, prior)
    joints = []
    for c in range(len(log_prior)):
        context = torch.full((len(examples),), c)
        joints.append(log_prob(model, examples, context=context, batch_size=batch_size).double() + log_prior[c])
    return _posterior(torch.stack(joints, dim=1), log_prior)


def classify_progressively(model: AutoregressiveModel, x: Tensor, *, prior: Tensor | None = None) -> Tensor:
    """Log p(c | x_<t) for t = 0, ..., n, ``(B, n + 1, classes)`` in nats: how a class becomes clear along the order.

    Args:
        model: A model with ``num_classes`` and one order.
        x: Examples ``(B, *event_shape)``.
        prior: See `classify`.

    Raises:
        ValueError: As `classify`, and if the model is a mixture over orders.
    """
    log_prior = check_prior(model, prior)
    x = model.check(x).to(model.device)
    evidence = []
    with torch.no_grad():
        for c in range(len(log_prior)):
            distribution = model(x, torch.full((len(x),), c, device=model.device))
            terms = model.order.flatten(distribution.log_prob(x)).double()
            evidence.append(torch.cat([terms.new_zeros(len(x), 1), terms.cumsum(1)], dim=1))
    log_prior = log_prior.to(model.device)
    return _posterior(torch.stack(evidence, dim=2) + log_prior, log_prior)


def _posterior(joints: Tensor, log_prior: Tensor) -> Tensor:
    """Log p(c | x) from log p(c) p(x | c), ``(..., classes)``; the prior where x is impossible in every class."""
    impossible = joints.amax(-1, keepdim=True) == -torch.inf
    return torch.where(impossible, log_prior, joints).log_softmax(-1)


def class_prior(labels: Tensor, num_classes: int) -> Tensor:
    """The frequency of each class among ``labels`` ``(N,)`` and one more example of each: ``(num_classes,)``.

    >>> class_prior(torch.tensor([0, 0, 1]), 2)
    tensor([0.6000, 0.4000], dtype=torch.float64)
    """
    counts = torch.bincount(labels, minlength=num_classes).double() + 1
    return counts / counts.sum()


def check_prior(model: AutoregressiveModel, prior: Tensor | None) -> Tensor:
    """Log p(c), ``(classes,)``."""
    if model.num_classes is None:
        raise ValueError(f"classify expects a model with num_classes, got a {type(model).__name__} without")
    if prior is None:
        prior = torch.full((model.num_classes,), 1 / model.num_classes)
    prior = prior.double()
    total = float(prior.sum())
    if prior.shape != (model.num_classes,) or not bool((prior >= 0).all()) or abs(total - 1) > 1e-4:
        got = f"the shape {tuple(prior.shape)}, sum {total:g}"
        raise ValueError(f"prior expects probabilities of {model.num_classes} classes, got {got}")
    return prior.log()


def first_classes(
    log_probs: Tensor, names: Sequence[str] | None = None, classes: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The most probable class of each example and its probability, as rows that are printed.

    Args:
        log_probs: Log p(c | x) ``(N, num_classes)``.
        names: The examples' names.
        classes: The names of the classes; they have numbers otherwise.

    >>> first_classes(torch.tensor([[0.25, 0.75]]).log())
    [{'number': 1, 'class': 1, 'probability': 0.75}]
    """
    found = zip(*(each.tolist() for each in log_probs.exp().max(1)), strict=True)
    rows = [{"class": classes[best] if classes else best, "probability": probability} for probability, best in found]
    named = [{}] * len(rows) if names is None else [{"file": name} for name in names]
    return [{"number": i + 1, **named[i], **row} for i, row in enumerate(rows)]
