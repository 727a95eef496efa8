"""Generation: draw examples from p(x), variable by variable."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Literal

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.abilities import Mixture, Picked, components_of, picked
from chainrule.choices import ChangedDraw, Choose
from chainrule.codes import Drawing
from chainrule.compiled import program_of
from chainrule.devices import seed_everything
from chainrule.model import AutoregressiveModel
from chainrule.sequence import SequenceModel
from chainrule.state import State
from chainrule.tasks.progress import Count, counted
from chainrule.walk import CHUNK, walk

PIECE = 256
"""Values of a sequence that are drawn between two counts of progress."""


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
    draw = drawer(model, temperature=temperature, top_k=top_k, top_p=top_p, greedy=greedy, undrawn=undrawn)
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
            x = _build(components[0], n, draw, context, beginning, total)
    return x.clone()  # outside of inference mode: an ordinary tensor, which may meet gradients later


def leaves(model: AutoregressiveModel, n: int, changed: bool, context: Tensor | None) -> Iterator[Picked]:
    """The models of one order that ``n`` samples are drawn from, each with the samples that are its own.

    A member of a mixture is picked when it is its turn, since that takes random numbers.

    Args:
        model: Any model of the contract.
        n: The number of samples.
        changed: True if conditionals are changed, so that a mixture of one order is drawn from as a whole.
        context: What each sample is conditioned on.
    """
    components = components_of(model)
    if isinstance(model, Mixture) and not changed:
        parts = model.pick(n, context)
    elif len(components) > 1:
        parts = picked(components, n, context)
    else:
        yield Picked(components[0], torch.arange(n, device=model.device), context)
        return
    for part in parts:
        for leaf in leaves(part.model, len(part.examples), changed, part.context):
            yield leaf._replace(examples=part.examples[leaf.examples])


def _drawn(model: AutoregressiveModel, n: int, draw: Choose | None, context: Tensor | None) -> Tensor:
    """Whole examples; of a mixture, each is drawn from a member, unless its conditionals are changed."""
    drawn = list(leaves(model, n, draw is not None, context))
    if len(drawn) == 1 and drawn[0].model is model:
        return _build(model, n, draw, context)
    x = model.empty(n, *model.event_shape)
    for leaf in drawn:
        x[leaf.examples] = _build(leaf.model, len(leaf.examples), draw, leaf.context)
    return x


def _build(
    model: AutoregressiveModel,
    n: int,
    choose: Choose | None,
    context: Tensor | None,
    beginning: Tensor | None = None,
    total: int | None = None,
) -> Tensor:
    """Walk along a model of one order, and count its steps if someone listens."""
    known = model.empty(n, 0) if beginning is None else beginning.to(device=model.device, dtype=model.dtype)
    steps = (total or model.num_variables) - known.shape[1]
    with counted(steps) as count:
        if count is not None and isinstance(model, SequenceModel):
            model.conditional.check(known)
            state, previous = read(model, model.start(n, context), known)
            sequence = torch.cat([known, draw_on(model, state, previous, steps, choose, count)], dim=1)
            return sequence if model.any_length else model.order.unflatten(sequence)
        if count is not None and program_of(model) is None:
            choose = _watched(choose, lambda _: count(1))
        return walk(model, n, choose, context, prefix=beginning, length=total)


def read(
    model: SequenceModel, state: State, known: Tensor, watch: Callable[[], None] | None = None
) -> tuple[State, Tensor | None]:
    """The state after values ``(B, k)`` but the last, and the last; None where there are none.

    ``watch`` is called after each chunk.
    """
    previous = None
    for chunk in known.split(CHUNK, dim=1) if known.shape[1] else ():
        _, state = model.advance(state, previous, chunk)
        previous = chunk[:, -1]
        if watch is not None:
            watch()
    return state, previous


def draw_on(
    model: SequenceModel, state: State, previous: Tensor | None, steps: int, choose: Choose | None, count: Count | None
) -> Tensor:
    """The next values ``(B, steps)``, in pieces if they are counted."""
    drawn: list[Tensor] = []
    piece = steps if count is None else PIECE
    for start in range(0, steps, piece):
        values, state = model.draw(state, previous, min(piece, steps - start), choose)
        previous = values[:, -1]
        drawn.append(values)
        if count is not None:
            count(values.shape[1])
    return torch.cat(drawn, dim=1)


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
    undrawn: int | None = None,
) -> Choose | None:
    """A ``choose`` for `walk` that samples from changed conditionals; None if the settings of `sample` change none."""
    if not 0 < temperature < math.inf:
        raise ValueError(
            f"temperature expects a positive number (for the most probable values: greedy), got {temperature}"
        )
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k expects at least 1, got {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p expects a probability in (0, 1], got {top_p}")
    if temperature == 1.0 and top_k is None and top_p is None and not greedy and undrawn is None:
        return None
    if model.conditional.values is None:
        raise ValueError(
            f"temperature, top_k, top_p, greedy and undrawn expect values that can be listed, got {model.conditional}"
        )
    drawing = Drawing(
        temperature=temperature,
        top_k=top_k or 0,
        top_p=1.0 if top_p is None else top_p,
        greedy=greedy,
        undrawn=-1 if undrawn is None else undrawn,
    )
    return ChangedDraw(model.conditional, drawing)


def _devices(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []
