"""Speed of likelihood, sampling and training, each beside the textbook's way, in one process.

Writes ``benchmark-speed.json``. Everything is measured on the same weights and the same 64 (training:
256) binarised MNIST images, interleaved, and the least of several times is kept.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from textbook import TextbookFVSBN, TextbookMADE, TextbookNADE, sample_by_passes
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.flop_counter import FlopCounterMode

import chainrule
from chainrule.atomic import write_atomically
from chainrule.conditionals import Bernoulli
from chainrule.data import load
from chainrule.model import AutoregressiveModel
from chainrule.models import FVSBN, MADE, NADE
from chainrule.runs import machine
from chainrule.runs.folder import versions
from chainrule.walk import walk

N = 784
PUBLISHED = {  # ../shared/targets.md, measured there on a quieter and faster machine
    "FVSBN": {"train_images_per_second": 3050, "sample_64_seconds": 7.2, "sketch_sample_64_seconds": 0.018},
    "NADE 500": {"train_images_per_second": 1076, "sample_64_seconds": 0.047, "sketch_sample_64_seconds": 0.023},
    "MADE 500": {"train_images_per_second": 26300, "sample_64_seconds": 0.67, "sketch_sample_64_seconds": 0.025},
    "MADE 8000": {"train_images_per_second": 1730, "sample_64_seconds": 13.7, "sketch_sample_64_seconds": 0.050},
}


class Recompute(AutoregressiveModel):
    """A model's parallel pass with the contract's default step."""

    def __init__(self, model: AutoregressiveModel) -> None:
        super().__init__(event_shape=model.event_shape, conditional=model.conditional)
        self.model = model

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        return self.model(x, context)


def seconds(*actions: Callable[[], Any], repeats: int = 5, warm: bool = True) -> list[float]:
    """The least time of each action, taken in turns so that a busy moment hits all of them."""
    best = [float("inf")] * len(actions)
    for repeat in range(repeats + warm):
        for index, action in enumerate(actions):
            start = time.perf_counter()
            action()
            if repeat >= warm:
                best[index] = min(best[index], time.perf_counter() - start)
    return best


def train_step(network: nn.Module, loss: Callable[[], Tensor], *, fused: bool) -> Callable[[], None]:
    optimizer = torch.optim.Adam(network.parameters(), fused=fused)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


def operations(action: Callable[[], Any]) -> int:
    with FlopCounterMode(display=False) as counter:
        action()
    return counter.get_total_flops()


def measure_sampling(model: AutoregressiveModel, textbook: nn.Module, x64: Tensor, quick: bool) -> dict[str, Any]:
    model.eval()
    with torch.inference_mode():
        likelihood, steps = seconds(
            lambda: model.log_prob(x64), lambda: chainrule.sample(model, 64, seed=0), repeats=3 if quick else 9
        )
        recompute = Recompute(model)
        recomputed, textbook_sample = seconds(
            # On real images: a pass of NADE costs more the more ones it sees, and untrained samples have many.
            lambda: walk(recompute, 64, lambda t, distribution: (distribution.sample(), x64[:, t])[1]),
            lambda: textbook.sample(64) if isinstance(textbook, TextbookNADE) else sample_by_passes(textbook, 64, N),
            repeats=1 if quick else 3,
            warm=False,
        )
        return {
            "log_prob_64_seconds": likelihood,
            "sample_64_seconds": steps,
            "recompute_64_seconds": recomputed,
            "textbook_sample_64_seconds": textbook_sample,
            "speedup_over_recompute": recomputed / steps,
            "speedup_over_textbook": textbook_sample / steps,
            "passes_per_sample": steps / likelihood,
            "log_prob_64_operations": operations(lambda: model.log_prob(x64)),
            "sample_64_operations": operations(lambda: chainrule.sample(model, 64, seed=0)),
            "recompute_64_operations": N * operations(lambda: model.log_prob(x64)),
        }


def measure_training(model: AutoregressiveModel, textbook: nn.Module, x256: Tensor, quick: bool) -> dict[str, Any]:
    ours = train_step(model.train(), lambda: -model.log_prob(x256).mean(), fused=True)
    theirs = train_step(textbook, lambda: binary_cross_entropy_with_logits(textbook(x256), x256), fused=False)
    ours_seconds, theirs_seconds = seconds(ours, theirs, repeats=3 if quick else 7)
    return {
        "train_images_per_second": 256 / ours_seconds,
        "textbook_train_images_per_second": 256 / theirs_seconds,
        "train_speedup": theirs_seconds / ours_seconds,
    }


def rates() -> dict[str, float]:
    """The peak rates of this machine, to tell how far above the floor a figure is."""
    a, b = torch.randn(2000, 2000), torch.randn(64, 500)
    small = torch.zeros(64)
    product, sigmoid, add = seconds(
        lambda: a @ a, lambda: torch.sigmoid(a), lambda: [small + small for _ in range(1000)], repeats=9
    )
    (step,) = seconds(lambda: torch.sigmoid(b), repeats=50)
    return {
        "matrix_product_gflops": 2 * 2000**3 / product / 1e9,
        "sigmoid_billions_per_second": a.numel() / sigmoid / 1e9,
        "eager_add_microseconds": add * 1e3,
        "sigmoid_64x500_microseconds": step * 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    x = load("mnist").test[:256].flatten(1)
    settings = {"event_shape": (N,), "conditional": Bernoulli()}
    pairs = {
        "FVSBN": (FVSBN(**settings), TextbookFVSBN(N)),
        "NADE 500": (NADE(**settings, hidden_size=500), TextbookNADE(N, 500)),
        "MADE 500": (MADE(**settings, hidden_sizes=[500]), TextbookMADE(N, 500)),
        "MADE 8000": (MADE(**settings, hidden_sizes=[8000]), TextbookMADE(N, 8000)),
    }
    rows = []
    # Sampling first: it runs in processes that never trained, and a process that did takes longer for a step.
    for name, (model, textbook) in pairs.items():
        sampling = measure_sampling(model, textbook, x[:64], arguments.quick)
        rows.append({"model": name, "parameters": model.num_parameters} | sampling)
    for row, (name, (model, textbook)) in zip(rows, pairs.items(), strict=True):
        row |= measure_training(model, textbook, x, arguments.quick) | {"targets_md": PUBLISHED[name]}
        print(json.dumps(row, indent=2), flush=True)
    report = {"benchmark": "speed", "machine": machine(), "rates": rates(), "versions": versions(), "rows": rows}
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_atomically(arguments.out / "benchmark-speed.json", (json.dumps(report, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
