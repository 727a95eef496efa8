"""Each law fails on a model that breaks it, and the laws leave the user's model as it was."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from chainrule import testing
from chainrule.conditionals import Bernoulli, Categorical
from chainrule.model import AutoregressiveModel, State
from chainrule.models import FVSBN, MADE, RNN
from chainrule.testing import LAWS, check_model, randomised
from chainrule.testing.probability import chi_square


class Logistic(AutoregressiveModel):
    """The example to break: one regression per variable, with the default steps."""

    def __init__(self, *, event_shape: tuple[int, ...] = (4,), scale: float = 1.0) -> None:
        super().__init__(event_shape=event_shape, conditional=Bernoulli(), order="reversed")
        self.scale = scale
        self.weight = nn.Parameter(torch.zeros(self.num_variables, self.num_variables))
        self.bias = nn.Parameter(torch.zeros(self.num_variables))

    def logits(self, sequence: Tensor) -> Tensor:
        return self.scale * (sequence @ self.weight.tril(-1).T + self.bias)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        logits = self.order.unflatten(self.logits(self.order.flatten(x)))
        return self.conditional.distribution(logits.unsqueeze(-1))


class BeginsAnew(RNN):
    """Forgets its state between the pieces of a sequence."""

    def __init__(self) -> None:
        super().__init__(event_shape=(4,), conditional=Bernoulli(), hidden_size=3)

    def advance(self, state: State, previous: Tensor | None, x: Tensor) -> tuple[Distribution, State]:
        return super().advance(self.start(len(x)), previous, x)


class OfClasses(AutoregressiveModel):
    """Independent bits whose logits should depend on the class of their own example."""

    def __init__(self, *, event_shape: tuple[int, ...] = (3,), num_classes: int = 2) -> None:
        super().__init__(event_shape=event_shape, conditional=Bernoulli(), num_classes=num_classes)
        self.bias = nn.Parameter(torch.zeros(num_classes, self.num_variables))

    def logits(self, context: Tensor) -> Tensor:
        return self.bias[context]

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        assert context is not None
        return self.conditional.distribution(self.logits(context).unsqueeze(-1))


class IgnoresItsClass(OfClasses):
    def logits(self, context: Tensor) -> Tensor:
        return self.bias.sum(0).expand(len(context), -1)


class TakesTheFirstClass(OfClasses):
    """For the whole batch, that of its first example."""

    def logits(self, context: Tensor) -> Tensor:
        return self.bias[context[:1]].expand(len(context), -1)


class Peeks(Logistic):
    def logits(self, sequence: Tensor) -> Tensor:
        return super().logits(sequence) + 1e-3 * sequence


class PeeksAhead(Logistic):
    """Only the very first conditional, at the very last variable."""

    def logits(self, sequence: Tensor) -> Tensor:
        late = torch.zeros_like(sequence)
        late[:, 0] = sequence[:, -1]
        return super().logits(sequence) + late


class Unnormalised(Logistic):
    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        distribution = super().forward(x)
        log_prob = distribution.log_prob
        distribution.log_prob = lambda value: log_prob(value) + 0.01
        return distribution


class OtherSteps(Logistic):
    """Steps that forget the bias, but only that of the last variable."""

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        distribution, state = super().step(state, previous)
        late = state[0].shape[1] == self.num_variables - 1
        parameters = distribution.logits - late * self.scale * self.bias[-1]
        return self.conditional.distribution(parameters.unsqueeze(-1)), state


class CutGradients(Logistic):
    """Steps with the right values, but no gradient from the second on."""

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        distribution, state = super().step(state, previous)
        if previous is None:
            return distribution, state
        return self.conditional.distribution(distribution.logits.detach().unsqueeze(-1)), state


class Mixes(Logistic):
    def logits(self, sequence: Tensor) -> Tensor:
        return super().logits(sequence) + 0.1 * self.bias.detach() * len(sequence)


class Dead(Logistic):
    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(3))


class Forgets(Logistic):
    """Only one of its links to the past is missing."""

    def logits(self, sequence: Tensor) -> Tensor:
        kept = torch.ones_like(self.weight)
        kept[3, 1] = 0
        return sequence @ (self.weight * kept).tril(-1).T + self.bias


class SamplesWrongly(Logistic):
    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        distribution = super().forward(x)
        distribution.sample = lambda shape=(): torch.bernoulli(0.8 * distribution.probs)
        return distribution

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        distribution, state = super().step(state, previous)
        distribution.sample = lambda shape=(): torch.bernoulli(0.8 * distribution.probs)
        return distribution, state


class OwnRandomness(Logistic):
    generator = torch.Generator().manual_seed(0)

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        distribution, state = super().step(state, previous)
        distribution.sample = lambda shape=(): torch.bernoulli(distribution.probs, generator=OwnRandomness.generator)
        return distribution, state


class LosesAnArgument(Logistic):
    @property
    def config(self) -> dict[str, object]:
        return {"event_shape": self.event_shape}


class LosesABuffer(Logistic):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.randn(4), persistent=False)

    def logits(self, sequence: Tensor) -> Tensor:
        return super().logits(sequence) + self.shift


class StuckInSinglePrecision(Logistic):
    def logits(self, sequence: Tensor) -> Tensor:
        return super().logits(sequence.float())


class Overflows(Logistic):
    def logits(self, sequence: Tensor) -> Tensor:
        return super().logits(sequence).exp()


class Lenient(Bernoulli):
    def check(self, x: Tensor) -> None:
        pass


class Curt(Bernoulli):
    def check(self, x: Tensor) -> None:
        if not ((x == 0) | (x == 1)).all():
            raise ValueError("bad value")


def with_conditional(conditional: Bernoulli) -> AutoregressiveModel:
    model = Logistic()
    model.conditional = conditional
    return model


BROKEN = [
    (Unnormalised(), "normalised", "expected 1 within 1e-5, got 1.04"),
    (Peeks(), "causal", "conditional ., with variables . and later changed .*expected .*got"),
    (PeeksAhead(), "causal", "conditional 0, with variables . and later changed"),
    (Forgets(), "uses_its_past", "conditional 3 expected to see variable 1 .*got no change"),
    (OtherSteps(), "step_equals_forward", "its own step, variable 3 along the order.*expected .*got"),
    (CutGradients(), "step_equals_forward", "its own step, variables 1 to 1, gradient of weight"),
    (SamplesWrongly(), "sampling_agrees", "chi-square expected a p-value of at least .*got"),
    (OwnRandomness(), "sampling_agrees", "the same samples from the same seed"),
    (SamplesWrongly(), "completion_agrees", "the rest after 2 known variables.*got"),
    (BeginsAnew(), "carries_its_state", "cut after 2 variables: .*expected .*got"),
    (OtherSteps(), "completion_agrees", "the rest after 2 known variables.*got"),
    (Dead(), "gradients_flow", "expected a gradient for every parameter, got none for unused"),
    (Mixes(), "gradients_flow", "in a batch, as against alone: .*expected .*got"),
    (LosesAnArgument(scale=2.0), "saves_and_loads", "expected .*got .*after loading"),
    (LosesABuffer(), "saves_and_loads", "expected .*got .*after loading"),
    (
        StuckInSinglePrecision(),
        "saves_and_loads",
        "as torch.float64 on cpu, got RuntimeError: expected m1 and m2 to have the same dtype",
    ),
    (
        IgnoresItsClass(),
        "uses_its_context",
        r"p\(x \| class 1\) expected to differ from p\(x \| class 0\), got the same",
    ),
    (TakesTheFirstClass(), "uses_its_context", "among other classes: .*expected .*got"),
    (Overflows(), "finite_and_strict", "1000 times the weights, expected finite, got"),
    (with_conditional(Lenient()), "finite_and_strict", "for a value nan, expected a ValueError, got log p"),
    (with_conditional(Curt()), "finite_and_strict", "says what was expected and got, got: bad value"),
]
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


def test_too_many_events_are_reported_not_skipped() -> None:
    verdicts = check_model(FVSBN(event_shape=(13,), conditional=Bernoulli()))
    reason = "does not apply: 2**13 events are too many to enumerate (more than 4096)"
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
