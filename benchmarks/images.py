"""Speed of image models: likelihood, sampling by steps and by recomputing, training, on 64 binarised MNIST images.

Writes ``benchmark-images.json``. Everything is measured in one process on the same weights, interleaved, and the least
of several times is kept. Recomputing is timed over a few steps of the contract's default, each a pass over 64 images,
and multiplied by the 784 that a sample takes. What rivals take on another such machine is in ../shared/targets.md.
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from measuring import Recompute, operations, rates, seconds, train_step
from textbook import TextbookGatedPixelCNN, TextbookPixelCNN
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

import chainrule
from chainrule.atomic import write_atomically
from chainrule.conditionals import Bernoulli
from chainrule.data import load
from chainrule.models import GatedPixelCNN, PixelCNN, PixelCNNPlusPlus, PixelRNN
from chainrule.models.images.contract import ImageModel
from chainrule.runs import machine
from chainrule.runs.folder import versions

STEPS = 4
"""Steps of the default that are timed."""

MODELS = {
    "PixelCNN, 15 blocks, h = 16": partial(PixelCNN, hidden_size=16),
    "PixelCNN, 15 blocks, h = 32": partial(PixelCNN, hidden_size=32),
    "GatedPixelCNN, 10 layers of 64": partial(GatedPixelCNN, hidden_size=64),
    "GatedPixelCNN, 10 layers of 128": partial(GatedPixelCNN, hidden_size=128),
    "PixelCNN++, 2 resolutions, 3 blocks of 64": PixelCNNPlusPlus,
    "PixelRNN, 7 Diagonal BiLSTMs, h = 16": partial(PixelRNN, hidden_size=16),
    "PixelRNN, 7 Row LSTMs, h = 16": partial(PixelRNN, hidden_size=16, cell="row"),
}

TEXTBOOK = {
    "PixelCNN, 15 blocks, h = 16": partial(TextbookPixelCNN, 16, 15),
    "PixelCNN, 15 blocks, h = 32": partial(TextbookPixelCNN, 32, 15),
    "GatedPixelCNN, 10 layers of 64": partial(TextbookGatedPixelCNN, 64, 10),
    "GatedPixelCNN, 10 layers of 128": partial(TextbookGatedPixelCNN, 128, 10),
}

RIVALS = {  # ../shared/targets.md
    "PixelCNN, 15 blocks, h = 16": {"train_images_per_second": 449, "sample_64_seconds": 41},
    "GatedPixelCNN, 10 layers of 128": {"train_images_per_second": 9.2, "sample_64_seconds": 2168},
}


def recompute(model: ImageModel, x: Tensor) -> None:
    """A few steps of the default."""
    state, previous = Recompute.start(Recompute(model), len(x)), None
    for value in x.flatten(1).unbind(1)[:STEPS]:
        _, state = Recompute.step(Recompute(model), state, previous)
        previous = value


def sampling(model: ImageModel, x: Tensor, repeats: int) -> dict[str, Any]:
    model.eval()
    with torch.inference_mode():
        likelihood, steps, defaults = seconds(
            lambda: model.log_prob(x),
            lambda: chainrule.sample(model, len(x), seed=0),
            lambda: recompute(model, x),
            repeats=repeats,
        )
        recomputed = defaults / STEPS * model.num_variables
        return {
            "log_prob_64_seconds": likelihood,
            "sample_64_seconds": steps,
            "recompute_64_seconds": recomputed,
            "speedup_over_recompute": recomputed / steps,
            "passes_per_sample": steps / likelihood,
            "log_prob_operations": operations(lambda: model(x[:1])),
            "sample_operations": operations(lambda: chainrule.sample(model, 1, seed=0, watch=lambda _: None)),
        }


def training(model: ImageModel, textbook: nn.Module | None, x: Tensor, repeats: int) -> dict[str, Any]:
    """Images/s, also of the textbook's way where there is one; compiled where the recipes do so."""

    def loss(losses: Callable[[Tensor], Tensor], mixed: bool) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            return losses(x).mean()

    step = partial(train_step, model.train(), fused=True)
    steps = {name: step(partial(loss, model.loss, name == "bfloat16")) for name in ("float32", "bfloat16")}
    if not isinstance(model, PixelCNN | PixelRNN):
        steps["bfloat16, compiled"] = step(partial(loss, torch.compile(model.loss, dynamic=False), True))
    if textbook is not None:
        entropy = partial(binary_cross_entropy_with_logits, reduction="none")
        steps["textbook"] = train_step(textbook, partial(loss, lambda x: entropy(textbook(x), x), False), fused=False)
    least = dict(zip(steps, seconds(*steps.values(), repeats=repeats), strict=True))
    rate = {name: len(x) / time for name, time in least.items()}
    best = max(speed for name, speed in rate.items() if name != "textbook")
    return {"train_images_per_second": rate, "train_speedup": best / rate["textbook"] if textbook is not None else None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.manual_seed(0)
    x = load("mnist").test[:64]
    models = {name: build(event_shape=(1, 28, 28), conditional=Bernoulli()) for name, build in MODELS.items()}
    rows: list[dict[str, Any]] = []
    # Sampling first: a process that has trained takes longer for a step.
    for name, model in models.items():
        row = {"model": name, "parameters": model.num_parameters} | sampling(model, x, options.repeats)
        rows.append(row)
        print(json.dumps(row, indent=2), flush=True)
    for row, model in zip(rows, models.values(), strict=True):
        textbook = TEXTBOOK[row["model"]]() if row["model"] in TEXTBOOK else None
        row |= training(model, textbook, x, options.repeats) | {"rival": RIVALS.get(row["model"])}
        print(json.dumps({row["model"]: row["train_images_per_second"]}), flush=True)
    report = {"benchmark": "images", "machine": machine(), "rates": rates(), "versions": versions(), "rows": rows}
    write_atomically(options.out / "benchmark-images.json", (json.dumps(report, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
