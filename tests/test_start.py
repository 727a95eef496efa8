"""A training starts at the frequencies of the data, and goes on from there."""

import math
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from zoo import IMAGE_CONDITIONALS

import chainrule
from chainrule.batch import as_source
from chainrule.conditionals import (
    Bernoulli,
    Categorical,
    Columns,
    Conditional,
    DiscretizedLogisticMixture,
    Gaussian,
    GaussianMixture,
    LogisticMixture,
    Standardised,
    WithMissing,
)
from chainrule.data import load
from chainrule.data.sequences import Stream
from chainrule.model import Model
from chainrule.models import (
    FVSBN,
    MADE,
    MLP,
    NADE,
    RNN,
    Autoencoder,
    Ensemble,
    GatedPixelCNN,
    PixelCNN,
    PixelCNNPlusPlus,
    PixelRNN,
    WaveNet,
)
from chainrule.tasks.independent import independent_nats
from chainrule.testing import randomised
from chainrule.training.loader import Loader
from chainrule.training.start import EXAMPLES, _values, start_at_frequencies


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


MIXED = Columns(
    [
        Bernoulli(),
        Standardised(WithMissing(GaussianMixture(5)), shift=3.0, scale=2.0),
        Categorical(3),
        Standardised(LogisticMixture(4), shift=-1.0, scale=0.5),
    ]
)


def mixed_rows(count: int) -> Tensor:
    bits = torch.bernoulli(torch.full((count,), 0.1), generator=generator())
    reals = torch.randn(count, 2, generator=generator()).exp()
    reals[::7, 0] = math.nan
    classes = torch.randint(3, (count,), generator=generator())
    return torch.stack([bits, reals[:, 0], classes, reals[:, 1]], dim=1)


def levels_of(shape: tuple[int, ...], levels: int, count: int = 300) -> Tensor:
    """Examples whose variables have frequencies of their own."""
    skew = 1 + torch.rand(shape, generator=generator()) * 4
    return (levels * torch.rand(count, *shape, generator=generator()) ** skew).floor()


OWN = {
    "FVSBN": lambda **given: FVSBN(**given),
    "FVSBN, classes": lambda **given: FVSBN(num_classes=2, **given),
    "MLP": lambda **given: MLP(hidden_size=5, **given),
    "NADE": lambda **given: NADE(hidden_size=6, **given),
    "NADE, deep": lambda **given: NADE(hidden_size=6, num_layers=2, order_agnostic=True, **given),
    "MADE": lambda **given: MADE(hidden_sizes=[9, 7], **given),
    "MADE, direct": lambda **given: MADE(hidden_sizes=[9], direct=True, num_masks=2, order_agnostic=True, **given),
    "MADE, classes": lambda **given: MADE(hidden_sizes=[9], num_classes=2, **given),
    "Ensemble": lambda **given: Ensemble(models=[MADE(hidden_sizes=[9], **given), FVSBN(**given)]),
}
"""Models whose variables have outputs of their own."""


@pytest.mark.parametrize("order", ["raster", "random:3"])
@pytest.mark.parametrize("name", OWN)
def test_every_variable_starts_at_its_own_frequencies(name: str, order: str) -> None:
    for family, x in ((Categorical(3), levels_of((5,), 3)), (MIXED, mixed_rows(300))):
        model = randomised(OWN[name](event_shape=x.shape[1:], conditional=family, order=order)).eval()
        model.start_at(x)
        context = None if model.num_classes is None else torch.arange(len(x)) % 2
        start = family.initial_parameters(x)
        expected = family.distribution(start.expand(len(x), *start.shape)).log_prob(x).sum(1)
        torch.testing.assert_close(model.log_prob(x, context), expected, atol=1e-4, rtol=1e-4)


SHARED = {
    "RNN": lambda **given: RNN(hidden_size=6, **given),
    "RNN, LSTM": lambda **given: RNN(hidden_size=6, cell="lstm", num_layers=2, num_classes=2, **given),
    "WaveNet": lambda **given: WaveNet(residual_channels=4, skip_channels=4, layers=2, **given),
}
"""Models all of whose variables share their output."""


