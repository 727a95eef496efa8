"""Samples, completions and surprisals of the recipes' image models, and how well one of them tells the class.

Writes ``benchmark-pictures.json`` and a picture each, and the NLL of the mean of three models' p(x). The runs are those
of the recipes mnist/pixel-cnn, mnist/gated-pixel-cnn, mnist/pixel-cnn-plus-plus and mnist/pixel-cnn-classes.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import chainrule
from chainrule import plots
from chainrule.atomic import write_atomically
from chainrule.data import load
from chainrule.data.dataset import Dataset
from chainrule.model import AutoregressiveModel
from chainrule.models import Ensemble
from chainrule.runs import folder as run_folder
from chainrule.runs import machine
from chainrule.runs.folder import versions
from chainrule.tasks.classify import class_prior
from chainrule.tasks.complete import completion
from chainrule.tasks.evaluate import evaluate, log_prob
from chainrule.tasks.score import surprisals

MEMBERS = ("pixel-cnn", "gated-pixel-cnn", "pixel-cnn-plus-plus")
DRAWS = 6
EXAMPLES = 8


def classes(run: Path, data: Dataset, out: Path) -> dict[str, Any]:
    """Draws digits of each class; accuracy of Bayes' rule on the test split, and the NLL of sum_c p(c) p(x | c)."""
    model = run_folder.load(run)
    digits = chainrule.sample(model, 80, seed=0, context=torch.arange(10).repeat(8))
    plots.sample_grid(digits, out / "benchmark-pictures-classes.png", columns=10)
    prior, truth, started = class_prior(data.classes("train"), 10), data.classes("test"), time.perf_counter()
    given = [log_prob(model, data.test, context=torch.full((len(truth),), c)).double() for c in range(10)]
    joints = torch.stack(given, dim=1) + prior.log()
    return {
        "model": type(model).__name__,
        "minutes": run_folder.read_config(run)["training"]["minutes"],
        "test_accuracy": (joints.argmax(1) == truth).double().mean().item(),
        "test_nats_given_class": -joints.log_softmax(1).gather(1, truth[:, None]).mean().item(),
        "mixture_test_nats": -joints.logsumexp(1).mean().item(),
        "seconds": time.perf_counter() - started,
    }


def completed(model: AutoregressiveModel, x: Tensor, out: Path) -> dict[str, Any]:
    """Draws the lower halves that follow from upper ones; exactly, for the upper half comes first in the order."""
    known = (torch.arange(x.shape[2]) < x.shape[2] // 2)[:, None].expand(x.shape[1:])
    started = time.perf_counter()
    draws = [completion(model, x, known, seed=seed) for seed in range(DRAWS)]
    plots.completions(x, known, torch.stack([draw.x for draw in draws]), out / "benchmark-pictures-completions.png")
    return {"exact": all(draw.exact for draw in draws), "seconds": time.perf_counter() - started}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/mnist"))
    parser.add_argument("--out", type=Path, default=Path("results"))
    options = parser.parse_args()
    data, out = load("mnist"), options.out
    plain, gated, plus_plus = (run_folder.load(options.runs / name) for name in MEMBERS)
    drawn = chainrule.sample(gated, 64, seed=0)
    plots.data_beside_samples(data.train[:64], drawn, out / "benchmark-pictures-samples.png")
    x = data.test[:EXAMPLES]
    plots.surprisal_map(x, surprisals(plain, x), out / "benchmark-pictures-surprisal.png")
    report = {
        "benchmark": "pictures",
        "dataset": data.description,
        "machine": machine(),
        "versions": versions(),
        "completions": completed(gated, x, out),
    }
    report["classifier"] = classes(options.runs / "pixel-cnn-classes", data, out)
    ensemble = Ensemble(models=[plain, gated, plus_plus])
    report["ensemble"] = {"members": MEMBERS} | {
        split: evaluate(ensemble, data.split(split)).as_dict() for split in ("valid", "test")
    }
    write_atomically(out / "benchmark-pictures.json", (json.dumps(report, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
