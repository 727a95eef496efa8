"""Each law fails on a model that breaks it, and the laws leave the user's model as it was."""

import copy
import re

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from wrong_models import BROKEN
from wrong_passes import Dead, Forgets, Logistic

from chainrule import testing
from chainrule.conditionals import Bernoulli, Categorical, GaussianMixture
from chainrule.model import AutoregressiveModel
from chainrule.models import FVSBN, MADE, GatedPixelCNN
from chainrule.testing import LAWS, Outcome, check_model, randomised
from chainrule.testing.agreement import chi_square
from chainrule.testing.verdicts import require_close

each_broken = pytest.mark.parametrize(
    ("model", "law", "message"), BROKEN, ids=[f"{law}-{type(model).__name__}" for model, law, _ in BROKEN]
)


@each_broken
def test_law_catches(model: AutoregressiveModel, law: str, message: str) -> None:
    with pytest.raises(AssertionError, match=f"(?s){law}: .*{message}"):
        LAWS[law](randomised(model))


@each_broken
def test_check_model_names_the_broken_law(model: AutoregressiveModel, law: str, message: str) -> None:
    with pytest.raises(AssertionError, match=f"(?s){type(model).__name__} breaks .*{law}: .*{message}"):
        check_model(model)


def test_every_law_is_broken_by_some_model() -> None:
    assert {law for _, law, _ in BROKEN} == set(LAWS)
    assert all(getattr(testing, law) is function for law, function in LAWS.items())


def test_the_unbroken_example_passes() -> None:
    verdicts = check_model(Logistic())
    assert verdicts.pop("uses_its_context") == "does not apply: no classes"
    assert verdicts.pop("carries_its_state") == "does not apply: no model of sequences"
    assert verdicts.pop("starts_at_frequencies") == "does not apply: its start_at sets nothing"
    assert verdicts.pop("compiled_equals_step") == "does not apply: its walks take a step at a time"
    assert all(verdict.startswith("passed") for verdict in verdicts.values())


def test_check_model_leaves_everything_as_it_was() -> None:
    model = randomised(MADE(event_shape=(3,), conditional=Bernoulli(), hidden_sizes=[16], dropout=0.5)).train()
    model.log_prob(torch.ones(2, 3)).sum().backward()
    weights = copy.deepcopy(model.state_dict())
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    torch.manual_seed(5)
    state = torch.get_rng_state()
    check_model(model)
    for law in LAWS.values():
        law(model)
    assert torch.get_rng_state().equal(state)
    assert torch.is_grad_enabled()
    assert model.training
    assert model.dtype == torch.float32
    assert all(tensor.equal(weights[name]) for name, tensor in model.state_dict().items())
    assert all(p.grad.equal(gradient) for p, gradient in zip(model.parameters(), gradients, strict=True))


def test_the_verdict_does_not_depend_on_the_global_seed() -> None:
    verdicts = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        verdicts.append(check_model(FVSBN(event_shape=(3,), conditional=Categorical(3))))
    assert verdicts[0] == verdicts[1]


def test_laws_work_without_gradients_enabled() -> None:
    with torch.no_grad():
        assert check_model(Logistic())["gradients_flow"] == "passed"


def test_events_too_many_to_enumerate_are_judged_conditional_by_conditional() -> None:
    verdicts = check_model(FVSBN(event_shape=(13,), conditional=Bernoulli()))
    reason = "passed: conditional by conditional"
    assert list(verdicts) == list(LAWS)
    assert {law for law, verdict in verdicts.items() if verdict == reason} == {
        "normalised",
        "sampling_agrees",
        "completion_agrees",
    }


def test_a_model_may_claim_a_smaller_receptive_field() -> None:
    near = torch.tensor([[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0]], dtype=torch.bool)
    assert check_model(Forgets(), receptive_field=near)["uses_its_past"] == "passed"
    with pytest.raises(AssertionError, match="conditional 3 expected not to see variable 1 .*got a change"):
        check_model(Logistic(), receptive_field=near)
    with pytest.raises(AssertionError, match=r"expects shape \(4, 4\), got \(2, 2\)"):
        testing.uses_its_past(Logistic(), near[:2, :2])


def test_frozen_parameters_need_no_gradient() -> None:
    model = Dead()
    model.unused.requires_grad_(False)
    assert check_model(model)["gradients_flow"] == "passed"


def test_masked_weights_must_stay_dead() -> None:
    model = randomised(FVSBN(event_shape=(4,), conditional=Bernoulli()))
    model.regressions.mask = model.regressions.mask.clone()
    leak = copy.deepcopy(model.regressions)
    model.regressions.forward = lambda x: x @ leak_weight(model, leak).T + model.regressions.bias
    with pytest.raises(AssertionError, match="regressions expected no gradient at masked weights, got"):
        testing.gradients_flow.__wrapped__(model)


def leak_weight(model: FVSBN, layer: nn.Module) -> Tensor:
    return model.regressions.weight.tril(0)