@pytest.mark.parametrize("name", SHARED)
def test_variables_that_share_their_output_start_at_common_frequencies(name: str) -> None:
    for family in (Categorical(4), DiscretizedLogisticMixture(4, components=2)):
        x = levels_of((6,), 4)
        model = randomised(SHARED[name](event_shape=(6,), conditional=family)).eval()
        context = None if model.num_classes is None else torch.arange(len(x)) % 2
        start = family.initial_parameters(x.flatten())
        expected = family.distribution(start.expand(*x.shape, -1)).log_prob(x).sum(1)
        for values in (x, x.flatten()):
            randomised(model)
            model.start_at(values)
            torch.testing.assert_close(model.log_prob(x, context), expected)


def test_tied_weights_start_within_a_thousandth_of_the_frequencies() -> None:
    x = levels_of((40,), 30)
    model = RNN(
        event_shape=(40,), conditional=Categorical(30), hidden_size=64, embedding_size=64, tied=True, cell="lstm"
    )
    model.start_at(x)
    expected = Categorical(30).initial_parameters(x.flatten())[x.long()].sum(1).mean()
    assert model.log_prob(x).mean().item() == pytest.approx(expected.item(), abs=40 * 1e-3)


def test_documents_start_at_the_frequencies_up_to_their_ends() -> None:
    x = levels_of((8,), 3)
    x[(x == 2).cumsum(1) > 0] = 2
    model = RNN(event_shape=(8,), conditional=Categorical(3), hidden_size=4, end_symbol=2)
    model.start_at(x)
    counted = x[(x == 2).cumsum(1) - (x == 2).long() == 0]
    start = Categorical(3).initial_parameters(counted)
    torch.testing.assert_close(model.log_prob(x).sum(), start[counted.long()].sum())


IMAGES = {
    "PixelCNN": lambda **given: PixelCNN(hidden_size=6, num_blocks=1, **given),
    "GatedPixelCNN": lambda **given: GatedPixelCNN(hidden_size=6, num_layers=2, **given),
    "PixelRNN": lambda **given: PixelRNN(hidden_size=6, num_layers=1, **given),
    "PixelRNN, row": lambda **given: PixelRNN(hidden_size=6, num_layers=1, cell="row", **given),
    "PixelCNNPlusPlus": lambda **given: PixelCNNPlusPlus(hidden_size=4, num_blocks=1, **given),
}


@pytest.mark.parametrize("patch_size", [1, 2])
@pytest.mark.parametrize(
    ("name", "channels"),
    # The channels of PixelCNN++ depend on each other from the start: see the next test.
    [(name, channels) for name in IMAGES for channels in (1, 3) if (name, channels) != ("PixelCNNPlusPlus", 3)],
)
def test_pixels_start_at_the_frequencies_of_their_channel(name: str, channels: int, patch_size: int) -> None:
    family: Conditional = IMAGE_CONDITIONALS["Categorical"] if patch_size == 1 and channels == 1 else Bernoulli()
    x = levels_of((channels, 3, 4), len(family.values), 20)
    model = randomised(IMAGES[name](event_shape=x.shape[1:], conditional=family, patch_size=patch_size)).eval()
    model.start_at(x)
    start = family.initial_parameters(x.movedim(1, -1).flatten(0, 2))
    expected = family.distribution(start[:, None, None].expand(20, channels, 3, 4, -1)).log_prob(x)
    torch.testing.assert_close(model.log_prob(x), expected.flatten(1).sum(1))


def test_coupled_channels_start_better_than_independent_ones() -> None:
    colours = torch.tensor([[255.0, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]])
    x = colours[torch.randint(4, (50, 6, 6), generator=generator())].permute(0, 3, 1, 2)
    family = DiscretizedLogisticMixture(256)
    model = PixelCNNPlusPlus(event_shape=(3, 6, 6), conditional=family, hidden_size=4, num_blocks=1)
    model.start_at(x)
    pixels = x.movedim(1, -1).flatten(0, -2)
    per_channel = torch.stack([torch.bincount(channel.long()) for channel in pixels.T]) / len(pixels)
    independent = -torch.where(per_channel > 0, per_channel * per_channel.log(), 0.0).sum() * 36
    assert -model.log_prob(x).mean() < independent
    for same in (torch.full_like(x, 7.0), x[:1, :, :1, :1].expand(1, 3, 6, 6)):
        model.start_at(same)
        assert -model.log_prob(same).mean() < 3 * 36 * 0.3


