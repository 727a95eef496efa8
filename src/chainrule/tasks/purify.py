"""PixelDefend: move an image, within a small distance, to where the model finds it probable.

Variable by variable along the order, x'_t is the most probable value within epsilon of x_t, given the values x'_<t that
were chosen before. The search is greedy, so p(x') may be less than p(x); x then stays as it is, unlike in the paper.
It is no defence by itself: an attack that is computed through it defeats it (BPDA).

References:
    PixelDefend: leveraging generative models to understand and defend against adversarial examples
    (Song et al., 2018), https://arxiv.org/abs/1710.10766, algorithm 1
    Obfuscated gradients give a false sense of security (Athalye, Carlini and Wagner, 2018),
    https://arxiv.org/abs/1802.00420
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.abilities import components_of
from chainrule.model import AutoregressiveModel
from chainrule.tasks.calibration import Calibration
from chainrule.tasks.evaluate import log_prob
from chainrule.tasks.sample import drawing
from chainrule.walk import walk


def purify(
    model: AutoregressiveModel, x: Tensor, epsilon: float, *, context: Tensor | None = None, batch_size: int = 256
) -> Tensor:
    """The examples ``x`` ``(B, *event_shape)``, each value replaced by the most probable within ``epsilon`` of it.

    An example whose log p would not rise is returned as it is: log p never falls.

    Args:
        model: Any model of one order whose values can be listed.
        x: The examples.
        epsilon: The greatest change of a value, in levels (of 256, 8 / 255 is 8); 0 gives ``x`` back.
        context: What each example is conditioned on: classes ``(B,)``.
        batch_size: Examples of a walk.

    Returns:
        ``(B, *event_shape)``, at most ``epsilon`` from ``x`` everywhere.

    Raises:
        ValueError: If ``x`` does not fit the model, ``epsilon`` is negative, or the model has no listed values or no
            single order.

    >>> from chainrule.conditionals import Categorical
    >>> from chainrule.models import FVSBN
    >>> model = FVSBN(event_shape=(3,), conditional=Categorical(4))
    >>> _ = model.regressions.bias.data.copy_(torch.tensor([3.0, 2.0, 1.0, 0.0] * 3))  # the less, the more probable
    >>> purify(model, torch.tensor([[3.0, 0.0, 2.0]]), 1)
    tensor([[2., 0., 1.]])
    """
    if not 0 <= epsilon < math.inf:
        raise ValueError(f"epsilon expects a number of levels, 0 or more, got {epsilon}")
    if batch_size < 1:
        raise ValueError(f"batch_size expects at least 1, got {batch_size}")
    values = model.conditional.values
    if values is None:
        raise ValueError(f"purify expects values that can be listed, got {model.conditional}")
    if len(components_of(model)) > 1:
        raise ValueError("purify expects a model of one order, got a mixture over orders")
    x = model.check(x)
    context = model.check_context(context, len(x))
    parts = []
    with drawing(model, None):
        for start in range(0, len(x), batch_size):
            part = slice(start, start + batch_size)
            own = None if context is None else context[part]
            parts.append(_purified(model, x[part].to(model.device), values, epsilon, own))
    if not parts:
        return x
    found = torch.cat(parts)
    before, after = (log_prob(model, each, context=context, batch_size=batch_size) for each in (x, found))
    rises = (after > before).to(found.device).view(-1, *[1] * (x.dim() - 1))
    return torch.where(rises, found, x.to(found.device))


def _purified(model: AutoregressiveModel, x: Tensor, values: Tensor, epsilon: float, context: Tensor | None) -> Tensor:
    length = x.shape[1] if model.any_length else None
    given, listed = x if model.any_length else model.order.flatten(x), values.to(device=x.device, dtype=x.dtype)

    def choose(t: int, distribution: Distribution) -> Tensor:
        near = (listed - given[:, t : t + 1]).abs() <= epsilon
        scores = model.conditional.log_probs(distribution).masked_fill(~near, -torch.inf)
        # If no value nearby is possible at all, the given one stays.
        best = listed[scores.argmax(1)]
        return torch.where(scores.amax(1) == -torch.inf, given[:, t], best)

    return walk(model, len(x), choose, context, length=length).clone()  # outside of inference mode: an ordinary tensor


def purify_improbable(
    model: AutoregressiveModel,
    x: Tensor,
    epsilon: float,
    *,
    calibration: Calibration,
    threshold: float,
    context: Tensor | None = None,
    batch_size: int = 256,
) -> tuple[Tensor, Tensor]:
    """Purify only the examples whose p-value is below ``threshold``: the paper's adaptive defence.

    Args:
        model: See `purify`.
        x: See `purify`.
        epsilon: See `purify`.
        calibration: The distribution of log p over training examples; of whole examples, not means over symbols.
        threshold: The p-value, in (0, 1), below which an example is purified.
        context: See `purify`.
        batch_size: Examples of a pass, and of a walk.

    Returns:
        ``(B, *event_shape)``, and which examples were purified, booleans ``(B,)``.

    Raises:
        ValueError: As `purify`, and if the threshold is not in (0, 1).
    """
    if not 0 < threshold < 1:
        raise ValueError(f"threshold expects a p-value in (0, 1), got {threshold}")
    log_probs = log_prob(model, x, context=context, batch_size=batch_size)
    chosen = calibration.pvalues(log_probs) < threshold
    own = None if context is None else context[chosen]
    purified = x.to("cpu", model.dtype, copy=True)
    purified[chosen] = purify(model, x[chosen], epsilon, context=own, batch_size=batch_size).cpu()
    return purified, chosen
