"""Laws of what depends on what: causality, the use of the past, steps and gradients."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from chainrule.abilities import members_of
from chainrule.model import AutoregressiveModel
from chainrule.nn.masked_linear import Masked
from chainrule.sequence import SequenceModel, frame_size_of
from chainrule.testing.probes import (
    PASSED,
    change,
    law,
    not_walkable,
    random_context,
    random_events,
    require,
    require_close,
    step_table,
    table,
    values_of,
)

EXAMPLES = 16
"""Examples whose conditionals are compared."""

ROUNDING = 1e-11
"""What counts as rounding among log-probabilities in double precision, relative to 1 and to their size."""

GROUPS = 16
"""Gradients are compared for every variable of up to this many; of longer events, for so many groups of variables."""

SINGLE_ROUNDING = 1e-4
"""The same in single precision."""


@law
@torch.no_grad()
def causal(model: AutoregressiveModel) -> str:
    """Changing x_t and all later variables leaves every conditional up to that of x_t as it was, bit for bit.

    A model whose computation depends on the data (NADE computes distinct hidden states once, so its
    products change shape with them) can round differently for other data. Where bits differ, the same
    comparison in double precision decides, with no more slack than its rounding, and the verdict says so.

    Raises:
        AssertionError: If a conditional sees its own variable or a later one.
    """
    if reason := not_walkable(model):
        return reason
    difference, where = _leak(model)
    if difference == 0:
        return PASSED
    exact, _ = _leak(model.double())
    require(
        exact <= ROUNDING and difference <= SINGLE_ROUNDING,
        f"causal: {where}, expected the same log-probabilities after the change, got a difference of "
        f"{difference:.3g} ({exact:.3g} in double precision)",
    )
    return f"{PASSED} up to rounding, not bit for bit: differences of at most {difference:.3g}"


def _leak(model: AutoregressiveModel) -> tuple[float, str]:
    """The greatest change of a conditional that should have stayed, and where."""
    x = random_events(model, EXAMPLES)
    before, sequence = table(model, model(x)), model.order.flatten(x)
    worst, where = 0.0, ""
    for t in range(model.num_variables):
        changed = sequence.clone()
        changed[:, t] = _other(model, sequence[:, t], t)
        shuffled = torch.randperm(len(x), device=x.device)
        changed[:, t + 1 :] = model.order.flatten(random_events(model, EXAMPLES))[shuffled, t + 1 :]
        after = table(model, model(model.order.unflatten(changed)))
        difference = change(after, before)[:, : t + 1].amax(dim=(0, 2))
        if float(difference.max()) > worst:
            worst = float(difference.max())
            where = f"conditional {int(difference.argmax())}, with variables {t} and later changed (along the order)"
    return worst, where


def _other(model: AutoregressiveModel, x: Tensor, t: int) -> Tensor:
    """Another value than that of variable t, along the order, at every place."""
    values = values_of(model, int(model.order.permutation[t]))
    shift = torch.randint(1, len(values), x.shape, device=x.device)
    same = (x.unsqueeze(-1) == values) | (x.unsqueeze(-1).isnan() & values.isnan())
    return values[(same.int().argmax(-1) + shift) % len(values)]


@law
@torch.no_grad()
def uses_its_past(model: AutoregressiveModel, receptive_field: Tensor | None = None) -> str:
    """Every conditional changes with each variable that the model claims to look at, and with no other.

    This is the Jacobian, in differences between values instead of differentials, so that it sees
    through encodings without a derivative (indicators, embeddings).

    Args:
        model: The model.
        receptive_field: Bools ``(n, n)``: whether conditional t sees variable s, both counted along
            the order. By default every conditional claims to see all earlier variables.

    Raises:
        AssertionError: If a conditional ignores a variable that it claims to see, or the other way round.
    """
    if reason := not_walkable(model):
        return reason
    n = model.num_variables
    if n == 1:
        return "does not apply: one variable has no past"
    model.double()
    claimed = torch.ones(n, n, dtype=torch.bool).tril(-1) if receptive_field is None else receptive_field.cpu()
    require(claimed.shape == (n, n), f"receptive_field expects shape ({n}, {n}), got {tuple(claimed.shape)}")
    seen = _influence(model) > ROUNDING
    earlier = torch.ones(n, n, dtype=torch.bool).tril(-1)
    for problem, word in ((claimed & ~seen, "to see"), (seen & ~claimed & earlier, "not to see")):
        pairs = problem.nonzero().tolist()
        if pairs:
            t, s = pairs[0]
            got = "no change with it" if word == "to see" else "a change with it"
            raise AssertionError(
                f"uses_its_past: conditional {t} expected {word} variable {s} (along the order), got {got}; "
                f"{len(pairs)} of {int(claimed.sum())} claims are wrong in this way"
            )
    return PASSED


def _influence(model: AutoregressiveModel) -> Tensor:
    """By how much conditional t changes when variable s does, ``(n, n)``, the most over some examples."""
    x = random_events(model, 4 * EXAMPLES)  # many, because units may rest (ReLU) on most of them
    before, sequence = table(model, model(x)), model.order.flatten(x)
    columns = []
    for s in range(model.num_variables):
        changed = sequence.clone()
        changed[:, s] = _other(model, sequence[:, s], s)
        after = table(model, model(model.order.unflatten(changed)))
        columns.append(change(after, before).amax(dim=(0, 2)))
    return torch.stack(columns, dim=1).cpu()


@law
def step_equals_forward(model: AutoregressiveModel) -> str:
    """`step`, the model's own and the default, gives the conditionals of `forward`, and their gradients.

    Compared in double precision, with and without gradients being recorded (steps may then update
    their state in place).

    Raises:
        AssertionError: If values or gradients differ.
    """
    if reason := not_walkable(model):
        return reason
    model.double()
    x = random_events(model, EXAMPLES)
    expected = table(model, model(x))
    weights = torch.randn_like(expected)
    expected_gradients = _gradients(model, expected * weights)
    for own, name in ((True, "its own step"), (False, "the default step")):
        with torch.no_grad():
            quick = _stepped(model, x, own)
        got = _stepped(model, x, own)
        for t in range(model.num_variables):
            message = f"step_equals_forward: {name}, variable {t} along the order"
            require_close(quick[:, t], expected[:, t], ROUNDING, f"{message}, log-probability without gradients")
            require_close(got[:, t], expected[:, t], ROUNDING, f"{message}, log-probability")
        for group, gradients in _gradients(model, got * weights).items():
            for parameter, gradient in gradients.items():
                message = f"step_equals_forward: {name}, variables {group}, gradient of {parameter}"
                require_close(gradient, expected_gradients[group][parameter], ROUNDING, message)
    return PASSED


def _stepped(model: AutoregressiveModel, x: Tensor, own: bool) -> Tensor:
    """The table of `step` with ``x`` as the values chosen, by the model's own steps or the default ones."""
    kind = type(model) if own else AutoregressiveModel
    rows: list[Tensor] = []
    state, previous = kind.start(model, len(x)), None
    for value in model.order.flatten(x).unbind(1):
        distribution, state = kind.step(model, state, previous)
        rows.append(step_table(model, distribution, len(rows)))
        previous = value
    return torch.stack(rows, dim=1)


