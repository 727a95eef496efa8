"""Attacks beside their formulas, and the report on a defence."""

from __future__ import annotations

import json
import math
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from command_line import FAST, refused
from PIL import Image
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

import chainrule
from chainrule import plots
from chainrule.attacks.classifier import SmallClassifier
from chainrule.attacks.evaluation import Defence
from chainrule.attacks.methods import FREE, WITHIN, attack
from chainrule.attacks.words import in_words
from chainrule.cli import main
from chainrule.conditionals import Categorical, GaussianMixture
from chainrule.data import load
from chainrule.models import PixelCNN
from chainrule.tasks.calibration import Calibration

LEVELS, CLASSES = 17, 10


SOFTMAX = """
from torch import nn
from beside import layers

def make():
    return nn.Sequential(*layers(), nn.Softmax(1))
"""
"""A user's file with a lazy classifier that returns probabilities."""

SAYS_DARK = """
import torch

class Dark(torch.nn.Module):
    def forward(self, images):
        return torch.stack([images.mean((1, 2, 3)) * 0 + 1, images.mean((1, 2, 3))], 1)
"""
"""A user's file with a classifier that gives the first class to every image."""


def flat_classifier() -> nn.Module:
    """A user's own classifier, as ``--classifier`` names it."""
    torch.manual_seed(3)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, CLASSES))


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    data = load("digits-17")
    return data.test[:40], data.classes("test")[:40]


@pytest.fixture(scope="module")
def classifier() -> SmallClassifier:
    data = load("digits-17")
    torch.manual_seed(0)
    small = SmallClassifier(event_shape=data.event_shape, conditional=Categorical(LEVELS), num_classes=CLASSES)
    contexts = {f"{split}_context": data.classes(split) for split in ("train", "valid")}
    chainrule.fit(small, data.train, data.valid, **contexts, max_epochs=15, learning_rate=5e-3, verbose=False)
    return small