def test_randomised_moves_every_parameter_and_nothing_else() -> None:
    model = FVSBN(event_shape=(4,), conditional=Bernoulli())
    state = torch.get_rng_state()
    moved, again, other = randomised(model), randomised(model), randomised(model, seed=1)
    assert torch.get_rng_state().equal(state)
    for name, parameter in model.named_parameters():
        assert (parameter == 0).all()
        assert (moved.get_parameter(name) != 0).all()
        assert moved.get_parameter(name).equal(again.get_parameter(name))
        assert not moved.get_parameter(name).equal(other.get_parameter(name))


def test_chi_square() -> None:
    expected = torch.tensor([25.0, 25.0, 50.0])
    assert chi_square(expected, expected) == 1
    assert chi_square(torch.tensor([30.0, 20.0, 50.0]), expected) == pytest.approx(0.3679, abs=1e-3)  # exp(-2 / 2)
    assert chi_square(torch.tensor([60.0, 20.0, 20.0]), expected) < 1e-9
    assert chi_square(torch.tensor([10.0]), torch.tensor([10.0])) == 1
    impossible = torch.tensor([40.0, 50.0, 10.0]), torch.tensor([50.0, 50.0, 0.0])
    assert chi_square(*impossible) < 1e-9


def test_verdicts_print_and_compare_as_texts() -> None:
    verdicts = check_model(FVSBN(event_shape=(3,), conditional=Bernoulli()))
    lines = str(verdicts).split("\n")
    assert len(lines) == len(LAWS)
    assert lines[0].split() == ["normalised", "passed"]
    assert verdicts["normalised"].outcome is Outcome.PASSED
    assert verdicts["normalised"].passed
    assert not verdicts["uses_its_context"].passed


class Rests(Logistic):
    """A ReLU unit between the past and the logits, which rests under nearly all weights; right, but dead."""

    def logits(self, sequence: Tensor) -> Tensor:
        return (super().logits(sequence) - 2.0).relu() + self.bias


def test_a_network_that_is_nearly_dead_is_not_called_broken() -> None:
    assert check_model(Rests())["uses_its_past"].passed


class Faint(Logistic):
    """A connection that is there, but too weak to be told from rounding."""

    def logits(self, sequence: Tensor) -> Tensor:
        scale = torch.ones_like(self.weight)
        scale[3, 1] = 1e-14
        return sequence @ (self.weight * scale).tril(-1).T + self.bias


def test_a_connection_as_weak_as_rounding_cannot_be_told() -> None:
    verdict = check_model(Faint())["uses_its_past"]
    assert verdict.outcome is Outcome.CANNOT_TELL
    assert "1 of 6 connections have no more effect than rounding; try larger hidden sizes" in verdict


def test_masks_decide_what_is_seen_unless_it_is_claimed() -> None:
    narrow = MADE(event_shape=(4,), conditional=Bernoulli(), hidden_sizes=[1])
    verdict = check_model(narrow)["uses_its_past"]
    assert verdict.passed
    assert "masks hide" in verdict
    with pytest.raises(AssertionError, match="uses_its_past: conditional . expected to see variable ."):
        check_model(narrow, receptive_field=torch.ones(4, 4, dtype=torch.bool).tril(-1))


def test_a_parameter_that_a_small_event_has_no_use_for_is_found_alive_on_a_larger_one() -> None:
    image = GatedPixelCNN(event_shape=(1, 1, 3), conditional=Bernoulli(), hidden_size=6, num_layers=2)
    verdict = check_model(image)["gradients_flow"]
    assert verdict.passed
    assert "but for parameters that an event as small as this has no use for: " in verdict


def test_three_real_variables_are_integrated() -> None:
    model = MADE(event_shape=(3,), conditional=GaussianMixture(2), hidden_sizes=[8])
    verdicts = check_model(model)
    assert {verdicts[law] for law in ("normalised", "sampling_agrees", "completion_agrees")} == {
        "passed: conditional by conditional"
    }


def test_messages_show_the_first_item_that_differs_with_enough_digits() -> None:
    near = torch.tensor([1.0, 4.1997, 2.0], dtype=torch.float64)
    with pytest.raises(AssertionError, match=r"^p: at index \(1,\) expected 4.1997, got 4.1997\d+$"):
        require_close(near + torch.tensor([0.0, 1e-14, 1.0]), near, 0.0, "p")
    nan = torch.tensor([1.0, torch.nan])
    with pytest.raises(AssertionError, match=r"^p: at index \(1,\) expected a number, got NaN on both sides$"):
        require_close(nan, nan, 1.0, "p")


class LosesItsLastBias(Logistic):
    """One weight is not saved; most examples don't show it."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("last", torch.rand(()) + 1, persistent=False)

    def logits(self, sequence: Tensor) -> Tensor:
        rare = sequence[:, :3].prod(1)
        return super().logits(sequence) + F.pad(self.last * rare[:, None], (3, 0))


def test_saving_shows_an_example_that_differs() -> None:
    with pytest.raises(AssertionError, match="others after loading: at index") as caught:
        testing.saves_and_loads(randomised(LosesItsLastBias()))
    expected, got = re.findall(r"(?:expected|got) (-[\d.]+)", str(caught.value))
    assert expected != got
