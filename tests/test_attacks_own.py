"""The user's own classifier: where it is found, and what is found out about it."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from chainrule.attacks.own import own_classifier, with_logits

FILE = """
from dataclasses import dataclass
from torch import nn

@dataclass
class Settings:
    classes: int = 3

class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(16, Settings().classes))

    def forward(self, images):
        return self.layers(images)

def make(bias=0.0):
    return Own()

def needs(classes):
    return Own()

def nothing():
    pass

def leaves():
    raise SystemExit(1)

ready = Own()
ready.train()
"""


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders that are added to the path are taken off it again."""
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "random.py"  # like a module of the standard library
    path.write_text(FILE)
    return path


def images(count: int = 4) -> Tensor:
    return torch.rand(count, 1, 4, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["make", "Own", "ready"])
def test_a_function_a_class_or_a_module_of_a_file(file: Path, name: str) -> None:
    found = own_classifier(f"{file}:{name}")
    assert found(images()).shape == (4, 3)
    assert not found.training
    assert "torch" not in vars(sys.modules["random"])


def test_a_file_by_its_relative_path(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    for where in ("random.py:make", "./random.py:make", "../" + file.parent.name + "/random.py:make"):
        assert own_classifier(where)(images()).shape == (4, 3)


def test_a_module_of_the_working_folder(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    file.rename(file.parent / "modules_of_mine.py")
    assert own_classifier("modules_of_mine:make")(images()).shape == (4, 3)


def test_what_own_classifier_refuses(file: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def make(:")
    for where, message in {
        "mine.py": "expects FILE.py:NAME or package.module:NAME, got 'mine.py'",
        "mine.py:": "expects FILE.py:NAME or package.module:NAME, got 'mine.py:'",
        "mine.py:make": "expects a Python file that exists, got 'mine.py'",
        f"{tmp_path}/weights.pt:make": "expects a Python file that exists",
        f"{tmp_path}/broken.py:make": "module that can be imported, got '.*broken.py': SyntaxError",
        "nowhere:make": "module that can be imported, got 'nowhere': ModuleNotFoundError",
        f"{file}:mak": "got 'mak', which .*random.py does not have, did you mean make?",
        f"{file}:needs": "which raised TypeError: .*required positional argument",
        f"{file}:leaves": "which raised SystemExit",
        f"{file}:nothing": "expects a torch module, or a function .*, which returned a NoneType",
        "math:pi": "'math:pi', which is a float",
    }.items():
        with pytest.raises(ValueError, match=message):
            own_classifier(where)


def linear(classes: int = 3, scale: float = 1.0) -> nn.Sequential:
    torch.manual_seed(0)
    layer = nn.Linear(16, classes)
    with torch.no_grad():
        layer.weight.mul_(scale)
    return nn.Sequential(nn.Flatten(), layer)


@pytest.mark.parametrize("scale", [1.0, 60.0])
def test_probabilities_become_logits_with_the_same_gradient(scale: float) -> None:
    network = linear(scale=scale)
    same, notes = with_logits(network, images(), 3)
    assert (same, notes) == (network, [])
    found, notes = with_logits(nn.Sequential(network, nn.Softmax(1)), images(), 3)
    assert notes == ["the classifier returns probabilities: attacks see their logarithms"]
    gradients = []
    for classifier in (network, found):
        given = images().requires_grad_()
        nn.functional.cross_entropy(classifier(given), torch.tensor([0, 1, 2, 0])).backward()
        assert given.grad is not None
        gradients.append(given.grad)
    # Where the classifier is sure, probabilities are rounded to 0 and 1, and their logarithms still know more.
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-6)


def test_logarithms_of_probabilities_and_positive_logits_are_logits() -> None:
    assert with_logits(nn.Sequential(linear(), nn.LogSoftmax(1)), images(), 3)[1] == []
    assert with_logits(nn.Sequential(linear(), nn.Sigmoid()), images(), 3)[1] == []


def test_a_probability_of_zero_has_a_logarithm() -> None:
    found, _ = with_logits(nn.Sequential(linear(scale=1e4), nn.Softmax(1)), images(), 3)
    assert found(images()).isfinite().all()


def test_lazy_layers_get_their_shapes() -> None:
    lazy = nn.Sequential(nn.LazyConv2d(2, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(3)).eval()
    found, notes = with_logits(lazy, images(), 3)
    assert notes == ["the classifier's lazy layers had no weights yet: they are random, not trained"]
    assert sum(parameter.numel() for parameter in found.parameters()) == 2 * 10 + 2 * 2 + 3 * 9


class Detached(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.detach().flatten(1)[:, :3]


class Wrapped(nn.Module):
    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"logits": images.flatten(1)[:, :3]}


def test_what_with_logits_refuses() -> None:
    infinite = linear()
    nn.init.constant_(infinite[1].bias, math.nan)
    for classifier, message in {
        linear(classes=2): r"each of the data's 3 classes, \(4, 3\) for 4 images, got \(4, 2\)",
        Wrapped(): "got a dict",
        nn.Conv2d(3, 3, 3): r"expects images \(4, 1, 4, 4\), got one that raises RuntimeError: .*channels",
        infinite: "finite logits",
        Detached(): "with a gradient by its images",
    }.items():
        with pytest.raises(ValueError, match=message):
            with_logits(classifier, images(), 3)
