"""The costs that `describe` prints: exact, from a few steps."""

import copy
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from chainrule.abilities import components_of
from chainrule.conditionals import Bernoulli, Categorical, DiscretizedLogisticMixture
from chainrule.model import AutoregressiveModel
from chainrule.models import MADE, NADE, RNN, Ensemble, GatedPixelCNN, PixelCNN, PixelCNNPlusPlus, PixelRNN, WaveNet
from chainrule.sequence import frame_size_of
from chainrule.tasks.describe import describe
from chainrule.walk import walk

COLOUR = {"event_shape": (3, 4, 5), "conditional": DiscretizedLogisticMixture(4, components=2)}
GREY = {"event_shape": (1, 9, 10), "conditional": Bernoulli()}
LINE = {"event_shape": (9,), "conditional": Categorical(3)}

MODELS: dict[str, Callable[[], AutoregressiveModel]] = {
    "PixelCNN": partial(PixelCNN, hidden_size=3, num_blocks=2, **COLOUR),
    "PixelCNN, patches": partial(PixelCNN, hidden_size=2, num_blocks=1, patch_size=2, **GREY),
    "GatedPixelCNN": partial(GatedPixelCNN, hidden_size=6, num_layers=3, **COLOUR),
    "PixelRNN row": partial(PixelRNN, hidden_size=6, num_layers=2, cell="row", head_size=3, **COLOUR),
    "PixelRNN diagonal": partial(PixelRNN, hidden_size=6, num_layers=2, head_size=3, **COLOUR),
    "PixelCNNPlusPlus": partial(PixelCNNPlusPlus, hidden_size=2, num_blocks=1, **COLOUR),
    "PixelCNNPlusPlus, three resolutions": partial(
        PixelCNNPlusPlus, hidden_size=2, num_blocks=1, num_resolutions=3, **GREY
    ),
    "PixelCNNPlusPlus, patches": partial(PixelCNNPlusPlus, hidden_size=2, num_blocks=1, patch_size=2, **GREY),
    "RNN": partial(RNN, hidden_size=4, **LINE),
    "LSTM, classes": partial(RNN, hidden_size=4, num_layers=2, cell="lstm", num_classes=2, **LINE),
    "GRU, reversed": partial(RNN, hidden_size=4, cell="gru", order="reversed", **LINE),
    "WaveNet": partial(WaveNet, residual_channels=4, skip_channels=3, layers=3, **LINE),
    "WaveNet, frames": partial(WaveNet, residual_channels=4, skip_channels=3, layers=2, frame_size=2, **LINE),
    "NADE": partial(NADE, hidden_size=4, **LINE),
    "MADE": partial(MADE, hidden_sizes=[5], **LINE),
    "Ensemble": lambda: Ensemble(models=[MADE(hidden_sizes=[5 + i], **LINE) for i in range(2)]),
    "Ensemble of WaveNets": lambda: Ensemble(
        models=[WaveNet(residual_channels=4, skip_channels=3, layers=2, **LINE) for _ in range(2)]
    ),
}


def counted_in_full(model: AutoregressiveModel) -> tuple[int, int]:
    """The operations of a whole pass and of a whole walk, by torch's own counter."""
    model = copy.deepcopy(model).double()
    values = model.conditional.values
    assert values is not None
    x = values[-1].double().expand(1, *model.event_shape)
    context = None if model.num_classes is None else torch.zeros(1, dtype=torch.long)
    if (frame_size := frame_size_of(model)) is not None:
        context = torch.zeros(1, model.num_variables, frame_size)
    counts = []
    for compute in (
        lambda: model.log_prob(x, context),
        lambda: walk(components_of(model)[0], 1, lambda t, distribution: distribution.sample(), context),
    ):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            compute()
        counts.append(counter.get_total_flops())
    return counts[0], counts[1]


@pytest.mark.parametrize("name", MODELS)
def test_a_few_steps_tell_what_all_of_them_cost(name: str) -> None:
    model = MODELS[name]()
    description = describe(model)
    assert (description.log_prob_operations, description.sample_operations) == counted_in_full(model)


def calls_of(monkeypatch: pytest.MonkeyPatch, *owners: tuple[type, str]) -> Counter[str]:
    """Count the calls of methods from now on."""
    calls: Counter[str] = Counter()
    for owner, name in owners:
        method = getattr(owner, name)

        def counted(*args: Any, method: Callable[..., Any] = method, name: str = name, **kwargs: Any) -> Any:
            calls[name] += 1
            return method(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)
    return calls


@pytest.mark.parametrize("build", [WaveNet, RNN, partial(RNN, cell="lstm")])
def test_a_long_sequence_takes_a_few_calls(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(event_shape=(65536,), conditional=Categorical(256))
    owners = [(type(model), name) for name in ("forward", "advance", "step")]
    calls = calls_of(monkeypatch, *owners, (Categorical, "encode"))
    describe(model)
    assert calls["forward"] == 0
    assert calls["advance"] <= 3
    assert calls["step"] <= 3
    assert calls["encode"] <= 10


@pytest.mark.parametrize(("model", "rows"), [(PixelCNN, 1), (GatedPixelCNN, 1), (PixelRNN, 1), (PixelCNNPlusPlus, 2)])
def test_an_image_takes_a_few_rows(model: Any, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = calls_of(monkeypatch, (model, "step"))
    describe(model(event_shape=(1, 12, 12), conditional=Bernoulli()))
    assert calls["step"] <= rows * 12 + 4


def test_describe_changes_nothing() -> None:
    model = PixelCNN(hidden_size=3, num_blocks=1, dropout=0.5, **COLOUR)
    seed, settings = torch.get_rng_state(), (torch.is_grad_enabled(), torch.backends.mkldnn.is_available())
    weights = copy.deepcopy(model.state_dict())
    describe(model)
    assert torch.equal(seed, torch.get_rng_state())
    assert settings == (torch.is_grad_enabled(), torch.backends.mkldnn.is_available())
    assert model.training
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())
