"""Every family of conditionals keeps its promises, on any support; families that break one are told."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import Beta, Distribution, Gamma, Laplace, Normal, Poisson, constraints
from torch.distributions.constraints import Constraint
from zoo import CONDITIONALS, IMAGE_CONDITIONALS, REAL_CONDITIONALS

from chainrule.conditionals import Bernoulli, Categorical, Columns, Conditional, Gaussian, Standardised, WithMissing
from chainrule.models import FVSBN
from chainrule.testing import Outcome, check_conditional, check_model


class TwoParameters(Conditional):
    """One of torch's families with two positive parameters, both above 1."""

    num_parameters, num_features = 2, 1
    kind: type[Distribution]

    def distribution(self, parameters: Tensor) -> Distribution:
        first, second = (0.5 * parameters).exp().unbind(-1)
        return self.kind(1 + first, second + 1, validate_args=False)

    def at(self, distribution: Distribution, index: int) -> Distribution:
        names = list(self.kind.arg_constraints)[:2]
        parts = (getattr(distribution, name).flatten(1)[:, index] for name in names)
        return self.kind(*parts, validate_args=False)

    def encode(self, x: Tensor) -> Tensor:
        return x.log1p().unsqueeze(-1)


class Positive(TwoParameters):
    kind, support = Gamma, constraints.positive


class Share(TwoParameters):
    kind, support = Beta, constraints.interval(0.0, 1.0)


class Count(Conditional):
    num_parameters, num_features = 1, 1
    support = constraints.nonnegative_integer

    def distribution(self, parameters: Tensor) -> Distribution:
        return Poisson(parameters.squeeze(-1).exp(), validate_args=False)

    def at(self, distribution: Distribution, index: int) -> Distribution:
        return Poisson(distribution.rate.flatten(1)[:, index], validate_args=False)

    def encode(self, x: Tensor) -> Tensor:
        return x.log1p().unsqueeze(-1)