def accuracy(classifier: nn.Module, x: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        return (classifier(x / (LEVELS - 1)).argmax(1) == labels).double().mean().item()


def test_the_small_classifier_learns(classifier: SmallClassifier, digits: tuple[Tensor, Tensor]) -> None:
    assert (classifier(digits[0]).argmax(1) == digits[1]).double().mean() > 0.9
    assert torch.equal(classifier(digits[0]), classifier.network(digits[0] / (LEVELS - 1)))


def test_fgsm_is_one_step_along_the_sign_of_the_gradient(
    classifier: SmallClassifier, digits: tuple[Tensor, Tensor]
) -> None:
    x, labels = digits
    images = (x / (LEVELS - 1)).requires_grad_()
    nn.functional.cross_entropy(classifier.network(images), labels).backward()
    assert images.grad is not None
    expected = (x + 2 * images.grad.sign()).clamp(0, LEVELS - 1)
    got = attack("fgsm", classifier.network, x, labels, levels=LEVELS, classes=CLASSES, epsilon=2)
    assert torch.equal(got, expected)


@pytest.mark.parametrize("name", [*WITHIN, *FREE])
def test_attacks_fool_the_classifier_with_whole_levels(
    classifier: SmallClassifier, digits: tuple[Tensor, Tensor], name: str
) -> None:
    x, labels = digits[0][:20], digits[1][:20]
    settings = {"levels": LEVELS, "classes": CLASSES, "epsilon": 5}
    got = attack(name, classifier.network, x, labels, purify=lambda x: x, **settings)
    assert torch.equal(got, got.round())
    assert got.min() >= 0
    assert got.max() <= LEVELS - 1
    if name in WITHIN:
        assert (got - x).abs().max() <= 5
    assert accuracy(classifier.network, got, labels) < accuracy(classifier.network, x, labels) - 0.3
    assert torch.equal(got, attack(name, classifier.network, x, labels, purify=lambda x: x, **settings))


def test_bpda_attacks_what_comes_out_of_the_defence(classifier: SmallClassifier, digits: tuple[Tensor, Tensor]) -> None:
    x, labels = digits

    def coarse(x: Tensor) -> Tensor:  # a defence without a gradient
        return (x / 4).round() * 4

    settings = {"levels": LEVELS, "classes": CLASSES, "epsilon": 4}
    through = attack("bpda", classifier.network, x, labels, purify=coarse, **settings)
    blind = attack("pgd", classifier.network, x, labels, **settings)
    left = accuracy(classifier.network, coarse(through), labels)
    assert left <= accuracy(classifier.network, coarse(blind), labels)
    assert left < accuracy(classifier.network, coarse(x), labels) - 0.3


def test_bpda_goes_to_the_corner_where_a_linear_classifier_is_least_sure() -> None:
    torch.manual_seed(0)
    linear = nn.Linear(9, 2)
    with torch.no_grad():
        linear.bias.copy_(torch.tensor([10.0, 0.0]))  # too sure to be fooled, so that every step is taken
    network = nn.Sequential(nn.Flatten(), linear)
    x = torch.randint(LEVELS, (5, 1, 3, 3)).float()
    got = attack("bpda", network, x, torch.zeros(5).long(), levels=LEVELS, classes=2, epsilon=3, purify=lambda x: x)
    away = (linear.weight[1] - linear.weight[0]).sign().view(1, 1, 3, 3)
    assert torch.equal(got, (x + 3 * away).clamp(0, LEVELS - 1))


def test_a_report_says_what_happened(classifier: SmallClassifier, digits: tuple[Tensor, Tensor]) -> None:
    x, labels = digits
    torch.manual_seed(0)
    model = PixelCNN(event_shape=(1, 8, 8), conditional=Categorical(LEVELS), hidden_size=8, num_blocks=1)
    data = load("digits-17")
    chainrule.fit(model, data.train, data.valid, max_epochs=3, learning_rate=5e-3, verbose=False)
    with torch.no_grad():
        calibration = Calibration.of(model.log_prob(data.train[:300]))
    defence = Defence(
        model, classifier.network, epsilon=4, calibration=calibration, x=x, labels=labels, classes=CLASSES
    )
    clean = defence.clean()
    assert clean["accuracy"] == pytest.approx(accuracy(classifier.network, x, labels))
    assert clean["purified_accuracy"] == pytest.approx(
        accuracy(classifier.network, chainrule.purify(model, x, 4), labels)
    )
    (done,) = defence.all_attacks(["pgd"], [0.25])
    assert (done.name, done.linf) == ("pgd 0.25", 0.25)
    with torch.no_grad():
        nats = -torch.cat([model.log_prob(x), model.log_prob(done.images)])
    assert done.auc["nll"] == pytest.approx(float(roc_auc_score([0] * 40 + [1] * 40, nats)))
    assert done.auc["nll"] > 0.9
    with torch.no_grad():
        strange = calibration.pvalues(model.log_prob(done.images)) < 0.05
    adaptive = torch.where(strange.view(-1, 1, 1, 1), done.purified, done.images)
    assert done.adaptive_accuracy == pytest.approx(accuracy(classifier.network, adaptive, labels))
    assert "purified" not in done.as_dict()
    assert "BPDA was not tried" in " ".join(in_words(clean, [done.as_dict()], 0.25))
    (through,) = defence.all_attacks(["bpda"], [0.25])
    assert f"leaves {through.purified_accuracy:.1%}" in " ".join(in_words(clean, [through.as_dict()], 0.25))


def test_what_attacks_refuse(digits: tuple[Tensor, Tensor]) -> None:
    x, labels = digits
    with pytest.raises(ValueError, match="attack expects one of fgsm, .*, got 'magic'"):
        attack("magic", flat_classifier(), x, labels, levels=LEVELS, classes=CLASSES)
    with pytest.raises(ValueError, match="epsilon expects at least 1 level, got 0"):
        attack("fgsm", flat_classifier(), x, labels, levels=LEVELS, classes=CLASSES)
    with pytest.raises(ValueError, match="bpda expects the defence"):
        attack("bpda", flat_classifier(), x, labels, levels=LEVELS, classes=CLASSES, epsilon=1)
    with pytest.raises(ValueError, match="values from 0 to 16, got others"):
        attack("fgsm", flat_classifier(), x * 20, labels, levels=LEVELS, classes=CLASSES, epsilon=1)
    with pytest.raises(ValueError, match="images of at least 4 x 4"):
        SmallClassifier(event_shape=(1, 2, 9), conditional=Categorical(4), num_classes=2)
    with pytest.raises(ValueError, match="can be listed"):
        SmallClassifier(event_shape=(1, 8, 8), conditional=GaussianMixture(), num_classes=2)
    classes = PixelCNN(event_shape=(1, 8, 8), conditional=Categorical(LEVELS), hidden_size=4, num_classes=3)
    with pytest.raises(ValueError, match="not conditioned on classes"):
        Defence(classes, flat_classifier(), epsilon=1, calibration=Calibration.of(torch.zeros(2)), x=x, labels=labels,
                classes=CLASSES)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "grey"
    model = ["--model", "PixelCNN", "--model.hidden_size", "8", "--model.num_blocks", "1"]
    assert main(["fit", *model, "--data", "digits-17", "--out", str(out), *FAST]) == 0
    return out


class TestCommand:
    def test_writes_a_report(
        self, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.syspath_prepend(str(Path(__file__).parent))
        capsys.readouterr()
        options = ["-n", "12", "--attacks", "[fgsm, bpda]", "--epsilons", "[0.2]", "--background", str(run)]
        own = ["--classifier", "test_attacks:flat_classifier"]
        out = tmp_path / "report"
        side_by_side = Mock(wraps=plots.side_by_side)
        monkeypatch.setattr(plots, "side_by_side", side_by_side)
        assert main(["attack-eval", str(run), *options, *own, "--out", str(out), "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report == json.loads((out / "report.json").read_text())
        assert [row["attack"] for row in report["attacks"]] == ["fgsm", "bpda"]
        assert set(report["attacks"][0]["auc"]) == {"nll", "pvalue", "typicality", "complexity", "ratio"}
        assert report["attacks"][0]["auc"]["ratio"] == 0.5  # compared with itself
        assert report["purify_epsilon_levels"] == math.floor(0.2 * 16)
        for name in ("log-likelihoods.png", "examples.png"):
            assert (out / name).read_bytes().startswith(b"\x89PNG")
        numbers = [int(row.split()[1]) for row in side_by_side.call_args.kwargs["rows"]]
        assert (numbers[0], numbers == sorted(set(numbers))) == (1, True)  # as `score` numbers the same images

    def test_takes_the_classifier_of_a_file(
        self, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "mine.py").write_text(SOFTMAX)
        beside = "from torch import nn\n\ndef layers():\n    return nn.Flatten(), nn.LazyLinear(10)\n"
        (tmp_path / "beside.py").write_text(beside)
        options = ["-n", "12", "--attacks", "fgsm", "--epsilons", "0.2", "--json"]
        capsys.readouterr()
        assert main(["attack-eval", str(run), *options, "--classifier", "./mine.py:make"]) == 0
        captured = capsys.readouterr()
        assert "returns probabilities: attacks see their logarithms" in captured.err
        classifier = json.loads(captured.out)["classifier"]
        assert classifier["name"] == "./mine.py:make"
        assert classifier["parameters"] == 64 * 10 + 10
        assert len(classifier["notes"]) == 2

    def test_attacks_images_of_all_classes(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for split, count in (("train", 30), ("test", 10)):
            for kind, shade in (("dark", 60), ("light", 190)):
                folder = tmp_path / "shades" / split / kind
                folder.mkdir(parents=True)
                for i in range(count):
                    pixels = np.clip(np.random.RandomState(i).normal(shade, 20, (8, 8)), 0, 255).astype(np.uint8)
                    Image.fromarray(pixels).save(folder / f"{i:02}.png")
        out = str(tmp_path / "run")
        model = ["--model", "PixelCNN", "--model.hidden_size", "4", "--model.num_blocks", "1"]
        assert main(["fit", *model, "--data", str(tmp_path / "shades"), "--out", out, *FAST]) == 0
        (tmp_path / "mine.py").write_text(SAYS_DARK)
        capsys.readouterr()
        own = ["--classifier", f"{tmp_path}/mine.py:Dark", "-n", "8", "--attacks", "fgsm", "--epsilons", "0.1"]
        assert main(["attack-eval", out, *own, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["clean"]["accuracy"] == 0.5  # the files are sorted by class

    def test_trains_a_classifier(self, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["attack-eval", str(run), "-n", "30", "--attacks", "[fgsm]", "--epsilons", "[0.3]"]) == 0
        out = capsys.readouterr().out
        assert "fgsm 0.3" in out
        assert "BPDA was not tried" in out

    def test_refuses(
        self, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.syspath_prepend(str(Path(__file__).parent))
        capsys.readouterr()
        for arguments, message in {
            ("--attacks", "[fgms]"): "got 'fgms', did you mean fgsm?",
            ("--attacks", "[]"): "--attacks expects some of fgsm",
            ("--epsilons", "0.3,0.01"): "shares of at least one level, 1/16 of 17 levels, got 0.01",
            ("--epsilons", "[many]"): "a list of numbers such as [0.1, 0.3]",
            ("--epsilons", "[0]"): "shares of the range in (0, 1], got 0",
            ("--purify-epsilon", "3"): "a share of the range in [0, 1], got 3.0",
            ("--threshold", "1"): "a p-value in (0, 1), got 1.0",
            ("-n", "1"): "at least 2, got 1",
            ("--out", str(tmp_path / "x.json")): "expects a folder",
            ("--classifier", "nothing.py:make"): "expects a Python file that exists, got 'nothing.py'",
            ("--classifier", "test_attacks:CLASSES"): "got 'test_attacks:CLASSES', which is an int",
            ("--calibration", "test"): "expects valid or train, got 'test'",
        }.items():
            assert message in refused(capsys, "attack-eval", str(run), *arguments)
