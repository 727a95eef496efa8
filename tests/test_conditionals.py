"""Families of conditionals: normalised, their own part of an event, their encodings and their values."""

import math
from decimal import Decimal, localcontext

import pytest
import torch
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Categorical as TorchCategorical

from chainrule.conditionals import Bernoulli, Categorical, Conditional, DiscretizedLogisticMixture

pytestmark = pytest.mark.quick

LISTED = [Bernoulli(), Categorical(2), Categorical(5), Categorical(5, "scalar"), Categorical(256, "scalar")]
MIXTURES = [DiscretizedLogisticMixture(5, 3), DiscretizedLogisticMixture(256, 10), DiscretizedLogisticMixture(2, 1)]
FAMILIES = [*LISTED, *MIXTURES]
each_family = pytest.mark.parametrize("family", FAMILIES, ids=repr)


@each_family
def test_probabilities_of_all_values_sum_to_one(family: Conditional) -> None:
    distribution = family.distribution(torch.randn(4, 3, family.num_parameters, dtype=torch.float64))
    assert distribution.batch_shape == (4, 3)
    total = sum(distribution.log_prob(value.double().expand(4, 3)).exp() for value in family.values)
    torch.testing.assert_close(total, torch.ones(4, 3, dtype=torch.float64))


@each_family
def test_log_probs_are_those_of_all_values(family: Conditional) -> None:
    distribution = family.distribution(torch.randn(4, 3, family.num_parameters))
    expected = torch.stack([distribution.log_prob(value.expand(4, 3)) for value in family.values], dim=-1)
    torch.testing.assert_close(family.log_probs(distribution), expected)


@each_family
def test_at_is_one_variable_of_an_event(family: Conditional) -> None:
    whole = family.distribution(torch.randn(4, 2, 3, family.num_parameters))
    x = family.values[torch.randint(len(family.values), (4, 2, 3))]
    for index in range(6):
        part = family.at(whole, index)
        assert part.batch_shape == (4,)
        torch.testing.assert_close(part.log_prob(x.flatten(1)[:, index]), whole.log_prob(x).flatten(1)[:, index])


@each_family
def test_encode_maps_zero_to_zeros_and_tells_values_apart(family: Conditional) -> None:
    features = family.encode(family.values.double())
    assert features.shape == (len(family.values), family.num_features)
    assert features.dtype == torch.float64
    assert (features[0] == 0).all()
    assert len(features.unique(dim=0)) == len(family.values)
    assert family.encode(torch.zeros(2, 3, 4)).shape == (2, 3, 4, family.num_features)


@each_family
def test_samples_are_values_with_their_probabilities(family: Conditional) -> None:
    torch.manual_seed(0)
    distribution = family.distribution(torch.randn(family.num_parameters))
    samples = distribution.sample((20_000,))
    assert samples.shape == (20_000,)
    family.check(samples)
    for value in family.values[:5]:
        expected = float(distribution.log_prob(value).exp())
        got = float((samples == value).double().mean())
        assert got == pytest.approx(expected, abs=5 * (expected / 20_000) ** 0.5 + 1e-3)


@each_family
def test_config_builds_an_equal_one(family: Conditional) -> None:
    copy = type(family)(**family.config)
    assert copy.config == family.config
    assert repr(copy) == repr(family)


def test_two_categories_are_read_as_a_bit() -> None:
    x = torch.tensor([0.0, 1.0, 1.0])
    assert Categorical(2).encode(x).equal(Bernoulli().encode(x))
    assert Categorical(2, "scalar").encode(x).equal(Bernoulli().encode(x))
    logits = torch.randn(3, 1)
    as_softmax = Categorical(2).distribution(torch.cat([torch.zeros(3, 1), logits], dim=1))
    torch.testing.assert_close(as_softmax.log_prob(x), Bernoulli().distribution(logits).log_prob(x))


def test_log_prob_equals_torchs() -> None:
    logits = torch.randn(5, 1)
    x = torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0])
    own = Bernoulli().distribution(logits)
    torch.testing.assert_close(own.log_prob(x), TorchBernoulli(logits=logits[:, 0]).log_prob(x))
    torch.testing.assert_close(own.probs, logits[:, 0].sigmoid())
    torch.testing.assert_close(own.mean, logits[:, 0].sigmoid())
    torch.testing.assert_close(own.entropy(), TorchBernoulli(logits=logits[:, 0]).entropy())
    numbers = torch.randn(5, 3)
    got = Categorical(3).distribution(numbers).log_prob(x)
    torch.testing.assert_close(got, TorchCategorical(logits=numbers).log_prob(x))


@pytest.mark.parametrize("logit", [1e4, -1e4])
def test_bernoulli_is_exact_far_out(logit: float) -> None:
    """Through the logit, not the probability: log sigmoid(-1e4) is -1e4, not -inf."""
    got = Bernoulli().distribution(torch.full((2, 1), logit)).log_prob(torch.tensor([0.0, 1.0]))
    assert got.tolist() == ([-1e4, 0] if logit > 0 else [0, -1e4])


def test_bernoulli_samples_in_any_shape() -> None:
    distribution = Bernoulli().distribution(torch.randn(4, 3, 1))
    assert distribution.sample().shape == (4, 3)
    assert distribution.sample((2, 5)).shape == (2, 5, 4, 3)
    torch.manual_seed(0)
    first = distribution.sample()
    torch.manual_seed(0)
    assert distribution.sample().equal(first)


@pytest.mark.parametrize(
    ("family", "value", "message"),
    [
        (Bernoulli(), 0.5, "Bernoulli expects values 0 or 1, got 0.5"),
        (Bernoulli(), float("nan"), "Bernoulli expects values 0 or 1, got NaN"),
        (Bernoulli(), 2, "got 2"),
        (Bernoulli(), -1, "got -1"),
        (Bernoulli(), float("inf"), "got inf"),
        (Categorical(3), 3, r"Categorical\(3\) expects values integers from 0 to 2, got 3"),
        (Categorical(3), 1.5, r"got 1\.5"),
        (Categorical(3), float("nan"), "got NaN"),
        (Categorical(2), 2, "expects values 0 or 1, got 2"),
    ],
)
def test_other_values_are_refused(family: Conditional, value: float, message: str) -> None:
    x = torch.zeros(2, 3)
    x[1, 2] = value
    with pytest.raises(ValueError, match=message):
        family.check(x)


def test_grey_levels_are_accepted_as_bytes() -> None:
    Categorical(256, "scalar").check(torch.tensor([0, 255], dtype=torch.uint8))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool, torch.float16, torch.float64])
def test_values_of_any_type_are_accepted(dtype: torch.dtype) -> None:
    x = torch.tensor([0, 1]).to(dtype)
    for family in (*LISTED[:-1], *MIXTURES[::2]):
        family.check(x)


def test_invalid_arguments_say_expected_and_got() -> None:
    with pytest.raises(ValueError, match="expects at least 2 categories, got 1"):
        Categorical(1)
    with pytest.raises(ValueError, match="encoding expects 'one_hot' or 'scalar', got 'binary'"):
        Categorical(3, "binary")


@pytest.mark.parametrize("logit", [math.inf, -math.inf])
def test_infinite_logits_are_certain(logit: float) -> None:
    logits = torch.full((2, 1), logit, requires_grad=True)
    distribution = Bernoulli().distribution(logits)
    got = distribution.log_prob(torch.tensor([0.0, 1.0]))
    assert got.tolist() == ([-math.inf, 0] if logit > 0 else [0, -math.inf])
    assert distribution.sample((50,)).unique().tolist() == [float(logit > 0)]
    assert distribution.entropy().tolist() == [0, 0]


def test_impossible_categories_are_never_drawn() -> None:
    distribution = Categorical(3).distribution(torch.tensor([[0.5, 0.0, 0.5]]).log())
    assert distribution.log_prob(torch.tensor([1.0])).tolist() == [-math.inf]
    assert distribution.log_prob(torch.tensor([2.0])).exp().tolist() == pytest.approx([0.5])
    assert distribution.sample((100,)).unique().tolist() == [0, 2]
    torch.testing.assert_close(distribution.entropy(), torch.tensor([math.log(2)]))


