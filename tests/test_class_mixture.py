"""Examples whose class is not known: the classes are summed out, by their shares in training."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from chainrule import complete, evaluate, load, sample
from chainrule.cli import main
from chainrule.conditionals import Bernoulli, Categorical, Gaussian
from chainrule.kinds.requests import drawn_classes, shares_of
from chainrule.models import MADE, NADE, Ensemble
from chainrule.models.class_mixture import ClassMixture
from chainrule.tasks.evaluate import log_prob


def test_it_is_the_sum_over_classes() -> None:
    torch.manual_seed(0)
    model = NADE(event_shape=(6,), conditional=Categorical(3), hidden_size=8, num_classes=3)
    mixture = ClassMixture(model=model, shares=[0.5, 0.3, 0.2])
    x = torch.randint(3, (20, 6)).float()
    with torch.no_grad():
        each = torch.stack([model.log_prob(x, torch.full((20,), c)).exp() for c in range(3)], dim=1).double()
        expected = (each * torch.tensor([0.5, 0.3, 0.2])).sum(1).log()
        assert torch.allclose(mixture.log_prob(x).double(), expected, atol=1e-5)
        assert torch.allclose(mixture(x).log_prob(x).sum(1).double(), expected, atol=1e-4)


def test_a_task_leaves_its_model_in_the_mode_that_it_had() -> None:
    model = NADE(event_shape=(3,), conditional=Bernoulli(), hidden_size=2, num_classes=2).eval()
    sample(ClassMixture(model=model), 2, seed=0)
    assert not model.training
    sample(ClassMixture(model=model.train()), 2, seed=0)
    assert model.training


@pytest.mark.parametrize(
    ("model", "shares", "message"),
    [
        (NADE(event_shape=(3,), conditional=Bernoulli(), hidden_size=2), None, "num_classes, got one without"),
        (MADE(event_shape=(3,), conditional=Gaussian(), hidden_sizes=[4], num_classes=2), None, "can be listed"),
        (NADE(event_shape=(3,), conditional=Bernoulli(), hidden_size=2, num_classes=2), [0.7, 0.7], "of 2 classes"),
    ],
)
def test_what_can_not_be_summed(model: NADE, shares: list[float] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ClassMixture(model=model, shares=shares)


def test_a_mixture_over_orders_stays_one() -> None:
    orders = [
        NADE(event_shape=(3,), conditional=Bernoulli(), hidden_size=2, num_classes=2, order=order)
        for order in ("raster", "reversed")
    ]
    mixture = ClassMixture(model=Ensemble(models=orders), shares=[0.25, 0.75])
    x = torch.randint(2, (8, 3)).float()
    with torch.no_grad():
        each = [model.log_prob(x, torch.full((8,), c)).exp() for model in orders for c in (0, 1)]
        expected = sum(share * p for share, p in zip([0.25, 0.75] * 2, each, strict=True)) / 2
        assert torch.allclose(mixture.log_prob(x).exp(), expected, atol=1e-6)
        parts = torch.stack([component.log_prob(x) for component in mixture.components])
        assert torch.allclose(parts.logsumexp(0) - math.log(2), mixture.log_prob(x), atol=1e-6)
    assert complete(mixture, x, torch.tensor([True, False, False]), seed=0).shape == (8, 3)
    assert evaluate(mixture, x).nats == pytest.approx(-expected.log().mean().item(), abs=1e-5)


def test_classes_are_drawn_as_often_as_in_training() -> None:
    model = NADE(event_shape=(3,), conditional=Bernoulli(), hidden_size=2, num_classes=3)
    assert shares_of(model, [6, 1]).tolist() == [0.7, 0.2, 0.1]
    assert shares_of(model, ()).tolist() == pytest.approx([1 / 3] * 3)
    drawn = drawn_classes(model, None, 4000, [6, 1], seed=0)
    assert drawn is not None
    assert (drawn.bincount(minlength=3) / 4000).tolist() == pytest.approx([0.7, 0.2, 0.1], abs=0.03)
    assert drawn_classes(model, 2, 5, [6, 1], seed=0).tolist() == [2] * 5  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on two folders of pictures, of which one has three times as many as the other."""
    folder, random = tmp_path_factory.mktemp("classes"), np.random.RandomState(0)
    for name, count, low in (("dark", 60, 0), ("light", 20, 128)):
        (folder / "pictures" / name).mkdir(parents=True)
        for number in range(count):
            pixels = random.randint(low, low + 128, (4, 4)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "pictures" / name / f"{number}.png")
    fit = ["--model", "MADE", "--model.hidden_sizes", "[8]", "--model.num_classes", "2", "--max-epochs", "20"]
    options = ["--levels", "4", "--learning-rate", "0.03", "--out", str(folder / "run")]
    assert main(["fit", str(folder / "pictures"), *fit, *options, "--batch-size", "8"]) == 0
    (folder / "unknown").mkdir()
    for number in range(6):
        pixels = random.randint(128 * (number % 2), 128 * (number % 2) + 128, (4, 4)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "unknown" / f"{number}.png")
    return folder