class OrZero(Distribution):
    """Zero with probability sigmoid(logit), else a number above it."""

    arg_constraints = {}  # noqa: RUF012

    def __init__(self, logit: Tensor, rest: Distribution) -> None:
        self.logit, self.rest = logit, rest
        super().__init__(logit.shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        zero = value == 0
        positive = self.rest.log_prob(torch.where(zero, 1.0, value)) - torch.nn.functional.softplus(self.logit)
        return torch.where(zero, torch.nn.functional.logsigmoid(self.logit), positive)

    def sample(self, sample_shape: tuple[int, ...] = ()) -> Tensor:
        drawn = self.rest.sample(torch.Size(sample_shape))
        return drawn * (torch.rand_like(drawn) >= self.logit.sigmoid())


class Rain(Conditional):
    """An atom beside a density: no rain at all, or so many millimetres."""

    num_parameters, num_features = 3, 1
    support = constraints.positive
    atoms = torch.tensor([0.0])

    def distribution(self, parameters: Tensor) -> Distribution:
        return OrZero(parameters[..., 0], Positive().distribution(parameters[..., 1:]))

    def at(self, distribution: Distribution, index: int) -> Distribution:
        return OrZero(distribution.logit.flatten(1)[:, index], Positive().at(distribution.rest, index))

    def encode(self, x: Tensor) -> Tensor:
        return x.log1p().unsqueeze(-1)


FAMILIES = [
    *CONDITIONALS.values(),
    *IMAGE_CONDITIONALS.values(),
    *(family for family, _ in REAL_CONDITIONALS.values() if not isinstance(family, Columns)),
    *(column for family, _ in REAL_CONDITIONALS.values() if isinstance(family, Columns) for column in family.columns),
    Positive(),
    Share(),
    Count(),
    Rain(),
    WithMissing(Count()),
    Standardised(Positive(), shift=-2.0, scale=10.0),
]


@pytest.mark.parametrize("family", FAMILIES, ids=repr)
def test_promises_are_kept(family: Conditional) -> None:
    assert check_conditional(family).outcome is Outcome.PASSED


@pytest.mark.parametrize("family", [Positive(), Share(), Count(), Rain()], ids=repr)
def test_models_of_any_support_keep_all_laws(family: Conditional) -> None:
    verdicts = check_model(FVSBN(event_shape=(3,), conditional=family))
    assert verdicts["finite_and_strict"].outcome is Outcome.CANNOT_TELL  # exp of a parameter of 1000
    for law in ("normalised", "sampling_agrees", "completion_agrees"):
        assert verdicts[law].passed, verdicts[law]


class HalfOfTheSamples(Bernoulli):
    def distribution(self, parameters: Tensor) -> Distribution:
        distribution = super().distribution(parameters)
        distribution.sample = lambda shape=(): torch.bernoulli(
            0.5 * distribution.probs.expand(*shape, *parameters.shape[:-1])
        )
        return distribution


class LosesItsMass(Gaussian):
    class TooSmall(Normal):
        def log_prob(self, value: Tensor) -> Tensor:
            return super().log_prob(value) - 0.001

    def component(self, mean: Tensor, scale: Tensor) -> Distribution:
        return self.TooSmall(mean, scale, validate_args=False)


class OnlyPositive(Gaussian):
    @property
    def support(self) -> Constraint:
        return constraints.positive


class CountsOffByAThousandth(Count):
    class TooLarge(Poisson):
        def log_prob(self, value: Tensor) -> Tensor:
            return super().log_prob(value) + 0.001

    def distribution(self, parameters: Tensor) -> Distribution:
        return self.TooLarge(parameters.squeeze(-1).exp(), validate_args=False)

    def at(self, distribution: Distribution, index: int) -> Distribution:
        return self.TooLarge(distribution.rate.flatten(1)[:, index], validate_args=False)


class PicksTheFirst(Gaussian):
    def at(self, distribution: Distribution, index: int) -> Distribution:
        return super().at(distribution, 0)


class TooFewFeatures(Categorical):
    def encode(self, x: Tensor) -> Tensor:
        return x.unsqueeze(-1)


class ForgetsItsConfiguration(Gaussian):
    @property
    def config(self) -> dict[str, object]:
        return {}

    def __repr__(self) -> str:
        return f"ForgetsItsConfiguration(min_scale={self.min_scale})"


class StartsAnywhere(Categorical):
    def initial_parameters(self, x: Tensor) -> Tensor:
        return torch.tensor([0.0, 0.0, 0.1])


@pytest.mark.parametrize(
    ("family", "message"),
    [
        (HalfOfTheSamples(), "samples in cell"),
        (LosesItsMass(), "over support and atoms expected 1 within 1e-5, got 0.999"),
        (CountsOffByAThousandth(), "over support and atoms expected 1 within 1e-5, got 1.001"),
        (OnlyPositive(), "over support and atoms expected 1"),
        (PicksTheFirst(), "of `at`, as against the whole distribution's"),
        (TooFewFeatures(4), r"encode expected the shape \(4, 3\), got \(4, 1\)"),
        (ForgetsItsConfiguration(0.1), "expected an equal one from its config"),
        (StartsAnywhere(3), "initial_parameters: p"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Conditional) else "",
)
def test_broken_promises_are_told(family: Conditional, message: str) -> None:
    with pytest.raises(AssertionError, match=f"conditional_keeps_promises: .*{message}"):
        check_conditional(family)


class Kinked(Conditional):
    """A density with a kink at its mean."""

    num_parameters, num_features = 2, 1
    support = constraints.real

    def distribution(self, parameters: Tensor) -> Distribution:
        mean, size = parameters.unbind(-1)
        return self.component(mean, torch.nn.functional.softplus(size) + 0.1)

    def component(self, mean: Tensor, scale: Tensor) -> Distribution:
        return Laplace(mean, scale, validate_args=False)

    def at(self, distribution: Distribution, index: int) -> Distribution:
        mean, scale = (getattr(distribution, name).flatten(1)[:, index] for name in ("loc", "scale"))
        return self.component(mean, scale)

    def encode(self, x: Tensor) -> Tensor:
        return x.unsqueeze(-1)


class Box(Laplace):
    """A density with two jumps."""

    def log_prob(self, value: Tensor) -> Tensor:
        inside = (value - self.loc).abs() < self.scale
        return torch.where(inside, -(2 * self.scale).log(), -torch.inf)

    def sample(self, sample_shape: tuple[int, ...] = ()) -> Tensor:
        shape = self._extended_shape(torch.Size(sample_shape))
        return self.loc + self.scale * (2 * torch.rand(shape, dtype=self.loc.dtype) - 1)


class Jumps(Kinked):
    def component(self, mean: Tensor, scale: Tensor) -> Distribution:
        return Box(mean, scale, validate_args=False)


class Comb(Kinked):
    """A density with a jump every thousandth: right, but no quadrature can say so."""

    class Teeth(Laplace):
        def log_prob(self, value: Tensor) -> Tensor:
            return super().log_prob(value) + torch.where((1000 * value).floor() % 2 == 0, 1.5, 0.5).log()

        def sample(self, sample_shape: tuple[int, ...] = ()) -> Tensor:
            drawn = 1000 * super().sample(torch.Size(sample_shape))
            even = (drawn.floor() / 2).floor() * 2
            return (even + (torch.rand_like(drawn) < 0.25) + torch.rand_like(drawn)) / 1000

    def component(self, mean: Tensor, scale: Tensor) -> Distribution:
        return self.Teeth(mean, scale, validate_args=False)


class KinkedOffByAThousandth(Kinked):
    class TooLarge(Laplace):
        def log_prob(self, value: Tensor) -> Tensor:
            return super().log_prob(value) + 0.001

    def component(self, mean: Tensor, scale: Tensor) -> Distribution:
        return self.TooLarge(mean, scale, validate_args=False)


class HalfKinked(Kinked):
    class Half(Laplace):
        def log_prob(self, value: Tensor) -> Tensor:
            return super().log_prob(value) - 0.6733

    def component(self, mean: Tensor, scale: Tensor) -> Distribution:
        return self.Half(mean, scale, validate_args=False)


class Undefined(Kinked):
    class Nan(Laplace):
        def log_prob(self, value: Tensor) -> Tensor:
            return super().log_prob(value).masked_fill(value < self.loc, torch.nan)

    def component(self, mean: Tensor, scale: Tensor) -> Distribution:
        return self.Nan(mean, scale, validate_args=False)


@pytest.mark.parametrize(
    "family", [Kinked(), Jumps(), Standardised(Kinked(), shift=5.0, scale=30.0), WithMissing(Kinked())], ids=repr
)
def test_densities_with_kinks_and_jumps_are_integrated(family: Conditional) -> None:
    assert check_conditional(family) == "passed: by quadrature"


@pytest.mark.parametrize("n", [3, 4])
def test_models_of_densities_with_kinks_keep_all_laws(n: int) -> None:
    verdicts = check_model(FVSBN(event_shape=(n,), conditional=Kinked()))
    for law in ("normalised", "sampling_agrees", "completion_agrees", "conditional_keeps_promises"):
        assert verdicts[law].passed, verdicts[law]


def test_a_density_too_rough_to_be_integrated_cannot_be_told() -> None:
    verdict = check_conditional(Comb())
    assert verdict.outcome is Outcome.CANNOT_TELL
    assert "too rough to be integrated" in verdict


@pytest.mark.parametrize(
    ("family", "got"), [(KinkedOffByAThousandth(), "1.001"), (HalfKinked(), "0.51"), (Undefined(), "nan")], ids=repr
)
def test_wrong_densities_with_kinks_are_told(family: Conditional, got: str) -> None:
    told = "got NaN on both sides" if got == "nan" else f"over support and atoms expected 1 within 1e-5, got {got}"
    with pytest.raises(AssertionError, match=told):
        check_conditional(family)
    with pytest.raises(AssertionError, match=r"(?s)normalised: "):
        check_model(FVSBN(event_shape=(3,), conditional=family))