def test_an_autoencoder_starts_at_the_frequencies() -> None:
    x = levels_of((6,), 2)
    model = randomised(Autoencoder(event_shape=(6,), conditional=Bernoulli(), hidden_sizes=[3])).eval()
    model.start_at(x)
    torch.testing.assert_close(model.loss(x).mean().item(), independent_nats(x, x, 2), atol=1e-2, rtol=0)


def test_a_model_that_does_not_fit_is_refused() -> None:
    model = MADE(event_shape=(4,), conditional=Bernoulli())
    with pytest.raises(ValueError, match=r"shape \(B, 4\), got \(3, 5\)"):
        model.start_at(torch.zeros(3, 5))
    with pytest.raises(ValueError, match="0 or 1, got 2"):
        model.start_at(torch.full((3, 4), 2.0))


@pytest.mark.parametrize("name", ["FVSBN", "MLP", "NADE", "NADE, deep", "MADE", "MADE, direct"])
def test_a_gradient_reaches_every_parameter_from_the_second_step_on(name: str) -> None:
    torch.manual_seed(0)
    model = OWN[name](event_shape=(4,), conditional=MIXED)
    x = mixed_rows(64)
    model.start_at(x)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        model.loss(x).mean().backward()
        gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
        optimizer.step()
    assert all(gradient is not None and gradient.any() for gradient in gradients.values()), gradients.keys()


# What a family starts at


SKEWED = {
    "log-normal": lambda: torch.randn(2000, generator=generator()).mul(1.5).exp(),
    "nine tenths zeros": lambda: torch.rand(2000, generator=generator()) * (torch.rand(2000) < 0.1),
    "exponential": lambda: torch.empty(2000).exponential_(generator=generator()),
    "Cauchy": lambda: torch.empty(2000).cauchy_(generator=generator()),
    "normal": lambda: torch.randn(2000, generator=generator()),
    "two values": lambda: (torch.rand(2000, generator=generator()) < 0.37).float(),
    "two clumps": lambda: torch.randn(2000, generator=generator()) * 0.1 + torch.arange(2000) % 2 * 9,
    "constant": lambda: torch.full((2000,), 3.0),
    "few": lambda: torch.tensor([0.3, 5.0, 5.0]),
    "one": lambda: torch.tensor([-7.0]),
    "large": lambda: torch.tensor([1e5, -1e5, 0.0]),
}


@pytest.mark.parametrize("values", SKEWED)
@pytest.mark.parametrize("family", [GaussianMixture(10), GaussianMixture(2), LogisticMixture(10)], ids=repr)
def test_a_mixture_of_reals_starts_no_worse_than_one_component(family: Conditional, values: str) -> None:
    x = SKEWED[values]()
    one = Gaussian() if isinstance(family, GaussianMixture) else LogisticMixture(1)
    parameters = family.initial_parameters(x)
    assert parameters.isfinite().all()
    nats, of_one = (-each.distribution(each.initial_parameters(x)).log_prob(x).mean() for each in (family, one))
    assert nats.isfinite()
    assert nats <= of_one + 0.05