def test_pictures_of_unknown_class_are_scored(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run / "scores.csv"
    assert main(["score", str(run / "run"), str(run / "unknown"), "--out", str(out)]) == 0
    found = [float(row["log_prob"]) for row in csv.DictReader(out.read_text().splitlines())]
    counts = json.loads((run / "run" / "config.json").read_text())["data"]["class_counts"]
    model, pictures = load(run / "run"), sorted((run / "unknown").glob("*.png"))
    x = torch.stack([torch.from_numpy(np.array(Image.open(path)) // 64).float()[None] for path in pictures])
    mixture = ClassMixture(model=model, shares=shares_of(model, counts).tolist())
    assert found == pytest.approx(log_prob(mixture, x).tolist(), abs=1e-4)
    capsys.readouterr()
    assert main(["evaluate", str(run / "run"), str(run / "unknown"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["nats"] == pytest.approx(evaluate(mixture, x).nats, abs=1e-4)


@pytest.mark.parametrize(
    "command",
    [
        ["complete", "--observe", "left-half", "--out", "c.png"],
        ["score", "--explain", "2", "--out", "e.csv"],
        ["score", "--out", "map.png"],
        ["purify", "--epsilon", "0.3", "--out", "p"],
    ],
)
def test_commands_take_pictures_of_unknown_class(
    run: Path, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name, *options = command
    assert main([name, str(run / "run"), str(run / "unknown"), *options]) == 0
    assert len(list(tmp_path.iterdir())) == 1


def test_classes_are_named(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", str(run / "run"), str(run / "unknown"), "--prior", "uniform", "-n", "6"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "class " in line]
    assert [line.split("class ")[1].split()[0] for line in lines] == ["dark", "light"] * 3


def test_samples_have_classes_as_often_as_in_training(run: Path, tmp_path: Path) -> None:
    assert main(["sample", str(run / "run"), "-n", "200", "--out", str(tmp_path / "x.npz")]) == 0
    light = np.load(tmp_path / "x.npz")["examples"].mean((1, 2, 3)) > 1.5
    assert 0.12 < light.mean() < 0.4


def test_a_sample_grows(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", str(run / "run"), "-n", "1", "--out", str(tmp_path / "x.gif"), "--scale", "3"]) == 0
    with Image.open(tmp_path / "x.gif") as film:
        assert film.size == (12, 12)
        assert film.n_frames == 17  # none of 16 pixels, one, ..., all
        film.seek(0)
        assert np.ptp(np.array(film.convert("RGB")), axis=(0, 1)).max() == 0
    assert main(["sample", str(run / "run"), "-n", "1", "--out", str(tmp_path / "x.png"), "--scale", "3"]) == 0
    with Image.open(tmp_path / "x.png") as still:
        pixels = np.array(still)
    assert pixels.shape == (12, 12)
    assert np.array_equal(pixels, pixels[::3, ::3].repeat(3, 0).repeat(3, 1))
    assert main(["sample", str(run / "run"), "--out", str(tmp_path / "y.png"), "--scale", "0"]) == 2
    assert "--scale expects at least 1, got 0" in capsys.readouterr().err
    assert sample(load(run / "run"), 2, context=torch.tensor([0, 1])).shape == (2, 1, 4, 4)
