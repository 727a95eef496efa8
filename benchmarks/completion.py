"""Completion of MNIST digits by sequential Monte Carlo, beside a model that was trained for all orders.

Writes ``benchmark-completion.json`` and a picture per mask. For each mask the first test digits are completed from what
is seen of them; -log q(hidden pixels | seen ones) is `hidden_nats`: exact for the order-agnostic model, for particles
an upper bound in expectation. The runs are those of the recipes mnist/made and mnist/eonade-2-layers.
"""

import argparse
import json
import math
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import chainrule
from chainrule import plots
from chainrule.atomic import write_atomically
from chainrule.data import load
from chainrule.model import AutoregressiveModel
from chainrule.runs import machine
from chainrule.runs.folder import versions
from chainrule.tasks.complete import completion
from chainrule.tasks.marginal import hidden_nats

PARTICLES = (1, 16, 256)
WALKS = 2560
"""Walks at a time: so many examples times particles fit in memory."""


def masks(event_shape: tuple[int, ...]) -> dict[str, Tensor]:
    """Masks of the pixels that are seen."""
    lower = torch.zeros(event_shape, dtype=torch.bool)
    lower[..., event_shape[-2] // 2 :, :] = True
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(event_shape, generator=generator)
    return {"random half": scores < scores.median(), "lower half": lower}


def measure(model: AutoregressiveModel, x: Tensor, observed: Tensor, particles: int) -> tuple[dict[str, Any], Tensor]:
    """The figures of one way of completing, and its completions."""
    nats, sizes, drawn = [], [], []
    started = time.perf_counter()
    for i, part in enumerate(x.split(max(1, WALKS // particles))):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a collapse is reported below
            done = completion(model, part, observed, particles=particles, seed=i)
        drawn.append(done.x)
        sizes.append(done.effective_sample_size)
    seconds = time.perf_counter() - started
    for i, part in enumerate(x.split(max(1, WALKS // particles))):
        nats.append(hidden_nats(model, part, observed, particles=particles, seed=i))
    all_nats = torch.cat(nats)
    row = {
        "method": done.method,
        "hidden_nats": all_nats.mean().item(),
        "hidden_nats_stderr": all_nats.std().item() / math.sqrt(len(x)),
        "seconds_per_completion": seconds / len(x),
    }
    if not done.exact:
        least = torch.cat([size for size in sizes if size is not None])
        row |= {"particles": particles, "ess_median": least.median().item(), "ess_least": least.min().item()}
    return row, torch.cat(drawn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fixed", type=Path, default=Path("runs/mnist/made"), help="a run in one order")
    parser.add_argument(
        "--agnostic", type=Path, default=Path("runs/mnist/eonade-2-layers/members/0"), help="an order-agnostic run"
    )
    parser.add_argument("-n", type=int, default=50, help="test digits (default 50)")
    parser.add_argument("--out", type=Path, default=Path("results"))
    options = parser.parse_args()
    fixed, agnostic = chainrule.load(options.fixed), chainrule.load(options.agnostic)
    x = load("mnist").test[: options.n]
    ways = [(fixed, "in raster order", particles) for particles in PARTICLES] + [(agnostic, "order-agnostic", 1)]
    rows = []
    for name, observed in masks(fixed.event_shape).items():
        columns = []
        for model, kind, particles in ways:
            row, drawn = measure(model, x, observed, particles)
            rows.append({"seen": name, "model": f"{type(model).__name__}, {kind}"} | row)
            columns.append(drawn[:8])
            print(json.dumps(rows[-1]))
        picture = options.out / f"benchmark-completion-{name.replace(' ', '-')}.png"
        plots.completions(x[:8], observed, torch.stack(columns), picture)
    nats = {
        "fixed": chainrule.evaluate(fixed, load("mnist").valid).nats,
        "agnostic": chainrule.evaluate(agnostic, load("mnist").valid).nats,
    }
    report = {
        "benchmark": "completion",
        "examples": options.n,
        "dataset": load("mnist").description,
        "models": {"fixed": fixed.config, "agnostic": agnostic.config},
        "valid_nats": nats,
        "machine": machine(),
        "versions": versions(),
        "rows": rows,
    }
    text = json.dumps(report, indent=2, default=str) + "\n"
    write_atomically(options.out / "benchmark-completion.json", text.encode())


if __name__ == "__main__":
    main()
