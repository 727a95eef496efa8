"""Completion: fill in the unknown variables of given examples."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.model import AutoregressiveModel
from chainrule.tasks.sample import drawer, seeded_walk


def complete(
    model: AutoregressiveModel,
    x: Tensor,
    observed: Tensor,
    *,
    seed: int | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    greedy: bool = False,
    context: Tensor | None = None,
) -> Tensor:
    """Draw the unobserved variables from p(unobserved | observed); the observed keep their values.

    Exact, by clamping: the known values are fed to the walk, and the rest is drawn. That is a draw from
    the conditional only where the known variables come first in the model's order.

    Args:
        model: Any model of the contract.
        x: Examples ``(B, *event_shape)``; values that are not observed are ignored.
        observed: Which variables are known: booleans of shape ``event_shape``, the same for all examples.
        seed: The same seed gives the same completions; None draws from torch's own generator.
        temperature: See `sample`, as for the settings that follow.
        top_k: Keep only the k most probable values.
        top_p: Keep only the nucleus of this probability.
        greedy: Take the most probable value of every unknown variable.
        context: What the examples are conditioned on.

    Returns:
        Completed examples ``(B, *event_shape)``.

    Raises:
        ValueError: If a shape or an observed value does not fit the model, or a known variable comes
            after an unknown one in the model's order.
    """
    if tuple(observed.shape) != model.event_shape:
        raise ValueError(f"observed expects the shape of one example, {model.event_shape}, got {tuple(observed.shape)}")
    if tuple(x.shape[1:]) != model.event_shape:
        expected = ", ".join(map(str, ("B", *model.event_shape)))
        raise ValueError(f"x expects examples of shape ({expected}), got {tuple(x.shape)}")
    if not bool(((observed == 0) | (observed == 1)).all()):
        raise ValueError("observed expects booleans, or 0 and 1, got other values")
    observed = observed.to(device=x.device, dtype=torch.bool)
    x = model.check(torch.where(observed, x, torch.zeros_like(x))).to(model.device)
    known = model.order.flatten(observed.unsqueeze(0).to(x.device))[0].tolist()
    count = sum(known)
    if not all(known[:count]):
        first = known.index(False)
        raise ValueError(
            f"complete expects the known variables to come first in the model's order, got an unknown variable at "
            f"time {first} before the known one at time {first + known[first:].index(True)}: "
            "use a model fitted with an order in which they come first"
        )
    given = model.order.flatten(x)
    draw = drawer(model, temperature=temperature, top_k=top_k, top_p=top_p, greedy=greedy)

    def choose(t: int, distribution: Distribution) -> Tensor:
        return given[:, t] if t < count else draw(t, distribution)

    return seeded_walk(model, len(x), choose, seed=seed, context=context)
