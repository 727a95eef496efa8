"""The steps of a training: AdamW, averages, precisions, and checkpoints of before."""

import math
import shutil
from pathlib import Path

import pytest
import torch
from half_copies import SHAPE, half_copies, made, train
from torch import Tensor, nn

import chainrule
from chainrule.batch import Batch
from chainrule.conditionals import Bernoulli
from chainrule.model import AutoregressiveModel
from chainrule.models import FVSBN, MADE, PixelCNN
from chainrule.training import optimiser
from chainrule.training.adamw import AdamW
from chainrule.training.module import MaximumLikelihood
from chainrule.training.optimiser import Average, Optimiser, Schedule
from chainrule.training.settings import Training

OLD = Path(__file__).parent / "data" / "checkpoint_of_lightning.ckpt"
"""Written when Lightning's loop trained, by SIGTERM in step 28 of `train` with `SETTINGS`."""

SETTINGS = {"max_epochs": 6, "validate_every": 12, "averaging": 0.9, "patience": 60}


@pytest.fixture(scope="module")
def data() -> Tensor:
    return half_copies()


def weights_of(*shapes: tuple[int, ...]) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]


@pytest.mark.quick
def test_our_steps_are_those_of_torch() -> None:
    """Also of a weight that has no gradient in some steps."""
    ours, theirs = (weights_of((3, 4), (4,), (2, 2)) for _ in range(2))
    adamw = AdamW([([ours[0], ours[2]], 0.1), ([ours[1]], 0.0)])
    groups = [{"params": [theirs[0], theirs[2]], "weight_decay": 0.1}, {"params": [theirs[1]], "weight_decay": 0.0}]
    torchs = torch.optim.AdamW(groups, fused=True)
    for step in range(6):
        adamw.rate = torchs.param_groups[0]["lr"] = torchs.param_groups[1]["lr"] = 0.1 / (step + 1)
        for weights, each in ((ours, adamw), (theirs, torchs)):
            each.zero_grad()
            loss = weights[0].sin().sum() + weights[1].pow(2).sum() + (weights[2].exp().sum() if step % 2 else 0)
            loss.backward()
            each.step()
        assert all(torch.equal(one, two) for one, two in zip(ours, theirs, strict=True)), step
    state = torchs.state_dict()["state"]
    for index, moments in adamw.state_dict().items():
        assert all(torch.equal(moments[name], state[index][name]) for name in moments)


@pytest.mark.quick
def test_an_average_begins_at_the_first_step_and_takes_the_place_of_the_weights() -> None:
    (weight,) = weights_of((2, 2))
    average = Average([weight], 0.9)
    for value in (1.0, 2.0):
        weight.data.fill_(value)
        average.update()
    with average.in_place():
        assert weight[0, 0].item() == pytest.approx(0.9 * 1 + 0.1 * 2)
    assert weight[0, 0].item() == 2


@pytest.mark.quick
@pytest.mark.parametrize("clip", [None, 0.5])
def test_a_scaled_loss_takes_the_same_steps(clip: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Training(precision="16-mixed", gradient_clip=clip, weight_decay=0.1)
    kept = []
    for scaler in (None, torch.amp.GradScaler("cpu", init_scale=2.0**10)):
        monkeypatch.setattr(optimiser, "scaler_of", lambda *_, given=scaler: given)
        torch.manual_seed(0)
        network = nn.Linear(3, 2)
        steps = Optimiser(network, settings, Schedule(settings, total_steps=9))
        for _ in range(5):
            steps.step(network(torch.ones(4, 3)).pow(2).sum())
        assert steps.steps == 5
        again = Optimiser(network, settings, Schedule(settings, total_steps=9))
        again.load_state_dict(steps.state_dict())
        assert str(again.state_dict()) == str(steps.state_dict())
        kept.append([weight.detach().clone() for weight in network.parameters()])
    assert all(torch.allclose(one, two, rtol=1e-5) for one, two in zip(*kept, strict=True))


@pytest.mark.quick
def test_gradients_that_overflow_take_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    monkeypatch.setattr(optimiser, "scaler_of", lambda *_: scaler)
    network = nn.Linear(3, 2)
    before = network.weight.detach().clone()
    Optimiser(network, Training(), Schedule(Training(), total_steps=9)).step(network(torch.ones(1, 3)).sum() * math.inf)
    assert torch.equal(network.weight, before)
    assert scaler.get_scale() < 2**10


def test_a_checkpoint_of_before_goes_on(data: Tensor, tmp_path: Path) -> None:
    whole, resumed = made(), made()
    expected = train(whole, data, **SETTINGS)
    (tmp_path / "checkpoints").mkdir()
    for name in ("best", "last"):
        shutil.copy(OLD, tmp_path / "checkpoints" / f"{name}.ckpt")
    done = train(resumed, data, out=tmp_path, resume=True, **SETTINGS)
    for name in ("step", "train_nats", "valid_nats"):
        assert [row[name] for row in done.history] == pytest.approx([row[name] for row in expected.history], rel=1e-4)
    for one, two in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.allclose(one, two, atol=1e-4)


def test_averages_in_double_precision(data: Tensor) -> None:
    model = made()
    result = train(model, data, max_epochs=2, precision="64-true", averaging=0.9)
    assert math.isfinite(result.best_nats)
    assert model.dtype == torch.float32
    assert torch.get_default_dtype() == torch.float32


def test_an_infinite_validation_loss_is_only_no_better(data: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that training never saw may have no probability yet: patience ends the training, if at all."""
    before, rounds = MaximumLikelihood.validation_losses, 0

    def losses(self: MaximumLikelihood, batch: Batch) -> Tensor:
        nonlocal rounds
        rounds += 1
        return before(self, batch) + (math.inf if rounds < 6 else 0)

    monkeypatch.setattr(MaximumLikelihood, "validation_losses", losses)
    result = train(made(), data, max_epochs=9, validate_every=10, patience=60)
    assert [row["valid_nats"] == math.inf for row in result.history] == [True] * 4 + [False] * 5
    assert result.best_step > 40


@pytest.mark.parametrize("averaging", [None, 0.5])
@pytest.mark.parametrize("build", [FVSBN, MADE, PixelCNN])
def test_a_validation_is_one_of_the_weights_as_they_are(
    build: type[AutoregressiveModel], averaging: float | None, data: Tensor
) -> None:
    """A compiled walk of earlier weights, which `log_prob` keeps until they change, must not stand in for them."""
    torch.manual_seed(1)
    shape = (1, 2, 4) if build is PixelCNN else SHAPE
    model = build(event_shape=shape, conditional=Bernoulli())
    settings = {"validate_every": 5, "averaging": averaging, "learning_rate": 0.002, "precision": "32-true"}
    result = train(model, data.view(-1, *shape), **settings)
    assert result.best_step > 5
    assert chainrule.evaluate(model, data[500:].view(-1, *shape)).nats == pytest.approx(result.best_nats, rel=1e-4)
