"""Rivals' models beside ours: pytorch-generative, from a checkout, and zuko, where it is installed."""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits


@dataclass
class Rival:
    """A rival's model.

    Attributes:
        network: The model.
        loss: The mean loss of a batch, in nats.
        sample: Draws some examples, or makes one of the passes that it takes.
        passes: How many of them it takes.
    """

    network: nn.Module
    loss: Callable[[Tensor], Tensor]
    sample: Callable[[int], Any]
    passes: int = 1


class _Missing(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Empty modules in place of packages that the rival imports and that what is measured does not use."""

    NAMES = ("torchvision", "tensorboard", "torch.utils.tensorboard")

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> Any:
        there = any(name == own or name.startswith(f"{own}.") for own in self.NAMES)
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if there else None

    def create_module(self, spec: Any) -> types.ModuleType:
        return _Empty(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        module.__path__ = []


class _Empty(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {}) if name[0].isupper() else _Empty(name)


def pytorch_generative(folder: Path) -> dict[str, Rival]:
    """The models of a checkout in ``folder``, each under the name of ours."""
    sys.path.insert(0, str(folder))
    sys.meta_path.insert(0, _Missing())
    models = importlib.import_module("pytorch_generative.models")

    def bits(network: nn.Module, passes: int, own_sampler: bool) -> Rival:
        def loss(x: Tensor) -> Tensor:
            images = x.view(-1, 1, 28, 28)
            return binary_cross_entropy_with_logits(network(images).view_as(images), images, reduction="sum") / len(x)

        def sample(count: int) -> Any:
            return network.sample(count) if own_sampler else network(torch.zeros(count, 1, 28, 28))

        network(torch.zeros(1, 1, 28, 28))  # the sampler wants the shape of a pass before
        return Rival(network, loss, sample, passes)

    one_by_one = {"in_channels": 1, "out_channels": 1}
    return {
        "FVSBN": bits(models.FullyVisibleBeliefNetwork(n_dims=784), 784, False),
        "NADE 500": bits(models.NADE(input_dim=784, hidden_dim=500), 1, True),
        "MADE 500": bits(models.MADE(input_dim=784, hidden_dims=[500]), 784, False),
        "PixelCNN 15 x 16": bits(
            models.PixelCNN(**one_by_one, n_residual=15, residual_channels=16, head_channels=32), 784, False
        ),
    }


def zuko_flow() -> dict[str, Rival]:
    """zuko's masked autoregressive flow of 11 reals; nothing where zuko is not installed."""
    if importlib.util.find_spec("zuko") is None:
        return {}
    zuko = importlib.import_module("zuko")
    flow = zuko.flows.MAF(features=11, transforms=3, hidden_features=(64, 64))
    return {
        "MADE-MoG 64-64, 11 reals": Rival(flow, lambda x: -flow().log_prob(x).mean(), lambda n: flow().sample((n,)))
    }