def _gradients(model: AutoregressiveModel, weighted: Tensor) -> dict[str, dict[str, Tensor]]:
    """Gradients of all parameters, from every group of neighbouring variables of ``weighted`` ``(B, n, K)``."""
    named = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    groups = torch.arange(weighted.shape[1]).tensor_split(min(weighted.shape[1], GROUPS))
    result = {}
    for group in groups:
        loss = weighted[:, group].nan_to_num(0.0, 0.0, 0.0).sum()
        gradients = torch.autograd.grad(
            loss, list(named.values()), retain_graph=True, allow_unused=True, materialize_grads=True
        )
        result[f"{int(group[0])} to {int(group[-1])}"] = dict(zip(named, gradients, strict=True))
    return result


@torch.no_grad()
def carries_its_state(model: AutoregressiveModel) -> str:
    """`SequenceModel.advance` in pieces gives the conditionals of `forward`, wherever the sequence is cut.

    Raises:
        AssertionError: If what comes after a cut is not given all that comes before it.
    """
    if not isinstance(model, SequenceModel):
        return "does not apply: no model of sequences"
    subject = copy.deepcopy(model).eval().double()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = random_events(subject, EXAMPLES)
        context = subject.check_context(random_context(subject, len(x)), len(x))
    sequence, expected = subject.order.flatten(x), table(subject, subject(x, context))
    n = subject.num_variables
    for cuts in ([t, n - t] for t in range(n)):
        state, previous, tables = subject.start(len(x), context), None, []
        for part in sequence.split([size for size in cuts if size], dim=1):
            distribution, state = subject.advance(state, previous, part)
            previous = part[:, -1]
            tables.append(step_table(subject, distribution, 0))
        message = f"carries_its_state: log-probabilities, cut after {cuts[0]} variables"
        require_close(torch.cat(tables, dim=1), expected, ROUNDING, message)
    return PASSED


@law
def gradients_flow(model: AutoregressiveModel) -> str:
    """A gradient reaches every parameter, no masked weight gets any, and no example sees another of its batch.

    Raises:
        AssertionError: If a trainable parameter is dead, a masked weight alive, or examples mix.
    """
    model.double()
    x = random_events(model, 256)
    _no_mixing(model, x[:EXAMPLES])
    log_prob = model.log_prob(x)
    (log_prob * torch.randn_like(log_prob)).sum().backward()
    shared = any(isinstance(module, AutoregressiveModel) and members_of(module) for module in model.modules())
    for module_name, module in model.named_modules():
        if shared:  # the masks of an ensemble's members differ, and their weights are the same
            break
        if isinstance(module, Masked) and module.weight.grad is not None:
            alive = int((module.weight.grad[module.mask == 0] != 0).sum())
            require(alive == 0, f"gradients_flow: {module_name} expected no gradient at masked weights, got {alive}")
    trainable = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    dead = [name for name, parameter in trainable.items() if parameter.grad is None or not parameter.grad.any()]
    if model.num_variables == 1 and len(dead) < len(trainable):
        return f"{PASSED} but for parameters that read the past, as one variable has none: {dead}" if dead else PASSED
    require(not dead, f"gradients_flow: expected a gradient for every parameter, got none for {', '.join(dead)}")
    return PASSED


@torch.no_grad()
def _no_mixing(model: AutoregressiveModel, x: Tensor) -> None:
    """Require the log-probabilities of each example to be the same alone as in a batch."""
    together = model.log_prob(x)
    alone = torch.cat([model.log_prob(item) for item in x.split(1)])
    require_close(together, alone, ROUNDING, "gradients_flow: log p(x) in a batch, as against alone")


@torch.no_grad()
def uses_its_context(model: AutoregressiveModel) -> str:
    """Each example of a batch is conditioned on its own context, and contexts that differ give other probabilities.

    Raises:
        AssertionError: If a class or the frames have no effect, or an example sees those of another.
    """
    if frame_size_of(model) is not None:
        return _uses_frames(model)
    if model.num_classes is None:
        return "does not apply: no classes"
    if model.num_classes == 1:
        return "does not apply: one class"
    subject = copy.deepcopy(model).eval().double()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = random_events(subject, EXAMPLES)
        labels = torch.randint(model.num_classes, (len(x),), device=x.device)
    alone = torch.stack([subject.log_prob(x, torch.full_like(labels, c)) for c in range(model.num_classes)], dim=1)
    own = alone.gather(1, labels[:, None]).squeeze(1)
    require_close(subject.log_prob(x, labels), own, ROUNDING, "uses_its_context: log p(x | c) among other classes")
    for c in range(1, model.num_classes):
        differs = bool((alone[:, c] - alone[:, 0]).abs().max() > ROUNDING)
        require(differs, f"uses_its_context: p(x | class {c}) expected to differ from p(x | class 0), got the same")
    return PASSED


def _uses_frames(model: AutoregressiveModel) -> str:
    """Require that every conditional changes with the frames of its own example, and with no others."""
    subject = copy.deepcopy(model).eval().double()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = random_events(subject, EXAMPLES)
        frames = [subject.check_context(random_context(subject, len(x)), len(x)) for _ in range(2)]
    before, after = (table(subject, subject(x, each)) for each in frames)
    differs = (after - before).abs().amax(dim=(0, 2)) > ROUNDING
    require(bool(differs.all()), "uses_its_context: expected every conditional to change with the frames, got the same")
    first = frames[0]
    assert first is not None
    alone = torch.cat([subject.log_prob(x[i : i + 1], first[i : i + 1]) for i in range(len(x))])
    require_close(subject.log_prob(x, first), alone, ROUNDING, "uses_its_context: log p among other frames")
    return PASSED
