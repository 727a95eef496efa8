"""Laws of what a conditional must see: the past that it claims to look at, and its context."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from chainrule.abilities import LimitedPast
from chainrule.model import AutoregressiveModel
from chainrule.nn.masked_linear import Masked
from chainrule.sequence import SequenceModel, frame_size_of
from chainrule.testing.causality import ROUNDING
from chainrule.testing.probes import EXAMPLES, change, other_values, random_events, table
from chainrule.testing.subjects import Given, law, not_walkable, own_random_state, random_context, twins
from chainrule.testing.verdicts import (
    PASSED,
    Verdict,
    cannot_tell,
    does_not_apply,
    passed,
    require,
    require_close,
)

LARGER = "larger hidden sizes, other activations or another seed"


@law
@torch.no_grad()
def uses_its_past(model: AutoregressiveModel, receptive_field: Tensor | None = None) -> Verdict:
    """Every conditional changes with each variable that the model claims to look at, and with no other.

    This is the Jacobian, in differences between values instead of differentials, so that it sees
    through encodings without a derivative (indicators, embeddings). A connection without effect is looked for under
    other weights too (`twins`) before it counts as missing: units may rest or saturate.

    Without a ``receptive_field``, a `LimitedPast` claims the variables of its method ``sees``, a `SequenceModel` those
    of its ``receptive_field``, a model with masked layers those that its masks let through, and any other model all
    earlier variables.

    Args:
        model: The model.
        receptive_field: Booleans ``(n, n)``: True at (t, s) if conditional t sees variable s, along the order.

    Raises:
        AssertionError: If a conditional ignores a variable that it claims to see, or the other way round.
    """
    if reason := not_walkable(model):
        return reason
    n = model.num_variables
    if n == 1:
        return does_not_apply("one variable has no past")
    model.double()
    earlier = torch.ones(n, n, dtype=torch.bool).tril(-1)
    claimed = _claim(model) if receptive_field is None else receptive_field.cpu()
    if claimed is not None:
        require(claimed.shape == (n, n), f"receptive_field expects shape ({n}, {n}), got {tuple(claimed.shape)}")
    influence = torch.zeros(n, n, dtype=torch.float64)
    for twin in twins(model):
        influence = influence.maximum(_influence(twin))
        if bool((influence[earlier if claimed is None else claimed] > ROUNDING).all()):
            break
    if claimed is None:
        hidden = int((earlier & (influence == 0)).sum())
        masks = f"all but {hidden} of {int(earlier.sum())} earlier variables; the masks hide these"
        return passed(masks) if hidden else PASSED
    _require_claims(claimed, influence)
    unclear = int((claimed & (influence <= ROUNDING)).sum())
    if unclear:
        return cannot_tell(f"{unclear} of {int(claimed.sum())} connections have no more effect than rounding", LARGER)
    return PASSED


def _require_claims(claimed: Tensor, influence: Tensor) -> None:
    earlier = torch.ones_like(claimed).tril(-1)
    missing, excess = claimed & (influence == 0), earlier & ~claimed & (influence > ROUNDING)
    for problem, word, got in ((missing, "to see", "no change"), (excess, "not to see", "a change")):
        if pairs := problem.nonzero().tolist():
            t, s = pairs[0]
            raise AssertionError(
                f"uses_its_past: conditional {t} expected {word} variable {s} (along the order), got {got} with it; "
                f"{len(pairs)} of {int(claimed.sum())} claims are wrong in this way"
            )


def _claim(model: AutoregressiveModel) -> Tensor | None:
    """The variables that each conditional claims to see, ``(n, n)``; None if its masks decide."""
    own = model.model if isinstance(model, Given) else model
    n = own.num_variables
    earlier = torch.ones(n, n, dtype=torch.bool).tril(-1)
    if isinstance(own, LimitedPast):
        return own.sees().cpu()
    if isinstance(own, SequenceModel) and own.receptive_field is not None:
        return earlier.triu(-own.receptive_field)
    limited = (isinstance(module, Masked | LimitedPast) for module in own.modules())
    return None if any(limited) else earlier


def _influence(model: AutoregressiveModel) -> Tensor:
    """The change of conditional t when variable s changes, ``(n, n)``: the largest over some examples."""
    x = random_events(model, 4 * EXAMPLES)  # many, because units may rest (ReLU) on most of them
    before, sequence = table(model, model(x)), model.order.flatten(x)
    columns = []
    for s in range(model.num_variables):
        changed = sequence.clone()
        changed[:, s] = other_values(model, sequence[:, s], s)
        after = table(model, model(model.order.unflatten(changed)))
        columns.append(change(after, before).amax(dim=(0, 2)))
    return torch.stack(columns, dim=1).cpu()


@torch.no_grad()
def uses_its_context(model: AutoregressiveModel) -> Verdict:
    """Each example of a batch is conditioned on its own context, and contexts that differ give other probabilities.

    Raises:
        AssertionError: If a class or the frames have no effect, or an example sees those of another.
    """
    if frame_size_of(model) is None and model.num_classes is None:
        return does_not_apply("no classes")
    if model.num_classes == 1:
        return does_not_apply("one class")
    subject = copy.deepcopy(model).eval().double()
    differs = torch.zeros((), dtype=torch.float64)
    with own_random_state():
        for twin in twins(subject):
            effect = _effect_of_frames(twin) if frame_size_of(model) is not None else _effect_of_classes(twin)
            differs = differs.maximum(effect)
            if bool((differs > ROUNDING).all()):
                return PASSED
    if frame_size_of(model) is not None:
        got = f"the same for conditional {int(differs.argmin())}"
        require(
            float(differs.min()) > 0, f"uses_its_context: every conditional expected to change with frames, got {got}"
        )
    else:
        c = int(differs.argmin()) + 1
        expected = f"p(x | class {c}) expected to differ from p(x | class 0)"
        require(float(differs.min()) > 0, f"uses_its_context: {expected}, got the same")
    return cannot_tell("contexts have no more effect than rounding", LARGER)


def _effect_of_classes(model: AutoregressiveModel) -> Tensor:
    """The change of log p(x) from class 0 to each of the others, ``(C - 1,)``.

    Requires that each example of a batch is given its own class.
    """
    assert model.num_classes is not None
    x = random_events(model, EXAMPLES)
    labels = torch.randint(model.num_classes, (len(x),), device=x.device)
    alone = torch.stack([model.log_prob(x, torch.full_like(labels, c)) for c in range(model.num_classes)], dim=1)
    own = alone.gather(1, labels[:, None]).squeeze(1)
    require_close(model.log_prob(x, labels), own, ROUNDING, "uses_its_context: log p(x | c) among other classes")
    return (alone[:, 1:] - alone[:, :1]).abs().amax(0).cpu()


def _effect_of_frames(model: AutoregressiveModel) -> Tensor:
    """The change of each conditional with the frames, ``(n,)``; requires that each example is given its own."""
    x = random_events(model, EXAMPLES)
    first, second = (model.check_context(random_context(model, len(x)), len(x)) for _ in range(2))
    assert first is not None
    alone = torch.cat([model.log_prob(x[i : i + 1], first[i : i + 1]) for i in range(len(x))])
    require_close(model.log_prob(x, first), alone, ROUNDING, "uses_its_context: log p among other frames")
    before, after = (table(model, model(x, each)) for each in (first, second))
    return (after - before).abs().amax(dim=(0, 2)).cpu()
