"""The tasks, each against an independent computation where there is one."""

import math

import pytest
import torch

import chainrule
from chainrule.choices import ChangedDraw, restrict
from chainrule.codes import Drawing
from chainrule.conditionals import Bernoulli, Categorical
from chainrule.models import FVSBN, MADE, NADE, RNN, WaveNet
from chainrule.sequence import SequenceModel
from chainrule.tasks import batches
from chainrule.tasks.evaluate import log_prob
from chainrule.tasks.forecast import forecast
from chainrule.tasks.score import surprisals_in_order

pytestmark = pytest.mark.quick


@pytest.fixture
def model() -> MADE:
    torch.manual_seed(0)
    model = MADE(event_shape=(1, 2, 3), conditional=Categorical(3), hidden_sizes=[16], order="reversed")
    torch.nn.init.normal_(model.output_layer.bias)
    return model


class TestEvaluate:
    def test_variables_are_those_of_the_examples(self) -> None:
        """Sequences that are longer than the model's event work too."""
        model = RNN(event_shape=(6,), conditional=Bernoulli(), hidden_size=4)
        x = torch.bernoulli(torch.full((10, 12), 0.5))
        result = chainrule.evaluate(model, x)
        assert result.variables == 120
        assert result.bits_per_dim == pytest.approx(result.nats / 12 / math.log(2))

    def test_is_the_mean_and_its_standard_error(self, model: MADE) -> None:
        x = chainrule.sample(model, 50, seed=1)
        result = chainrule.evaluate(model, x, batch_size=7)
        nats = -model.log_prob(x).double()
        assert result.nats == pytest.approx(nats.mean().item(), rel=1e-6)
        assert result.nats_stderr == pytest.approx(nats.std().item() / math.sqrt(50), rel=1e-6)
        assert result.bits_per_dim == pytest.approx(nats.mean().item() / 6 / math.log(2), rel=1e-6)
        assert result.examples == 50

    def test_keeps_the_mode_of_the_model(self, model: MADE) -> None:
        model.train()
        chainrule.evaluate(model, torch.zeros(3, 1, 2, 3))
        assert model.training

    def test_needs_an_example(self, model: MADE) -> None:
        with pytest.raises(ValueError, match="at least one example, got none"):
            log_prob(model, torch.zeros(0, 1, 2, 3))
        with pytest.raises(ValueError, match="batch_size expects at least 1, got 0"):
            log_prob(model, torch.zeros(1, 1, 2, 3), batch_size=0)

    def test_one_example_has_no_standard_error(self, model: MADE) -> None:
        assert math.isnan(chainrule.evaluate(model, torch.zeros(1, 1, 2, 3)).nats_stderr)


class TestSample:
    def test_seed_repeats_and_leaves_the_global_generator_alone(self, model: MADE) -> None:
        torch.manual_seed(5)
        before = torch.get_rng_state()
        first, second = chainrule.sample(model, 20, seed=3), chainrule.sample(model, 20, seed=3)
        assert torch.equal(first, second)
        assert torch.equal(before, torch.get_rng_state())
        assert not torch.equal(first, chainrule.sample(model, 20, seed=4))

    def test_greedy_takes_the_most_probable_value_at_every_step(self, model: MADE) -> None:
        x = chainrule.sample(model, 1, greedy=True)
        assert torch.equal(x, chainrule.sample(model, 1, top_k=1, seed=0))
        logits = model.order.flatten(model(x).logits)[0]
        assert torch.equal(logits.argmax(-1).float(), model.order.flatten(x)[0])

    def test_temperature_sharpens(self, model: MADE) -> None:
        cold, hot = (chainrule.sample(model, 500, seed=0, temperature=value) for value in (0.3, 3.0))
        plain = chainrule.evaluate(model, chainrule.sample(model, 500, seed=0)).nats
        assert chainrule.evaluate(model, cold).nats < plain < chainrule.evaluate(model, hot).nats

    @pytest.mark.parametrize("temperature", [1e-4, 1e-45, 1e-300])
    def test_a_low_temperature_is_greedy(self, model: MADE, temperature: float) -> None:
        assert torch.equal(
            chainrule.sample(model, 1, seed=0, temperature=temperature), chainrule.sample(model, 1, greedy=True)
        )

    @pytest.mark.parametrize("seed", [-1, 10**20])
    def test_a_seed_has_64_bits(self, model: MADE, seed: int) -> None:
        with pytest.raises(ValueError, match=f"seed expects an integer from 0 to 2\\^63 - 1, got {seed}"):
            chainrule.sample(model, 1, seed=seed)

    def test_the_precision_is_one_of_two(self, model: MADE) -> None:
        with pytest.raises(ValueError, match="precision expects '32-true' or 'bf16-mixed', got 'bf16'"):
            chainrule.sample(model, 1, precision="bf16")

    def test_a_changed_draw_tells_its_probabilities(self) -> None:
        three, log_probs = Categorical(3), torch.tensor([[0.2, 0.5, 0.3]]).log()
        squared = ChangedDraw(three, Drawing(temperature=0.5, undrawn=1)).probabilities(three.distribution(log_probs))
        assert squared[0].tolist() == pytest.approx([0.04 / 0.13, 0, 0.09 / 0.13])
        greedy = ChangedDraw(three, Drawing(greedy=True)).probabilities(three.distribution(log_probs))
        assert greedy[0].tolist() == [0, 1, 0]

    def test_top_p_of_one_and_top_k_of_all_change_nothing(self) -> None:
        probabilities = torch.randn(5, 4).softmax(1)
        assert torch.equal(restrict(probabilities, 4, 1.0), probabilities)
        assert torch.equal(restrict(probabilities, 0, 1.0), probabilities)

    def test_top_k_and_top_p_together_keep_what_both_keep(self) -> None:
        probabilities = torch.tensor([[0.4, 0.3, 0.2, 0.1]])
        assert (restrict(probabilities, 3, 0.65) > 0).tolist() == [[True, True, False, False]]
        assert (restrict(probabilities, 1, 0.65) > 0).tolist() == [[True, False, False, False]]

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"temperature": 0.0}, "temperature expects a positive number"),
            ({"temperature": float("nan")}, "temperature expects a positive number"),
            ({"top_k": 0}, "top_k expects at least 1, got 0"),
            ({"top_p": 1.5}, r"top_p expects a probability in \(0, 1\], got 1.5"),
        ],
    )
    def test_settings_out_of_range(self, model: MADE, settings: dict[str, float], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            chainrule.sample(model, 1, **settings)

    def test_no_example(self, model: MADE) -> None:
        with pytest.raises(ValueError, match="n expects at least 1 example, got 0"):
            chainrule.sample(model, 0)


class TestComplete:
    def test_matches_the_conditional_by_enumeration(self) -> None:
        torch.manual_seed(0)
        model = NADE(event_shape=(4,), conditional=Bernoulli(), hidden_size=5, order="reversed")
        torch.nn.init.normal_(model.output_weight)
        observed = torch.tensor([False, False, True, True])
        x = torch.tensor([[0.0, 0.0, 1.0, 0.0]]).expand(20_000, -1)
        completed = chainrule.complete(model, x, observed, seed=0)
        assert torch.equal(completed[:, 2:], x[:, 2:])
        events = torch.tensor([[0, 0, 1, 0], [0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0]]).float()
        expected = torch.softmax(model.log_prob(events), 0)
        counts = torch.stack([(completed == event).all(1).sum() for event in events])
        chi_square = ((counts - 20_000 * expected) ** 2 / (20_000 * expected)).sum().item()
        assert chi_square < 16.27  # the 0.999 quantile with 3 degrees of freedom

    def test_ignores_what_is_not_observed(self, model: MADE) -> None:
        observed = torch.zeros(1, 2, 3)
        observed[0, 1] = 1
        x = chainrule.sample(model, 4, seed=0)
        noisy = torch.where(observed.bool(), x, torch.full_like(x, float("nan")))
        assert torch.equal(
            chainrule.complete(model, x, observed, seed=1), chainrule.complete(model, noisy, observed, seed=1)
        )

    @pytest.mark.parametrize("known", [0, 6])
    def test_nothing_and_everything_known(self, model: MADE, known: int) -> None:
        x = chainrule.sample(model, 4, seed=0)
        completed = chainrule.complete(model, x, torch.full((1, 2, 3), known > 0), seed=1)
        assert torch.equal(completed, x if known else chainrule.sample(model, 4, seed=1))

    def test_wrong_mask_and_wrong_values(self, model: MADE) -> None:
        with pytest.raises(ValueError, match=r"shape of one example, \(1, 2, 3\), got \(6,\)"):
            chainrule.complete(model, torch.zeros(1, 1, 2, 3), torch.zeros(6))
        with pytest.raises(ValueError, match="got 7"):
            chainrule.complete(model, torch.full((1, 1, 2, 3), 7.0), torch.ones(1, 2, 3))
        with pytest.raises(ValueError, match=r"MADE expects examples of shape \(B, 1, 2, 3\), got \(1, 1, 1, 3\)"):
            chainrule.complete(model, torch.zeros(1, 1, 1, 3), torch.ones(1, 2, 3))
        with pytest.raises(ValueError, match="observed expects booleans, or 0 and 1, got other values"):
            chainrule.complete(model, torch.zeros(1, 1, 2, 3), torch.full((1, 2, 3), 0.5))


class TestDescribe:
    def test_counts_parameters_and_operations(self) -> None:
        description = chainrule.describe(FVSBN(event_shape=(10,), conditional=Bernoulli()))
        assert description.parameters == 55
        assert description.log_prob_operations == 2 * 10 * 10
        assert description.sample_operations == 2 * 45  # steps skip what the mask holds at zero
        assert "n(n + 1)/2" in str(description)
        assert description.as_dict()["variables"] == 10

    def test_a_sample_of_made_costs_no_more_than_a_pass(self) -> None:
        made = MADE(event_shape=(30,), conditional=Bernoulli(), hidden_sizes=[64, 64], direct=True)
        description = chainrule.describe(made)
        assert description.sample_operations < description.log_prob_operations
        live = description.parameters - 64 - 64 - 30  # all weights, without the biases
        assert description.sample_operations <= 2 * live

    def test_a_sample_of_nade_costs_what_its_weights_say(self) -> None:
        description = chainrule.describe(NADE(event_shape=(30,), conditional=Bernoulli(), hidden_size=8))
        assert description.sample_operations <= 2 * 2 * 30 * 8


def test_large_examples_are_evaluated_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = FVSBN(event_shape=(10,), conditional=Bernoulli()).double(), torch.zeros(3, 10)  # no compiled walk
    rows: list[int] = []
    model.register_forward_hook(lambda _, arguments, output: rows.append(len(arguments[0])))
    for values, expected in ((20, [2, 1]), (5, [1, 1, 1]), (30, [3])):
        monkeypatch.setattr(batches, "VALUES", values)
        for read in (log_prob, lambda *given: list(surprisals_in_order(*given))):
            rows.clear()
            read(model, x)
            assert rows == expected


@pytest.mark.parametrize("model", [RNN, WaveNet])
def test_a_forecast_that_is_watched_has_the_same_draws(model: type[SequenceModel]) -> None:
    """It is drawn in pieces, by compiled walks too."""
    torch.manual_seed(0)
    past, calls = torch.randint(0, 5, (30,)).float(), []
    own = model(event_shape=(30,), conditional=Categorical(5))
    watched = forecast(own, past, 3, 40, seed=1, watch=lambda: calls.append(None))
    assert torch.equal(watched, forecast(own, past, 3, 40, seed=1))
    assert len(calls) > 2
