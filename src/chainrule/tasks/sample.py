"""Generation: draw examples from p(x), variable by variable."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Literal

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.abilities import Mixture, components_of, picked
from chainrule.choices import ChangedDraw, Choose
from chainrule.codes import Drawing
from chainrule.devices import seed_everything
from chainrule.model import AutoregressiveModel
from chainrule.sequence import reads_streams
from chainrule.walk import walk


def sample(
    model: AutoregressiveModel,
    n: int,
    *,
    seed: int | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    greedy: bool = False,
    context: Tensor | None = None,
    prefix: Tensor | None = None,
    length: int | None = None,
    watch: Callable[[Tensor], None] | None = None,
    precision: Literal["32-true", "bf16-mixed"] = "32-true",
    undrawn: int | None = None,
) -> Tensor:
    """Draw ``n`` examples ``(n, *event_shape)`` from the model.

    With a temperature, ``top_k``, ``top_p``, ``greedy`` or ``undrawn``, every conditional is changed before it is drawn
    from, so the examples are no longer distributed as p(x).

    Args:
        model: Any model of the contract.
        n: The number of examples.
        seed: The same seed gives the same examples, and leaves torch's own generator untouched;
            None draws from that generator.
        temperature: Conditionals become p^(1/temperature), normalised; below 1 sharpens them.
        top_k: Keep only the k most probable values of every variable.
        top_p: Keep only the fewest most probable values that together have this probability.
        greedy: Take the most probable value of every variable.
        context: What each example is conditioned on: classes ``(n,)``.
        prefix: Values ``(k,)`` of the first k variables of every example, along the order; they are not drawn.
        length: The number of variables after the prefix, of a model of any length; by default that of the event.
        watch: Called with the values ``(n,)`` of every variable as it is drawn.
        precision: ``"32-true"``, that of the model itself, or ``"bf16-mixed"``: matrix products in bfloat16, which are
            faster for wide layers and many examples at once; conditionals then differ from p by rounding.
        undrawn: A value that is never drawn: conditionals become p(x_t | x_<t, x_t is another value).

    Raises:
        ValueError: If a setting is out of range, does not fit the model, or needs values that can be listed.
    """
    if n < 1:
        raise ValueError(f"n expects at least 1 example, got {n}")
    components = components_of(model)
    changed = drawer(model, temperature=temperature, top_k=top_k, top_p=top_p, greedy=greedy)
    other = None if undrawn is None else _drawer_without(model, undrawn, changed)
    # Compiled walks are much faster: the few values that they should not have drawn are then drawn again.
    later = other is not None and top_k is None and top_p is None and watch is None and reads_streams(model)
    draw: Choose | None = changed if other is None or later else other
    draw = draw if watch is None else _watched(draw, watch)
    context = model.check_context(context, n)
    if len(components) > 1 and (prefix is not None or length is not None or watch is not None):
        raise ValueError("prefix, length and watch expect a model of one order, got a mixture over orders")
    total = _total_length(model, prefix, length)
    beginning = None if prefix is None else prefix.expand(n, len(prefix))
    with drawing(model, seed, precision):
        if prefix is None and length is None and watch is None:
            x = _drawn(model, n, draw, context)
        else:
            x = walk(components[0], n, draw, context, prefix=beginning, length=total)
        if later and undrawn is not None:
            _redraw(model, x, 0 if prefix is None else len(prefix), other, context, undrawn)
    return x.clone()  # outside of inference mode: an ordinary tensor, which may meet gradients later


def _redraw(
    model: AutoregressiveModel, x: Tensor, known: int, draw: Choose | None, context: Tensor | None, undrawn: int
) -> None:
    """Draw the examples ``x`` ``(n, length)`` anew from the first variable after ``known`` that is ``undrawn``."""
    found = x[:, known:] == undrawn
    firsts = known + found.int().argmax(1)
    for first in firsts[found.any(1)].unique().tolist():
        rows = (found.any(1) & (firsts == first)).nonzero().squeeze(1)
        own = None if context is None else context[rows]
        x[rows] = walk(model, len(rows), draw, own, prefix=x[rows, :first], length=x.shape[1])


def _drawer_without(model: AutoregressiveModel, undrawn: int, draw: ChangedDraw | None) -> Choose:
    """A ``choose`` for `walk` that draws as ``draw`` does, and never the value ``undrawn``.

    Raises:
        ValueError: If values can't be listed.
    """
    conditional = model.conditional
    if conditional.values is None:
        raise ValueError(f"undrawn expects values that can be listed, got {conditional}")
    out, changed = conditional.values == undrawn, draw or ChangedDraw(conditional, Drawing())

    def choose(t: int, distribution: Distribution) -> Tensor:
        logits = conditional.log_probs(distribution)
        return changed.of(logits.masked_fill(out.to(logits.device), -torch.inf))

    return choose


def _drawn(model: AutoregressiveModel, n: int, draw: Choose | None, context: Tensor | None) -> Tensor:
    """Whole examples; of a mixture, each is drawn from a member, unless its conditionals are changed."""
    components = components_of(model)
    if isinstance(model, Mixture) and draw is None:
        parts = model.pick(n, context)
    elif len(components) > 1:
        parts = picked(components, n, context)
    else:
        return walk(components[0], n, draw, context)
    x = model.empty(n, *model.event_shape)
    for part in parts:
        x[part.examples] = _drawn(part.model, len(part.examples), draw, part.context)
    return x


def _total_length(model: AutoregressiveModel, prefix: Tensor | None, length: int | None) -> int | None:
    """The number of variables of an example with its prefix; None for that of the model's event.

    Raises:
        ValueError: If the prefix or the length does not fit the model.
    """
    if prefix is not None and prefix.dim() != 1:
        raise ValueError(f"prefix expects the values (k,) that every example begins with, got {tuple(prefix.shape)}")
    known = 0 if prefix is None else len(prefix)
    if length is not None and length < 1:
        raise ValueError(f"length expects at least 1, got {length}")
    if length is not None and not model.any_length and known + length != model.num_variables:
        left = model.num_variables - known
        raise ValueError(f"length expects {left}, as many variables as the prefix leaves, got {length}")
    return known + (length or model.num_variables) if length is not None or model.any_length else None


def _watched(draw: Choose | None, watch: Callable[[Tensor], None]) -> Choose:
    def choose(t: int, distribution: Distribution) -> Tensor:
        chosen = distribution.sample() if draw is None else draw(t, distribution)
        watch(chosen)
        return chosen

    return choose


@contextlib.contextmanager
def drawing(model: AutoregressiveModel, seed: int | None, precision: str = "32-true") -> Iterator[None]:
    """Switch off gradients, set evaluation mode and, unless the seed is None, use random numbers of its own."""
    if precision not in ("32-true", "bf16-mixed"):
        raise ValueError(f"precision expects '32-true' or 'bf16-mixed', got {precision!r}")
    if seed is not None and not 0 <= seed < 2**63:
        raise ValueError(f"seed expects an integer from 0 to 2^63 - 1, got {seed}")
    training, device, mixed = model.training, model.device, precision == "bf16-mixed"
    # Inference mode is the faster one, but in it autocast would cast the weights anew at every step.
    without_gradients = torch.no_grad() if mixed else torch.inference_mode()
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=mixed)
    if training:
        model.eval()
    try:
        with without_gradients, autocast, torch.random.fork_rng(_devices(device), enabled=seed is not None):
            if seed is not None:
                seed_everything(seed)
            yield
    finally:
        if training:
            model.train()


def drawer(
    model: AutoregressiveModel,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    greedy: bool = False,
) -> ChangedDraw | None:
    """A ``choose`` for `walk` that samples from changed conditionals; None if the settings of `sample` change none."""
    if not 0 < temperature < math.inf:
        raise ValueError(
            f"temperature expects a positive number (for the most probable values: greedy), got {temperature}"
        )
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k expects at least 1, got {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p expects a probability in (0, 1], got {top_p}")
    if temperature == 1.0 and top_k is None and top_p is None and not greedy:
        return None
    if model.conditional.values is None:
        raise ValueError(
            f"temperature, top_k, top_p and greedy expect values that can be listed, got {model.conditional}"
        )
    return ChangedDraw(model.conditional, Drawing(temperature, top_k or 0, 1.0 if top_p is None else top_p, greedy))


def _devices(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []
