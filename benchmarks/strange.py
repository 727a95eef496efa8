"""Detection of data that a model was not fitted on, by each anomaly score, with the failures of plain likelihood.

Writes ``benchmark-strange.json``: the area under the ROC curve of telling other examples from test examples, whether
p-values are uniform, and what purification costs. Models of binarised images and of tables are fitted here, each with a
background model on perturbed examples; those of grey MNIST are the runs of the recipes mnist-grey/pixel-cnn and
mnist-grey/background.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from scipy import stats
from sklearn.metrics import roc_auc_score
from torch import Tensor

import chainrule
from chainrule import runs
from chainrule.atomic import write_atomically
from chainrule.data import load
from chainrule.model import AutoregressiveModel
from chainrule.runs import folder as run_folder
from chainrule.runs import machine
from chainrule.runs.folder import versions
from chainrule.runs.run import run as run_recipe
from chainrule.tasks.anomaly import SCORES, anomaly_scores, compressed_nats
from chainrule.tasks.evaluate import log_prob

COUNT = 2000
GROUP = 10
PERTURB = 0.1
DIGITS = {
    "model": "MADE",
    "model.hidden_sizes": [500],
    "data": "mnist",
    "max_epochs": 20,
    "batch_size": 100,
    "learning_rate": 0.003,
    "averaging": 0.998,
}
"""The settings of a fit to binarised digits, in two minutes; other sets have those of their recipes."""


def rotated(x: Tensor) -> Tensor:
    """Each image by a quarter turn."""
    return x.rot90(1, (2, 3))


def shuffled(x: Tensor) -> Tensor:
    """The variables of each example, all in one other order."""
    order = torch.randperm(x[0].numel(), generator=torch.Generator().manual_seed(0))
    return x.flatten(1)[:, order].view_as(x)


def independent(x: Tensor) -> Tensor:
    """Each variable from an example of its own."""
    rows = torch.rand(x.shape, generator=torch.Generator().manual_seed(0)).argsort(0)
    return x.gather(0, rows)


def aucs(run: Path, background: Path, x: Tensor, others: dict[str, Tensor]) -> list[dict[str, Any]]:
    """The AUC of every score for each kind of other examples."""
    model, base = run_folder.load(run), run_folder.load(background)
    calibration, held_out = (runs.read_calibration(run, split) for split in ("train", "valid"))

    def scored(examples: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        log_probs = log_prob(model, examples)
        known = {
            "calibration": calibration, "background": log_prob(base, examples), "complexity": compressed_nats(examples)
        }  # fmt: skip
        scores = {score: anomaly_scores(score, log_probs, **known) for score in SCORES}
        scores["pvalue by validation"] = anomaly_scores("pvalue", log_probs, calibration=held_out)
        whole = log_probs[: len(log_probs) // GROUP * GROUP]
        return scores | {f"typicality of {GROUP}": calibration.typicality(whole, GROUP)}, log_probs

    inside, log_probs = scored(x)
    rows = []
    for name, examples in others.items():
        outside, other_log_probs = scored(examples)
        auc = {
            score: float(roc_auc_score([0] * len(inside[score]) + [1] * len(found), torch.cat([inside[score], found])))
            for score, found in outside.items()
        }
        nats = {"nats": -log_probs.double().mean().item(), "other_nats": -other_log_probs.double().mean().item()}
        rows.append({"data": run_folder.read_config(run)["settings"]["data"], "other": name, "auc": auc} | nats)
        print(json.dumps(rows[-1]), flush=True)
    return rows


def recipe(name: str) -> dict[str, Any]:
    """The settings of the fit to a named set."""
    said = DIGITS if name == "mnist" else runs.read(f"recipes/{name}/made.yaml")
    return {key: value for key, value in said.items() if key != "published"}


def fitted(name: str, folder: Path) -> tuple[Path, Path]:
    """A MADE and its background model of a named set, as runs."""
    pair = folder / name, folder / f"{name}-background"
    for path, perturb in zip(pair, (0.0, PERTURB), strict=True):
        run_recipe(recipe(name) | {"perturb": perturb}, path, verbose=False)
    return pair


def uniformity(run: Path, model: AutoregressiveModel, x: Tensor) -> dict[str, float]:
    """The Kolmogorov-Smirnov distance of test p-values from uniform ones, by what they are compared with."""
    log_probs = log_prob(model, x)
    return {
        split: float(stats.kstest(runs.read_calibration(run, split).pvalues(log_probs).numpy(), "uniform").statistic)
        for split in ("train", "valid")
    }


def cost(model: AutoregressiveModel, x: Tensor) -> dict[str, float]:
    """Seconds that purifying 64 images and drawing 64 take, one after the other, medians of five."""
    seconds: dict[str, list[float]] = {"purify_64": [], "sample_64": []}
    for _ in range(5):
        for name, action in {
            "purify_64": lambda: chainrule.purify(model, x, 76),
            "sample_64": lambda: chainrule.sample(model, 64, seed=0),
        }.items():
            started = time.perf_counter()
            action()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(found) for name, found in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the runs of the recipes are")
    parser.add_argument("--out", type=Path, default=Path("results"))
    options = parser.parse_args()
    started = time.perf_counter()
    grey = options.runs / "mnist-grey/pixel-cnn"
    x, silhouettes = load("mnist-grey").test[:COUNT], load("silhouettes").test[:COUNT]
    digits = load("mnist").test[:COUNT]
    others = {
        "silhouettes": 255 * silhouettes,
        "rotated": rotated(x),
        "inverted": 255 - x,
        "shuffled": shuffled(x),
        "independent pixels": independent(x),
        "black": torch.zeros_like(x[:200]),
    }
    model = run_folder.load(grey)
    seconds = cost(model, x[:64])
    ks = uniformity(grey, model, load("mnist-grey").test[:])
    rows = aucs(grey, options.runs / "mnist-grey/background", x, others)
    with tempfile.TemporaryDirectory() as folder:
        images = {
            "mnist": {"silhouettes": silhouettes, "rotated": rotated(digits), "inverted": 1 - digits},
            "silhouettes": {"mnist": digits, "inverted": 1 - silhouettes},
        }
        for name, kinds in images.items():
            rows += aucs(*fitted(name, Path(folder)), load(name).test[:COUNT], kinds)
        for name in ("dna", "mushrooms"):
            table = load(name).test[:COUNT]
            kinds = {"shuffled": shuffled(table), "independent columns": independent(table)}
            rows += aucs(*fitted(name, Path(folder)), table, kinds)
    report = {
        "benchmark": "strange",
        "grey": "mnist-grey/pixel-cnn, mnist-grey/background",
        "recipes": {name: recipe(name) for name in ("mnist", "silhouettes", "dna", "mushrooms")},
        "perturb": {
            "mnist-grey": run_folder.read_config(options.runs / "mnist-grey/background")["settings"]["perturb"],
            "others": PERTURB,
        },
        "examples": COUNT,
        "seconds": seconds,
        "kolmogorov_smirnov": ks,
        "rows": rows,
        "minutes": (time.perf_counter() - started) / 60,
        "machine": machine(),
        "versions": versions(),
    }
    write_atomically(options.out / "benchmark-strange.json", (json.dumps(report, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
