"""Maximum likelihood: it learns, resumes to the same end, and stops cleanly."""

import copy
import csv
import math
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from half_copies import SHAPE, half_copies, made, train
from torch import Tensor
from torch.distributions import Distribution

import chainrule
from chainrule.batch import Batch, as_source
from chainrule.conditionals import Bernoulli, Categorical
from chainrule.devices import fastest_precision
from chainrule.models import FVSBN, MADE, NADE, RNN, PixelCNN, Table
from chainrule.training import TrainingError
from chainrule.training.checkpoints import read_checkpoint
from chainrule.training.module import MaximumLikelihood, perturbed


@pytest.fixture(scope="module")
def data() -> Tensor:
    return half_copies()


def test_learns_and_keeps_the_best_weights(data: Tensor) -> None:
    model = made()
    before = chainrule.evaluate(model, data[500:]).nats
    result = train(model, data, max_epochs=15)
    after = chainrule.evaluate(model, data[500:]).nats
    assert after < 4 < before
    assert after == pytest.approx(result.best_nats, rel=1e-5)
    assert result.best_nats == min(row["valid_nats"] for row in result.history)
    assert not model.training


def test_same_seed_same_weights(data: Tensor) -> None:
    first, second = made(), made()
    train(first, data, seed=3)
    train(second, data, seed=3)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize(
    ("averaging", "validate_every"), [(None, None), (0.9, None), (0.9, 30), (None, 20), (None, 4), (0.9, 12)]
)
def test_resume_ends_where_an_uninterrupted_training_does(
    data: Tensor, tmp_path: Path, averaging: float | None, validate_every: int | None
) -> None:
    whole = made()
    every = validate_every or 10
    settings = {"averaging": averaging, "max_epochs": 6, "validate_every": validate_every}
    expected = train(whole, data, out=tmp_path / "whole", **settings)

    class Stop(Exception):  # noqa: N818
        pass

    class Failing(torch.utils.data.Dataset[Tensor]):
        """Fails in the middle of the fourth epoch, or so: the first reads are those that measure a step."""

        reads = 0

        def __len__(self) -> int:
            return 500

        def __getitem__(self, index: Any) -> Tensor:
            self.reads += 1
            if self.reads == 35:
                raise Stop
            return data[index]

    resumed = made()
    settings |= {"out": tmp_path / "resumed", "batch_size": 50, "learning_rate": 0.02, "verbose": False}
    with pytest.raises(Stop):
        chainrule.fit(resumed, Failing(), data[500:], **settings)
    model = made()
    result = chainrule.fit(model, data[:500], data[500:], resume=True, **settings)
    for name in ("step", "train_nats", "valid_nats"):
        assert [row[name] for row in result.history] == [row[name] for row in expected.history]
    assert [row["step"] for row in result.history] == list(range(every, 61, every))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), whole.parameters(), strict=True))


def test_metrics_file(data: Tensor, tmp_path: Path) -> None:
    result = train(made(), data, out=tmp_path)
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["valid_nats"]) for row in rows] == [row["valid_nats"] for row in result.history]
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]


def test_trains_for_each_class(data: Tensor) -> None:
    """Two classes, one copies and one negates: only a model that is given the class can know which."""
    labels = torch.arange(len(data)) % 2
    x = torch.cat([data[:, :4], (data[:, 4:] - labels[:, None]).abs()], dim=1)
    torch.manual_seed(1)
    model = MADE(event_shape=SHAPE, conditional=Bernoulli(), hidden_sizes=[64], num_classes=2)
    context = {"train_context": labels[:500], "valid_context": labels[500:]}
    train(model, x, max_epochs=30, **context)
    told = chainrule.evaluate(model, x[500:], context=labels[500:]).nats
    lied = chainrule.evaluate(model, x[500:], context=1 - labels[500:]).nats
    assert told < 4 < lied
    with pytest.raises(ValueError, match="context expects the class of each of"):
        train(model, x)