@pytest.mark.parametrize("family", LISTED, ids=repr)
def test_parameters_of_inverts_distribution(family: Conditional) -> None:
    log_probs = torch.randn(4, len(family.values), dtype=torch.float64).log_softmax(-1)
    distribution = family.distribution(family.parameters_of(log_probs))
    got = torch.stack([distribution.log_prob(value.double().expand(4)) for value in family.values], dim=-1)
    torch.testing.assert_close(got, log_probs)


def bin_mass(value: int, pi: list[float], mu: list[float], s: list[float], levels: int) -> float:
    """P(value) under a mixture of logistics, from its distribution function, with a thousand digits."""
    with localcontext() as context:
        context.prec = 1000
        half = Decimal(1) / (levels - 1)
        centre, total = 2 * half * value - 1, Decimal(0)
        for weight, mean, scale in zip(pi, mu, s, strict=True):

            def below(end: Decimal, mean: float = mean, scale: float = scale) -> Decimal:
                return 1 / (1 + (-(end - Decimal(mean)) / Decimal(scale)).exp())

            upper = below(centre + half) if value < levels - 1 else Decimal(1)
            lower = below(centre - half) if value > 0 else Decimal(0)
            total += Decimal(weight) * (upper - lower)
        return float(total.ln())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [2e-3, 1e-2, 0.3, 30.0, 1000.0])
@pytest.mark.parametrize("mean", [-1.3, -1.0, 0.1, 0.999])
def test_logistic_bins_agree_with_their_definition(scale: float, mean: float, dtype: torch.dtype) -> None:
    """At the edges 0 and 255, in the tails, and where a bin is far thinner than the logistics are wide."""
    logits, means, log_scales = [0.4, -0.2], [mean, 0.25], [math.log(scale), math.log(0.5 * scale)]
    parameters = torch.tensor([*logits, *means, *log_scales], dtype=torch.float64)
    pi, mu, log_s = (part.tolist() for part in parameters.chunk(3))
    pi = torch.tensor(pi, dtype=torch.float64).softmax(0).tolist()
    distribution = DiscretizedLogisticMixture(256, 2).distribution(parameters.to(dtype))
    for value in (0, 1, 127, 128, 254, 255):
        expected = bin_mass(value, pi, mu, [math.exp(number) for number in log_s], 256)
        got = distribution.log_prob(torch.tensor(float(value), dtype=dtype)).item()
        assert got == pytest.approx(expected, rel=1e-9 if dtype == torch.float64 else 2e-4, abs=1e-5)


@pytest.mark.parametrize("scale", [1e-5, 1e-3, 0.3])
def test_logistic_bins_of_sixteen_bits_agree_with_their_definition(scale: float) -> None:
    parameters = torch.tensor([0.0, 0.1, math.log(scale)], dtype=torch.float64)
    distribution = DiscretizedLogisticMixture(65_536, 1).distribution(parameters)
    for value in (0, 1, 32_000, 36_043, 36_044, 36_045, 65_535):
        if (expected := bin_mass(value, [1.0], [0.1], [scale], 65_536)) > -700:
            got = distribution.log_prob(torch.tensor(float(value), dtype=torch.float64)).item()
            assert got == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("log_scale", [-1e4, 0.0, 1e4])
def test_logistic_bins_are_finite_with_gradients_everywhere(log_scale: float) -> None:
    parameters = torch.tensor([1e3, -1e3, 1e3, -1e3, log_scale, log_scale], requires_grad=True)
    distribution = DiscretizedLogisticMixture(256, 2).distribution(parameters)
    log_probs = distribution.log_prob(torch.arange(256.0))
    assert log_probs.isfinite().all()
    (gradient,) = torch.autograd.grad(log_probs.sum(), parameters)
    assert gradient.isfinite().all()


def test_mixtures_say_expected_and_got() -> None:
    with pytest.raises(ValueError, match="expects at least 2 categories, got 1"):
        DiscretizedLogisticMixture(1)
    with pytest.raises(ValueError, match="expects at least 1 component, got 0"):
        DiscretizedLogisticMixture(256, 0)
    with pytest.raises(
        ValueError, match=r"DiscretizedLogisticMixture\(.*\) expects values integers from 0 to 255, got 256"
    ):
        DiscretizedLogisticMixture().check(torch.tensor([256.0]))
