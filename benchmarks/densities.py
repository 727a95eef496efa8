"""Densities of two variables on a grid, beside the points that they were fitted to: the picture of real conditionals.

Writes ``docs/pictures/densities.png``, and ``benchmark-densities.json`` with the mean log-likelihoods of new points.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import make_circles, make_moons
from torch import Tensor

import chainrule
from chainrule.atomic import write_atomically
from chainrule.conditionals import Conditional, Gaussian, GaussianMixture
from chainrule.models import MADE
from chainrule.runs import machine
from chainrule.runs.folder import versions

POINTS = 4000
REACH, SIDE = 2.4, 160
TRAINING = {"max_epochs": 60, "batch_size": 200, "learning_rate": 3e-3, "verbose": False}
FAMILIES: dict[str, Conditional] = {"Gaussian": Gaussian(), "mixture of 20 Gaussians": GaussianMixture(20)}
ORDERS = {"x, then y": "raster", "y, then x": "reversed"}

Points = NDArray[np.float64]


def moons(count: int, seed: int) -> Points:
    return make_moons(count, noise=0.07, random_state=seed)[0]


def rings(count: int, seed: int) -> Points:
    return make_circles(count, noise=0.05, factor=0.5, random_state=seed)[0]


def pinwheel(count: int, seed: int) -> Points:
    """Five arms, each bent the more the further out."""
    rng = np.random.RandomState(seed)
    arm = rng.randint(5, size=count)
    along, across = rng.normal(1.0, 0.3, count), rng.normal(0.0, 0.08, count)
    angle = 2 * np.pi * arm / 5 + 0.8 * along
    return np.stack([along * np.cos(angle) - across * np.sin(angle), along * np.sin(angle) + across * np.cos(angle)], 1)


SETS: dict[str, Callable[[int, int], Points]] = {"two moons": moons, "rings": rings, "pinwheel": pinwheel}


def rows(draw: Callable[[int, int], Points], seed: int) -> Tensor:
    """Points of unit variance about zero, by the figures of the first draw."""
    first, points = draw(POINTS, 0), draw(POINTS, seed)
    return torch.from_numpy((points - first.mean(0)) / first.std(0)).float()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--picture", type=Path, default=Path("docs/pictures/densities.png"))
    options = parser.parse_args()
    axis = torch.linspace(-REACH, REACH, SIDE)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).reshape(-1, 2)
    columns = 1 + len(FAMILIES) * len(ORDERS)
    figure, axes = plt.subplots(len(SETS), columns, figsize=(1.6 * columns, 1.6 * len(SETS)), layout="constrained")
    figures: dict[str, Any] = {}
    for line, (name, draw) in zip(axes, SETS.items(), strict=True):
        train, valid, test = (rows(draw, seed) for seed in range(3))
        line[0].hist2d(*train.numpy().T, bins=SIDE // 2, range=[[-REACH, REACH]] * 2, cmap="magma")
        line[0].set_ylabel(name, fontsize=8)
        figures[name] = {}
        for place, (family, order) in zip(line[1:], [(f, o) for f in FAMILIES for o in ORDERS], strict=True):
            torch.manual_seed(0)
            model = MADE(event_shape=(2,), conditional=FAMILIES[family], hidden_sizes=[128, 128], order=ORDERS[order])
            chainrule.fit(model, train, valid, **TRAINING)
            with torch.no_grad():
                density = model.log_prob(grid).exp().reshape(SIDE, SIDE)
                figures[name][f"{family}, {order}"] = float(model.log_prob(test).mean())
            place.imshow(
                density, origin="lower", extent=[-REACH, REACH] * 2, cmap="magma", vmax=density.quantile(0.995)
            )
            if line is axes[0]:
                place.set_title(f"{family}\n{order}", fontsize=7)
        print(name, figures[name], flush=True)
    axes[0][0].set_title("data", fontsize=7)
    for place in axes.flat:
        place.set(xticks=[], yticks=[], xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal")
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110)
    few = Image.open(buffer).convert("P", palette=Image.Palette.ADAPTIVE, colors=64)  # a quarter of the bytes
    few.save(options.picture, optimize=True)
    report = {"benchmark": "densities", "machine": machine(), "versions": versions(), "training": TRAINING}
    report |= {"points": POINTS, "log_likelihoods": figures}
    write_atomically(options.out / "benchmark-densities.json", (json.dumps(report, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