def test_order_agnostic_training_learns_every_order(data: Tensor) -> None:
    torch.manual_seed(1)
    model = NADE(event_shape=SHAPE, conditional=Bernoulli(), hidden_size=64, order_agnostic=True)
    train(model, data, max_epochs=60)
    for order in ("raster", "reversed", "random:3"):
        view = model.reordered(order)
        assert view is not None
        assert chainrule.evaluate(view, data[500:]).nats < 4.2


def test_dynamic_noise_depends_on_seed_and_epoch_only(data: Tensor) -> None:
    class Noisy(torch.utils.data.Dataset[Tensor]):
        def __len__(self) -> int:
            return 100

        def __getitem__(self, index: Any) -> Tensor:
            return torch.bernoulli(torch.full((len(index), *SHAPE), 0.3))

    histories = []
    for _ in range(2):
        torch.rand(3)
        result = chainrule.fit(made(), Noisy(), data[500:], max_epochs=2, verbose=False)
        histories.append([row["train_nats"] for row in result.history])
    assert histories[0] == histories[1]


class Broken(FVSBN):
    """A likelihood that is no number from the second epoch on."""

    passes = 0

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        self.passes += self.training
        distribution = super().forward(x)
        if self.passes > 17:  # two passes measure the memory of a step
            distribution.logits = distribution.logits * math.nan
        return distribution


def test_nan_stops_with_the_last_good_checkpoint(data: Tensor, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"the loss became nan at step 15: lower the learning rate"):
        train(Broken(event_shape=SHAPE, conditional=Bernoulli()), data, out=tmp_path)
    checkpoint = read_checkpoint(tmp_path / "checkpoints" / "last.ckpt")
    assert checkpoint.step == 10
    assert all(weight.isfinite().all() for weight in checkpoint.weights.values())