@pytest.mark.parametrize("levels", [2, 5, 256, 65536])
def test_a_mixture_of_levels_starts_close_to_frequencies(levels: int) -> None:
    family = DiscretizedLogisticMixture(levels)
    bits = torch.rand(3000, generator=generator()) < 0.37
    entropy = -(0.37 * math.log(0.37) + 0.63 * math.log(0.63))
    for low, high in ((0, levels - 1), (levels // 3, levels // 2)):
        x = torch.where(bits, high, low)
        bound = (entropy if low < high else 0.0) + 0.4
        assert -family.distribution(family.initial_parameters(x)).log_prob(x).mean() < bound
    for x in (torch.zeros(1), torch.full((9,), levels - 1)):
        assert -family.distribution(family.initial_parameters(x)).log_prob(x).mean() < 0.3


def test_components_start_apart() -> None:
    for family in (GaussianMixture(4), LogisticMixture(4), DiscretizedLogisticMixture(9, 4)):
        x = torch.arange(9.0).repeat(5)
        distribution = family.distribution(family.initial_parameters(x))
        means = distribution.means if hasattr(distribution, "means") else distribution.component_distribution.mean
        assert means.diff().min() > 0


@pytest.mark.parametrize(
    "family", [Bernoulli(), Categorical(256), GaussianMixture(), DiscretizedLogisticMixture()], ids=repr
)
def test_a_million_values_cost_well_under_a_second(family: Conditional) -> None:
    x = torch.randint(2, (10**6,), generator=generator()).float()
    began = time.process_time()
    family.initial_parameters(x)
    assert time.process_time() - began < 1


# fit


@pytest.mark.parametrize("model", [FVSBN, MLP, NADE, MADE])
def test_digits_start_at_the_baseline(model: type[Model]) -> None:
    data = load("digits")
    network = model(event_shape=data.event_shape, conditional=Bernoulli())
    start_at_frequencies(network, Loader(network, as_source(data.train), None, 128, 0))
    baseline = independent_nats(data.train, data.valid, 2)
    assert chainrule.evaluate(network, data.valid).nats <= baseline + 1e-3 * 64


def test_a_table_of_many_kinds_starts_at_the_baseline(tmp_path: Path) -> None:
    rows = mixed_rows(400).numpy()
    names = np.array(["red", "green", "blue"])
    lines = [f"{b:g},{'' if math.isnan(r) else f'{r:.5f}'},{names[int(c)]},{s:.5f}" for b, r, c, s in rows]
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["bit,real,colour,other", *lines]) + "\n")
    data = load(str(path))
    model = MADE(event_shape=data.event_shape, conditional=data.format.conditional(), hidden_sizes=[16])
    start_at_frequencies(model, Loader(model, as_source(data.train), None, 128, 0))
    baseline = data.format.independent_nats(data.train[:].numpy(), data.valid[:].numpy())
    assert chainrule.evaluate(model, data.valid).nats <= baseline


def test_fit_starts_at_the_frequencies() -> None:
    x = levels_of((6,), 2, 400)
    model = MADE(event_shape=(6,), conditional=Bernoulli(), hidden_sizes=[8])
    result = chainrule.fit(model, x[:300], x[300:], max_epochs=1, learning_rate=1e-9, verbose=False)
    assert result.best_nats == pytest.approx(independent_nats(x[:300], x[300:], 2), abs=0.01)


def test_a_trained_model_goes_on_from_its_weights() -> None:
    bits = levels_of((1,), 2, 400).expand(-1, 6).contiguous()
    model = MADE(event_shape=(6,), conditional=Bernoulli(), hidden_sizes=[8])
    chainrule.fit(model, bits[:300], bits[300:], max_epochs=20, learning_rate=0.05, verbose=False)
    before = chainrule.evaluate(model, bits).nats
    start_at_frequencies(model, Loader(model, as_source(bits), None, 32, 0))
    assert chainrule.evaluate(model, bits).nats == before < independent_nats(bits, bits, 2) / 2


def test_the_values_are_few_and_those_that_count() -> None:
    text = Stream(np.random.RandomState(0).permutation(3000) % 7, window=10)
    model = RNN(event_shape=(10,), conditional=Categorical(7), hidden_size=3)
    loader = Loader(model, text, None, 8, 0)
    assert _values(loader).shape == (2960,)
    start_at_frequencies(model, loader)
    torch.testing.assert_close(model.output.bias.exp(), torch.full((7,), 1 / 7), atol=0.01, rtol=0)
    many = Loader(FVSBN(event_shape=(1,), conditional=Bernoulli()), as_source(torch.zeros(90_000, 1)), None, 128, 0)
    assert EXAMPLES <= len(_values(many)) < EXAMPLES + 128
