"""Every law on every model of the zoo, and on right models drawn at random.

The product of models, conditionals, events and orders has four parts:

- ``-m quick``: every model once, with one conditional and one order; a few seconds, for `make check`;
- ``-m "not laws and not rest"``: a third of all pairs of a model and a conditional, each with another event and order,
  and some random models; for `make test`. It contains the quick part;
- ``-m laws``: every pair, on each of its events and in each of its orders, and more random models; for `make laws`;
- ``-m rest``: every event in every order, and all 500 random models; for `make laws-rest`, before a release.
"""

import functools

import pytest
import torch
from random_models import describe, random_model
from receptive_fields import kernels_see, lstms_see, receptive_field
from zoo import ZOO, model_of

from chainrule.abilities import components_of, counting
from chainrule.conditionals import Bernoulli
from chainrule.model import AutoregressiveModel, CountedModel
from chainrule.models import BayesianAR, Ensemble, GatedPixelCNN, PixelCNN, PixelCNNPlusPlus, PixelRNN, WhitenedMADE
from chainrule.models.class_mixture import ClassMixture
from chainrule.sequence import SequenceModel, frame_size_of
from chainrule.testing import LAWS, Outcome, Verdict, check_model, randomised, uses_its_past

CONDITIONAL_LAWS = ("causal", "causal_in_training", "uses_its_past", "step_equals_forward", "selects_states",
                    "completion_agrees")  # fmt: skip
IN_PYTHON = (BayesianAR, ClassMixture, Ensemble, PixelCNNPlusPlus, PixelRNN, WhitenedMADE)
SOME_RANDOM_MODELS, MORE_RANDOM_MODELS, RANDOM_MODELS = 60, 200, 500


@functools.cache
def subject(name: str) -> AutoregressiveModel:
    return randomised(ZOO[name]())


def does_not_apply(law: str, model: AutoregressiveModel) -> bool:
    if law == "carries_its_state":
        return not isinstance(model, SequenceModel)
    if law == "uses_its_context":
        return model.num_classes is None and frame_size_of(model) is None
    if law == "starts_at_frequencies":
        # A random walk, and n-grams of other examples, are no frequencies.
        return isinstance(model, CountedModel | BayesianAR) or counting(model) is not None
    if law == "compiled_equals_step":
        if (codes := model.conditional.codes) is None or isinstance(model, IN_PYTHON):
            return True
        if counting(model) is not None:  # n-grams are mixed into logits
            return codes.draws != "logits"
        return isinstance(model, SequenceModel) and model.conditional.values is None
    if law in CONDITIONAL_LAWS and len(components_of(model)) > 1:
        return True
    return law in ("uses_its_past", "selects_states") and model.num_variables == 1


def is_expected(law: str, verdict: Verdict, model: AutoregressiveModel) -> bool:
    """Every law that applies is passed; bit for bit is for the processor to decide, and details are few."""
    if does_not_apply(law, model):
        return verdict.outcome is Outcome.DOES_NOT_APPLY
    if law in ("causal", "causal_in_training"):
        return verdict.passed
    if law == "gradients_flow" and model.num_variables > 2:
        return verdict == "passed"
    if law in ("uses_its_past", "uses_its_context", "carries_its_state", "selects_states", "finite_and_strict"):
        return verdict == "passed"
    return verdict.outcome is Outcome.PASSED


def judge(law: str, model: AutoregressiveModel) -> str | None:
    """The fault of a law's verdict; None if there is none."""
    try:
        field = {"receptive_field": receptive_field(model)} if law == "uses_its_past" else {}
        verdict = LAWS[law](model, **field)
    except AssertionError as error:
        return str(error)
    return None if is_expected(law, verdict, model) else f"{law}: {verdict}"


def covering(names: list[str], first: int) -> set[str]:
    """Some of ``names``, which differ in event and order, with each of their events and each of their orders.

    They begin with number ``first``, so that other models and conditionals pair other events with other orders.
    """
    first %= len(names)
    parts = {name: name.rsplit(", (", 1)[1].split("), ") for name in names}  # the event and the order
    chosen: set[str] = set()
    seen: set[str] = set()
    for new in (2, 1):  # first those of which both are new
        for name in [*names[first:], *names[:first]]:
            if len(set(parts[name]) - seen) >= new:
                chosen.add(name)
                seen.update(parts[name])
    return chosen


def cases() -> list[object]:
    """All names of the zoo, with the marker of the part that each belongs to.

    The laws judge every model with every conditional in every order and on every event; the rest is the product.
    """
    models, pairs = set(), {}
    for name in ZOO:
        pairs.setdefault(name.rsplit(", (", 1)[0], []).append(name)
    # A third of the pairs, each with another event and order.
    chosen = {names[number % len(names)] for number, names in enumerate(pairs.values()) if number % 3 == 0}
    laws = {name for number, names in enumerate(pairs.values()) for name in covering(names, number)}
    parts = []
    for name in ZOO:
        quick = model_of(name) not in models
        models.add(model_of(name))
        own = pytest.mark.laws if name in laws else pytest.mark.rest
        parts.append(pytest.param(name, marks=[pytest.mark.quick] if quick else [] if name in chosen else [own]))
    return parts


@pytest.mark.parametrize("name", cases())
def test_all_laws(name: str) -> None:
    model = subject(name)
    wrong = [problem for law in LAWS if (problem := judge(law, model)) is not None]
    assert not wrong, "\n".join([name, *wrong])


def check_random(seeds: range) -> None:
    wrong = []
    for seed in seeds:
        model = random_model(seed)
        try:
            check_model(model)
        except AssertionError as error:
            wrong.append(f"seed {seed}, {describe(model)}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("first", range(0, SOME_RANDOM_MODELS, 10))
def test_random_right_models_are_never_called_broken(first: int) -> None:
    check_random(range(first, first + 10))


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(first, marks=pytest.mark.laws if first < MORE_RANDOM_MODELS else pytest.mark.rest)
        for first in range(SOME_RANDOM_MODELS, RANDOM_MODELS, 10)
    ],
)
def test_many_random_right_models_are_never_called_broken(first: int) -> None:
    check_random(range(first, first + 10))


@pytest.mark.parametrize("name", [name for name in ZOO if name.startswith("MADE") and "(1,)" not in name])
def test_the_zoo_sees_all_of_the_past(name: str) -> None:
    field = receptive_field(subject(name))
    assert field is not None
    assert field.equal(torch.ones_like(field).tril(-1)), "widen the model, so that its laws say more"


def test_the_blind_spot() -> None:
    """PixelCNN does not see some of what comes before, to the right of the rows above; the gated one sees it all."""
    shape, conditional = (1, 4, 5), Bernoulli()
    plain = PixelCNN(event_shape=shape, conditional=conditional, hidden_size=32, num_blocks=6, first_kernel_size=3)
    field = kernels_see(plain)
    past = torch.ones_like(field).tril(-1)
    blind = (past & ~field)[2 * 5 + 1].nonzero().squeeze(1).tolist()
    assert blind == [4, 8, 9]  # of row 2, column 1: the end of row 0, and of row 1
    assert uses_its_past(randomised(plain), field) == "passed"
    with pytest.raises(AssertionError, match="expected to see variable"):
        uses_its_past(randomised(plain), past.bool())
    assert "the masks hide these" in uses_its_past(randomised(plain)), "nobody claims them"
    rows = PixelRNN(event_shape=shape, conditional=conditional, num_layers=2, cell="row", first_kernel_size=3)
    assert (past & ~lstms_see(rows))[2 * 5 + 1].nonzero().squeeze(1).tolist() == blind
    diagonals = PixelRNN(event_shape=shape, conditional=conditional, num_layers=2, first_kernel_size=3)
    assert (past & ~lstms_see(diagonals))[2 * 5 + 1].nonzero().squeeze(1).tolist() == [9]
    for model in (rows, diagonals):
        assert uses_its_past(randomised(model), lstms_see(model)) == "passed"
    gated = GatedPixelCNN(event_shape=shape, conditional=conditional, hidden_size=16, num_layers=6, first_kernel_size=3)
    assert uses_its_past(randomised(gated)) == "passed"


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in ZOO
        if name.startswith("NADE") and "classes" not in name and ZOO[name]().conditional.values is not None
    ],
)
def test_nade_is_causal_bit_for_bit_where_shapes_agree(name: str) -> None:
    """They compute no shared hidden states, as when the gradient of the input is asked for."""
    model = subject(name)
    values = model.conditional.values
    assert values is not None
    torch.manual_seed(0)
    sequence = values[torch.randint(len(values), (16, model.num_variables))]
    before = model.order.flatten(model(model.order.unflatten(sequence).requires_grad_()).logits)
    for t in range(model.num_variables):
        changed = sequence.clone()
        changed[:, t:] = values[torch.randint(len(values), (16, model.num_variables - t))]
        after = model.order.flatten(model(model.order.unflatten(changed).requires_grad_()).logits)
        assert after[:, : t + 1].equal(before[:, : t + 1])