def test_a_validation_that_is_no_number_stops_too(data: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    before, rounds = MaximumLikelihood.validation_losses, 0

    def losses(self: MaximumLikelihood, batch: Batch) -> Tensor:
        nonlocal rounds
        rounds += 1
        return before(self, batch) * (math.nan if rounds > 3 else 1)

    monkeypatch.setattr(MaximumLikelihood, "validation_losses", losses)
    with pytest.raises(TrainingError, match="validation loss is no number at step 30: lower the learning rate"):
        train(FVSBN(event_shape=SHAPE, conditional=Bernoulli()), data)


def test_ctrl_c_keeps_the_checkpoint_and_the_signal_handler(data: Tensor, tmp_path: Path) -> None:
    class Interrupting(torch.utils.data.Dataset[Tensor]):
        reads = 0

        def __len__(self) -> int:
            return 500

        def __getitem__(self, index: Any) -> Tensor:
            self.reads += 1
            if self.reads == 60:  # the first round has 30 steps
                os.kill(os.getpid(), signal.SIGINT)
            return data[index]

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        chainrule.fit(made(), Interrupting(), data[500:], out=tmp_path, batch_size=50, verbose=False)
    assert signal.getsignal(signal.SIGINT) is before
    assert (tmp_path / "checkpoints" / "last.ckpt").exists()


def test_a_full_disk_leaves_the_checkpoint_before(
    data: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(made(), data, out=tmp_path, max_epochs=1)
    before = {path.name: path.read_bytes() for path in (tmp_path / "checkpoints").iterdir()}

    def full(checkpoint: object, path: Path) -> None:
        path.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        train(made(), data, out=tmp_path, max_epochs=2, resume=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "checkpoints").iterdir()} == before


def test_a_damaged_checkpoint_is_not_resumed(data: Tensor, tmp_path: Path) -> None:
    train(made(), data, out=tmp_path, max_epochs=1)
    last = tmp_path / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"last\.ckpt is damaged or truncated.*: delete the run folder and fit again"):
        train(made(), data, out=tmp_path, max_epochs=2, resume=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_epochs": 0}, "max_epochs expects at least 1, got 0"),
        ({"batch_size": -1}, "batch_size expects at least 1, got -1"),
        ({"learning_rate": 0.0}, "learning_rate expects a positive number, got 0.0"),
        ({"schedule": "cosin"}, "schedule expects 'constant', 'cosine' or 'linear', got 'cosin'"),
        ({"strategy": "fsdp"}, "strategy expects one of auto, ddp, ddp_find_unused_parameters_true, got 'fsdp'"),
        ({"perturb": 1.0}, "perturb expects a share in .*, got 1.0"),
        ({"averaging": 1.0}, "averaging expects a decay between 0 and 1, got 1.0"),
        ({"weight_decay": -0.1}, "weight_decay expects at least 0, got -0.1"),
        ({"patience": 0}, "patience expects at least 1, got 0"),
        ({"minutes": 0.0}, "minutes expects a positive number, got 0.0"),
        ({"max_steps": 0}, "max_steps expects at least 1, got 0"),
        ({"gradient_clip": float("nan")}, "gradient_clip expects a positive number, got nan"),
        ({"seed": -1}, "seed expects at least 0, got -1"),
        ({"max_epoch": 3}, "fit expects one of its settings .*, got max_epoch, did you mean max_epochs?"),
        ({"device": "gpu7"}, "device expects one of those here, auto, cpu.*; got 'gpu7'"),
    ],
)
def test_settings_out_of_range(data: Tensor, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train(made(), data, **settings)


def test_no_examples(data: Tensor) -> None:
    with pytest.raises(ValueError, match="valid expects at least one example, got none"):
        chainrule.fit(made(), data, data[:0])


def test_batches_cover_every_example_once_and_differ_by_epoch() -> None:
    source = as_source(torch.arange(23.0)[:, None])
    batches = source.batches(5, seed=0, context=torch.arange(23))
    first = [batch.item.tolist() for batch in batches]
    assert sorted(index for batch in first for index in batch) == list(range(23))
    assert len(first) == len(batches) == 5
    assert first == [batch.item.tolist() for batch in source.batches(5, seed=0)]
    assert first != [batch.item.tolist() for batch in source.batches(5, seed=0, epoch=1)]
    for batch in batches:
        assert batch.x[:, 0].tolist() == batch.context.tolist() == batch.item.tolist()
        assert (batch.counted, batch.continues) == (None, None)


def test_a_moved_run_keeps_its_best_weights(data: Tensor, tmp_path: Path) -> None:
    settings = {"learning_rate": 0.3, "schedule": "constant", "max_epochs": 8}
    whole = train(made(), data, out=tmp_path / "whole", **settings)
    assert whole.best_step < 60, "the best step comes before the interrupt"

    class Stop(torch.utils.data.Dataset[Tensor]):
        reads = 0

        def __len__(self) -> int:
            return 500

        def __getitem__(self, index: Any) -> Tensor:
            self.reads += 1
            if self.reads == 65:
                os.kill(os.getpid(), signal.SIGINT)
            return data[index]

    settings |= {"batch_size": 50, "verbose": False}
    with pytest.raises(KeyboardInterrupt):
        chainrule.fit(made(), Stop(), data[500:], out=tmp_path / "before", **settings)
    (tmp_path / "before").rename(tmp_path / "after")
    model = made()
    resumed = chainrule.fit(model, data[:500], data[500:], out=tmp_path / "after", resume=True, **settings)
    assert resumed.best_step == whole.best_step
    assert chainrule.evaluate(model, data[500:]).nats == pytest.approx(resumed.best_nats, rel=1e-5)


def test_half_precision_trains_every_model(data: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.devices.multiplies_in_half", lambda device: True)
    for model in (
        made(),
        FVSBN(event_shape=SHAPE, conditional=Bernoulli()),
        NADE(event_shape=SHAPE, conditional=Bernoulli()),
    ):
        assert math.isfinite(train(model, data, max_epochs=1, precision="bf16-mixed").best_nats)


def test_a_network_of_image_convolutions_trains_in_bfloat16_where_the_processor_has_it(
    data: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    convolutions = PixelCNN(event_shape=(1, 2, 4), conditional=Bernoulli(), hidden_size=4, num_blocks=1)
    for has_it, precisions in ((False, ["32-true"] * 3), (True, ["bf16-mixed", "32-true", "32-true"])):
        monkeypatch.setattr("chainrule.devices.multiplies_in_half", lambda device, has_it=has_it: has_it)
        models = (convolutions, made(), copy.deepcopy(convolutions).double())
        assert [fastest_precision(model, "cpu") for model in models] == precisions
        # Products in bfloat16, and weights and losses in single precision.
        assert math.isfinite(train(convolutions, data.unflatten(1, (1, 2, 4)), max_epochs=1).best_nats)
        assert convolutions.dtype == torch.float32


def test_a_processor_without_bfloat16_trains_in_single_precision_and_says_so(
    data: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chainrule.devices.multiplies_in_half", lambda device: False)
    whole, found = made(), made()
    train(whole, data, max_epochs=1, precision="32-true")
    with pytest.warns(UserWarning, match="no instructions for bfloat16: trained in 32-true instead of bf16-mixed"):
        train(found, data, max_epochs=1, precision="bf16-mixed")
    for weight, expected in zip(found.parameters(), whole.parameters(), strict=True):
        assert torch.equal(weight, expected)


def test_double_precision_ends_with_the_type_it_began_with(data: Tensor) -> None:
    model = made()
    train(model, data, max_epochs=1, precision="64-true")
    assert model.dtype == torch.float32


def test_perturbing_replaces_a_share_of_the_values_by_listed_ones() -> None:
    torch.manual_seed(0)
    x, values = torch.full((400, 50), 2.0), torch.arange(4.0)
    got = perturbed(x, 0.2, values)
    counts = torch.stack([(got == value).double().mean() for value in values])
    torch.testing.assert_close(counts, torch.tensor([0.05, 0.05, 0.85, 0.05]).double(), atol=0.01, rtol=0)
    assert torch.equal(perturbed(x, 0.0, values), x)


def test_perturbing_of_real_values_draws_them_from_other_examples() -> None:
    torch.manual_seed(0)
    x = torch.arange(300.0).view(100, 3)
    got = perturbed(x, 0.5, None)
    assert 0.4 < (got != x).double().mean() < 0.6
    assert torch.equal(got % 3, x % 3)  # of the same variable


def test_perturbing_leaves_the_ends_of_documents() -> None:
    torch.manual_seed(0)
    x = torch.tensor([[1.0, 2.0, 0.0, 0.0]]).repeat(200, 1)
    got = perturbed(x, 0.5, torch.arange(3.0), end=0)
    assert torch.equal(got == 0, x == 0)
    assert (got != x).any()
    names = torch.randint(1, 4, (300, 6)).float()
    names[:, 4:] = 0.0
    model = RNN(event_shape=(6,), conditional=Categorical(4), hidden_size=8, end_symbol=0)
    assert math.isfinite(chainrule.fit(model, names, names, max_epochs=1, perturb=0.2, verbose=False).best_nats)


def test_a_background_model_knows_less_of_what_hangs_together(data: Tensor) -> None:
    plain, background = made(), made()
    train(plain, data, max_epochs=15)
    train(background, data, max_epochs=15, perturb=0.3)
    independent = 8 * math.log(2)
    found = chainrule.evaluate(background, data[500:]).nats
    assert chainrule.evaluate(plain, data[500:]).nats + 0.3 < found < independent
    again = made()
    train(again, data, max_epochs=15, perturb=0.3)
    assert all(torch.equal(a, b) for a, b in zip(background.parameters(), again.parameters(), strict=True))
    with pytest.raises(ValueError, match="perturb expects a model that is trained, got Table"):
        train(Table(event_shape=SHAPE, conditional=Bernoulli()), data, perturb=0.1)
